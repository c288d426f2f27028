"""A clock that stands still until it is told to move."""

from __future__ import annotations

import threading


class FakeClock:
    """A `Clock` for tests: waiting takes no time and is remembered.

    Thread-safe. One thread's sleep moves the time of all.

    Args:
        start: What ``monotonic`` says at first, in seconds.
        epoch: What ``time`` says at first, in seconds since the epoch.
    """

    __slots__ = ("_elapsed", "_epoch", "_guard", "_sleeps", "_start")

    def __init__(self, start: float = 0.0, epoch: float = 1_700_000_000.0) -> None:
        self._guard = threading.Lock()
        self._start = start
        self._epoch = epoch
        self._elapsed = 0.0
        self._sleeps: list[float] = []

    def __repr__(self) -> str:
        return f"FakeClock(start={self._start:g}, epoch={self._epoch:.0f}) +{self._elapsed:g} s"

    def monotonic(self) -> float:
        """Return *start* and what has passed since, in seconds."""
        return self._start + self._elapsed

    def time(self) -> float:
        """Return *epoch* and what has passed since, in seconds."""
        return self._epoch + self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move the time on at once, and remember the wait.

        Raises:
            ValueError: *seconds* is negative.
        """
        with self._guard:
            self._move(seconds)
            self._sleeps.append(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass without anybody having waited.

        Raises:
            ValueError: *seconds* is negative.
        """
        with self._guard:
            self._move(seconds)

    @property
    def sleeps(self) -> tuple[float, ...]:
        """Every wait so far, in seconds and in order."""
        with self._guard:
            return tuple(self._sleeps)

    def _move(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError(f"a clock goes forward, not by {seconds} s")
        self._elapsed += seconds
