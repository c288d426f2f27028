"""SQLite files as a token store needs them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sessionkit.stores import _database
from sessionkit.testing import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


def busy_error(path: Path) -> sqlite3.Error:
    with (
        _database.transaction(path, "BEGIN EXCLUSIVE"),
        pytest.raises(sqlite3.OperationalError) as caught,
        closing(_database.connected(path, 0.0)) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
    return caught.value


def test_a_transaction_that_fails_leaves_nothing(path: Path) -> None:
    """A token is saved whole or not at all."""
    with _database.transaction(path, "BEGIN IMMEDIATE") as connection:
        connection.execute("CREATE TABLE t (x)")

    def fail() -> None:
        with _database.transaction(path, "BEGIN IMMEDIATE") as connection:
            connection.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with _database.transaction(path, "BEGIN") as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_what_is_committed_survives_a_power_cut(path: Path) -> None:
    """A rotated refresh token is the only one there is, so the folder is synced, too."""
    with _database.transaction(path, "BEGIN IMMEDIATE") as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (3,)


def test_a_file_that_vanishes_is_not_made_by_sqlite(path: Path) -> None:
    """No way leads to a file that others can read."""
    with closing(_database.connected(path, 0.0)):
        pass
    path.unlink()
    with (
        pytest.raises(sqlite3.OperationalError, match="unable to open"),
        closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection,
    ):
        connection.execute("SELECT 1 FROM sqlite_master")
    assert not path.exists()


def test_a_busy_file_is_tried_again_after_growing_pauses(path: Path) -> None:
    """Waiting costs neither a processor nor much time."""
    clock = FakeClock()
    error = busy_error(path)
    results = [error] * 7

    def attempt() -> str:
        if results:
            raise results.pop()
        return "done"

    assert _database.keep_trying(attempt, until=60.0, clock=clock) == "done"
    assert clock.sleeps == (0.001, 0.002, 0.004, 0.008, 0.016, 0.02, 0.02)


def test_the_last_pause_ends_with_the_time(path: Path) -> None:
    """Nobody waits longer than was asked for, and the last moment is tried."""
    clock = FakeClock(start=100.0)
    error = busy_error(path)
    tries: list[float] = []

    def attempt() -> None:
        tries.append(clock.monotonic())
        raise error

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        _database.keep_trying(attempt, until=100.005, clock=clock)

    assert tries == pytest.approx([100.0, 100.001, 100.003, 100.005])


def test_another_error_is_not_waited_out() -> None:
    """What waiting cannot mend is told at once."""
    clock = FakeClock()

    def attempt() -> None:
        raise sqlite3.DatabaseError("file is not a database")

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        _database.keep_trying(attempt, until=60.0, clock=clock)
    assert clock.sleeps == ()


def test_an_error_without_a_code_is_no_busy_one() -> None:
    """What the module itself complains of has no code of SQLite's."""
    assert _database.primary_code(sqlite3.ProgrammingError("closed")) == 0
    assert not _database.is_busy(sqlite3.ProgrammingError("closed"))
