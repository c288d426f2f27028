"""Tokens in a SQL database, shared by a fleet (extra ``sql``): PostgreSQL, MariaDB, SQLite."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeVar

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._fork import PerProcess
from sessionkit._optional import require
from sessionkit._redact import redact_url
from sessionkit.errors import ConfigError, StoreError
from sessionkit.stores._forms import digest, from_name, from_text, take_options, to_name, to_text
from sessionkit.stores._leases import Holdings, superseded
from sessionkit.stores._locks import KeyedLocks, timed_out
from sessionkit.stores._sql_locks import locks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token

__all__ = ["SqlTokenStore"]

T = TypeVar("T")

_TABLE: Final = "sessionkit_tokens"
#: Connections that a process keeps open: one holds the lock of a renewal, the other works.
_IDLE: Final = 2


class SqlTokenStore:
    """Keeps tokens in a table of a database, through SQLAlchemy 2: made for PostgreSQL.

    The lock around a renewal is the database's own (PostgreSQL: ``pg_advisory_xact_lock``; MariaDB
    and MySQL: ``GET_LOCK``; SQLite: a file beside the database), held on a connection of its own. A
    waiter sleeps in the server, goes on when the lock is given back, and when the holder's process
    or connection is gone. A save under the lock changes the entry only if there was no other save
    since the lock was taken, in one statement, so a process that was cut off cannot overwrite a
    newer token.

    The table is made at the first save: ``id`` (a hash of the key), ``name`` (the key), ``token``
    (JSON), ``version``. All who can read the database can read the tokens, unless
    an `EncryptedTokenStore` wraps this store.

    Thread-safe; a forked child makes connections of its own. It refuses to be pickled, for its
    URL may hold a password.

    Args:
        database: URL as SQLAlchemy takes it, such as ``postgresql+psycopg://user@db.example/app``,
            or an engine of yours, which stays yours to dispose of. A renewal takes two connections
            of it.
        table: Name of the table.
        clock: Measures the waits.

    Raises:
        ConfigError: A URL that cannot be used, or a kind of database that is not known. The
            message never shows the URL.
        ImportError: The extra ``sql``, or the database's driver, is not installed.
    """

    __slots__ = (
        *("_clock", "_engine", "_held", "_keyed", "_locks", "_owned", "_pools", "_sa"),
        *("_shown", "_table", "_there"),
    )

    def __init__(
        self, database: str | Engine, *, table: str = _TABLE, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        sa: Any = require("sqlalchemy", "sql")
        self._sa = sa
        self._clock = clock
        self._owned = isinstance(database, str)
        self._engine: Engine = _engine(sa, database)
        self._shown = redact_url(self._engine.url.render_as_string(hide_password=True))
        self._table = _columns(sa, table)
        self._locks = locks_of(self._engine, self._current, clock)
        self._pools: PerProcess[object] = PerProcess(self._fresh_pool)
        self._keyed = KeyedLocks(repr(self))
        self._held: Holdings[_Entry] = Holdings()
        self._there = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``postgresql+psycopg://user@host/database?table=name``.

        Whatever else the URL has is for SQLAlchemy.

        Raises:
            ConfigError: It cannot be used.
            ImportError: The extra ``sql``, or the database's driver, is not installed.
        """
        rest, options = take_options(url, {"table"})
        return cls(rest, table=options.get("table", _TABLE))

    def __repr__(self) -> str:
        return f"SqlTokenStore({self._shown!r}, table={self._table.name!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a SqlTokenStore cannot be pickled, because its URL may hold a password; send a "
            "StackSpec, or build the store in the process that uses it"
        )

    def close(self) -> None:
        """Close the connections, unless they are of an engine that was given; may be repeated."""
        if self._owned:
            self._current().dispose()

    def keys(self) -> list[str]:
        if not self._exists(None):
            return []
        find = self._sa.select(self._table.c.name)
        return sorted(from_name(name) for name in self._run(None, lambda c: c.scalars(find).all()))

    def load(self, key: str) -> Token | None:
        text = self._column("token", key)
        return None if text is None else from_text(text, key, repr(self))

    def save(self, key: str, token: Token) -> None:
        self._make_table(key)
        values = {"token": to_text(token), "version": uuid.uuid4().hex}
        entry = self._held.fencing_token(key)
        if entry is None:
            self._put(key, values)
            return
        done = self._change(key, values, known=entry.version)
        # The commit may have been done before, and only its response lost.
        if not done and self._column("version", key) != values["version"]:
            raise superseded(repr(self), key)
        entry.version = values["version"]

    def delete(self, key: str) -> None:
        if self._exists(key):
            drop = self._sa.delete(self._table).where(self._table.c.id == self._id(key))
            self._run(key, lambda c: c.execute(drop))
            if (entry := self._held.fencing_token(key)) is not None:
                entry.version = None

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        until = self._clock.monotonic() + timeout
        # The threads of a process wait in memory, so that each process takes one connection.
        with self._keyed.hold(key, timeout):
            name = digest(str(self._engine.url.database), self._table.name, key)
            clock = self._clock
            held = self._retry_cut_connection(
                key, lambda: self._locks.take(name, until - clock.monotonic())
            )
            if held is None:
                raise timed_out(repr(self), key, timeout=timeout)
            with held, self._held.holding(key, _Entry(self._column("version", key))):
                yield

    # Below here: statements

    def _put(self, key: str, values: dict[str, str]) -> None:
        """Save without a lock: the last save wins."""
        for _ in range(3):
            # Another one may insert, or delete, between the two.
            if self._change(key, values, known=_ANY) or self._change(key, values, known=None):
                return
        raise StoreError(
            "the token could not be saved: others save and drop it all the time",
            hint="save under store.lock(key, timeout)",
            store=repr(self),
            key=key,
        )

    def _change(self, key: str, values: dict[str, str], *, known: str | None) -> bool:
        """Insert an entry where none is known, else update it; return whether that was possible."""
        table, row = self._table, {"id": self._id(key), "name": to_name(key), **values}
        if known is None:
            return self._insert(key, self._sa.insert(table).values(row))
        update = self._sa.update(table).where(table.c.id == row["id"]).values(values)
        if known != _ANY:
            update = update.where(table.c.version == known)
        return bool(self._run(key, lambda c: c.execute(update).rowcount))

    def _insert(self, key: str, statement: Any) -> bool:
        clash: type[Exception] = self._sa.exc.IntegrityError
        try:
            self._run(key, lambda c: c.execute(statement), passing=clash)
        except clash as error:
            if self._column("version", key) is None:
                # No entry of that name stood in the way, but a rule of the table's owner.
                raise self._failure(key, error) from None
            return False
        return True

    def _column(self, name: str, key: str) -> str | None:
        if not self._exists(key):
            return None
        find = self._sa.select(self._table.c[name]).where(self._table.c.id == self._id(key))
        found: str | None = self._run(key, lambda c: c.scalar(find))
        return found

    def _id(self, key: str) -> str:
        # Databases differ in which texts are equal, and in how long a primary key may be.
        return digest(key)

    def _exists(self, key: str | None) -> bool:
        if not self._there:
            inspect, name = self._sa.inspect, self._table.name
            self._there = self._run(key, lambda c: bool(inspect(c).has_table(name)))
        return self._there

    def _make_table(self, key: str) -> None:
        if self._exists(key):
            return
        create = self._sa.schema.CreateTable(self._table, if_not_exists=True)
        try:
            self._run(key, lambda c: c.execute(create))
        except StoreError:
            # Two may do so at once, in spite of IF NOT EXISTS (PostgreSQL).
            if not self._exists(key):
                raise

    def _run(
        self,
        key: str | None,
        work: Callable[[Connection], T],
        *,
        passing: type[Exception] = StoreError,
    ) -> T:
        """Run *work* in a transaction; errors of the class *passing* stay as they are."""

        def run() -> T:
            with self._current().begin() as connection:
                return work(connection)

        return self._retry_cut_connection(key, run, passing)

    def _retry_cut_connection(
        self, key: str | None, attempt: Callable[[], T], passing: type[Exception] = StoreError
    ) -> T:
        """Return what *attempt* returns, or does on a new connection if the first was cut."""
        for again in (True, False):
            try:
                return attempt()
            except passing:
                raise
            except (self._sa.exc.SQLAlchemyError, sqlite3.Error, OSError) as error:
                if not (again and getattr(error, "connection_invalidated", False)):
                    # From None, because the original holds the statement's values.
                    raise self._failure(key, error) from None
        raise AssertionError("the second attempt either returned or raised")

    def _failure(self, key: str | None, error: Exception) -> StoreError:
        original = getattr(error, "orig", None) or error
        reported: Any = original.args[0] if original.args else ""
        # Further lines of the database's may quote the row; pg8000 has them in one mapping.
        text = str(reported.get("M", "") if isinstance(reported, dict) else original)
        message = (text.splitlines() or [""])[0]
        return StoreError(
            f"the token store cannot use {self._shown}: {type(original).__name__}: {message}",
            hint="see that the database runs, is reached from here, and lets this user read and "
            f"write the table {self._table.name}",
            store=repr(self),
            key=key,
        )

    def _current(self) -> Engine:
        self._pools.get()
        return self._engine

    def _fresh_pool(self, parents: object | None) -> object:
        """Give a forked child connections of its own; those of the parent are left alone."""
        if parents is not None:
            self._engine.dispose(close=False)
        # Kept, for a pool that is freed would close what is its parent's.
        return self._engine.pool


_ANY: Final = "*"
"""In place of a version: whichever there is."""


class _Entry:
    """The version of an entry when its lock was taken, or of our own last save under it."""

    __slots__ = ("version",)

    def __init__(self, version: str | None) -> None:
        self.version = version


def _engine(sa: Any, database: object) -> Engine:
    engine: Any = _made(sa, database) if isinstance(database, str) else database
    if not isinstance(engine, sa.Engine):
        kind = type(database).__name__
        raise ConfigError(f"a SqlTokenStore takes a URL or an engine, not {kind}")
    if engine.dialect.name != "sqlite":
        # Versions of entries are compared as they are now, whatever else the engine is used for.
        engine = engine.execution_options(isolation_level="READ COMMITTED")
    found: Engine = engine
    return found


def _made(sa: Any, url: str) -> Any:
    try:
        parsed = sa.engine.make_url(url)
        pool: dict[str, Any] = (
            {"poolclass": sa.pool.NullPool}
            if parsed.get_backend_name() == "sqlite"
            # No ceiling, or threads that hold locks could use up what they need to save.
            else {"pool_size": _IDLE, "max_overflow": -1, "pool_pre_ping": True}
        )
        return sa.create_engine(parsed, hide_parameters=True, **pool)
    except ModuleNotFoundError as error:
        message = f"the driver of this database is not installed: pip install {error.name}"
        raise ImportError(message, name=error.name) from error
    except (sa.exc.SQLAlchemyError, ValueError, TypeError):
        # From None: what the original says may hold a piece of the password.
        raise ConfigError(
            "the URL of the database cannot be used",
            hint="write postgresql+psycopg://user:password@host/database, with %40 for @ in a "
            "password",
        ) from None


def _columns(sa: Any, name: str) -> Any:
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
    )
