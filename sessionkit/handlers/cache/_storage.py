"""Storage of responses: hishel's, on SQLite, in memory or in a file that only its owner reads.

A cache is a convenience: its failures are logged, and the request is sent to the server instead.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sessionkit._optional import require
from sessionkit.stores._database import GATE, Connection, connected
from sessionkit.stores._private import restrict_permissions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from uuid import UUID

    from hishel import Entry, Headers, Request, SqliteStorage

T = TypeVar("T")

_LOG = logging.getLogger("sessionkit.cache")
#: Seconds for which an entry that was used is not removed for a new one: it may be being read.
_IN_USE = 1.0
#: Seconds to wait while another process holds the file.
_BUSY_TIMEOUT = 5.0
_SALT_TABLE = "CREATE TABLE IF NOT EXISTS sessionkit_salt (id INTEGER PRIMARY KEY, salt BLOB)"
_NEW_SALT = "INSERT OR IGNORE INTO sessionkit_salt VALUES (1, ?)"


class ResponseStorage:
    """The stored responses of one process or file. Thread-safe.

    hishel holds a lock of its own while it is inside SQLite; nothing else waits there.

    Args:
        path: The file, absolute; made with mode 0600. None stores responses in memory.
        max_bytes: The most bytes of all responses; the least recently used are removed for others.
    """

    __slots__ = ("_connection", "_name", "_storage", "salt")

    def __init__(self, path: Path | None, max_bytes: int) -> None:
        self._name = "in memory" if path is None else f"at {path}"
        self._connection: Connection | None = None
        self._storage: SqliteStorage | None = None
        #: Of all hashes; in a file, the same for all who share it.
        self.salt = secrets.token_bytes(32)
        with self._log_failures("cannot be opened, and is not used"):
            self._open(path, max_bytes)

    def _open(self, path: Path | None, max_bytes: int) -> None:
        hishel: Any = require("hishel", "cache")
        connection = connected(path, _BUSY_TIMEOUT)
        try:
            if path is not None:
                restrict_permissions(path)
            self.salt = _shared_salt(connection, self.salt)
            storage = hishel.SqliteStorage(
                connection=connection, max_size=max_bytes, soft_delete_ttl=_IN_USE
            )
        except BaseException:
            connection.close()
            raise
        # A forked child closes its copy, and opens the file itself.
        GATE.register(connection)
        self._connection, self._storage = connection, storage

    def find(self, key: str) -> list[Entry]:
        """Return the entries of *key*, bodies unread."""
        return self._try(lambda storage: storage.get_entries(key)) or []

    def body(self, entry: Entry) -> bytes | None:
        """Return the body of *entry*, or None if it is gone or damaged."""
        stream: Any = entry.response.stream
        return self._try(lambda _: b"".join(stream))

    def store(self, request: Request, response: Any, key: str, *, body: bytes) -> None:
        """Store a response under *key*, if there is room."""

        def create(storage: SqliteStorage) -> None:
            entry = storage.create_entry(request, response, key)
            for _ in entry.response.stream:  # type: ignore[union-attr]  # written as it is read
                pass

        response.stream = iter((body,) if body else ())
        self._try(create)

    def update(self, number: UUID, headers: Headers) -> None:
        """Replace the headers of an entry."""
        self._try(lambda storage: storage.update_headers(number, headers))

    def remove(self, numbers: Iterable[UUID]) -> None:
        """Remove entries."""
        for number in numbers:
            self._try(lambda storage, number=number: storage.remove_entry(number))  # type: ignore[misc]  # a default has no type

    def clear(self) -> None:
        """Remove all entries; in a file, those of all processes."""
        connection = self._connection
        if connection is not None:
            self._try(lambda _: connection.execute("DELETE FROM entries"))

    def close(self) -> None:
        """Close it; from now on nothing is found and nothing stored."""
        storage, connection = self._storage, self._connection
        self._storage = self._connection = None
        if storage is not None and connection is not None:
            with GATE.inside():
                GATE.unregister(connection)
                storage.close()

    def _try(self, step: Callable[[SqliteStorage], T]) -> T | None:
        storage = self._storage
        if storage is not None:
            with self._log_failures("failed; the server is asked instead"):
                return step(storage)
        return None

    @contextmanager
    def _log_failures(self, what: str) -> Iterator[None]:
        try:
            # No fork while a thread is inside SQLite.
            with GATE.inside():
                yield
        except ImportError:
            raise
        except Exception as error:  # noqa: BLE001  # a damaged file may raise anything
            _LOG.warning("the cache %s %s: %s", self._name, what, error)


def _shared_salt(connection: Connection, new: bytes) -> bytes:
    """Return the salt of a file; that of a new file is *new*."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if tables and "sessionkit_salt" not in tables:
        raise OSError("it is another program's database")
    connection.execute(_SALT_TABLE)
    connection.execute(_NEW_SALT, (new,))
    salt: bytes = connection.execute("SELECT salt FROM sessionkit_salt").fetchone()[0]
    return salt
