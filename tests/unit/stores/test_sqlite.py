"""Tokens in a SQLite file."""

from __future__ import annotations

import re
import sqlite3
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import SqliteTokenStore
from sessionkit.testing import FakeClock, ListableTokenStoreContract
from tests.support.local_stores import (
    LocalFileStoreContract,
    attempts,
    needs_rights,
    rights,
)

if TYPE_CHECKING:
    from pathlib import Path


class TestSqliteTokenStore(ListableTokenStoreContract):
    """The contract of all stores."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> SqliteTokenStore:
        return SqliteTokenStore(tmp_path / "tokens.db")


class TestLocalFile(LocalFileStoreContract):
    """The contract of stores in a file."""

    kind = SqliteTokenStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.db"


def run(path: Path, *statements: str, parameters: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement, parameters)


# -- The file ------------------------------------------------------------------------------------


@needs_rights
@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o604])
def test_a_file_that_others_may_read_is_closed_to_them(path: Path, mode: int) -> None:
    """A store that a backup or a copy brought back too open is private again at its first use."""
    store = SqliteTokenStore(path)
    store.save("app", Token("a"))
    path.chmod(mode)

    assert store.load("app") == Token("a")
    assert rights(path) == 0o600


@needs_rights
def test_a_file_that_cannot_be_closed_to_others_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No token is written where somebody else decides who reads it."""
    path.touch(0o644)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("pathlib.Path.chmod", refuse)
    with pytest.raises(StoreError, match="Operation not permitted"):
        SqliteTokenStore(path).save("app", Token("planted-secret"))

    assert b"planted-secret" not in path.read_bytes()


def test_a_missing_folder_is_named_when_the_store_is_made(tmp_path: Path) -> None:
    """A typing error in the path shows at once, with the command that cures it."""
    folder = tmp_path / "missing"

    with pytest.raises(StoreError, match=re.escape(f"no folder {folder}")) as caught:
        SqliteTokenStore(folder / "tokens.db")
    assert f"mkdir -p -m 700 {folder}" in caught.value.hint
    assert not folder.exists()


def test_a_folder_that_goes_away_is_a_store_error(tmp_path: Path) -> None:
    """A volume that was unmounted is told by name."""
    folder = tmp_path / "volume"
    folder.mkdir()
    store = SqliteTokenStore(folder / "tokens.db")
    folder.rmdir()

    with pytest.raises(StoreError, match=r"tokens\.db.*No such file") as caught:
        store.save("app", Token("a"))
    assert caught.value.key == "app"
    assert caught.value.store == repr(store)


def test_a_name_too_long_for_a_lock_is_a_store_error(tmp_path: Path) -> None:
    """What the system says arrives as an error of the library."""
    store = SqliteTokenStore(tmp_path / ("n" * 240))
    store.save("app", Token("a"))

    with pytest.raises(StoreError, match="too long"), store.lock("app", 1.0):
        pass


@pytest.mark.parametrize("name", ["a b.db", "q?mode=ro.db", "h#h.db", "p%20p.db", "ключ.db"])
def test_any_name_of_a_file_works(tmp_path: Path, name: str) -> None:
    """The name reaches SQLite as it is, whatever a URL would read into it."""
    SqliteTokenStore(tmp_path / name).save("app", Token("a"))

    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_memory_is_no_file() -> None:
    """SQLite's own word for memory would give each call another empty store."""
    with pytest.raises(ConfigError) as caught:
        SqliteTokenStore(":memory:")
    assert "MemoryTokenStore" in caught.value.hint


# -- What is deleted -----------------------------------------------------------------------------


def test_nothing_of_a_forgotten_token_stays_in_the_file(path: Path) -> None:
    """After a logout, a copy of the file is worth nothing."""
    store = SqliteTokenStore(path)
    for number in range(50):
        store.save(f"other-{number}", Token("kept-token" * 20))
    store.save("app", Token("planted-first" * 300))
    store.save("app", Token("planted-second"))
    store.delete("app")

    content = path.read_bytes()

    assert b"kept-token" in content
    assert b"planted" not in content


# -- Damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["garbage", "head", "middle", "cut", "other page"])
def test_a_damaged_file_is_told_and_left_as_it_is(path: Path, damage: str) -> None:
    """What can still be saved by hand is not lost to a login that overwrites it."""
    store = SqliteTokenStore(path)
    for number in range(60):
        store.save(f"key-{number}", Token(f"planted-{number}" * 20))
    whole = path.read_bytes()
    page = 4096
    damaged = {
        "garbage": b"this was a letter to my aunt\n" * 50,
        "head": b"\xff" * 16 + whole[16:],
        "middle": whole[:page] + b"\xff" * (len(whole) - page),
        "cut": whole[:page],
        "other page": whole[:100] + b"\xff" * 300 + whole[400:],
    }[damage]
    path.write_bytes(damaged)
    path.chmod(0o600)

    for attempt in attempts(store, "key-7"):
        with pytest.raises(StoreUnreadable, match=re.escape(str(path))) as caught:
            attempt()
        assert "move it away" in caught.value.hint
        assert "planted" not in "".join(traceback.format_exception(caught.value))
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "content",
    [
        "not json, but planted-secret",
        '{"value": "planted-secret\\n"}',
        '{"token": "planted-secret"}',
        '["planted-secret"]',
        b"planted-secret \xff\xfe",
        7,
        2.5,
    ],
)
def test_a_damaged_entry_is_told_without_its_content(path: Path, content: object) -> None:
    """One broken entry is dropped and logged in again; the error about it may be logged."""
    store = SqliteTokenStore(path)
    store.save("app", Token("a"))
    store.save("other", Token("b"))
    run(path, "UPDATE tokens SET token = ? WHERE key = x'617070'", parameters=(content,))

    with pytest.raises(StoreUnreadable, match="holds for 'app' is no token") as caught:
        store.load("app")
    assert caught.value.key == "app"
    assert "delete" in caught.value.hint
    assert caught.value.__cause__ is None
    assert "planted" not in "".join(traceback.format_exception(caught.value))
    assert store.load("other") == Token("b")
    store.delete("app")
    assert store.load("app") is None


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    """A wrong path in a setting costs nobody their data, nor the right to read it."""
    run(path, "CREATE TABLE tokens (key, token)", "INSERT INTO tokens VALUES (x'617070', 'theirs')")
    path.chmod(0o644)
    before = path.read_bytes()
    store = SqliteTokenStore(path)

    for attempt in attempts(store, "app"):
        with pytest.raises(StoreUnreadable, match="of another program"):
            attempt()
    assert path.read_bytes() == before
    assert rights(path) == 0o644


def test_the_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    """After a downgrade, tokens are not written in a form that the newer version cannot read."""
    store = SqliteTokenStore(path)
    store.save("app", Token("a"))
    run(path, "PRAGMA user_version = 2")

    with pytest.raises(StoreUnreadable, match="newer") as caught:
        store.load("app")
    assert "upgrade" in caught.value.hint


def test_a_store_without_its_table_is_a_store_error(path: Path) -> None:
    """Whatever SQLite says arrives as an error of the library, with the original as its cause."""
    store = SqliteTokenStore(path)
    store.save("app", Token("a"))
    run(path, "DROP TABLE tokens")

    with pytest.raises(StoreError, match="no such table") as caught:
        store.load("app")
    assert isinstance(caught.value.__cause__, sqlite3.Error)


# -- Others at work ------------------------------------------------------------------------------


def test_a_reader_sees_the_old_token_while_a_new_one_is_written(path: Path) -> None:
    """A write under way in another process holds up no reader."""
    store = SqliteTokenStore(path)
    store.save("app", Token("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM tokens")

        assert store.load("app") == Token("a")


def test_a_file_that_stays_busy_is_a_store_error(path: Path) -> None:
    """A backup program that holds the file for long is told, instead of a call that hangs."""
    store = SqliteTokenStore(path, busy_timeout=0.0, clock=FakeClock())
    store.save("app", Token("a"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StoreError, match="locked") as caught:
            store.load("app")
        assert "longer than 0 s" in caught.value.hint
    assert store.load("app") == Token("a")


def test_a_file_that_comes_free_is_used(path: Path) -> None:
    """Short work of others goes unnoticed."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    class FreeingClock(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            other.close()

    clock = FreeingClock()
    store = SqliteTokenStore(path, clock=clock)
    other.execute("BEGIN EXCLUSIVE")
    store.save("app", Token("a"))

    assert clock.sleeps == (0.001,)
    assert store.load("app") == Token("a")


# -- Locks ---------------------------------------------------------------------------------------


def test_the_file_of_a_lock_stays_empty_and_alone(path: Path) -> None:
    """Locks hold nothing; a renewal that is killed leaves nothing to clear away."""
    store = SqliteTokenStore(path)

    with store.lock("../odd key", 1.0):
        (lock,) = path.parent.iterdir()

    assert re.fullmatch(r"tokens\.db\.[0-9a-f]{32}\.lock", lock.name)
    assert [(file.name, file.stat().st_size) for file in path.parent.iterdir()] == [(lock.name, 0)]
