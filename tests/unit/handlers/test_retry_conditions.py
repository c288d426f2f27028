"""What may pass, as conditions that are put together."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProtocolError, SSLError

from sessionkit import Exchange
from sessionkit.errors import RenewalFailed
from sessionkit.handlers import RetryIf
from sessionkit.handlers._retry_conditions import classify

NO_EXCHANGE: Any = None


def response_with(status: int) -> requests.Response:
    """Return an answer."""
    response = requests.Response()
    response.status_code = status
    return response


def holds(condition: Any, outcome: requests.Response | Exception) -> bool:
    """Ask a condition that does not look at the exchange."""
    told: bool = condition(NO_EXCHANGE, outcome)
    return told


def always(_: Exchange, outcome: object) -> bool:
    """A plain function."""
    return True


def never(_: Exchange, outcome: object) -> bool:
    """Another one."""
    return False


def test_a_status_is_a_condition() -> None:
    """An answer with one of them, and no exception."""
    condition = RetryIf.status(409, 423)

    assert holds(condition, response_with(409))
    assert not holds(condition, response_with(503))
    assert not holds(condition, requests.ReadTimeout("slow"))


def test_a_class_of_exceptions_is_a_condition() -> None:
    """One of requests', and no answer."""
    condition = RetryIf.raised(requests.ReadTimeout, requests.ConnectTimeout)

    assert holds(condition, requests.ConnectTimeout("slow"))
    assert not holds(condition, requests.ConnectionError("gone"))
    assert not holds(condition, response_with(503))


@pytest.mark.parametrize(
    ("outcome", "passes"),
    [
        (response_with(429), True),
        (response_with(503), True),
        (response_with(500), False),
        (response_with(200), False),
        (requests.ConnectionError("gone"), True),
        (requests.exceptions.SSLError("self-signed"), False),
        (RenewalFailed("refused"), False),
        (TypeError("yours"), False),
    ],
)
def test_what_is_transient_is_known(outcome: Any, passes: bool) -> None:
    """The handler's own judgement can be built upon."""
    assert holds(RetryIf.transient, outcome) is passes


def test_conditions_are_put_together() -> None:
    """Or, and, not: also with plain functions, on either side."""
    busy, gone = response_with(503), response_with(410)

    assert holds(RetryIf.transient | RetryIf.status(410), gone)
    assert not holds(RetryIf.transient & ~RetryIf.status(503), busy)
    assert holds(RetryIf.transient & ~RetryIf.status(410), busy)
    for condition in (RetryIf.status(410) | never, never | RetryIf.status(410)):
        assert holds(condition, gone)
        assert not holds(condition, busy)
    for condition in (RetryIf.status(410) & always, always & RetryIf.status(410)):
        assert holds(condition, gone)
        assert not holds(condition, busy)
    assert holds(RetryIf(always), busy)


def test_a_condition_may_look_at_the_call() -> None:
    """The number of attempts and the URL are at hand."""
    seen: list[Any] = []

    def looking(exchange: Exchange, outcome: object) -> bool:
        seen.append((exchange, outcome))
        return False

    busy = response_with(503)
    assert not (RetryIf.status(404) | looking)(NO_EXCHANGE, busy)
    assert seen == [(NO_EXCHANGE, busy)]


def given_up(reason: Exception) -> MaxRetryError:
    return MaxRetryError(None, "/", reason)  # type: ignore[arg-type]  # the pool is only printed


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (requests.ConnectionError(given_up(ConnectTimeoutError("x"))), ConnectTimeoutError),
        (requests.ConnectTimeout("x"), ConnectTimeoutError),
        (requests.ReadTimeout("x"), ProtocolError),
        (requests.ConnectionError(), ProtocolError),
        (requests.exceptions.SSLError(given_up(SSLError(ssl.SSLError(1, "alert")))), None),
        (requests.exceptions.ContentDecodingError("x"), None),
        (requests.exceptions.RetryError("x"), None),
        (ValueError("x"), None),
    ],
)
def test_a_failure_is_counted_as_urllib3_would(error: Exception, kind: type | None) -> None:
    """The limits of a Retry keep their meaning."""
    assert classify(error) is kind
