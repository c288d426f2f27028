"""A rate of requests, and the sliding window that keeps the calls of one process within it."""

from __future__ import annotations

import re
import threading
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cachetools import LRUCache

from sessionkit._fork import PerProcess
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sessionkit._clock import Clock

#: Idle keys whose windows are remembered; beyond, the one used least recently is forgotten.
MAX_KEYS = 10_000
#: By how much a window is longer than its rate says: a part of it, and seconds at most. Requests
#: take unequal times to the server, and those sent in two windows may arrive in one: without a
#: margin a server on the same machine saw 61 requests in a second where 50 were let through.
_MARGIN_PART = 0.05
_MAX_MARGIN = 0.05
#: Seconds; a shorter wait would be lost in the rounding of the clock.
MIN_WAIT = 0.001
_PERIODS: Mapping[str, float] = MappingProxyType({"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0})
_TEXT = re.compile(
    r"(\d{1,9})\s*(?:/|per)\s*(\d{1,6})?\s*"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)",
    re.ASCII | re.IGNORECASE,
)


class Limiter(Protocol):
    """Decides when a request may be sent. Shared between threads.

    Write one to count requests elsewhere, and give it to ``RateLimitHandler`` as its *rate*.
    """

    def waits(self, key: str, clock: Clock) -> Iterator[float]:
        """Yield how many seconds to wait, until a request of *key* may be sent at once.

        The caller waits that long and takes the next value; the end of the iteration is the permit
        to send, and is counted. Closed before its end, it counts nothing.
        """
        ...


class Rate(NamedTuple):
    """So many requests (*limit*) in so many seconds (*period*); immutable."""

    limit: int
    period: float

    @property
    def margin(self) -> float:
        """Seconds by which a window is longer, for requests that take longer to the server."""
        return min(self.period * _MARGIN_PART, _MAX_MARGIN)

    def __str__(self) -> str:
        return f"{self.limit} in {self.period:g} s"


def read_rate(value: object) -> Rate:
    """Return the rate that *value* is: ``"10/second"``, ``"100 per 15 minutes"``, ``(10, 1.0)``.

    Raises:
        ConfigError: It is none.
    """
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match:
        count, many, unit = match.groups()
        rate = Rate(int(count), int(many or 1) * _PERIODS[unit[0].lower()])
    elif isinstance(value, tuple) and len(value) == 2 and _are_numbers(value):
        rate = Rate(*value)
    else:
        rate = Rate(0, 0.0)
    if rate.limit < 1 or not 0 < rate.period < 1e9:
        message = f"{value!r:.80} is no rate of requests"
        raise ConfigError(message, hint='such as "10/second", "100/15 minutes" or (10, 1.0)')
    return rate


def _are_numbers(pair: tuple[object, object]) -> bool:
    count, seconds = pair
    return isinstance(count, int) and isinstance(seconds, (int, float))


class _Window:
    """The requests of one key: when the last ones were sent, and how many wait."""

    __slots__ = ("sent", "waiting")

    def __init__(self, count: int) -> None:
        self.sent: deque[float] = deque(maxlen=count)
        self.waiting = 0


class _Windows:
    __slots__ = ("guard", "idle", "waited_for")

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.idle: LRUCache[str, _Window] = LRUCache(MAX_KEYS)
        #: Apart, so that a window that calls wait for is never forgotten.
        self.waited_for: dict[str, _Window] = {}

    def of(self, key: str, count: int) -> _Window:
        """Return the window of *key*; *guard* must be held."""
        window = self.waited_for.get(key)
        if window is None:
            window = self.idle.get(key) or _Window(count)
            self.idle[key] = window
        return window

    def wait_begins(self, key: str, window: _Window) -> None:
        """Count one more call that waits; *guard* must be held."""
        window.waiting += 1
        self.waited_for[key] = window
        self.idle.pop(key, None)

    def wait_ends(self, key: str, window: _Window) -> None:
        """Count one call less that waits; *guard* must be held."""
        window.waiting -= 1
        if not window.waiting:
            self.idle[key] = self.waited_for.pop(key)


class SlidingWindow:
    """A limiter within one process: no window of that length, wherever it begins, holds more.

    Neither does one at the server, unless a request takes longer to it than others by more than
    the margin of the rate: a window is that much longer.

    Calls are served in the order in which they ask. The moment of each request in the window is
    kept, so a window costs memory in proportion to its count. Thread-safe; no lock is held during
    a wait. A forked child starts with empty windows.

    Args:
        rate: How many requests, and in how many seconds.
    """

    __slots__ = ("_length", "_rate", "_windows")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._length = rate.period + rate.margin
        self._windows: PerProcess[_Windows] = PerProcess(lambda _parents: _Windows())

    def waits(self, key: str, clock: Clock) -> Iterator[float]:
        """Yield how many seconds to wait, until a request of *key* may be sent at once."""
        windows = self._windows.get()
        with windows.guard:
            window = windows.of(key, self._rate.limit)
            wait = self._try_send(window, clock.monotonic(), ahead=window.waiting)
            if wait <= 0:
                return
            windows.wait_begins(key, window)
        try:
            while wait > 0:
                yield wait
                with windows.guard:
                    # Calls wake up in the order in which they asked: none is ahead any more.
                    wait = self._try_send(window, clock.monotonic(), ahead=0)
        finally:
            with windows.guard:
                windows.wait_ends(key, window)

    def __repr__(self) -> str:
        return str(self._rate)

    def _try_send(self, window: _Window, now: float, *, ahead: int) -> float:
        """Count a request as sent if there is room behind *ahead* others; else return the wait."""
        sent, count = window.sent, self._rate.limit
        if len(sent) == count:
            # Each slot becomes free one window after it was taken, and again after the next.
            rounds, slot = divmod(ahead, count)
            wait = sent[slot] + self._length * (rounds + 1) - now
            if wait > 0:
                return max(wait, MIN_WAIT)
        sent.append(now)
        return 0.0
