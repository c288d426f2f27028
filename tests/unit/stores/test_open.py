"""A token store from a URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore, open_store

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
        "mysql://user:planted-secret@db.example/tokens",
        "planted-secret:word@db.example",
        "planted-secret",
    ],
)
def test_an_unknown_store_is_answered_with_the_known_ones(url: str) -> None:
    """What can be written is told, and nothing of what was, for it may hold a password."""
    with pytest.raises(ConfigError, match="no kind of token store") as caught:
        open_store(url)
    assert re.search(r"memory:, sqlite:.*to come as extras: .*redis:", caught.value.hint)
    assert "planted" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


@pytest.mark.parametrize("kind", ["redis", "rediss", "postgresql", "file", "keyring", "django"])
def test_a_store_to_come_is_told_as_such(kind: str) -> None:
    """Who read of a later version learns that this is an earlier one."""
    with pytest.raises(ConfigError, match=f"{kind}: stores are not in this version") as caught:
        open_store(f"{kind}://:planted-secret@cache.example/0")
    assert "sqlite:" in caught.value.hint
    assert "planted" not in f"{caught.value} {caught.value.hint}"


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
        ("sqlite::memory:", "needs the path of a file"),
        ("sqlite:nul%00.db", "needs the path of a file"),
    ],
)
def test_a_url_that_is_half_right_says_which_half(url: str, message: str) -> None:
    """Nothing in a setting is ignored."""
    with pytest.raises(ConfigError, match=message):
        open_store(url)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is an error when the program starts."""
    with pytest.raises(StoreError, match=r"no folder .*missing"):
        open_store(f"sqlite://{tmp_path}/missing/tokens.db")
