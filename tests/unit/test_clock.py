"""The one place that time comes from."""

from __future__ import annotations

import time
from itertools import pairwise

from sessionkit._clock import SYSTEM_CLOCK, Clock
from sessionkit.testing import FakeClock
from tests.support.stacks import opened, passing


def test_the_system_clock_counts_on_and_never_back() -> None:
    """A duration measured with it is never negative."""
    readings = [SYSTEM_CLOCK.monotonic() for _ in range(100)]

    assert all(later >= earlier for earlier, later in pairwise(readings))


def test_the_system_clock_tells_the_seconds_since_the_epoch() -> None:
    """Tokens that were stored by another program are judged by the same time."""
    assert time.time() <= SYSTEM_CLOCK.time() <= time.time()


def test_the_system_clock_waits_with_the_machines_own_sleep() -> None:
    """A wait costs no processor time, and a patched sleep of a user's test would be seen."""
    assert SYSTEM_CLOCK.sleep is time.sleep


def test_a_stack_measures_by_the_clock_that_it_is_given() -> None:
    """A test of one's own turns the time, and every figure follows."""
    clock: Clock = FakeClock(start=50.0)
    with opened(handlers=[passing], clock=clock) as (stack, _):
        record = stack.get("x").record

    assert (record.started, record.duration) == (50.0, 0.0)
