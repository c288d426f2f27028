"""A clock for real threads in made-up time: it moves on when, and only when, all of them wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class VirtualTime:
    """A clock shared by threads that are known to it; nothing happens between its moments.

    A `FakeClock` moves for all threads when one of them sleeps, so another may read a later time
    than it acted at. Here the time stands still while any thread has work left.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._now = 0.0
        self._working = 0
        self._wakes: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return self._now

    def time(self) -> float:
        """Return the seconds since an epoch."""
        return 1_700_000_000.0 + self._now

    def sleep(self, seconds: float) -> None:
        """Wait until all others wait too, and longer than this thread."""
        with self._condition:
            until = self._now + seconds
            self._wakes.append(until)
            self._rest()
            assert self._condition.wait_for(lambda: self._now >= until, 60)

    def run(self, works: list[Callable[[], T]]) -> list[T | BaseException]:
        """Run each of *works* in a thread that goes by this clock; errors are results."""
        results: list[T | BaseException] = [RuntimeError("never ran")] * len(works)

        def worker(number: int) -> None:
            try:
                results[number] = works[number]()
            except BaseException as error:  # noqa: BLE001  # the test looks at it
                results[number] = error
            finally:
                with self._condition:
                    self._rest()

        self._working += len(works)
        threads = [threading.Thread(target=worker, args=(n,)) for n in range(len(works))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return results

    def _rest(self) -> None:
        """One thread less has work; if it was the last one, let the next ones wake."""
        self._working -= 1
        if self._working == 0 and self._wakes:
            self._now = min(self._wakes)
            due = [wake for wake in self._wakes if wake <= self._now]
            self._wakes = [wake for wake in self._wakes if wake > self._now]
            self._working = len(due)
            self._condition.notify_all()
