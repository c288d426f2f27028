"""Locks on a server: which thread holds which, and leases that are extended while it lives."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from sessionkit._fork import PerProcess
from sessionkit.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_LOG = logging.getLogger("sessionkit.stores")

#: Seconds after which the lock of a holder that is gone, or stopped, is free.
LEASE: Final = 10.0
_BEATS: Final = 3
"""How often a lease is renewed in its length: two renewals may fail."""


class Holdings(Generic[T]):
    """What each thread holds, by key; a forked child holds nothing. Thread-safe."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        # Each thread changes its own entries only, each in one step.
        self._marks: PerProcess[dict[tuple[int, str], T]] = PerProcess(lambda _parents: {})

    def fencing_token(self, key: str) -> T | None:
        """Return what this thread noted when it took the lock of *key*; None if it has none."""
        return self._marks.get().get((threading.get_ident(), key))

    @contextmanager
    def holding(self, key: str, mark: T) -> Iterator[None]:
        """Note *mark* for as long as the block runs."""
        marks, place = self._marks.get(), (threading.get_ident(), key)
        marks[place] = mark
        try:
            yield
        finally:
            marks.pop(place, None)


@contextmanager
def extending(
    extend: Callable[[], bool], lease: float, *, after: Callable[[], object] | None = None
) -> Iterator[None]:
    """Extend a lease, in a thread of its own, for as long as the block runs.

    A process that is killed, stopped or cut off extends nothing, so its lease ends.

    Args:
        extend: Gives the lease its whole length again; returns whether it was still ours.
        lease: Its length, in seconds.
        after: Called at the end, in that thread: closes what the thread has opened.
    """
    done = threading.Event()

    def beat() -> None:
        while not done.wait(lease / _BEATS):
            try:
                if not extend():
                    return
            except Exception as error:  # noqa: BLE001  # the server may be back in time
                _LOG.warning("a renewal lock could not be extended: %s", type(error).__name__)

    def run() -> None:
        try:
            beat()
        finally:
            if after is not None:
                after()

    try:
        threading.Thread(target=run, name="sessionkit-lease", daemon=True).start()
        yield
    finally:
        done.set()


@contextmanager
def releasing(free: Callable[[], object]) -> Iterator[None]:
    """Free a lock after the block; where that fails, the lock ends without our help.

    Raising would throw away what was done under the lock. In a child that was forked inside the
    block nothing is done: the lock is the parent's.

    Args:
        free: Frees it.
    """
    holder = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == holder:
            try:
                free()
            except Exception as error:  # noqa: BLE001  # see above
                _LOG.warning("a renewal lock could not be freed: %s", type(error).__name__)


def superseded(owner: str, key: str) -> StoreError:
    """Build the error of a save that came too late.

    Args:
        owner: The store, as the error shall name it.
        key: Whose token.
    """
    return StoreError(
        f"the token under {key!r:.80} was not saved: since this renewal began, a newer one was",
        hint="the process was stopped, or cut off from the store, for so long that its lock ended "
        "and another one renewed; store.load(key) has the newer token",
        store=owner,
        key=key,
    )
