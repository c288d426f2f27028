"""Locks that a SQL database keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from sessionkit.errors import ConfigError
from sessionkit.stores._forms import digest
from sessionkit.stores._sql_locks import (
    MariaLocks,
    PostgresLocks,
    SqliteLocks,
    SqlLocks,
    locks_of,
)
from sessionkit.testing import FakeClock

APP, OTHER = digest("app"), digest("other")
ADVISORY = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"


def exclude_each_other(locks: SqlLocks) -> None:
    """Check that a lock is had once, given back, and is no other's."""
    held = locks.take(APP, 0.0)
    assert held is not None
    assert locks.take(APP, 0.0) is None
    assert locks.take(APP, -1.0) is None
    assert locks.take(APP, 0.03) is None
    other = locks.take(OTHER, 0.0)
    assert other is not None
    other.close()
    held.close()
    again = locks.take(APP, 1e9)
    assert again is not None
    again.close()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(postgres_url)
    yield engine
    engine.dispose()


def test_postgresql_locks_exclude_each_other(postgres_engine: sqlalchemy.Engine) -> None:
    """One holder at a time, and nobody is shut out for good."""
    exclude_each_other(PostgresLocks(lambda: postgres_engine))


def test_postgresql_holds_no_lock_for_who_did_not_get_it(
    postgres_engine: sqlalchemy.Engine,
) -> None:
    """What goes back to the pool is as it came from there, settings included."""
    locks = PostgresLocks(lambda: postgres_engine)
    held = locks.take(APP, 5.0)
    assert held is not None
    assert locks.take(APP, 0.01) is None
    held.close()

    with postgres_engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text(ADVISORY)) == 0
        assert connection.scalar(sqlalchemy.text("SHOW lock_timeout")) == "0"


def test_another_error_of_postgresql_is_no_time_out(postgres_url: str) -> None:
    """A server that refuses is told as such."""
    engine = sqlalchemy.create_engine(f"{postgres_url}_missing")

    with pytest.raises(sqlalchemy.exc.OperationalError, match="does not exist"):
        PostgresLocks(lambda: engine).take(APP, 1.0)


def test_a_limit_on_statements_does_not_end_a_wait(postgres_url: str) -> None:
    """A site that cuts slow statements off still waits for a slow token endpoint."""
    engine = sqlalchemy.create_engine(
        postgres_url,
        connect_args={
            "options": "-c statement_timeout=20 -c idle_in_transaction_session_timeout=20"
        },
    )
    locks = PostgresLocks(lambda: engine)
    held = locks.take(APP, 1.0)
    assert held is not None

    # A statement of more than 20 ms, while the holder is idle for as long.
    assert locks.take(APP, 0.2) is None
    held.close()
    engine.dispose()


def test_mariadb_locks_exclude_each_other(maria_url: str) -> None:
    """One holder at a time, and nobody is shut out for good."""
    engine = sqlalchemy.create_engine(maria_url)
    exclude_each_other(MariaLocks(lambda: engine))
    engine.dispose()


def test_mariadb_is_asked_for_locks_by_name(tmp_path: Path) -> None:
    """Where no MariaDB is at hand: the statements run, on functions of the same names."""
    engine = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path}/functions.db", poolclass=sqlalchemy.NullPool
    )
    holders: dict[str, object] = {}
    waits: list[float] = []

    @sqlalchemy.event.listens_for(engine, "connect")
    def add_functions(connection: Any, _: object) -> None:
        def get_lock(name: str, wait: float) -> int:
            waits.append(wait)
            return int(len(name) <= 64 and holders.setdefault(name, connection) is connection)

        def release_lock(name: str) -> int:
            return int(holders.get(name) is connection and bool(holders.pop(name)))

        connection.create_function("GET_LOCK", 2, get_lock)
        connection.create_function("RELEASE_LOCK", 1, release_lock)

    exclude_each_other(MariaLocks(lambda: engine))

    assert holders == {}
    assert min(waits) == 0.0
    assert max(waits) == 1_000_000.0


def test_a_lock_that_cannot_be_released_goes_with_its_connection(tmp_path: Path) -> None:
    """No connection goes back to the pool with a lock on it."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/functions.db")
    closed: list[object] = []

    @sqlalchemy.event.listens_for(engine, "connect")
    def add_functions(connection: Any, _: object) -> None:
        connection.create_function("GET_LOCK", 2, lambda _name, _wait: 1)

    @sqlalchemy.event.listens_for(engine, "invalidate")
    def note(connection: object, *_: object) -> None:
        closed.append(connection)

    held = MariaLocks(lambda: engine).take(APP, 0.0)
    assert held is not None
    held.close()
    engine.dispose()

    assert len(closed) == 1


def test_sqlite_locks_exclude_each_other(tmp_path: Path) -> None:
    """One holder at a time, and nobody is shut out for good; the files stay empty."""
    clock = FakeClock()
    exclude_each_other(SqliteLocks(str(tmp_path / "app.db"), clock))

    assert sum(clock.sleeps) == pytest.approx(0.03)
    assert {path.stat().st_size for path in tmp_path.glob("app.db.*.lock")} == {0}


def test_a_kind_that_is_not_known_is_refused() -> None:
    """Better no store than one whose lock is none."""
    engine: Any = sqlalchemy.create_mock_engine("mssql+pymssql://", lambda *_: None)

    with pytest.raises(ConfigError, match="cannot lock on mssql"):
        locks_of(engine, lambda: engine, FakeClock())
