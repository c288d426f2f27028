"""What keeps a program whole when its process is forked.

`PerProcess` makes state anew in a child. `ForkGate` is for SQLite, which remembers per process
which of its files it has locked. A child inherits that memory with the connections in it, but not
the locks: were it forked while a connection holds a file, that file would look busy in the child
for ever. Hence two rules:

- a fork waits for the moment in which no thread is inside SQLite;
- a connection that stays open longer, such as one that holds a renewal lock, is closed in the
  child. The parent's lock stands, for the locks of a file belong to a process (POSIX, fcntl).
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class PerProcess(Generic[T]):
    """State that a forked child makes anew at its first use.

    A lock that another thread held at the moment of the fork would stay locked in the child for
    ever, since the thread that could free it was not copied. Thread-safe.

    Args:
        make: Builds the state. It is given the parent's state in a forked child, else None. Two
            threads of a child may both call it; one result is used.
    """

    __slots__ = ("_make", "_states")

    def __init__(self, make: Callable[[T | None], T]) -> None:
        self._make = make
        self._states: dict[int, T] = {os.getpid(): make(None)}

    def get(self) -> T:
        """Return this process's own state."""
        pid = os.getpid()
        state = self._states.get(pid)
        if state is None:
            parents = list(self._states.values())[-1]
            # One atomic step, because a lock to guard it might itself be held for ever.
            state = self._states.setdefault(pid, self._make(parents))
        return state


class Closable(Protocol):
    """Something to close in a forked child."""

    def close(self) -> None:
        """Close it; closing twice does no harm."""
        ...


class ForkGate:
    """Lets threads into SQLite, and a fork through when none is inside.

    Thread-safe.

    Args:
        timeout: How long a fork waits for the threads inside, in seconds; then it goes ahead.
    """

    __slots__ = ("_forks", "_idle", "_inside", "_open", "_timeout", "creation")

    creation: threading.Lock
    """To be held while a file of SQLite's is made or looked at, but not by SQLite itself."""

    def __init__(self, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._open: WeakSet[Closable] = WeakSet()
        self._reset()

    def installed(self) -> Self:
        """Have the interpreter ask this gate at each fork, for as long as the process lives."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=self.before_fork,
                after_in_parent=self.after_fork_in_parent,
                after_in_child=self.after_fork_in_child,
            )
        return self

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Keep forks away while the calling thread is inside SQLite: milliseconds, not more."""
        me = threading.get_ident()
        with self._idle:
            # Or a busy store would never be idle, and a fork would wait for nothing.
            self._idle.wait_for(lambda: not self._forks)
            self._inside.add(me)
        try:
            yield
        finally:
            with self._idle:
                self._inside.discard(me)
                self._idle.notify_all()

    def register(self, connection: Closable) -> None:
        """Take note of a connection that stays open; a forked child closes its copy."""
        self._open.add(connection)

    def unregister(self, connection: Closable) -> None:
        """Forget a connection that is about to be closed."""
        self._open.discard(connection)

    def before_fork(self) -> None:
        """Wait until no other thread is inside, and let none in."""
        self._idle.acquire()
        self._forks += 1
        # A signal handler may fork inside the very thread that it would have to wait for.
        me = {threading.get_ident()}
        self._idle.wait_for(lambda: self._inside <= me, self._timeout)

    def after_fork_in_parent(self) -> None:
        """Let threads in again."""
        self._forks -= 1
        self._idle.notify_all()
        self._idle.release()

    def after_fork_in_child(self) -> None:
        """Start with new locks, and close what was inherited."""
        self._reset()
        for connection in list(self._open):
            self.unregister(connection)
            connection.close()

    def _reset(self) -> None:
        self._idle = threading.Condition()
        self._inside: set[int] = set()
        self._forks = 0
        self.creation = threading.Lock()
