"""Answers at rest: private, bounded, and never the reason why a call fails."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hishel import Entry, Headers, Request, Response

from sessionkit.handlers.cache._storage import ResponseStorage
from sessionkit.stores._database import GATE

MOST = 1_000_000


@pytest.fixture(params=["memory", "file"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ResponseStorage]:
    """Return an empty shelf of each kind."""
    made = ResponseStorage(None if request.param == "memory" else tmp_path / "cache.db", MOST)
    yield made
    made.close()


def store(storage: ResponseStorage, key: str = "key", body: bytes = b"body") -> None:
    """Keep an answer."""
    request, response = Request("GET", key), Response(200, Headers({"etag": '"1"'}))
    storage.store(request, response, key, body=body)


def bodies(storage: ResponseStorage, key: str = "key") -> list[bytes | None]:
    """Return all bodies that are kept under *key*."""
    return [storage.body(entry) for entry in storage.find(key)]


def only(storage: ResponseStorage) -> Entry:
    """Return the one entry."""
    (entry,) = storage.find("key")
    return entry


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 2_000])
def test_what_is_kept_is_found_again(storage: ResponseStorage, body: bytes) -> None:
    """To the byte, whatever its size."""
    store(storage, body=body)

    assert bodies(storage) == [body]
    assert bodies(storage, "other") == []


def test_entries_are_updated_and_forgotten(storage: ResponseStorage) -> None:
    """A 304 gives an entry new headers; a change takes it away."""
    store(storage)
    storage.update(only(storage).id, Headers({"etag": '"2"'}))
    assert only(storage).response.headers["etag"] == '"2"'

    storage.remove([only(storage).id])
    assert storage.find("key") == []
    store(storage)
    storage.clear()
    assert storage.find("key") == []


def test_a_closed_shelf_is_an_empty_one(
    storage: ResponseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on after the cache was closed, and say nothing."""
    store(storage)
    entry = only(storage)
    storage.close()
    storage.close()
    store(storage)
    storage.clear()

    assert storage.find("key") == []
    assert storage.body(entry) is None
    assert caplog.records == []


def test_a_forked_child_closes_its_copy(storage: ResponseStorage) -> None:
    """SQLite's files are not shared with a parent; the child's handler opens them anew."""
    connection = storage._connection
    assert connection in GATE._open

    storage.close()
    assert connection not in GATE._open


def test_threads_share_a_shelf(storage: ResponseStorage) -> None:
    """Each finds what the others kept, and nobody's answer is lost."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store(storage, f"key {n}", b"%d" % n), range(80)))
        found = list(pool.map(lambda n: bodies(storage, f"key {n}"), range(80)))

    assert found == [[b"%d" % n] for n in range(80)]


def test_a_shelf_is_bounded(storage: ResponseStorage) -> None:
    """A cache never fills the memory or the disk."""
    for number in range(40):
        store(storage, f"key {number}", b"x" * 100_000)

    stored = sum(bool(bodies(storage, f"key {number}")) for number in range(40))
    assert 5 <= stored <= 11


def test_old_answers_make_room_for_new_ones(tmp_path: Path) -> None:
    """What nobody has used lately goes first."""
    path = tmp_path / "cache.db"
    storage = ResponseStorage(path, MOST)
    for number in range(20):
        store(storage, f"key {number}", b"x" * 100_000)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE entries SET last_accessed_at = last_accessed_at - 60")
    other.close()
    store(storage, "new", b"x" * 100_000)

    assert bodies(storage, "new") == [b"x" * 100_000]
    storage.close()


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Nobody else on the machine reads the answers, in none of SQLite's files."""
    path = tmp_path / "cache.db"
    storage = ResponseStorage(path, MOST)
    store(storage)

    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(modes) >= {"cache.db", "cache.db-wal"}
    assert set(modes.values()) == {0o600}
    storage.close()


def test_a_file_that_others_may_read_is_closed_to_them(tmp_path: Path) -> None:
    """A file made by hand is mended before anything is put into it."""
    path = tmp_path / "cache.db"
    path.touch(0o644)
    ResponseStorage(path, MOST).close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_is_shared_and_lasts(tmp_path: Path) -> None:
    """Another process finds the answers: its hashes come out the same."""
    path = tmp_path / "cache.db"
    first, second = ResponseStorage(path, MOST), ResponseStorage(path, MOST)
    store(first)

    assert first.salt == second.salt
    assert len(first.salt) == 32
    assert bodies(second) == [b"body"]
    first.close()
    second.close()
    assert ResponseStorage(None, MOST).salt != first.salt


def test_a_damaged_file_is_an_empty_cache(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Said once; the file is left as it is, for it may be somebody's own."""
    path = tmp_path / "cache.db"
    content = b"this is no database, whatever its name says " * 99
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        storage = ResponseStorage(path, MOST)
        store(storage)
        assert storage.find("key") == []

    assert [record.name for record in caplog.records] == ["sessionkit.cache"]
    assert "cannot be opened, and is not used" in caplog.text
    assert path.read_bytes() == content


def test_another_programs_tables_are_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A path that leads to the wrong database costs nobody his data."""
    path = tmp_path / "mine.db"
    with sqlite3.connect(path) as mine:
        mine.execute("CREATE TABLE entries (text TEXT)")
        mine.execute("INSERT INTO entries VALUES ('mine')")
    mine.close()
    storage = ResponseStorage(path, MOST)
    store(storage)
    storage.close()

    assert "the cache at" in caplog.text
    with sqlite3.connect(path) as again:
        assert again.execute("SELECT * FROM entries").fetchall() == [("mine",)]
        assert again.execute("SELECT name FROM sqlite_master").fetchall() == [("entries",)]
    again.close()


def test_a_damaged_entry_is_no_entry(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One bad sector costs one request."""
    path = tmp_path / "cache.db"
    storage = ResponseStorage(path, MOST)
    store(storage)
    entry = only(storage)
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM streams")
        other.execute("UPDATE entries SET data = x'ff00ff'")
    other.close()

    with caplog.at_level(logging.WARNING):
        # Of a body without its rows, or of a row without sense, nothing is left to use.
        assert storage.body(entry) is None
        assert storage.find("key") == []
    assert "sessionkit.cache" in {record.name for record in caplog.records}
    storage.close()


@pytest.mark.skipif(os.name != "posix", reason="links need rights here")
def test_a_link_in_the_files_place_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody else chooses where the answers go."""
    (tmp_path / "cache.db").symlink_to(tmp_path / "elsewhere")
    storage = ResponseStorage(tmp_path / "cache.db", MOST)
    store(storage)

    assert storage.find("key") == []
    assert "symbolic link" in caplog.text
    assert not (tmp_path / "elsewhere").exists()
