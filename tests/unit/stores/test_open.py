"""A token store from a URL."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from keyrings.alt.file import PlaintextKeyring

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore, open_store
from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.stores.file import FileTokenStore
from sessionkit.stores.keyring import KeyringTokenStore

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("url", ["memory:", "MEMORY:"])
def test_memory_is_a_new_store_in_memory(url: str) -> None:
    """A test run needs no file; two stores of it share nothing."""
    store = open_store(url)
    store.save("app", Token("a"))

    assert isinstance(store, MemoryTokenStore)
    assert open_store(url).load("app") is None


@pytest.mark.parametrize(
    "form", ["sqlite://{}", "sqlite:{}", "sqlite:///{}", "SQLite://{}", "sqlite:///%2E/..{}"]
)
def test_sqlite_takes_an_absolute_path(tmp_path: Path, form: str) -> None:
    """Whichever number of slashes is remembered, an absolute path is one."""
    store = open_store(form.format(tmp_path / "tokens.db"))
    store.save("app", Token("a"))

    assert isinstance(store, SqliteTokenStore)
    assert (tmp_path / "tokens.db").is_file()


@pytest.mark.parametrize("url", ["sqlite:tokens.db", "sqlite:./tokens.db", "sqlite:%74okens.db"])
def test_sqlite_takes_a_path_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """A small program keeps its tokens beside itself."""
    monkeypatch.chdir(tmp_path)
    open_store(url).save("app", Token("a"))

    assert (tmp_path / "tokens.db").is_file()


def test_a_path_may_hold_any_character_in_its_urls_spelling(tmp_path: Path) -> None:
    """A question mark or a hash in a name is written as in any URL."""
    open_store(f"sqlite://{tmp_path}/a%20b%3Fc%23d%25.db").save("app", Token("a"))

    assert (tmp_path / "a b?c#d%.db").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tokens.db",
        "/var/lib/tokens.db",
        "mongodb://user:planted-secret@db.example/tokens",
        "planted-secret:word@db.example",
        "planted-secret",
    ],
)
def test_an_unknown_store_is_answered_with_the_known_ones(url: str) -> None:
    """What can be written is told, and nothing of what was, for it may hold a password."""
    with pytest.raises(ConfigError, match="no kind of token store") as caught:
        open_store(url)
    assert "known are memory:, sqlite:" in caught.value.hint
    assert "planted" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://", "neither a path nor options"),
        ("memory:shared", "neither a path nor options"),
        ("sqlite:", "needs the path"),
        ("sqlite:///", "needs the path"),
        ("sqlite:folder/", "needs the path"),
        ("sqlite://tokens.db", "third slash"),
        ("sqlite://host/tokens.db", "third slash"),
        ("sqlite:tokens.db?mode=ro", "takes no options"),
        ("sqlite:tokens.db#x", "takes no options"),
        ("file:", "needs the path"),
        ("file://tokens.json", "third slash"),
        ("file:tokens.json?mode=ro", "takes no options"),
        ("sqlite::memory:", "needs the path of a file"),
        ("sqlite:nul%00.db", "needs the path of a file"),
    ],
)
def test_a_url_that_is_half_right_says_which_half(url: str, message: str) -> None:
    """Nothing in a setting is ignored."""
    with pytest.raises(ConfigError, match=message):
        open_store(url)


@pytest.mark.parametrize("inner", ["sqlite://{}/tokens.db", "file://{}/tokens.json", "memory:"])
def test_a_plus_puts_one_store_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    """A setting turns encryption on; the key stays out of it."""
    monkeypatch.setenv("TEST_KEYS", EncryptedTokenStore.new_key())
    store = open_store(f"encrypted+{inner.format(tmp_path)}?keys_env=TEST_KEYS")
    store.save("app", Token("planted-secret"))

    assert isinstance(store, EncryptedTokenStore)
    assert store.load("app") == Token("planted-secret")
    assert b"planted-secret" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_file_takes_a_path(tmp_path: Path) -> None:
    """The same spellings as for a database."""
    store = open_store(f"file://{tmp_path}/a%20b.json")
    store.save("app", Token("a"))

    assert isinstance(store, FileTokenStore)
    assert (tmp_path / "a b.json").is_file()


def test_keyring_takes_a_service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A desktop program needs no path at all."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("keyring.get_keyring", PlaintextKeyring)

    assert isinstance(open_store("keyring:shop"), KeyringTokenStore)


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("encrypted+memory:?keys_env=TEST_KEYS", "cryptography.fernet", "crypto"),
        ("keyring:shop", "keyring", "keyring"),
    ],
)
def test_a_store_whose_extra_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str
) -> None:
    """The message can be pasted into a shell."""
    monkeypatch.setenv("TEST_KEYS", "k")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf'pip install "requests-sessionkit\[{extra}\]"'):
        open_store(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is an error when the program starts."""
    with pytest.raises(StoreError, match=r"no folder .*missing"):
        open_store(f"sqlite://{tmp_path}/missing/tokens.db")
