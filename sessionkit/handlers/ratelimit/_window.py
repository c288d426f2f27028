"""A rate of requests, and the sliding window that holds the calls of one process to it."""

from __future__ import annotations

import re
import threading
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sessionkit.errors import ConfigError
from sessionkit.stores._locks import PerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sessionkit._clock import Clock

#: Keys whose windows are remembered; beyond, the one that was used least recently is forgotten.
MAX_KEYS = 10_000
#: What a window is longer than its rate says: a part of it, and seconds at most. Requests are not
#: equally long on their way, and what left in two windows may arrive in one: without a margin a
#: server on the same machine saw 61 requests in a second where 50 were let through.
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
    """Something that says when a request may be sent. Shared between threads.

    Write one to keep a budget somewhere else, and give it to ``RateLimitHandler`` as its *rate*.
    """

    def waits(self, key: str, clock: Clock) -> Iterator[float]:
        """Yield how many seconds to wait, until a request of *key* may be sent at once.

        Whoever iterates waits that long and asks again; the end of the iteration is the leave to
        send, and counts. Closed before its end, it counts nothing.
        """
        ...


class Rate(NamedTuple):
    """So many requests in so many seconds; immutable."""

    limit: int
    period: float

    @property
    def margin(self) -> float:
        """Seconds by which a window is longer, for requests that are longer on their way."""
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
    """The requests of one key: when the last ones went, and how many wait."""

    __slots__ = ("sent", "waiting")

    def __init__(self, count: int) -> None:
        self.sent: deque[float] = deque(maxlen=count)
        self.waiting = 0


class _Windows:
    __slots__ = ("by_key", "guard")

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.by_key: dict[str, _Window] = {}


class SlidingWindow:
    """A limiter within one process: no window of that length, wherever it begins, holds more.

    Not at the server either, if no request is on its way for longer than others by more than the
    margin of the rate: a window is that much longer.

    Whoever asks is served in turn, and told at once how long that will take. What was sent is
    remembered one by one, so a window costs the memory of its count. Thread-safe; nobody waits
    inside a lock. A forked child starts with an empty window of its own.

    Args:
        rate: How many, and in how many seconds.
    """

    __slots__ = ("_length", "_rate", "_windows")

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._length = rate.period + rate.margin
        self._windows: PerProcess[_Windows] = PerProcess(lambda _parents: _Windows())

    def waits(self, key: str, clock: Clock) -> Iterator[float]:
        """Yield how many seconds to wait, until a request of *key* may be sent at once."""
        lanes = self._windows.get()
        with lanes.guard:
            lane = self._window_of(lanes.by_key, key)
            wait = self._try_send(lane, clock.monotonic(), ahead=lane.waiting)
            if wait <= 0:
                return
            lane.waiting += 1
        try:
            while wait > 0:
                yield wait
                with lanes.guard:
                    # Woken in turn: nobody is ahead any more.
                    wait = self._try_send(lane, clock.monotonic(), ahead=0)
        finally:
            with lanes.guard:
                lane.waiting -= 1

    def __repr__(self) -> str:
        return str(self._rate)

    def _try_send(self, lane: _Window, now: float, *, ahead: int) -> float:
        """Send now, if there is room behind *ahead* others; else return how long until there is."""
        sent, count = lane.sent, self._rate.limit
        if len(sent) == count:
            # Each place becomes free one window after it was taken, and again after the next.
            rounds, place = divmod(ahead, count)
            wait = sent[place] + self._length * (rounds + 1) - now
            if wait > 0:
                return max(wait, MIN_WAIT)
        sent.append(now)
        return 0.0

    def _window_of(self, by_key: dict[str, _Window], key: str) -> _Window:
        lane = by_key.pop(key, None)
        if lane is None:
            lane = _Window(self._rate.limit)
            idle = next((known for known, it in by_key.items() if not it.waiting), None)
            if idle is not None and len(by_key) >= MAX_KEYS:
                del by_key[idle]
        by_key[key] = lane
        return lane
