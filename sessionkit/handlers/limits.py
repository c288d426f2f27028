"""Shared rate limiting: one rate for many processes, on Redis (extra ``limits``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit._optional import require
from sessionkit._redact import redact_url
from sessionkit.errors import ConfigError, StoreError, tools
from sessionkit.handlers.ratelimit._window import MIN_WAIT, read_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from limits.storage import Storage

    from sessionkit._clock import Clock

__all__ = ["SharedRateLimiter"]

#: Seconds to wait for a storage on the network: a call must not hang on it.
_TIMEOUT = 5.0
_NETWORKED = ("redis", "valkey")


class SharedRateLimiter:
    """A limiter for ``RateLimitHandler`` that is shared by all processes with the same storage.

    Each permit is one round trip to the storage, which keeps the moving window of ``limits``: no
    window of that length holds more permits, by the clocks of the machines that asked, which should
    agree. Requests take unequal times to the server; so a call that had to wait waits a margin
    longer, 5 % of the period and 50 ms at most. Waiting calls are served in no particular order.
    Thread-safe, and safe to use after a fork.

    Args:
        rate: Such as ``"50/second"`` or ``(50, 1.0)``; its period in whole seconds.
        storage: URL as ``limits`` takes it, such as ``redis://cache.example:6379/0``, or one of its
            storages with support for moving windows.
        prefix: Tells rates apart that share a storage.

    Raises:
        ConfigError: A rate, or a storage, that cannot be used.
        ImportError: The extra ``limits`` is not installed.
    """

    __slots__ = ("_item", "_limiter", "_prefix", "_rate", "_storage_name")

    def __init__(
        self,
        rate: str | tuple[int, float],
        storage: str | Storage,
        *,
        prefix: str = "sessionkit",
    ) -> None:
        limits: Any = require("limits", "limits")
        self._rate = read_rate(rate)
        count, seconds = self._rate
        if seconds != int(seconds):
            message = f"a shared rate has whole seconds, not {seconds:g}"
            raise ConfigError(message, hint="such as (20, 2) for ten a second")
        self._item = limits.RateLimitItemPerSecond(count, int(seconds), namespace=prefix)
        self._prefix = prefix
        self._storage_name = (
            redact_url(storage) if isinstance(storage, str) else type(storage).__name__
        )
        self._limiter = _moving_window(limits, storage, self._storage_name)

    def waits(self, key: str, clock: Clock) -> Iterator[float]:
        """Yield how many seconds to wait, until a request of *key* may be sent at once.

        Raises:
            StoreError: The storage does not respond.
        """
        while (wait := self._acquire(key, clock)) > 0:
            yield wait

    def __repr__(self) -> str:
        return f"SharedRateLimiter({self._rate} on {self._storage_name}, prefix={self._prefix!r})"

    def _acquire(self, key: str, clock: Clock) -> float:
        limiter, item = self._limiter, self._item
        try:
            if limiter.hit(item, key):
                return 0.0
            reset: float = limiter.get_window_stats(item, key).reset_time
        except Exception as error:
            raise StoreError(
                f"the rate limit on {self._storage_name} failed: {type(error).__name__}",
                hint="see that the storage runs; without it the rate of all processes is unknown",
                store=self._storage_name,
                key=key,
            ) from error
        return max(reset - clock.time(), MIN_WAIT) + self._rate.margin


def _moving_window(limits: Any, storage: object, shown: str) -> Any:
    try:
        if isinstance(storage, str):
            given = {}
            if storage.startswith(_NETWORKED):
                require("redis" if storage.startswith("redis") else "valkey", "limits")
                given = {"socket_timeout": _TIMEOUT, "socket_connect_timeout": _TIMEOUT}
            storage = limits.storage.storage_from_string(storage, **given)
        return limits.strategies.MovingWindowRateLimiter(storage)
    except (
        AssertionError,
        NotImplementedError,
        ValueError,
        limits.errors.ConfigurationError,
    ) as error:
        cause = tools.scrub_exception(error)  # it may quote the URL, with its password
    message = f"{shown} cannot hold a moving window"
    raise ConfigError(message, hint="such as redis://cache.example:6379/0") from cause
