"""Locks by key between the processes of one machine, each a file of its own (extra ``file``)."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from sessionkit._optional import require
from sessionkit.errors import LockTimedOut, StoreError
from sessionkit.stores._locks import KeyedLocks, keep_trying, timed_out
from sessionkit.stores._private import OWNER_ONLY, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sessionkit._clock import Clock


class FileLocks:
    """Locks that are free as soon as their holder's process is gone, however it ends.

    Their files stay empty and are never removed: a waiter that held on to a removed file would
    hold a lock that nobody else sees. Thread-safe; a forked child starts without the locks of its
    parent, and leaves them alone.

    Args:
        path: What the names of the files begin with. Their folder is made if it is not there.
        owner: The store they belong to, as its errors shall name it.
        clock: Measures and makes the waits for other processes.
        extra: Which extra the store needs, for the error if it is not installed.

    Raises:
        ImportError: The extra is not installed.
    """

    __slots__ = ("_clock", "_filelock", "_keyed", "_owner", "_path", "_sole")

    def __init__(self, path: Path, owner: str, *, clock: Clock, extra: str) -> None:
        self._filelock: Any = require("filelock", extra)
        self._path = path
        self._owner = owner
        self._clock = clock
        self._keyed = KeyedLocks(owner)
        self._sole = KeyedLocks(owner)

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
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        until = self._clock.monotonic() + timeout
        # The threads of a process wait in memory, so that only one of them asks the file.
        with self._keyed.hold(key, timeout):
            lock = self._seize(f".{digest}.lock", key, until=until, timeout=timeout)
            try:
                yield
            finally:
                lock.release()

    @contextmanager
    def alone(self, timeout: float) -> Iterator[None]:
        """Hold the one lock of the whole store, for a moment: to read, change and write.

        Args:
            timeout: How long to wait for it, in seconds.

        Raises:
            StoreError: On entry: it did not come free in time, or its file cannot be made.
        """
        until = self._clock.monotonic() + timeout
        with ExitStack() as held:
            try:
                held.enter_context(self._sole.hold("", timeout))
                lock = self._seize(".lock", "", until=until, timeout=timeout)
            except LockTimedOut as error:
                raise StoreError(
                    "the token store was busy for too long",
                    hint=f"another program held it for longer than {timeout:g} s",
                    store=self._owner,
                ) from error
            held.callback(lock.release)
            yield

    def _seize(self, ending: str, key: str, *, until: float, timeout: float) -> Any:
        path = self._path.with_name(f"{self._path.name}{ending}")
        busy: type[Exception] = self._filelock.Timeout
        try:
            make_folder(path.parent)
            # A new object each time, because an old one would be re-entrant. No way around a
            # system without file locks: what stands in for them outlives its process.
            lock = self._filelock.FileLock(
                path, mode=OWNER_ONLY, thread_local=False, fallback_to_soft=False
            )
            try:
                keep_trying(
                    lambda: lock.acquire(blocking=False),
                    busy=lambda error: isinstance(error, busy),
                    until=until,
                    clock=self._clock,
                )
            except BaseException:
                # Ctrl-C may come when it is taken already.
                lock.release(force=True)
                raise
        except busy as error:
            raise timed_out(self._owner, key, timeout=timeout) from error
        except (OSError, NotImplementedError) as error:
            raise StoreError(
                f"the token store cannot lock {path}: {error}",
                hint="see that file and folder are yours to write, on a local disk with room left",
                store=self._owner,
                key=key,
            ) from error
        return lock
