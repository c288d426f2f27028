"""Tokens in a JSON file."""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from typing import TYPE_CHECKING

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LockTimedOut, StoreError, StoreUnreadable
from sessionkit.stores.file import FileTokenStore
from sessionkit.testing import FakeClock, ListableTokenStoreContract
from tests.support.local_stores import (
    LocalFileStoreContract,
    attempts,
    needs_rights,
    rights,
)

if TYPE_CHECKING:
    from pathlib import Path


class TestFileTokenStore(ListableTokenStoreContract):
    """The contract of all stores."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> FileTokenStore:
        return FileTokenStore(tmp_path / "tokens.json")


class TestLocalFile(LocalFileStoreContract):
    """The contract of stores in a file."""

    kind = FileTokenStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "tokens.json"


def put(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


# -- The file ------------------------------------------------------------------------------------


def test_the_file_can_be_read_by_people(path: Path) -> None:
    """Whose tokens there are, and until when, is seen with any editor."""
    FileTokenStore(path).save("ann", Token("a", expires_at=5.0))

    assert json.loads(path.read_text()) == {
        "sessionkit": 1,
        "tokens": {"ann": {"value": "a", "expires_at": 5.0}},
    }
    assert "\n" in path.read_text()


@needs_rights
def test_only_the_owner_can_read_the_folder(path: Path) -> None:
    """Nobody else on the machine sees whose tokens there are."""
    FileTokenStore(path).save("app", Token("a"))

    assert rights(path.parent) == 0o700


def test_deleting_an_unknown_key_writes_nothing(path: Path) -> None:
    """A logout that is repeated costs no write."""
    store = FileTokenStore(path)
    store.save("app", Token("a"))
    before = path.stat().st_ino

    store.delete("nobody")

    assert path.stat().st_ino == before


@needs_rights
@pytest.mark.parametrize("mode", [0o644, 0o666, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_is_refused_with_the_cure(path: Path, mode: int) -> None:
    """Tokens that somebody may have copied are not used on as if nothing had happened."""
    store = FileTokenStore(path)
    store.save("app", Token("kept"))
    path.chmod(mode)
    before = path.read_bytes()

    for attempt in attempts(store, "app"):
        with pytest.raises(StoreError, match=re.escape(f"chmod 600 {path}")) as caught:
            attempt()
        assert f"mode {mode:04o}" in str(caught.value)
    assert path.read_bytes() == before
    path.chmod(0o600)
    assert store.load("app") == Token("kept")


@needs_rights
def test_a_folder_in_which_anybody_can_exchange_the_file_is_refused(path: Path) -> None:
    """Nobody hands a program another token than its own."""
    store = FileTokenStore(path)
    store.save("app", Token("a"))
    path.parent.chmod(0o777)

    with pytest.raises(StoreError, match=re.escape(f"chmod go-w {path.parent}")):
        store.load("app")
    path.parent.chmod(0o1777)
    assert store.load("app") == Token("a")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give")
def test_the_file_of_another_user_is_refused(path: Path) -> None:
    """A program that is run as root once does not lock its user out of the file."""
    store = FileTokenStore(path)
    store.save("app", Token("a"))
    os.chown(path, 65534, 65534)

    for attempt in attempts(store, "app"):
        with pytest.raises(StoreError, match="belongs to another user"):
            attempt()


def test_the_folder_is_made_but_none_above_it(tmp_path: Path) -> None:
    """A typing error in the path shows at once, with the command that cures it."""
    above = tmp_path / "missing"

    with pytest.raises(StoreError, match=re.escape(f"no folder {above}")) as caught:
        FileTokenStore(above / "private" / "tokens.json")
    assert f"mkdir -p {above}" in caught.value.hint
    assert not above.exists()


def test_a_folder_that_goes_away_is_a_store_error(path: Path) -> None:
    """A volume that was unmounted is told by name."""
    store = FileTokenStore(path)
    path.parent.parent.rename(path.parent.parent.with_name("gone"))

    with pytest.raises(StoreError, match=r"private.*No such file") as caught:
        store.save("app", Token("a"))
    assert caught.value.store == repr(store)


def test_a_program_has_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line need not ask its user where to keep the login."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "not" / "there"))
    FileTokenStore.for_app("shop-cli").save("app", Token("a"))

    assert FileTokenStore.for_app("shop-cli").load("app") == Token("a")
    (file,) = tmp_path.rglob("tokens.json")
    assert file.parent.name == "shop-cli"
    assert rights(file.parent) == 0o700


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", " ", "nul\0"])
def test_the_name_of_a_program_is_one_folder(name: str) -> None:
    """No name leads to somewhere else."""
    with pytest.raises(ConfigError, match="name of a folder"):
        FileTokenStore.for_app(name)


# -- Damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"planted",
        b'{"sessionkit": 1, "tokens": {"app": {"value": "planted',
        b"\0" * 4096,
        b"\xff\xfe planted",
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_kept_under_another_name(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A power cut costs a login and no data: what can be saved by hand is still there."""
    clock = FakeClock(epoch=1_700_000_000.0)
    aside = path.with_name("tokens.json.corrupt-20231114T221320Z")
    put(path, content)
    store = FileTokenStore(path, clock=clock)

    with caplog.at_level(logging.WARNING, "sessionkit.stores"):
        assert store.load("app") is None

    assert aside.read_bytes() == content
    assert rights(aside) == 0o600
    assert not path.exists()
    (warning,) = caplog.records
    assert str(path) in warning.getMessage()
    assert aside.name in warning.getMessage()
    assert "planted" not in caplog.text
    store.save("app", Token("b"))
    assert store.load("app") == Token("b")


def test_no_damaged_file_takes_the_place_of_another(path: Path) -> None:
    """Two power cuts in one second lose nothing either."""
    store = FileTokenStore(path, clock=FakeClock())
    for content in ("first", "second", "third"):
        put(path, content)
        store.save("app", Token("a"))

    kept = {file.read_text() for file in path.parent.glob("*.corrupt-*")}

    assert kept == {"first", "second", "third"}
    assert store.load("app") == Token("a")


def test_a_file_that_was_replaced_meanwhile_is_not_moved_away(path: Path) -> None:
    """Of two processes that find the damage, the second one leaves the new file alone."""
    put(path, "damaged")
    second = FileTokenStore(path)

    class Rescuing(FakeClock):
        """Time passes while the lock is waited for: another process is quicker."""

        def monotonic(self) -> float:
            if path.read_text() == "damaged":
                path.unlink()
                second.save("app", Token("new"))
            return super().monotonic()

    assert FileTokenStore(path, clock=Rescuing()).load("app") == Token("new")
    assert not list(path.parent.glob("*.corrupt-*"))


def test_a_file_of_blanks_is_an_empty_store(path: Path) -> None:
    """A file that was made in advance, for its rights, can be used."""
    put(path, " \n")
    store = FileTokenStore(path)

    assert store.load("app") is None
    store.save("app", Token("a"))
    assert store.load("app") == Token("a")
    assert not list(path.parent.glob("*.corrupt-*"))


@pytest.mark.parametrize(
    "content",
    [
        '{"theirs": "planted"}',
        '["planted"]',
        '"planted"',
        "7",
        '{"sessionkit": 1, "tokens": ["planted"]}',
        '{"sessionkit": 1}',
        '{"sessionkit": "planted", "tokens": {}}',
    ],
)
def test_the_file_of_another_program_is_left_alone(path: Path, content: str) -> None:
    """A wrong path in a setting costs nobody their data."""
    put(path, content)

    for attempt in attempts(FileTokenStore(path), "app"):
        with pytest.raises(StoreUnreadable, match="of another program") as caught:
            attempt()
        assert "planted" not in "".join(traceback.format_exception(caught.value))
    assert path.read_text() == content


def test_the_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    """After a downgrade, tokens are not written in a form that the newer version cannot read."""
    put(path, '{"sessionkit": 2, "tokens": {}}')

    with pytest.raises(StoreUnreadable, match="newer") as caught:
        FileTokenStore(path).save("app", Token("a"))
    assert "upgrade" in caught.value.hint


@pytest.mark.parametrize(
    "entry", ['"planted"', '{"value": "planted\\n"}', '{"token": "planted"}', "null", "7"]
)
def test_a_damaged_entry_is_told_without_its_content(path: Path, entry: str) -> None:
    """One broken entry is dropped and logged in again; the error about it may be logged."""
    tokens = f'{{"other": {{"value": "b"}}, "app": {entry}}}'
    put(path, f'{{"sessionkit": 1, "tokens": {tokens}}}')
    store = FileTokenStore(path)

    with pytest.raises(StoreUnreadable, match="holds for 'app' is no token") as caught:
        store.load("app")
    assert caught.value.key == "app"
    assert "delete" in caught.value.hint
    assert "planted" not in "".join(traceback.format_exception(caught.value))
    assert store.load("other") == Token("b")
    assert store.keys() == ["app", "other"]
    store.delete("app")
    assert store.load("app") is None


def test_what_a_killed_save_left_behind_is_cleared_away(path: Path) -> None:
    """No half-written file lies about, nor stands in the way of the next save."""
    store = FileTokenStore(path)
    store.save("app", Token("a"))
    put(path.with_name("tokens.json.new"), '{"sessionkit": 1, "tok', mode=0o400)

    assert store.load("app") == Token("a")
    store.save("app", Token("b"))

    assert store.load("app") == Token("b")
    assert not path.with_name("tokens.json.new").exists()


# -- Others at work ------------------------------------------------------------------------------


def test_a_file_that_stays_busy_is_a_store_error(path: Path) -> None:
    """A program that hangs in the middle of a save is told, instead of a call that hangs too."""
    clock = FakeClock()
    store, other = FileTokenStore(path, busy_timeout=2.0, clock=clock), FileTokenStore(path)
    store.save("app", Token("a"))
    with other._locks.hold_all(1.0):
        with pytest.raises(StoreError, match="busy for too long") as caught:
            store.save("app", Token("b"))
        assert "longer than 2 s" in caught.value.hint
        assert not isinstance(caught.value, LockTimedOut)
        assert store.load("app") == Token("a")
    assert sum(clock.sleeps) == pytest.approx(2.0)
