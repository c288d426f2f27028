"""SQLite files as a token store needs them: private, never waiting long, whole after a fork."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

from sessionkit._fork import ForkGate
from sessionkit.stores import _locks
from sessionkit.stores._private import create_private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sessionkit._clock import Clock

T = TypeVar("T")

_COMMIT_TIMEOUT: Final = 0.25
"""Seconds for which SQLite itself waits, because a writer that gives up lets new readers pass."""

# Not state of this library but of SQLite, which keeps its locks per process: two gates would let
# a fork through when one of them is idle.
GATE: Final = ForkGate().installed()


class Connection(sqlite3.Connection):
    """A connection that can be referred to weakly, and is closed when it is garbage-collected."""

    def __del__(self) -> None:
        # Since Python 3.13 one that is dropped is warned of; a cache may live as long as its stack.
        with suppress(sqlite3.Error):
            self.close()


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether another connection held the file."""
    return primary_code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's result code without its extension, 0 if the module itself complained."""
    return int(getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


@contextmanager
def transaction(path: Path, begin: str) -> Iterator[Connection]:
    """Run one transaction on a connection of its own; an error takes everything back.

    Args:
        path: The file, absolute; made with mode 0600 if it is not there.
        begin: ``BEGIN`` to read, ``BEGIN IMMEDIATE`` to write.

    Raises:
        OSError: The file cannot be made, or is no plain file.
        sqlite3.Error: What SQLite says.
    """
    with GATE.inside(), closing(connected(path, _COMMIT_TIMEOUT)) as connection:
        # Bytes, because the error about a text that is no UTF-8 would quote it.
        connection.text_factory = bytes
        # A power cut takes back nothing that was committed: there is no second refresh token.
        connection.execute("PRAGMA synchronous = EXTRA")
        # What is overwritten or deleted is gone from the file, too.
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(begin)
        yield connection
        connection.execute("COMMIT")


def keep_trying(attempt: Callable[[], T], *, until: float, clock: Clock) -> T:
    """Call *attempt* until the file is not busy or the time is up, but once at least.

    SQLite's own busy handler would sleep up to 0.1 s at a time.

    Args:
        attempt: What to do.
        until: When to give up, by the clock's ``monotonic``, in seconds.
        clock: Measures and waits.

    Raises:
        sqlite3.Error: The file was busy to the end, or whatever else went wrong.
    """

    def busy(error: Exception) -> bool:
        return isinstance(error, sqlite3.Error) and is_busy(error)

    return _locks.keep_trying(attempt, busy=busy, until=until, clock=clock)


def connected(path: Path | None, timeout: float) -> Connection:
    """Open a file, or a database in memory.

    Args:
        path: The file, absolute; made with mode 0600 if it is not there. None for memory.
        timeout: How long SQLite itself waits for other connections, in seconds.

    Raises:
        OSError: The file cannot be made, or is no plain file.
        sqlite3.Error: What SQLite says.
    """
    target = ":memory:"
    if path is not None:
        with GATE.creation:
            create_private(path)
        # mode=rw: if the file vanishes right now, SQLite must not make one that all can read.
        target = f"{path.as_uri()}?mode=rw"
    return sqlite3.connect(
        target,
        uri=True,
        timeout=timeout,
        # Transactions begin and end where this module says so.
        isolation_level=None,
        # A forked child closes from another thread than the one that opened.
        check_same_thread=False,
        factory=Connection,
    )
