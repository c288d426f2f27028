"""One login at a time, and what the threads beside it get of it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from sessionkit.auth._login import SharedLogin
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from tests.support.threads import at_once
from tests.unit.auth.asking import LIMIT, Gate, Later

T = TypeVar("T")


class Watched(threading.Condition):
    """A condition that tells when somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Semaphore(0)

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait."""
        # The lock is held from here on until the wait has begun.
        self.waits.release()
        return super().wait_for(predicate, timeout)


class Case:
    """SharedLogin, the one under way held by a gate."""

    def __init__(self, *, timeout: float = LIMIT) -> None:
        self.logins = SharedLogin(timeout)
        self.watched = self.logins._states.get().changed = Watched()
        self.gate = Gate()
        self.made = 0
        self.error: BaseException | None = None

    def log_in(self) -> None:
        """Take as long as the user types."""
        self.made += 1
        self.gate.pass_through()
        if self.error is not None:
            raise self.error

    def begin(self) -> Later:
        """Log in in another thread, up to the user."""
        begun = self.join()
        self.gate.until_reached()
        return begun

    def join(self) -> Later:
        """Log in in another thread."""
        return Later(lambda: self.logins.run(self.log_in))

    def waiting(self, count: int) -> list[Later]:
        """Log in in so many threads, which wait now."""
        joined = [self.join() for _ in range(count)]
        for _ in joined:
            assert self.watched.waits.acquire(timeout=LIMIT)
        return joined


def test_threads_that_come_during_a_login_share_it() -> None:
    """A user is asked once, whoever wants to be logged in."""
    case = Case()
    threads = [case.begin(), *case.waiting(5)]
    case.gate.open()

    assert [thread.outcome() for thread in threads] == [None] * 6
    assert case.made == 1


def test_a_failure_is_everybodys() -> None:
    """A user who said no is not asked by the next thread; each has an error of its own."""
    case = Case()
    case.error = LoginRequired("the user said no", status=403)
    threads = [case.begin(), *case.waiting(5)]
    case.gate.open()
    outcomes = [thread.outcome() for thread in threads]

    assert {type(outcome) for outcome in outcomes} == {LoginRequired}
    assert {getattr(outcome, "status", None) for outcome in outcomes} == {403}
    assert len({id(outcome) for outcome in outcomes}) == 6
    assert case.made == 1


def test_the_next_login_after_a_failure_asks_again() -> None:
    """A failure is for those who waited, and so is a success."""
    case = Case()
    case.gate.open()
    case.error = LoginRequired("the user said no")
    for _ in range(2):
        with pytest.raises(LoginRequired):
            case.logins.run(case.log_in)
    case.error = None
    case.logins.run(case.log_in)
    case.logins.run(case.log_in)

    assert case.made == 4


def test_a_login_that_was_interrupted_is_taken_over() -> None:
    """Ctrl-C in one thread is no answer of the user's to the others: one of them asks."""
    case = Case()
    case.error = KeyboardInterrupt()
    first, *others = [case.begin(), *case.waiting(3)]

    asked_again: list[bool] = []
    others += [Later(lambda: case.logins.run(lambda: asked_again.append(True)))]
    assert case.watched.waits.acquire(timeout=LIMIT)
    case.gate.open()
    outcomes = [first.outcome(), *(other.outcome() for other in others)]

    assert isinstance(outcomes[0], KeyboardInterrupt)
    # Each that takes over is interrupted as well, but for the one who is not.
    assert outcomes[-1] is None
    assert asked_again == [True]
    assert case.logins._states.get().login is None


def test_nobody_waits_for_ever() -> None:
    """A login that hangs holds others up until their timeout, and not for good."""
    case = Case(timeout=0.0)
    leader = case.begin()

    with pytest.raises(RenewalFailed, match="not done in time"):
        case.logins.run(case.log_in)

    case.gate.open()
    assert leader.outcome() is None
    assert case.made == 1


def test_a_login_within_a_login_is_refused() -> None:
    """It would wait for itself."""
    case = Case()

    with pytest.raises(ConfigError, match="shows the user"):
        case.logins.run(lambda: case.logins.run(case.log_in))

    case.gate.open()
    case.logins.run(case.log_in)
    assert case.made == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_waits_for_no_login_of_its_parents() -> None:
    """The thread in front of the user is not in the child."""
    case = Case()
    leader = case.begin()
    child = os.fork()
    if child == 0:
        done = 1
        try:
            case.logins.run(lambda: None)
            done = 0
        finally:
            os._exit(done)
    case.gate.open()

    assert os.waitpid(child, 0)[1] == 0
    assert leader.outcome() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_login_that_forks_ends_in_the_child_as_well() -> None:
    """Though another thread may hold the lock at that moment, which the child never gets."""
    logins, gate = SharedLogin(), Gate()
    state = logins._states.get()
    children: list[int] = []

    def hold() -> None:
        with state.changed:
            gate.pass_through()

    def log_in() -> None:
        Later(hold)
        gate.until_reached()
        children.append(os.fork())
        if children == [0]:
            signal.alarm(int(LIMIT))
        gate.open()

    logins.run(log_in)
    if children == [0]:
        os._exit(0)

    assert os.waitpid(children[0], 0)[1] == 0
    logins.run(lambda: None)


def test_logins_that_begin_at_one_moment_are_one_or_follow_each_other() -> None:
    """Never are two under way."""
    logins = SharedLogin()
    inside: list[int] = []
    most: list[int] = []

    def log_in() -> None:
        inside.append(1)
        most.append(len(inside))
        inside.pop()

    assert at_once(16, lambda _: logins.run(log_in)) == [None] * 16
    assert max(most) == 1
