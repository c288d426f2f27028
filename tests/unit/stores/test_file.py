"""Tokens in a JSON file."""

from __future__ import annotations

import json
import logging
import os
import pickle
import re
import stat
import traceback
from typing import TYPE_CHECKING

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LockTimedOut, StoreError, StoreUnreadable
from sessionkit.stores.file import FileTokenStore
from sessionkit.testing import FakeClock, ListableTokenStoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

needs_rights = pytest.mark.skipif(os.name != "posix", reason="files have other rights here")


class TestFileTokenStore(ListableTokenStoreContract):
    """The contract of all stores."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> FileTokenStore:
        return FileTokenStore(tmp_path / "tokens.json")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "private" / "tokens.json"


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Let the process make files that all may read and write, if nobody takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def put(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)


def attempts(store: FileTokenStore, key: str) -> tuple[Callable[[], object], ...]:
    """Everything that can be done with a file."""
    return (
        lambda: store.load(key),
        lambda: store.save(key, Token("new")),
        lambda: store.delete(key),
        store.keys,
    )


# -- The file ------------------------------------------------------------------------------------


def test_tokens_are_there_for_the_next_program(path: Path) -> None:
    """Who logged in yesterday need not do so today."""
    FileTokenStore(path).save("app", Token("a"))

    assert FileTokenStore(path).load("app") == Token("a")


def test_the_file_can_be_read_by_people(path: Path) -> None:
    """Whose tokens there are, and until when, is seen with any editor."""
    FileTokenStore(path).save("ann", Token("a", expires_at=5.0))

    assert json.loads(path.read_text()) == {
        "sessionkit": 1,
        "tokens": {"ann": {"value": "a", "expires_at": 5.0}},
    }
    assert "\n" in path.read_text()


@needs_rights
@pytest.mark.usefixtures("open_umask")
def test_only_the_owner_can_read_folder_and_files(path: Path) -> None:
    """Nobody else on the machine gets at a token, or can hold up a renewal."""
    store = FileTokenStore(path)
    store.save("app", Token("a"))
    with store.lock("app", 1.0):
        modes = {file.name: rights(file) for file in path.parent.iterdir()}

    assert len(modes) == 3
    assert set(modes.values()) == {0o600}
    assert rights(path.parent) == 0o700


def test_looking_makes_no_file(path: Path) -> None:
    """A program that only looks leaves nothing behind."""
    store = FileTokenStore(path)

    assert store.load("app") is None
    assert store.keys() == []
    store.delete("app")
    assert not path.parent.exists()


def test_forgetting_whom_nobody_knows_writes_nothing(path: Path) -> None:
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


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_is_refused(path: Path, there: bool) -> None:
    """Whoever can place a link cannot choose where the tokens go."""
    target = path.with_name("elsewhere.json")
    path.parent.mkdir()
    if there:
        put(target, json.dumps({"sessionkit": 1, "tokens": {}}))
    path.symlink_to(target)
    before = target.read_bytes() if there else None

    for attempt in attempts(FileTokenStore(path), "app"):
        with pytest.raises(StoreError, match="symbolic link"):
            attempt()
    assert path.is_symlink()
    assert (target.read_bytes() if target.exists() else None) == before


def test_a_symbolic_link_in_place_of_a_lock_is_refused(path: Path) -> None:
    """The file of a lock is as safe as the store's."""
    store = FileTokenStore(path)
    with store.lock("app", 1.0):
        (lock,) = path.parent.iterdir()
    lock.unlink()
    lock.symlink_to(path.with_name("elsewhere"))

    with pytest.raises(StoreError, match="symbolic link"), store.lock("app", 1.0):
        pass
    assert not path.with_name("elsewhere").exists()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_only_a_plain_file_is_used(path: Path, kind: str) -> None:
    """A pipe in place of the file is an error, not a program that hangs."""
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir(0o700)
    else:
        os.mkfifo(path, 0o600)

    with pytest.raises(StoreError, match="no plain file"):
        FileTokenStore(path).load("app")


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


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path from a settings file, which no shell has expanded, works."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    FileTokenStore("~/tokens.json").save("app", Token("a"))

    assert (tmp_path / "tokens.json").is_file()


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


@pytest.mark.parametrize("name", ["~no-such-user/tokens.json", "nul\0.json"])
def test_what_cannot_be_a_path_is_refused(tmp_path: Path, name: str) -> None:
    """A slip in a setting is told when the program starts."""
    with pytest.raises(ConfigError, match=r"home directory|the path of a file"):
        FileTokenStore(name if name[0] == "~" else f"{tmp_path}/{name}")


def test_a_worker_process_gets_the_way_and_not_the_tokens(path: Path) -> None:
    """A store may be an argument of a task; no token travels with it."""
    store = FileTokenStore(path, busy_timeout=3.0)
    store.save("app", Token("planted-secret"))

    pickled = pickle.dumps(store)

    assert b"planted-secret" not in pickled
    assert pickle.loads(pickled).load("app") == Token("planted-secret")


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


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_file_is_an_empty_store(path: Path, content: str) -> None:
    """A file that was made in advance, for its rights, can be used."""
    put(path, content)
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


def test_two_stores_on_one_file_share_its_locks(path: Path) -> None:
    """Two stacks in one program that use one login renew it once."""
    one, other = FileTokenStore(path), FileTokenStore(path)

    with one.lock("app", 1.0):
        with pytest.raises(LockTimedOut), other.lock("app", 0.01):
            pass
        with other.lock("bob", 1.0):
            pass
    with other.lock("app", 1.0):
        pass
