"""Tokens in a SQLite file, shared by the processes of one machine."""

from __future__ import annotations

import json
import os
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypeVar

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import _database
from sessionkit.stores._forms import file_path
from sessionkit.stores._local_locks import LocalLocks
from sessionkit.stores._private import absolute, restrict_permissions

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sessionkit._clock import Clock

T = TypeVar("T")

#: "skit", in the header of the file (SQLite, file format, section 1.3.17).
_APPLICATION: Final = 0x736B6974
_VERSION: Final = 1
_HEADER = """
    SELECT application_id, user_version, EXISTS (SELECT 1 FROM sqlite_master)
    FROM pragma_application_id, pragma_user_version
"""
_CREATE = (
    "CREATE TABLE tokens (key BLOB PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {_VERSION}",
)
_SAVE = "INSERT INTO tokens VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET token = excluded.token"


class SqliteTokenStore:
    """Keeps tokens in a file that only its owner can read, for all processes of one machine.

    Made for many threads and processes at once, forked ones included. Each call is a short
    transaction on a connection of its own: a process that is killed at any moment leaves the old
    token or the new one, never half of one. The lock around a renewal is a file of its own per
    key beside the store (``tokens.db.<hash of the key>.lock``, always empty): the renewal of one
    key blocks neither another's nor any reader, and its lock is free as soon as its process is
    gone.

    The file is made at the first save, with mode 0600. One that others may read is given this
    mode; a symbolic link, a file of another program and a damaged one are refused and left as
    they are. The tokens in it are not encrypted. It must be on a local disk: file locks over a
    network cannot be relied on.

    Args:
        path: The file. ``~`` stands for the home folder; a relative path is taken from the
            working folder of this moment.
        busy_timeout: How long one call waits for those of others to end, in seconds.
        clock: Measures and makes the waits for other processes.

    Raises:
        ConfigError: *path* cannot be a file's, such as ``:memory:``, which no two connections
            would share.
        StoreError: The folder does not exist.
    """

    __slots__ = ("_busy_timeout", "_clock", "_locks", "_path")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 5.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if os.fspath(path) == ":memory:":
            raise ConfigError(
                "a SqliteTokenStore needs the path of a file",
                hint="for tokens in memory use MemoryTokenStore, or memory: in a URL",
            )
        self._path = absolute(os.fspath(path), "SqliteTokenStore")
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._locks = LocalLocks(self._path, repr(self), clock=clock)
        folder = self._path.parent
        if not folder.is_dir():
            raise StoreError(
                f"there is no folder {folder} for the token store {self._path.name}",
                hint=f"make it, readable by you alone: mkdir -p -m 700 {folder}",
                store=repr(self),
            )

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``sqlite:tokens.db`` or ``sqlite:///var/lib/app/tokens.db``.

        Raises:
            ConfigError: The URL holds no path, or more than a path.
            StoreError: The folder does not exist.
        """
        return cls(file_path(url))

    def __repr__(self) -> str:
        return f"SqliteTokenStore({str(self._path)!r})"

    def __reduce__(self) -> tuple[Callable[..., SqliteTokenStore], tuple[Path]]:
        # A worker process gets the way to the tokens, not the tokens.
        build = partial(SqliteTokenStore, busy_timeout=self._busy_timeout, clock=self._clock)
        return build, (self._path,)

    def keys(self) -> list[str]:
        if not os.path.lexists(self._path):
            return []
        find = "SELECT key FROM tokens"
        rows = self._run(None, "BEGIN", lambda connection: connection.execute(find).fetchall())
        return sorted(name.decode("utf-8", "surrogatepass") for (name,) in rows or ())

    def load(self, key: str) -> Token | None:
        if not os.path.lexists(self._path):
            return None
        find = "SELECT token FROM tokens WHERE key = ?"
        row = self._run(
            key, "BEGIN", lambda connection: connection.execute(find, _name(key)).fetchone()
        )
        return None if row is None else self._token(key, row[0])

    def save(self, key: str, token: Token) -> None:
        text = json.dumps(token.to_dict())
        self._run(
            key,
            "BEGIN IMMEDIATE",
            lambda connection: connection.execute(_SAVE, (*_name(key), text)),
        )

    def delete(self, key: str) -> None:
        if os.path.lexists(self._path):
            drop = "DELETE FROM tokens WHERE key = ?"
            self._run(
                key, "BEGIN IMMEDIATE", lambda connection: connection.execute(drop, _name(key))
            )

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        return self._locks.hold(key, timeout)

    def _run(
        self, key: str | None, begin: str, work: Callable[[_database.Connection], T]
    ) -> T | None:
        """Run *work* in a transaction; None if the file holds nothing and is only read."""

        def attempt() -> T | None:
            with _database.transaction(self._path, begin) as connection:
                empty = self._is_empty(connection)
                restrict_permissions(self._path)
                if empty and begin == "BEGIN":
                    return None
                for statement in _CREATE if empty else ():
                    connection.execute(statement)
                return work(connection)

        until = self._clock.monotonic() + self._busy_timeout
        try:
            return _database.keep_trying(attempt, until=until, clock=self._clock)
        except StoreError:
            # An OSError too, as every requests.RequestException.
            raise
        except (sqlite3.Error, OSError) as error:
            raise self._failure(key, error, path=self._path) from error

    def _is_empty(self, connection: _database.Connection) -> bool:
        application, version, tables = connection.execute(_HEADER).fetchone()
        if (application, version, tables) == (0, 0, 0):
            return True
        if application != _APPLICATION:
            raise self._unreadable("is the database of another program", "give another path")
        if version != _VERSION:
            raise self._unreadable("was written by a newer sessionkit", "upgrade sessionkit")
        return False

    def _token(self, key: str, content: bytes) -> Token:
        try:
            return Token.from_dict(json.loads(content))
        except (TypeError, ValueError, RecursionError):
            # From None, because the JSON error carries the whole text, secrets included.
            raise StoreUnreadable(
                f"what the token store {self._path} holds for {key!r:.80} is no token",
                hint="drop it with store.delete(key) and log in again",
                store=repr(self),
                key=key,
            ) from None

    def _failure(self, key: str | None, error: Exception, *, path: Path) -> StoreError:
        code = _database.primary_code(error) if isinstance(error, sqlite3.Error) else 0
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return self._unreadable(
                "is damaged or no database",
                "nothing was changed; put a backup in its place, "
                "or move it away, its -journal with it, and log in again",
            )
        busy = isinstance(error, sqlite3.Error) and _database.is_busy(error)
        return StoreError(
            f"the token store cannot use {path}: {error}",
            hint=f"another program held the file for longer than {self._busy_timeout:g} s"
            if busy
            else "see that file and folder are yours to write, on a local disk with room left",
            store=repr(self),
            key=key,
        )

    def _unreadable(self, what: str, way_out: str) -> StoreUnreadable:
        return StoreUnreadable(
            f"the token store {self._path} {what}", hint=way_out, store=repr(self)
        )


def _name(key: str) -> tuple[bytes]:
    """Return *key* as the one parameter of a statement: bytes, so that any text is a key."""
    return (key.encode("utf-8", "surrogatepass"),)
