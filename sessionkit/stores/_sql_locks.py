"""Locks that a SQL database keeps, free as soon as their holder's connection is gone."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sessionkit.errors import ConfigError
from sessionkit.stores._database import is_busy
from sessionkit.stores._leases import releasing
from sessionkit.stores._local_locks import FileLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from sessionkit._clock import Clock

#: Longer waits overflow the servers' numbers; in seconds.
_MAX_WAIT: Final = 1_000_000.0
#: lock_not_available (PostgreSQL, appendix A).
_LOCK_TIMED_OUT: Final = "55P03"


class SqlLocks(Protocol):
    """How one kind of database locks a name."""

    def take(self, digest: str, timeout: float) -> ExitStack | None:
        """Return what holds a lock until it is closed; None if it stayed held for too long.

        Args:
            digest: Which lock, as 64 hex digits.
            timeout: How long to wait for it, in seconds; zero or less tries once.
        """
        ...


class PostgresLocks:
    """Advisory locks of PostgreSQL, each as long as a transaction on a connection of its own.

    Of a transaction and not of a session, so that they also work through a pooler that gives each
    transaction another connection. Nothing is read or written in it, so no vacuum waits for it.

    Args:
        engine: Where connections come from.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._holding = _Holding(engine)

    def take(self, digest: str, timeout: float) -> ExitStack | None:
        """Return what holds the lock, or None after *timeout* seconds."""
        acquired: ExitStack | None = None
        with ExitStack() as taking:
            connection = taking.enter_context(self._holding.connection(_roll_back))
            if self._acquire(connection, digest, min(max(timeout, 0.0), _MAX_WAIT)):
                acquired = taking.pop_all()
        return acquired

    def _acquire(self, connection: Connection, digest: str, timeout: float) -> bool:
        from sqlalchemy import exc, text

        number = {"number": int.from_bytes(bytes.fromhex(digest[:16]), "big", signed=True)}
        # A timeout of zero would be none at all.
        milliseconds = str(int(timeout * 1000))
        settings = ("statement_timeout", "idle_in_transaction_session_timeout")
        unlimited = "".join(f", set_config('{name}', '0', true)" for name in settings)
        connection.execute(
            text(f"SELECT set_config('lock_timeout', :wait, true){unlimited}"),
            {"wait": milliseconds},
        )
        if milliseconds == "0":
            return bool(
                connection.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), number)
            )
        try:
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), number)
        except exc.DBAPIError as error:
            original: Any = error.orig
            # psycopg, psycopg2, pg8000: each tells the code in another place.
            codes = getattr(original, "sqlstate", ""), getattr(original, "pgcode", "")
            if _LOCK_TIMED_OUT not in codes and _LOCK_TIMED_OUT not in str(original):
                raise
            return False
        return True


class MariaLocks:
    """Named locks of MariaDB and MySQL, on a connection of their own.

    Args:
        engine: Where connections come from.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._holding = _Holding(engine)

    def take(self, digest: str, timeout: float) -> ExitStack | None:
        """Return what holds the lock, or None after *timeout* seconds."""
        from sqlalchemy import text

        # 64 characters at most, and no name of somebody else's.
        name = {"name": f"sessionkit-{digest[:48]}"}

        def release(connection: Connection) -> None:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), name)
            connection.rollback()

        acquired: ExitStack | None = None
        wait = {"wait": min(max(timeout, 0.0), _MAX_WAIT)}
        with ExitStack() as taking:
            connection = taking.enter_context(self._holding.connection(release))
            if connection.scalar(text("SELECT GET_LOCK(:name, :wait)"), name | wait) == 1:
                acquired = taking.pop_all()
        return acquired


class SqliteLocks:
    """Locks for a SQLite database: empty files beside it, as those of `SqliteTokenStore`.

    Args:
        database: The file of the database.
        clock: Measures and makes the waits.

    Raises:
        ConfigError: It is in memory, where no other process, and no other connection, sees it.
    """

    def __init__(self, database: str | None, clock: Clock) -> None:
        if not database or database.startswith((":memory:", "file:")):
            raise ConfigError(
                "a SqlTokenStore needs a SQLite database that is a plain file",
                hint="for tokens in memory use MemoryTokenStore",
            )
        self._path = Path(database).absolute()
        self._clock = clock

    def take(self, digest: str, timeout: float) -> ExitStack | None:
        """Return what holds the lock, or None after *timeout* seconds."""
        lock = FileLock(self._path.with_name(f"{self._path.name}.{digest[:32]}.lock"))
        with ExitStack() as taking:
            taking.callback(lock.close)
            try:
                lock.acquire(until=self._clock.monotonic() + timeout, clock=self._clock)
            except sqlite3.Error as error:
                if is_busy(error):
                    return None
                raise
            return taking.pop_all()


def locks_of(engine: Engine, current: Callable[[], Engine], clock: Clock) -> SqlLocks:
    """Return how the database behind an engine locks.

    Args:
        engine: Tells which kind of database it is.
        current: Returns the engine as this process may use it.
        clock: Measures the waits that the database does not measure itself.

    Raises:
        ConfigError: Nothing is known of this kind.
    """
    kind = engine.dialect.name
    if kind == "postgresql":
        return PostgresLocks(current)
    if kind in {"mysql", "mariadb"}:
        return MariaLocks(current)
    if kind == "sqlite":
        return SqliteLocks(engine.url.database, clock)
    raise ConfigError(
        f"a SqlTokenStore cannot lock on {kind}",
        hint="it knows postgresql, mysql, mariadb and sqlite",
    )


class _Holding:
    """Connections that hold a lock.

    Args:
        engine: Where they come from.
    """

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine
        self._inherited: list[Connection] = []

    @contextmanager
    def connection(self, free: Callable[[Connection], object]) -> Iterator[Connection]:
        """Hold one; what the pool gets back holds no lock, or is closed for good."""
        connection, holder = self._engine().connect(), os.getpid()

        def give_back() -> None:
            try:
                free(connection)
            except BaseException:
                # With the connection goes the lock.
                connection.invalidate()
                raise
            finally:
                connection.close()

        try:
            with releasing(give_back):
                yield connection
        finally:
            if os.getpid() != holder:
                # Forked inside: freeing it here would roll back what is the parent's.
                self._inherited.append(connection)


def _roll_back(connection: Connection) -> None:
    connection.rollback()
