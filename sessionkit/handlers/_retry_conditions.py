"""Conditions for retrying: which failures are transient, and how conditions are combined."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, TypeAlias

import requests
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
)

from sessionkit.errors import SessionKitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar

    from sessionkit.chain._exchange import Exchange

    Condition: TypeAlias = Callable[[Exchange, requests.Response | Exception], bool]

#: Statuses of a server that is busy, or behind a gateway in trouble.
TRANSIENT = frozenset({429, 502, 503, 504})


class RetryIf:
    """A condition on the outcome of an attempt, for ``RetryHandler(when=...)``.

    It is called with the exchange and its response, or the exception raised in its place. Combine
    conditions with ``|``, ``&`` and ``~``, also with plain functions of these two arguments. The
    response's body is not read yet; a condition that reads it takes it into memory. Immutable.

    Args:
        condition: The function; what it raises ends the call.

    Attributes:
        transient: What a handler without ``when=`` retries: responses of 429, 502, 503 and 504, and
            transient faults of transport.
    """

    __slots__ = ("_condition",)

    transient: ClassVar[RetryIf]

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def __call__(self, exchange: Exchange, outcome: requests.Response | Exception) -> bool:
        """Return whether to retry."""
        return bool(self._condition(exchange, outcome))

    def __or__(self, other: Condition) -> RetryIf:
        return RetryIf(
            lambda exchange, outcome: self(exchange, outcome) or other(exchange, outcome)
        )

    def __and__(self, other: Condition) -> RetryIf:
        return RetryIf(
            lambda exchange, outcome: self(exchange, outcome) and other(exchange, outcome)
        )

    def __ror__(self, other: Condition) -> RetryIf:
        return RetryIf(other) | self

    def __rand__(self, other: Condition) -> RetryIf:
        return RetryIf(other) & self

    def __invert__(self) -> RetryIf:
        return RetryIf(lambda exchange, outcome: not self(exchange, outcome))

    @classmethod
    def status(cls, *statuses: int) -> RetryIf:
        """Return the condition that the response has one of *statuses*."""
        return cls(lambda _, outcome: getattr(outcome, "status_code", None) in statuses)

    @classmethod
    def raised(cls, *kinds: type[Exception]) -> RetryIf:
        """Return the condition that an exception of requests of one of *kinds* was raised."""
        return cls(lambda _, outcome: isinstance(outcome, kinds))


def _is_transient(_: Exchange, outcome: requests.Response | Exception) -> bool:
    if isinstance(outcome, Exception):
        return classify(outcome) is not None
    return outcome.status_code in TRANSIENT


RetryIf.transient = RetryIf(_is_transient)


def classify(error: Exception) -> type[HTTPError] | None:
    """Return the class of error that urllib3's Retry counts *error* as; None for no retry.

    ``ConnectTimeoutError``: nothing was sent; ``ProtocolError``: the request may have arrived;
    ``HTTPError``: anything else, which may have arrived too.
    """
    retried = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    if isinstance(error, SessionKitError) or not isinstance(error, retried):
        return None
    reason = _low_level_cause(error)
    if isinstance(reason, (ConnectTimeoutError, NewConnectionError)):
        return ConnectTimeoutError
    if isinstance(error, requests.ConnectTimeout):
        return ConnectTimeoutError
    if isinstance(error, requests.exceptions.SSLError):
        # A retry cannot mend a certificate, but may complete a handshake that was cut off.
        return HTTPError if isinstance(_low_level_cause(reason), ssl.SSLEOFError) else None
    if isinstance(error, requests.exceptions.ProxyError) or isinstance(reason, ClosedPoolError):
        return None
    return ProtocolError


def _low_level_cause(error: BaseException | None) -> BaseException | None:
    """Return the exception of urllib3 or the socket that *error* wraps."""
    inner = error.args[0] if error is not None and error.args else None
    if isinstance(inner, MaxRetryError):
        inner = inner.reason
    if isinstance(inner, ProxyError):
        inner = inner.original_error
    return inner if isinstance(inner, BaseException) else None
