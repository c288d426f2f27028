"""Locks by key within one process."""

from __future__ import annotations

import math
import os
import threading

import pytest

from sessionkit.errors import LockTimedOut
from sessionkit.stores._locks import KeyedLocks, keep_trying, timed_out
from sessionkit.testing import FakeClock


def test_a_lock_held_at_a_fork_is_free_in_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker forked during a renewal does not wait for a thread that it does not have."""
    locks = KeyedLocks("store")
    with locks.hold("app", 0.0):
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with locks.hold("app", 0.0):
            pass
        monkeypatch.undo()

        with pytest.raises(LockTimedOut), locks.hold("app", 0.0):
            pass


def test_a_key_nobody_uses_costs_nothing() -> None:
    """A server with a million users holds no million locks."""
    locks = KeyedLocks("store")
    for number in range(100):
        with locks.hold(f"user-{number}", 1.0):
            assert len(locks._tables.get().locks) == 1

    assert len(locks._tables.get().locks) == 0


def test_a_lock_passes_from_thread_to_thread() -> None:
    """Each waiter gets its turn, and only its turn."""
    locks = KeyedLocks("store")
    counts = {"inside": 0, "most": 0, "turns": 0}

    def work() -> None:
        for _ in range(20):
            with locks.hold("app", 20.0):
                counts["inside"] += 1
                counts["most"] = max(counts["most"], counts["inside"])
                counts["turns"] += 1
                counts["inside"] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == {"inside": 0, "most": 1, "turns": 160}


@pytest.mark.parametrize("timeout", [math.inf, 1e300, 0.0, -1.0])
def test_any_number_of_seconds_is_a_time_out(timeout: float) -> None:
    """A call without a deadline waits as long as it takes; one with none left tries once."""
    with KeyedLocks("store").hold("app", timeout):
        pass


def test_a_time_out_says_what_was_waited_for() -> None:
    """The error names key, store and time, and what to look at."""
    error = timed_out("MyStore", "k" * 500, timeout=-1.0)

    assert len(str(error)) < 200
    assert "within 0 s" in str(error)
    assert (error.store, error.key, error.retryable) == ("MyStore", "k" * 500, True)
    assert "token endpoint" in error.hint


def test_what_is_busy_is_tried_again_after_growing_pauses() -> None:
    """Waiting costs neither a processor nor much time, and ends with the time there is."""
    clock = FakeClock()

    def attempt() -> None:
        raise BlockingIOError

    with pytest.raises(BlockingIOError):
        keep_trying(attempt, busy=lambda _: True, until=0.06, clock=clock)
    assert clock.sleeps[:6] == (0.001, 0.002, 0.004, 0.008, 0.016, 0.02)
    assert sum(clock.sleeps) == pytest.approx(0.06)


def test_what_waiting_cannot_mend_is_told_at_once() -> None:
    """A full disk is no busy file."""
    clock = FakeClock()

    def attempt() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        keep_trying(
            attempt,
            busy=lambda error: isinstance(error, BlockingIOError),
            until=60.0,
            clock=clock,
        )
    assert clock.sleeps == ()
