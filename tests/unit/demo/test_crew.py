"""Threads that work together and stop together."""

from __future__ import annotations

import threading

import pytest

from sessionkit.demo._crew import Crew


def test_every_thread_does_the_task_once() -> None:
    """The work is shared by number."""
    seen: list[int] = []

    Crew(4).run(seen.append)

    assert sorted(seen) == [0, 1, 2, 3]


def test_the_caller_is_told_while_it_waits() -> None:
    """Progress can be shown by the thread that owns the screen."""
    gate = threading.Event()
    glances: list[str] = []

    def watch() -> None:
        glances.append(threading.current_thread().name)
        gate.set()

    def task(_: int) -> None:
        gate.wait(10)

    Crew(1).run(task, watch)

    assert set(glances) == {threading.current_thread().name}


def test_an_interrupt_stops_all_threads() -> None:
    """Ctrl-C leaves nothing running."""
    crew = Crew(3)
    ended: list[int] = []

    def task(worker: int) -> None:
        crew.stop.wait(10)
        ended.append(worker)

    def watch() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew.run(task, watch)
    assert sorted(ended) == [0, 1, 2]


def test_an_interrupt_does_not_wait_for_threads_that_have_ended() -> None:
    """Leaving takes no longer than it must."""
    crew = Crew(2)
    others = set(threading.enumerate())

    def task(worker: int) -> None:
        if worker:
            crew.stop.wait(10)

    def watch() -> None:
        if len(set(threading.enumerate()) - others) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew.run(task, watch)
    assert set(threading.enumerate()) <= others
