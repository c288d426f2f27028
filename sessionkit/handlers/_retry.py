"""Attempts made again: urllib3's Retry says whether, the loop is ours.

An adapter's own retries would hide attempts from every handler, and could not renew a token
between two of them.
"""

from __future__ import annotations

import math
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

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
from urllib3.response import HTTPResponse
from urllib3.util import Retry

from sessionkit._exchange import MOST_ATTEMPTS
from sessionkit.errors import ConfigError, SessionKitError, read_retry_after

if TYPE_CHECKING:
    from sessionkit._exchange import Exchange
    from sessionkit._handler import Forward


class _Again(NamedTuple):
    """The decision to try once more: what is left of the policy, and how many seconds to wait."""

    policy: Retry
    wait: float


class RetryHandler:
    """Send a call again that failed in a way that may pass.

    Tried again are, as far as the policy allows: calls that never reached the server (name not
    resolved, refused, connect time-out) whatever their method; calls that may have reached it
    (read time-out, connection lost, answer cut short) and answers with a status of the policy's
    list, where the method is idempotent (RFC 9110, section 9.2.2). Never: a bad certificate, a
    failed renewal or anything else that sessionkit itself raises, and a body that cannot be sent
    whole again. After the last try the last answer or exception stands as it is.

    The wait is what the server asked for by ``Retry-After``, else the policy's backoff. Where it
    is longer than *longest_wait*, or would outlast the call's deadline, nothing is waited for and
    the answer stands, so that the caller can see what the server asked.

    A call may carry its own ``retries=``, a number or a ``Retry``. Shared between threads: the
    counts belong to each call.

    Args:
        policy: Of urllib3: ``total``, ``connect``, ``read``, ``status``, ``other``,
            ``allowed_methods``, ``status_forcelist``, the backoff fields,
            ``respect_retry_after_header`` and ``retry_after_max`` hold; ``redirect`` and
            ``raise_on_status`` have no meaning here. A number is the most tries after the first.
            By default three more tries on 429, 502, 503 and 504, at once and then after 1 and 2
            seconds and up to half a second of jitter.
        longest_wait: The longest single wait, in seconds. A backoff is shortened to it.

    Raises:
        ConfigError: A policy or number that makes no sense.
    """

    options = frozenset({"retries"})

    __slots__ = ("_longest_wait", "_policy")

    def __init__(self, policy: Retry | int | None = None, *, longest_wait: float = 60.0) -> None:
        self._policy = _read_policy("policy", policy, _default_policy())
        self._longest_wait = _read_wait(longest_wait)

    def handle(self, exchange: Exchange, forward: Forward) -> requests.Response:
        """Forward until the call succeeds, fails for good, or the policy is spent.

        Raises:
            requests.RequestException: As the last attempt raised it.
            ConfigError: The ``retries`` of the call make no sense.
        """
        policy = self._policy
        if "retries" in exchange.options:
            policy = _read_policy("retries", exchange.options["retries"], policy)
        # Unread, because the body of a refusal may be endless; it is dropped, not waited for.
        unread = exchange.unread()
        while True:
            try:
                response = forward(unread)
                again = self._after_answer(response, exchange, policy)
                if again is None:
                    # Read here, so that an answer cut short is tried again too.
                    if not exchange.stream:
                        exchange.read(response)
                    return response
            except requests.RequestException as error:
                again = self._after_error(error, exchange, policy)
                if again is None:
                    raise
            policy, wait = again
            # The connection serves others while this call waits.
            exchange.release()
            if wait > 0:
                exchange.clock.sleep(wait)

    def _after_answer(
        self, response: requests.Response, exchange: Exchange, policy: Retry
    ) -> _Again | None:
        """Decide whether *response* is worth another try."""
        status = response.status_code
        headers = response.headers
        told = status >= HTTPStatus.MULTIPLE_CHOICES and "Retry-After" in headers
        if not policy.is_retry(exchange.method, status, told) or not _repeatable(exchange):
            return None
        answer = HTTPResponse(status=status, headers=headers)
        left = _spend(policy, exchange, answer=answer)
        if left is None:
            return None
        wait = None
        if told and policy.respect_retry_after_header:
            wait = read_retry_after(headers, exchange.clock.time())
        if not wait:
            return self._in_time(left, self._backoff(left), exchange)
        # The field came with urllib3 2.6.
        wait = min(wait, getattr(policy, "retry_after_max", wait))
        return None if wait > self._longest_wait else self._in_time(left, wait, exchange)

    def _after_error(
        self, error: requests.RequestException, exchange: Exchange, policy: Retry
    ) -> _Again | None:
        """Decide whether the call that *error* ended is worth another try."""
        kind = _classify(error)
        if kind is None or not _repeatable(exchange):
            return None
        if kind is ConnectTimeoutError and _was_answered(exchange):
            kind = ProtocolError  # a redirect led here: the request before it did arrive
        if kind is not ConnectTimeoutError and not _is_idempotent(exchange.method, policy):
            return None
        left = _spend(policy, exchange, error=kind(type(error).__name__))
        return None if left is None else self._in_time(left, self._backoff(left), exchange)

    def _backoff(self, policy: Retry) -> float:
        return min(policy.get_backoff_time(), self._longest_wait)

    @staticmethod
    def _in_time(policy: Retry, wait: float, exchange: Exchange) -> _Again | None:
        deadline = exchange.deadline
        if deadline is not None and exchange.clock.monotonic() + wait >= deadline:
            return None
        return _Again(policy, wait)

    def __repr__(self) -> str:
        policy = self._policy
        names = ("total", "connect", "read", "status", "other")
        limits = ((name, getattr(policy, name)) for name in names)
        shown = [f"{name}={limit}" for name, limit in limits if limit is not None]
        methods = policy.allowed_methods
        shown += [
            f"statuses={sorted(policy.status_forcelist)}",
            f"methods={'any' if not methods else sorted(methods)}",
            f"backoff={policy.backoff_factor} to {policy.backoff_max}",
            f"jitter={policy.backoff_jitter}",
            f"longest_wait={self._longest_wait}",
        ]
        return f"RetryHandler({', '.join(shown)})"


def _default_policy() -> Retry:
    return Retry(
        total=3, backoff_factor=0.5, backoff_jitter=0.5, status_forcelist={429, 502, 503, 504}
    )


def _read_policy(name: str, value: object, base: Retry) -> Retry:
    """Return the policy that *value* stands for; a number takes its other fields from *base*."""
    if value is None:
        return base
    if isinstance(value, Retry):
        return value
    if value is False:
        return base.new(total=0)
    if isinstance(value, int) and value is not True and value >= 0:
        return base.new(total=value)
    message = f"{name}={value!r} says nothing about retries"
    raise ConfigError(message, hint="a whole number from 0, or a urllib3.util.Retry")


def _read_wait(value: object) -> float:
    # Not a number is not less than infinity either.
    if isinstance(value, (int, float)) and 0 <= value < math.inf:
        return value
    message = f"longest_wait={value!r} is not a number of seconds"
    raise ConfigError(message, hint="a number such as 60.0; 0 never waits")


def _repeatable(exchange: Exchange) -> bool:
    """Tell whether another attempt could be made at all."""
    return len(exchange.record.attempts) < MOST_ATTEMPTS and exchange.replayable


def _was_answered(exchange: Exchange) -> bool:
    attempts = exchange.record.attempts
    return bool(attempts) and attempts[-1].status is not None


def _is_idempotent(method: str, policy: Retry) -> bool:
    return not policy.allowed_methods or method.upper() in policy.allowed_methods


def _spend(
    policy: Retry,
    exchange: Exchange,
    *,
    answer: HTTPResponse | None = None,
    error: HTTPError | None = None,
) -> Retry | None:
    """Count one failure off *policy*; None where nothing is left for it."""
    try:
        # urllib3 writes the URL into its log, so it gets the one with its secrets masked.
        return policy.increment(exchange.method, exchange.record.url, response=answer, error=error)
    except HTTPError:
        return None


def _classify(error: requests.RequestException) -> type[HTTPError] | None:
    """Return the kind of error that urllib3 would count *error* as; None: not to be tried again.

    ``ConnectTimeoutError``: nothing was sent; ``ProtocolError``: the request may have arrived;
    ``HTTPError``: anything else, which may have arrived too.
    """
    tried_again = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    if isinstance(error, SessionKitError) or not isinstance(error, tried_again):
        return None
    reason = _reason(error)
    if isinstance(reason, (ConnectTimeoutError, NewConnectionError)):
        return ConnectTimeoutError
    if isinstance(error, requests.ConnectTimeout):
        return ConnectTimeoutError
    if isinstance(error, requests.exceptions.SSLError):
        # A certificate does not get better; a handshake that was cut off may.
        return HTTPError if isinstance(_reason(reason), ssl.SSLEOFError) else None
    if isinstance(error, requests.exceptions.ProxyError) or isinstance(reason, ClosedPoolError):
        return None
    return ProtocolError


def _reason(error: BaseException | None) -> BaseException | None:
    """Return the exception of urllib3 or the socket that *error* was made of."""
    inner = error.args[0] if error is not None and error.args else None
    if isinstance(inner, MaxRetryError):
        inner = inner.reason
    if isinstance(inner, ProxyError):
        inner = inner.original_error
    return inner if isinstance(inner, BaseException) else None
