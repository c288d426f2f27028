"""Locks by key between the threads of one process, and repeated tries for a busy file."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakValueDictionary

from sessionkit._fork import PerProcess
from sessionkit.errors import LockTimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit._clock import Clock

T = TypeVar("T")

MIN_PAUSE: Final = 0.001
"""Seconds between the first two tries for a busy file; each pause is twice the one before."""
MAX_PAUSE: Final = 0.020
"""Seconds between two tries after a while: what a waiter may lose when the file comes free."""


class _Table:
    """The locks in use, each gone with its last user."""

    __slots__ = ("guard", "locks")

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()


class KeyedLocks:
    """One lock per key between the threads of this process; free in a forked child.

    Thread-safe. A key that is not in use costs nothing.

    Args:
        owner: The store they belong to, as its errors shall name it.
    """

    __slots__ = ("_owner", "_tables")

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tables: PerProcess[_Table] = PerProcess(lambda _parents: _Table())

    @contextmanager
    def hold(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the lock of *key*.

        Args:
            key: Which lock.
            timeout: How long to wait for it, in seconds; zero or less tries once.

        Raises:
            LockTimedOut: It did not come free in time.
        """
        table = self._tables.get()
        with table.guard:
            lock = table.locks.setdefault(key, threading.Lock())
        if not lock.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX)):
            raise timed_out(self._owner, key, timeout=timeout)
        try:
            yield
        finally:
            lock.release()


def keep_trying(
    attempt: Callable[[], T], *, busy: Callable[[Exception], bool], until: float, clock: Clock
) -> T:
    """Call *attempt* until it no longer fails for being busy or the time is up, but once at least.

    Args:
        attempt: What to do.
        busy: Returns whether, after what it raised, another try may help.
        until: When to give up, by the clock's ``monotonic``, in seconds.
        clock: Measures and waits.

    Raises:
        Exception: What the last attempt raised.
    """
    pause = MIN_PAUSE
    while True:
        try:
            return attempt()
        except Exception as error:
            left = until - clock.monotonic()
            if left <= 0 or not busy(error):
                raise
        clock.sleep(min(pause, left))
        pause = min(2 * pause, MAX_PAUSE)


def timed_out(owner: str, key: str, *, timeout: float) -> LockTimedOut:
    """Build the error of a lock that did not come free.

    Args:
        owner: The store, as the error shall name it.
        key: Whose lock.
        timeout: How long was waited, in seconds.
    """
    return LockTimedOut(
        f"the renewal lock of {key!r:.80} did not come free within {max(timeout, 0.0):.3g} s",
        hint="another thread or process holds it, most likely to renew this token; "
        "see whether the token endpoint hangs, or give the call more time",
        store=owner,
        key=key,
    )
