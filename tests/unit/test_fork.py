"""What keeps a program whole when its process is forked."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from sessionkit._fork import ForkGate, PerProcess

if TYPE_CHECKING:
    import pytest


def test_a_state_is_made_once_in_a_process() -> None:
    """All threads share one lock, or it would be none."""
    states = PerProcess(lambda _parents: object())

    assert states.get() is states.get()


def test_a_forked_child_makes_its_state_from_its_parents(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a parent knew is there in the child; what was locked there is free."""
    made: list[tuple[object, ...]] = []

    def make(parents: tuple[object, ...] | None) -> tuple[object, ...]:
        made.append(("made from", parents))
        return made[-1]

    states = PerProcess(make)
    parents = states.get()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    child = states.get()
    monkeypatch.setattr(os, "getpid", lambda: -2)
    grandchild = states.get()

    assert parents == ("made from", None)
    assert child == ("made from", parents)
    assert grandchild == ("made from", child)
    assert len(made) == 3


class Connection:
    """Something open."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_fork_waits_for_the_thread_inside() -> None:
    """No child inherits a file that looks locked for ever."""
    gate = ForkGate()
    inside, leave, forked = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        with gate.inside():
            inside.set()
            leave.wait(20)

    def fork() -> None:
        gate.before_fork()
        forked.set()
        gate.after_fork_in_parent()

    worker, forker = threading.Thread(target=work), threading.Thread(target=fork)
    worker.start()
    assert inside.wait(20)
    forker.start()
    assert not forked.wait(0.02)
    leave.set()
    worker.join(20)
    forker.join(20)

    assert forked.is_set()


def test_nobody_enters_during_a_fork() -> None:
    """The child starts with nobody inside."""
    gate = ForkGate()
    entered = threading.Event()

    def work() -> None:
        with gate.inside():
            entered.set()

    gate.before_fork()
    worker = threading.Thread(target=work)
    worker.start()
    assert not entered.wait(0.02)
    gate.after_fork_in_parent()
    worker.join(20)

    assert entered.is_set()


def test_a_fork_comes_through_a_busy_store() -> None:
    """Threads that come and go without a pause do not keep a server from starting its workers."""
    gate = ForkGate()
    inside, leave = threading.Event(), threading.Event()
    order: list[str] = []

    def stay() -> None:
        with gate.inside():
            inside.set()
            leave.wait(20)

    def fork() -> None:
        gate.before_fork()
        order.append("fork")
        gate.after_fork_in_parent()

    def come() -> None:
        with gate.inside():
            order.append("next")

    threads = [threading.Thread(target=work) for work in (stay, fork, come)]
    threads[0].start()
    assert inside.wait(20)
    threads[1].start()
    while not gate._forks:
        threads[1].join(0.001)
    threads[2].start()
    threads[2].join(0.02)
    assert order == []
    leave.set()
    for thread in threads:
        thread.join(20)

    assert order == ["fork", "next"]


def test_a_fork_from_within_does_not_wait_for_itself() -> None:
    """A signal handler may fork wherever it strikes."""
    gate = ForkGate(timeout=60.0)
    with gate.inside():
        gate.before_fork()
        gate.after_fork_in_parent()


def test_a_fork_does_not_wait_for_ever() -> None:
    """A disk that hangs does not keep a server from starting its workers."""
    gate = ForkGate(timeout=0.01)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with gate.inside():
            inside.set()
            leave.wait(20)

    worker = threading.Thread(target=work)
    worker.start()
    assert inside.wait(20)
    gate.before_fork()
    gate.after_fork_in_parent()
    leave.set()
    worker.join(20)

    assert not worker.is_alive()


def test_a_child_closes_what_stood_open_and_can_work() -> None:
    """A renewal under way in the parent does not block the child's own."""
    gate = ForkGate()
    held, freed = Connection(), Connection()
    gate.register(held)
    gate.register(freed)
    gate.unregister(freed)
    gate.before_fork()

    gate.after_fork_in_child()

    assert (held.closed, freed.closed) == (1, 0)
    with gate.inside(), gate.creation:
        gate.unregister(held)


def test_a_connection_that_was_lost_is_not_kept_alive() -> None:
    """A lock whose holder was interrupted at the worst moment is closed by the interpreter."""
    gate = ForkGate()
    gate.register(Connection())

    gate.before_fork()
    gate.after_fork_in_child()
