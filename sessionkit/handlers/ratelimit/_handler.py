"""Rate limiting of calls: by the quotas that servers report, and by a rate of your own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sessionkit import _checks as checks
from sessionkit._origins import origin_or_none
from sessionkit.errors import ConfigError, RateLimitExhausted, tools
from sessionkit.handlers.ratelimit._server_limits import ResponseLimits, ServerLimits
from sessionkit.handlers.ratelimit._window import SlidingWindow, read_rate
from sessionkit.headers._rate_limit import read_quotas

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.handlers.ratelimit._window import Limiter

#: Statuses that may ask the caller to wait: 429, 503, and 403, which some send for 429.
_BACK_OFF_STATUSES = frozenset({403, 429, 503})
_TOO_MANY = 429


class RateLimitHandler:
    """Delay calls that would exceed a server's quota or a rate of your own.

    A server's quota is read from every response: ``RateLimit``, ``X-RateLimit-*`` and their many
    variants, and ``Retry-After`` with a 403, 429 or 503. Once a quota is used up, the next call
    waits until it is reset instead of being refused. A *rate* is a limit that you set: no window of
    that length, wherever it begins, holds more requests, neither here nor at a server, as long as
    no request takes 50 ms (5 % of a short window) longer to it than another.

    A call that would have to wait longer than *max_wait*, or beyond its deadline, is not sent: it
    ends at once with :class:`~sessionkit.errors.RateLimitExhausted`, whose ``retry_after`` says
    when to call again.

    A quota belongs to an origin and a credential, a rate to an origin. With *key_func*, both belong
    to an origin and what it returns.

    Place it innermost, so that every request counts and a response from a cache costs nothing.
    Shared between threads, and between stacks that share a quota; no lock is held while a call
    waits or is under way. Redirects count as one request with the call that led to them.

    Args:
        rate: Such as ``"10/second"``, ``"100/15 minutes"`` or ``(10, 1.0)``; or a limiter such as
            :class:`sessionkit.handlers.limits.SharedRateLimiter`. None sets no rate.
        key_func: Returns a text that tells quotas apart, such as a tenant. Only a hash of it is
            kept.
        respect_server: Whether to wait for the server's quotas.
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
        """Wait until the request may be sent, send it, and read the quotas of its response.

        Raises:
            RateLimitExhausted: The wait would be too long; nothing was sent.
            ConfigError: *key_func* returned no text.
        """
        origin = exchange.target_origin()
        if origin is None:
            return call_next(exchange)
        custom = self._custom_key(exchange)
        latest = exchange.clock.monotonic() + self._max_wait
        rate_key = origin if custom is None else f"{origin} {_digest(custom)}"
        server = self._server_limits
        if server is None:
            _wait_for_rate(self._limiter, rate_key, exchange, latest=latest)
            return call_next(exchange)
        quota_key = f"{origin} {_digest(_credential(exchange))}" if custom is None else rate_key
        number = _wait_for_server(server, quota_key, exchange, latest=latest)
        limits = ResponseLimits(counted=False)
        try:
            # After the wait for the server, so that the permit of the rate is used at once.
            _wait_for_rate(self._limiter, rate_key, exchange, latest=latest)
            # From here on the server may have counted it, also if it fails.
            limits = ResponseLimits()
            response = call_next(exchange)
            limits = _read_limits(origin, response, exchange)
            return response
        finally:
            server.release(quota_key, limits, exchange.clock.monotonic(), number=number)

    def __repr__(self) -> str:
        rate = "" if self._limiter is None else f"{self._limiter!r}, "
        key = "" if self._key_func is None else "key_func=..., "
        server = f"respect_server={self._server_limits is not None}"
        return f"RateLimitHandler({rate}{key}{server}, max_wait={self._max_wait:g})"

    def _custom_key(self, exchange: Exchange) -> str | None:
        if self._key_func is None:
            return None
        key = self._key_func(exchange)
        if not isinstance(key, str):
            message = f"key_func must return a text, not {type(key).__name__}"
            raise ConfigError(message, hint="return a str from the function given as key_func=")
        return key


def _wait_for_server(limits: ServerLimits, key: str, exchange: Exchange, *, latest: float) -> int:
    """Wait until the server's quotas allow the request; return its number."""
    while (permit := limits.acquire(key, exchange.clock.monotonic())).wait > 0:
        _sleep(exchange, permit.wait, latest=latest, limit="the server's quota")
    return permit.number


def _wait_for_rate(limiter: Limiter | None, key: str, exchange: Exchange, *, latest: float) -> None:
    """Wait until the rate allows the request."""
    if limiter is None:
        return
    waits = limiter.waits(key, exchange.clock)
    try:
        for wait in waits:
            _sleep(exchange, wait, latest=latest, limit=f"the rate of {limiter!r}")
    finally:
        # A limiter must not count a call that was given up.
        if (close := getattr(waits, "close", None)) is not None:
            close()


def _sleep(exchange: Exchange, wait: float, *, latest: float, limit: str) -> None:
    now = exchange.clock.monotonic()
    deadline = exchange.deadline
    if now + wait <= latest and (deadline is None or now + wait < deadline):
        exchange.clock.sleep(wait)
        return
    attempts = exchange.record.attempts
    raise RateLimitExhausted(
        f"{limit} allows no request for {wait:.3g} s, longer than this call may wait",
        hint="call again after retry_after seconds, or raise max_wait or the total timeout",
        method=exchange.method,
        url=exchange.url,
        attempts=len(attempts),
        # An earlier attempt of this call may have arrived.
        sent="maybe" if attempts else "no",
        retry_after=wait,
    )


def _read_limits(origin: str, response: requests.Response, exchange: Exchange) -> ResponseLimits:
    """Return what a response says about the quotas of *origin*."""
    headers, now = response.headers, exchange.clock.time()
    if exchange.record.from_cache:
        return ResponseLimits(counted=False)
    # A response with an age is old (draft-ietf-httpapi-ratelimit-headers, section 7.3).
    if headers.get("Age", "0").strip() not in {"", "0"} or origin_or_none(response.url) != origin:
        return ResponseLimits()
    asked = response.status_code in _BACK_OFF_STATUSES
    retry_after = (tools.read_retry_after(headers, now) if asked else None) or 0.0
    quotas = read_quotas(headers, now)
    if response.status_code == _TOO_MANY:
        quotas = tuple(q._replace(remaining=0) if q.remaining is None else q for q in quotas)
    return ResponseLimits(quotas, retry_after)


def _credential(exchange: Exchange) -> str:
    """Return what tells accounts apart on this call, in clear text: never to be kept."""
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
