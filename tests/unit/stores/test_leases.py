"""Who holds which lock, and leases that last while their holder lives."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from sessionkit.stores._leases import (
    Holdings,
    extending,
    releasing,
    superseded,
)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def in_a_child(work: object) -> int:
    """Run *work* in a forked child; return 0 if it returned True."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() is True else 2  # type: ignore[operator]  # a function of the test
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_a_thread_holds_is_its_own() -> None:
    """A save by somebody else is not taken for one under the lock."""
    held: Holdings[str] = Holdings()
    seen: list[str | None] = []
    with held.holding("app", "mine"):
        thread = threading.Thread(target=lambda: seen.append(held.fencing_token("app")))
        thread.start()
        thread.join()
        assert held.fencing_token("app") == "mine"
        assert held.fencing_token("other") is None

    assert seen == [None]
    assert held.fencing_token("app") is None


def test_what_was_held_is_forgotten_after_an_error() -> None:
    """A renewal that failed does not mark the next save as its own."""
    held: Holdings[str] = Holdings()
    with pytest.raises(ValueError, match="failed"), held.holding("app", "mine"):
        raise ValueError("failed")

    assert held.fencing_token("app") is None


@needs_fork
def test_a_forked_child_holds_nothing() -> None:
    """What a child saves does not pass for its parent's renewal."""
    held: Holdings[str] = Holdings()
    with held.holding("app", "mine"):
        assert in_a_child(lambda: held.fencing_token("app") is None) == 0


def test_a_lease_is_extended_until_the_block_ends() -> None:
    """A slow token endpoint does not cost the lock; afterwards nothing keeps it."""
    beats = threading.Semaphore(0)

    def extend() -> bool:
        beats.release()
        return True

    with extending(extend, 0.003):
        for _ in range(5):
            assert beats.acquire(timeout=20)
    threads = [thread for thread in threading.enumerate() if "lease" in thread.name]
    for thread in threads:
        thread.join(20)

    assert not any(thread.is_alive() for thread in threads)


def test_what_the_thread_opened_is_closed_in_it() -> None:
    """A connection that belongs to one thread is not left to whoever collects the garbage."""
    threads: list[int] = []
    closed = threading.Event()

    def extend() -> bool:
        threads.append(threading.get_ident())
        raise OSError("planted")

    def after() -> None:
        threads.append(threading.get_ident())
        closed.set()

    with extending(extend, 0.003, after=after):
        while not threads:
            pass
    assert closed.wait(20)

    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


def test_a_lease_that_is_lost_is_extended_no_more() -> None:
    """Whoever has it now is left alone."""
    asked = threading.Semaphore(0)
    beats: list[int] = []

    def extend() -> bool:
        beats.append(1)
        asked.release()
        return False

    with extending(extend, 0.003):
        assert asked.acquire(timeout=20)
        assert not asked.acquire(timeout=0.05)

    assert beats == [1]


def test_a_server_that_does_not_answer_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """A short outage in the middle of a renewal does not end the lease."""
    asked = threading.Semaphore(0)

    def extend() -> bool:
        asked.release()
        raise OSError("planted")

    with caplog.at_level(logging.WARNING, "sessionkit.stores"), extending(extend, 0.003):
        for _ in range(3):
            assert asked.acquire(timeout=20)

    assert "could not be extended: OSError" in caplog.text


def test_a_lock_that_cannot_be_freed_costs_the_token_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was renewed under it counts; the lock ends by itself."""

    def free() -> None:
        raise OSError("planted")

    with releasing(free):
        done = True

    assert done
    assert "could not be freed: OSError" in caplog.text


def test_a_lock_is_freed_after_an_error_too() -> None:
    """A renewal that fails shuts nobody out, and its error arrives as it was."""
    freed: list[bool] = []

    with pytest.raises(ValueError, match="failed"), releasing(lambda: freed.append(True)):
        raise ValueError("failed")

    assert freed == [True]


@needs_fork
def test_a_child_leaves_the_lock_of_its_parent() -> None:
    """A fork in the middle of a renewal opens nothing."""
    freed: list[bool] = []
    context = releasing(lambda: freed.append(True))
    context.__enter__()

    def leave() -> bool:
        context.__exit__(None, None, None)
        return freed == []

    assert in_a_child(leave) == 0
    context.__exit__(None, None, None)
    assert freed == [True]


def test_a_save_that_came_too_late_says_so() -> None:
    """The error tells why, and where the newer token is."""
    error = superseded("the store", "app")

    assert (error.store, error.key) == ("the store", "app")
    assert "newer" in str(error)
    assert "store.load" in error.hint
