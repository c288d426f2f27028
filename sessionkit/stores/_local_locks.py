"""Locks by key between the processes of one machine, each an empty file that SQLite locks."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from sessionkit.errors import LockTimedOut, StoreError
from sessionkit.stores._database import GATE, connected, is_busy, keep_trying
from sessionkit.stores._forms import hex_digest
from sessionkit.stores._locks import KeyedLocks, timed_out
from sessionkit.stores._private import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessionkit._clock import Clock
    from sessionkit.stores._database import Connection


class LocalLocks:
    """Locks that are free as soon as their holder's process is gone, however it ends.

    Their files stay empty and are never removed: a waiter that held on to a removed file would
    hold a lock that no other process sees. Thread-safe; a forked child starts without the locks of
    its parent, and leaves them alone.

    Args:
        path: What the names of the files begin with.
        owner: The store they belong to, as its errors shall name it.
        clock: Measures and makes the waits for other processes.
        creates_folder: Whether the files' folder is made if it is not there.
    """

    __slots__ = ("_clock", "_creates_folder", "_keyed", "_owner", "_path", "_whole")

    def __init__(
        self, path: Path, owner: str, *, clock: Clock, creates_folder: bool = False
    ) -> None:
        self._path = path
        self._owner = owner
        self._clock = clock
        self._creates_folder = creates_folder
        self._keyed = KeyedLocks(owner)
        self._whole = KeyedLocks(owner)

    @contextmanager
    def hold(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the lock of *key*, between all threads and processes.

        Args:
            key: Which lock.
            timeout: How long to wait for it, in seconds; zero or less tries once.

        Raises:
            LockTimedOut: On entry: it did not come free in time.
            StoreError: On entry: its file cannot be made.
        """
        until = self._clock.monotonic() + timeout
        # The threads of a process wait in memory, so that only one of them asks the file.
        with (
            self._keyed.hold(key, timeout),
            self._locked(f".{hex_digest(key)}.lock", key, until=until, timeout=timeout),
        ):
            yield

    @contextmanager
    def hold_all(self, timeout: float) -> Iterator[None]:
        """Hold the one lock of the whole store, for a moment: to read, change and write.

        Args:
            timeout: How long to wait for it, in seconds.

        Raises:
            StoreError: On entry: it did not come free in time, or its file cannot be made.
        """
        until = self._clock.monotonic() + timeout
        with ExitStack() as held:
            try:
                held.enter_context(self._whole.hold("", timeout))
                held.enter_context(self._locked(".lock", "", until=until, timeout=timeout))
            except LockTimedOut as error:
                raise StoreError(
                    "the token store was busy for too long",
                    hint=f"another program held it for longer than {timeout:g} s",
                    store=self._owner,
                ) from error
            yield

    @contextmanager
    def _locked(self, ending: str, key: str, *, until: float, timeout: float) -> Iterator[None]:
        lock = FileLock(self._path.with_name(f"{self._path.name}{ending}"))
        # From before it is taken, for Ctrl-C may come when it is.
        with closing(lock):
            self._acquire(lock, key, until=until, timeout=timeout)
            yield

    def _acquire(self, lock: FileLock, key: str, *, until: float, timeout: float) -> None:
        try:
            if self._creates_folder:
                make_folder(lock.path.parent)
            lock.acquire(until=until, clock=self._clock)
        except (sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and is_busy(error):
                raise timed_out(self._owner, key, timeout=timeout) from error
            raise StoreError(
                f"the token store cannot lock {lock.path}: {error}",
                hint="see that file and folder are yours to write, on a local disk with room left",
                store=self._owner,
                key=key,
            ) from error


class FileLock:
    """The lock of one file, for one holder: of the operating system, so gone with its process.

    Args:
        path: The file, absolute; made with mode 0600 if it is not there.
    """

    __slots__ = ("_connection", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: Connection | None = None

    def acquire(self, *, until: float, clock: Clock) -> None:
        """Lock the file; :meth:`close` frees it, also where this was interrupted.

        Args:
            until: When to give up, by the clock's ``monotonic``, in seconds; it is tried once at
                least.
            clock: Measures and waits.

        Raises:
            OSError: The file cannot be made, or is no plain file.
            sqlite3.Error: What SQLite says, such as that the file is locked.
        """
        keep_trying(self._try_once, until=until, clock=clock)

    def close(self) -> None:
        """Free the file, if it is locked; in a forked child the parent's lock stays."""
        if self._connection is not None:
            with GATE.inside():
                GATE.unregister(self._connection)
                self._connection.close()

    def _try_once(self) -> None:
        self.close()
        with GATE.inside():
            self._connection = connected(self.path, 0.0)
            GATE.register(self._connection)
            # An exclusive transaction opens a journal; in memory, no file is left by a kill.
            self._connection.execute("PRAGMA journal_mode = MEMORY")
            self._connection.execute("BEGIN EXCLUSIVE")
