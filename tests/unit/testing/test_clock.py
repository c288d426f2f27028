"""A clock that stands still until it is told to move."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import pytest

from sessionkit.testing import FakeClock

if TYPE_CHECKING:
    from sessionkit._clock import Clock


def test_a_fake_clock_is_a_clock() -> None:
    """It can be given wherever time is asked for."""
    clock: Clock = FakeClock()

    assert (clock.monotonic(), clock.time()) == (0.0, 1_700_000_000.0)
    assert (clock.monotonic(), clock.time()) == (0.0, 1_700_000_000.0)


def test_a_fake_clock_starts_where_it_is_set() -> None:
    """A test about a date sets that date."""
    clock = FakeClock(start=5.0, epoch=100.0)
    clock.advance(2.5)

    assert (clock.monotonic(), clock.time()) == (7.5, 102.5)
    assert repr(clock) == "FakeClock(start=5, epoch=100) +2.5 s"


def test_a_sleep_moves_the_time_and_is_remembered() -> None:
    """A test sees what would have been waited, and waits for nothing."""
    clock = FakeClock()
    clock.sleep(1.5)
    clock.advance(10.0)
    clock.sleep(0.0)

    assert clock.sleeps == (1.5, 0.0)
    assert clock.monotonic() == 11.5
    assert clock.time() == 1_700_000_011.5


@pytest.mark.parametrize("seconds", [-0.1, math.nan])
def test_time_does_not_go_back(seconds: float) -> None:
    """A negative wait is an error, as with the machine's own clock."""
    clock = FakeClock()
    with pytest.raises(ValueError, match="goes forward"):
        clock.sleep(seconds)
    with pytest.raises(ValueError, match="goes forward"):
        clock.advance(seconds)

    assert clock.monotonic() == 0.0
    assert clock.sleeps == ()


def test_no_sleep_of_any_thread_is_lost() -> None:
    """The sum is right, however many threads wait."""
    clock = FakeClock()

    def work() -> None:
        for _ in range(500):
            clock.sleep(0.5)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.monotonic() == 2000.0
    assert len(clock.sleeps) == 4000
