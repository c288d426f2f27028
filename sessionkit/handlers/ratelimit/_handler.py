"""Staying within budgets of requests: those that servers tell of, and one of your own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sessionkit import _checks as checks
from sessionkit._origins import origin_or_none
from sessionkit.errors import ConfigError, RateLimitExhausted
from sessionkit.errors.tools import read_retry_after
from sessionkit.handlers.ratelimit._server_limits import ResponseLimits, ServerLimits
from sessionkit.handlers.ratelimit._window import SlidingWindow, read_rate
from sessionkit.headers._rate_limit import read_quotas

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from sessionkit.chain._exchange import Exchange
    from sessionkit.chain._handler import CallNext
    from sessionkit.handlers.ratelimit._window import Limiter

#: Statuses that ask the caller to wait: 429 and 503, and the 403 by which some say 429.
_BACK_OFF_STATUSES = frozenset({403, 429, 503})
_TOO_MANY = 429


class RateLimitHandler:
    """Hold calls back while a budget of requests is spent.

    Two kinds of budget are kept. What servers tell of theirs, by ``RateLimit``, ``X-RateLimit-*``
    and their many variants and by ``Retry-After`` with a 403, 429 or 503, is *learned* from every
    answer: once a budget is spent, the next call waits until it is whole again instead of being
    refused. And calls may be held to a *rate* of your own: no window of that length, wherever it
    begins, holds more, neither here nor at a server that is up to 50 ms (5 % of a short window)
    farther for one request than for another.

    A call that would have to wait longer than *max_wait*, or beyond its deadline, is not sent
    and not waited for: it ends at once with :class:`~sessionkit.errors.RateLimitExhausted`, which
    says when there is room again.

    A learned budget is one of an origin and a credential; a rate is one of an origin. With *key*,
    both are of an origin and whatever it returns.

    Place it innermost, so that every request counts and an answer out of a cache costs nothing.
    Shared between threads, and between stacks that share a budget; no lock is held while a call
    waits or is under way. Redirects count as one request with the call that led to them.

    Args:
        rate: Such as ``"10/second"``, ``"100/15 minutes"`` or ``(10, 1.0)``; or a limiter such as
            :class:`sessionkit.handlers.limits.SharedRateLimiter`. None sets no rate.
        key: Returns what tells budgets apart, such as a tenant. It is hashed before it is kept.
        learn: Whether to heed what servers say.
        max_wait: Seconds that one call may wait altogether; 0 never waits.

    Raises:
        ConfigError: A rate or number that makes no sense.
    """

    __slots__ = ("_key_func", "_limiter", "_max_wait", "_server_limits")

    name = "ratelimit"

    def __init__(
        self,
        rate: str | tuple[int, float] | Limiter | None = None,
        *,
        key_func: Callable[[Exchange], str] | None = None,
        respect_server: bool = True,
        max_wait: float = 60.0,
    ) -> None:
        self._limiter = _limiter(rate)
        self._key_func = key_func
        self._server_limits = ServerLimits() if respect_server else None
        self._max_wait = checks.seconds("max_wait", max_wait)

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        """Wait for leave, forward, and learn from the answer.

        Raises:
            RateLimitExhausted: There is no room in time; nothing was sent.
            ConfigError: The *key* function gave no text.
        """
        origin = exchange.target_origin()
        if origin is None:
            return call_next(exchange)
        own = self._custom_key(exchange)
        latest = exchange.clock.monotonic() + self._max_wait
        whose = origin if own is None else f"{origin} {_digest(own)}"
        learned = self._server_limits
        if learned is None:
            _wait_for_rate(self._limiter, whose, exchange, latest=latest)
            return call_next(exchange)
        account = f"{origin} {_digest(_credential(exchange))}" if own is None else whose
        number = _wait_for_server(learned, account, exchange, latest=latest)
        news = ResponseLimits(counted=False)
        try:
            # After the server's, so that leave to send is used at once.
            _wait_for_rate(self._limiter, whose, exchange, latest=latest)
            # From here on the server may have counted it, whatever becomes of it.
            news = ResponseLimits()
            response = call_next(exchange)
            news = _read_limits(origin, response, exchange)
            return response
        finally:
            learned.release(account, news, exchange.clock.monotonic(), number=number)

    def __repr__(self) -> str:
        rate = "" if self._limiter is None else f"{self._limiter!r}, "
        key = "" if self._key_func is None else "by key, "
        learn = "learning, " if self._server_limits is not None else ""
        return f"RateLimitHandler({rate}{key}{learn}max_wait={self._max_wait:g})"

    def _custom_key(self, exchange: Exchange) -> str | None:
        if self._key_func is None:
            return None
        own = self._key_func(exchange)
        if not isinstance(own, str):
            message = f"the key of a budget must be a text, not {type(own).__name__}"
            raise ConfigError(message, hint="return a text from the function given as key=")
        return own


def _wait_for_server(limits: ServerLimits, key: str, exchange: Exchange, *, latest: float) -> int:
    """Wait until the server has room, as far as it told; return the number of the request."""
    while (leave := limits.acquire(key, exchange.clock.monotonic())).wait > 0:
        _pause(exchange, leave.wait, latest=latest, whose="the server's budget")
    return leave.number


def _wait_for_rate(limiter: Limiter | None, key: str, exchange: Exchange, *, latest: float) -> None:
    """Wait until the rate has room."""
    if limiter is None:
        return
    waits = limiter.waits(key, exchange.clock)
    try:
        for wait in waits:
            _pause(exchange, wait, latest=latest, whose=f"the budget of {limiter!r}")
    finally:
        # Given up, it must not keep a place for this call.
        if (close := getattr(waits, "close", None)) is not None:
            close()


def _pause(exchange: Exchange, wait: float, *, latest: float, whose: str) -> None:
    now = exchange.clock.monotonic()
    deadline = exchange.deadline
    if now + wait <= latest and (deadline is None or now + wait < deadline):
        exchange.clock.sleep(wait)
        return
    attempts = exchange.record.attempts
    raise RateLimitExhausted(
        f"{whose} has no room for {wait:.3g} s, longer than this call may wait",
        hint="call again after retry_after seconds, or give max_wait or the deadline more time",
        method=exchange.method,
        url=exchange.url,
        attempts=len(attempts),
        # An earlier attempt of this call did go out.
        sent="maybe" if attempts else "no",
        retry_after=wait,
    )


def _read_limits(origin: str, response: requests.Response, exchange: Exchange) -> ResponseLimits:
    """Return what an answer tells of the budgets of *origin*."""
    headers, now = response.headers, exchange.clock.time()
    if exchange.record.from_cache:
        return ResponseLimits(counted=False)
    # An answer with an age is old (draft-ietf-httpapi-ratelimit-headers, section 7.3).
    if headers.get("Age", "0").strip() not in {"", "0"} or origin_or_none(response.url) != origin:
        return ResponseLimits()
    hold = read_retry_after(headers, now) if response.status_code in _BACK_OFF_STATUSES else None
    quotas = read_quotas(headers, now)
    if response.status_code == _TOO_MANY:
        quotas = tuple(q._replace(remaining=0) if q.remaining is None else q for q in quotas)
    return ResponseLimits(quotas, hold or 0.0)


def _credential(exchange: Exchange) -> str:
    """Return what tells one account from another on this call; nothing that may be kept."""
    own = exchange.header("Authorization") or exchange.option("auth")
    placed = [secret.value for secret in exchange.credentials]
    return repr((placed, own if isinstance(own, (str, tuple)) else None))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _limiter(rate: object) -> Limiter | None:
    if rate is None:
        return None
    if callable(getattr(rate, "waits", None)):
        limiter: Limiter = rate  # type: ignore[assignment]  # it has what a limiter has
        return limiter
    return SlidingWindow(read_rate(rate))
