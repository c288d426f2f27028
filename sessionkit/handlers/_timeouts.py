"""Timeouts for each attempt of a call, and one total timeout over all of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import TimeoutError as LowTimeout

from sessionkit import _checks as checks
from sessionkit.chain._exchange import DEFAULT_TIMEOUT
from sessionkit.errors import DeadlineExceeded, SessionKitError

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: Seconds before the deadline that count as reached: sockets and clocks round differently.
_SLACK = 0.01
#: Seconds (30 years); sockets overflow at longer timeouts.
_MAX_SECONDS = 1e9


class TimeoutHandler:
    """Give every call timeouts, and where wanted a total over attempts, waits and renewal.

    A call that passes ``timeout=`` keeps it, ``timeout=None`` (wait for ever) included. A call
    that passes ``total_timeout=`` has that one in place of *total*; ``total_timeout=None`` lifts
    it, and zero or less is one that has passed. From its start it sets the call's deadline: every
    timeout is shortened to what is left until then, no wait is begun that would outlast it, and a
    body that trickles is left when it passes. What comes before and after a body (status line,
    headers, trailers) is read by ``http.client`` in one go, and bounded per read alone: a server
    that drips those, a byte at a time, outlasts the deadline. Shared between threads.

    Args:
        total: Seconds that a call may take, all attempts, waits and renewal included; None sets
            no limit.
        connect: Seconds to wait for a connection; None sets no limit.
        read: Seconds to wait for the server between two reads; None sets no limit. With
            *connect* None too, the session's own timeouts hold.

    Raises:
        ConfigError: A number that is not positive, or above 1e9.
    """

    options = frozenset({"total_timeout"})

    __slots__ = ("_connect", "_read", "_total")

    def __init__(
        self,
        total: float | None = None,
        *,
        connect: float | None = DEFAULT_TIMEOUT[0],
        read: float | None = DEFAULT_TIMEOUT[1],
    ) -> None:
        self._total = _limit("total", total)
        self._connect = _limit("connect", connect)
        self._read = _limit("read", read)

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call with its timeouts and its deadline.

        Raises:
            DeadlineExceeded: The total timeout passed before there was a response.
            ConfigError: The ``total_timeout`` of the call is not a number of seconds.
        """
        if "timeout" not in exchange.options and (self._connect or self._read):
            exchange = exchange.with_options({"timeout": (self._connect, self._read)})
        total = exchange.options.get("total_timeout", self._total)
        if total is not None:
            seconds = checks.seconds(
                "total_timeout", total, minimum=-math.inf, maximum=_MAX_SECONDS
            )
            exchange = exchange.with_deadline(exchange.clock.monotonic() + seconds)
        if exchange.deadline is None:
            return call_next(exchange)
        try:
            return call_next(exchange)
        except (requests.Timeout, requests.ConnectionError) as error:
            if isinstance(error, SessionKitError) or not _is_by_deadline(error, exchange):
                raise
            raise _exceeded(exchange, error) from error

    def __repr__(self) -> str:
        return f"TimeoutHandler({self._total}, connect={self._connect}, read={self._read})"


def _is_by_deadline(error: requests.RequestException, exchange: Exchange) -> bool:
    """Return whether *error* is a timeout that was shortened to the deadline."""
    # A stall inside a body is a ConnectionError to requests; the timeout is its argument.
    inner = error.args[0] if error.args else None
    timed_out = isinstance(error, requests.Timeout) or isinstance(inner, LowTimeout)
    deadline = exchange.deadline
    return timed_out and deadline is not None and exchange.clock.monotonic() >= deadline - _SLACK


def _exceeded(exchange: Exchange, error: requests.RequestException) -> DeadlineExceeded:
    record = exchange.record
    elapsed = exchange.clock.monotonic() - record.started
    attempts = len(record.attempts)
    return DeadlineExceeded(
        f"the deadline passed after {elapsed:.3f}s, in attempt {attempts}",
        hint="give the call a longer total_timeout=, or TimeoutHandler a longer total",
        method=exchange.method,
        url=exchange.url,
        attempts=attempts,
        duration=elapsed,
        sent=record.sent,
        request=error.request,
        status=record.attempts[-1].status if attempts else None,
    )


def _limit(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    hint = f"a number such as 2.5; {name}=None sets no limit"
    return checks.seconds(name, value, positive=True, maximum=_MAX_SECONDS, hint=hint)
