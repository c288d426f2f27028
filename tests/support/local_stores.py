"""What holds for every store that keeps its tokens in a file of this machine: tests to inherit."""

from __future__ import annotations

import os
import pickle
import stat
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from sessionkit import Token
from sessionkit.errors import ConfigError, LockTimedOut, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

needs_rights = pytest.mark.skipif(os.name != "posix", reason="files have other rights here")


def rights(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


def attempts(store: Any, key: str) -> tuple[Callable[[], object], ...]:
    """Return everything that can be done with the file of a store."""
    return (
        lambda: store.load(key),
        lambda: store.save(key, Token("new")),
        lambda: store.delete(key),
        store.keys,
    )


class LocalFileStoreContract:
    """Give the class of the store, and a fixture ``path``.

    Attributes:
        kind: The class; its first argument is the path of the file.
    """

    kind: ClassVar[Any]

    @pytest.fixture
    def open_umask(self) -> Iterator[None]:
        """Let the process make files that all may read and write, if nothing prevents it."""
        before = os.umask(0)
        yield
        os.umask(before)

    def test_tokens_are_there_for_the_next_program(self, path: Path) -> None:
        """Who logged in yesterday need not do so today."""
        self.kind(path).save("app", Token("a"))

        assert self.kind(path).load("app") == Token("a")

    @needs_rights
    @pytest.mark.usefixtures("open_umask")
    def test_only_the_owner_can_read_the_files(self, path: Path) -> None:
        """Nobody else on the machine gets at a token, or can hold up a renewal."""
        store = self.kind(path)
        store.save("app", Token("a"))
        with store.lock("app", 1.0):
            modes = {file.name: rights(file) for file in path.parent.iterdir()}

        assert path.name in modes
        assert len(modes) >= 2
        assert set(modes.values()) == {0o600}

    def test_looking_makes_no_file(self, path: Path) -> None:
        """A program that only looks leaves nothing behind."""
        store = self.kind(path)

        assert store.load("app") is None
        assert store.keys() == []
        store.delete("app")
        assert not path.parent.exists() or list(path.parent.iterdir()) == []

    @pytest.mark.parametrize("there", [True, False])
    def test_a_symbolic_link_is_refused(self, path: Path, there: bool) -> None:
        """Whoever can place a link cannot choose where the tokens go."""
        target = path.with_name("elsewhere")
        path.parent.mkdir(exist_ok=True)
        if there:
            self.kind(target).save("app", Token("theirs"))
        path.symlink_to(target)
        before = target.read_bytes() if there else None

        for attempt in attempts(self.kind(path), "app"):
            with pytest.raises(StoreError, match="symbolic link"):
                attempt()
        assert path.is_symlink()
        assert (target.read_bytes() if target.exists() else None) == before

    def test_a_symbolic_link_in_place_of_a_lock_is_refused(self, path: Path) -> None:
        """The file of a lock is as safe as the store's."""
        store = self.kind(path)
        with store.lock("app", 1.0):
            (lock,) = path.parent.iterdir()
        lock.unlink()
        lock.symlink_to(path.with_name("elsewhere"))

        with pytest.raises(StoreError, match="symbolic link"), store.lock("app", 1.0):
            pass
        assert not path.with_name("elsewhere").exists()

    @pytest.mark.parametrize("what", ["folder", "pipe"])
    def test_only_a_plain_file_is_used(self, path: Path, what: str) -> None:
        """A pipe in place of the file is an error, not a program that hangs."""
        path.parent.mkdir(exist_ok=True)
        if what == "folder":
            path.mkdir(0o700)
        else:
            os.mkfifo(path, 0o600)

        with pytest.raises(StoreError, match="no plain file"):
            self.kind(path).load("app")

    def test_an_empty_file_is_an_empty_store(self, path: Path) -> None:
        """A file that was made in advance, or by a process killed before it wrote, can be used."""
        path.parent.mkdir(exist_ok=True)
        path.touch(0o600)
        store = self.kind(path)

        assert store.load("app") is None
        store.delete("app")
        store.save("app", Token("a"))
        assert store.load("app") == Token("a")

    def test_a_tilde_is_the_home_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A path from a settings file, which no shell has expanded, works."""
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("USERPROFILE", str(tmp_path))
        self.kind("~/tokens").save("app", Token("a"))

        assert (tmp_path / "tokens").is_file()

    def test_a_relative_path_stays_where_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A program that changes its working folder keeps its login."""
        monkeypatch.chdir(tmp_path)
        store = self.kind("tokens")
        monkeypatch.chdir(os.sep)
        store.save("app", Token("a"))

        assert (tmp_path / "tokens").is_file()
        assert store.load("app") == Token("a")

    @pytest.mark.parametrize("name", ["~no-such-user/tokens", "folder\0/tokens", "nul\0"])
    def test_what_cannot_be_a_path_is_refused(self, tmp_path: Path, name: str) -> None:
        """A slip in a setting shows when the program starts."""
        with pytest.raises(ConfigError, match=r"home directory|the path of a file"):
            self.kind(name if name[0] == "~" else f"{tmp_path}/{name}")

    def test_a_worker_process_gets_the_path_and_not_the_tokens(self, path: Path) -> None:
        """A store may be an argument of a task; no token travels with it."""
        store = self.kind(path, busy_timeout=3.0)
        store.save("app", Token("planted-secret"))

        pickled = pickle.dumps(store)

        assert b"planted-secret" not in pickled
        assert pickle.loads(pickled).load("app") == Token("planted-secret")

    def test_two_stores_on_one_file_share_its_locks(self, path: Path) -> None:
        """Two stacks in one program that use one login renew it once."""
        one, other = self.kind(path), self.kind(path)

        with one.lock("app", 1.0):
            with pytest.raises(LockTimedOut), other.lock("app", 0.01):
                pass
            with other.lock("bob", 1.0):
                pass
        with other.lock("app", 1.0):
            pass
