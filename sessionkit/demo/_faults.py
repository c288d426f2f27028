"""What goes wrong: a server that is busy, one that recovers, one that is slow."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.demo._messages import Ask, Reply, json_reply, problem

if TYPE_CHECKING:
    from sessionkit._clock import Clock

_LONGEST_MS = 5_000


class Faults:
    """Failures on demand. Thread-safe.

    Args:
        clock: Where a slow answer spends its time.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = Lock()
        self._tries: Counter[str] = Counter()

    def busy(self, ask: Ask) -> Reply:
        """Answer 503, always; ``after=`` is the Retry-After in seconds (RFC 9110, 10.2.3)."""
        after = ask.number("after", 1, most=3_600)
        return problem(503, "come back later", {"Retry-After": str(after)})

    def flaky(self, ask: Ask) -> Reply:
        """Answer 503 to the first ``times=`` requests of each ``key=``, then 200."""
        key = ask.query.get("key", "")
        with self._lock:
            self._tries[key] += 1
            tries = self._tries[key]
        if tries <= ask.number("times", 1, most=100):
            return self.busy(ask)
        return json_reply(200, {"key": key, "tries": tries})

    def slow(self, ask: Ask) -> Reply:
        """Answer 200 after ``ms=`` milliseconds, at most 5,000."""
        milliseconds = ask.number("ms", 100, most=_LONGEST_MS)
        self._clock.sleep(milliseconds / 1000)
        return json_reply(200, {"ms": milliseconds})
