"""Tokens encrypted at rest."""

from __future__ import annotations

import json
import pickle
import traceback
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LockTimedOut, StoreError, StoreUnreadable
from sessionkit.stores import CallableTokenStore, MemoryTokenStore, SqliteTokenStore, purge_expired
from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.stores.file import FileTokenStore
from sessionkit.testing import FakeClock, ListableTokenStoreContract

if TYPE_CHECKING:
    from pathlib import Path

    from sessionkit.stores import TokenStore

OLD, NEW, OTHER = (EncryptedTokenStore.new_key() for _ in range(3))
FULL = Token(
    "planted-access",
    expires_in=3600,
    expires_at=1_700_003_600.25,
    refresh_token="planted-refresh",
    scope="planted-scope",
    extra={"planted-name": "planted-id"},
)


@pytest.mark.parametrize("inner", [MemoryTokenStore, SqliteTokenStore, FileTokenStore])
class TestEncryptedTokenStore(ListableTokenStoreContract):
    """The contract of all stores, over each store that can list."""

    @pytest.fixture
    def store(self, inner: type, tmp_path: Path) -> EncryptedTokenStore:
        made = inner() if inner is MemoryTokenStore else inner(tmp_path / "tokens")
        return EncryptedTokenStore(made, [NEW, OLD])


@pytest.fixture
def inner() -> MemoryTokenStore:
    return MemoryTokenStore()


# -- What can be read ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SqliteTokenStore, FileTokenStore])
def test_nothing_of_a_token_is_in_clear_on_the_disk(tmp_path: Path, kind: type) -> None:
    """A stolen disk or backup logs nobody in."""
    store = EncryptedTokenStore(kind(tmp_path / "tokens"), [NEW])
    store.save("ann", FULL)

    content = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert b"ann" in content
    assert b"planted" not in content
    assert b"1700003600" not in content
    assert EncryptedTokenStore(kind(tmp_path / "tokens"), [NEW]).load("ann") == FULL


def test_the_other_store_sees_a_token_with_nothing_but_a_value(inner: MemoryTokenStore) -> None:
    """Any store that can keep a token can keep an encrypted one."""
    EncryptedTokenStore(inner, [NEW]).save("ann", FULL)

    held = inner.load("ann")

    assert held is not None
    assert held.to_dict() == {"value": held.value}
    assert json.loads(Fernet(NEW).decrypt(held.value))["token"] == FULL.to_dict()


def test_the_same_token_looks_different_each_time(inner: MemoryTokenStore) -> None:
    """Nobody who reads the store can tell whether two users share a token."""
    store = EncryptedTokenStore(inner, [NEW])
    store.save("ann", FULL)
    store.save("bob", FULL)

    assert inner.load("ann") != inner.load("bob")


# -- Wrong keys and meddling ---------------------------------------------------------------------


def refused(store: EncryptedTokenStore, key: str, match: str) -> StoreUnreadable:
    with pytest.raises(StoreUnreadable, match=match) as caught:
        store.load(key)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "planted" not in shown
    assert not {NEW, OLD, OTHER} & set(shown.split())
    assert caught.value.key == key
    assert "delete" in caught.value.hint
    return caught.value


def test_a_wrong_key_is_an_error_that_names_the_ways_out(inner: MemoryTokenStore) -> None:
    """Who lost the key learns so, and is not logged in anew over a token that is still good."""
    EncryptedTokenStore(inner, [OTHER]).save("ann", FULL)
    store = EncryptedTokenStore(inner, [NEW, OLD])

    error = refused(store, "ann", "not encrypted with any of the keys")

    assert "end of keys" in error.hint
    store.delete("ann")
    store.save("ann", FULL)
    assert store.load("ann") == FULL


def test_a_token_in_clear_is_not_taken(inner: MemoryTokenStore) -> None:
    """Who can write to the store cannot slip in a token of their own."""
    inner.save("ann", Token("planted-token"))

    refused(EncryptedTokenStore(inner, [NEW]), "ann", "not encrypted")


def test_a_changed_ciphertext_is_not_taken(inner: MemoryTokenStore) -> None:
    """What was tampered with is refused, not half decrypted."""
    store = EncryptedTokenStore(inner, [NEW])
    store.save("ann", FULL)
    held = inner.load("ann")
    assert held is not None
    middle = len(held.value) // 2
    other = "A" if held.value[middle] != "A" else "B"
    inner.save("ann", Token(held.value[:middle] + other + held.value[middle + 1 :]))

    refused(store, "ann", "not encrypted")


def test_a_ciphertext_moved_to_another_user_is_not_taken(inner: MemoryTokenStore) -> None:
    """Who can write to the store cannot make one user act with the token of another."""
    store = EncryptedTokenStore(inner, [NEW])
    store.save("ann", FULL)
    held = inner.load("ann")
    assert held is not None
    inner.save("bob", held)

    refused(store, "bob", "for another key of the store")


@pytest.mark.parametrize(
    "content", ["planted", '"planted"', '{"planted": 1}', '{"key": "ann", "token": {"planted": 1}}']
)
def test_what_decrypts_to_no_token_is_refused(inner: MemoryTokenStore, content: str) -> None:
    """Another program's use of the same key does no harm."""
    inner.save("ann", Token(Fernet(NEW).encrypt(content.encode()).decode()))

    refused(EncryptedTokenStore(inner, [NEW]), "ann", "not encrypted")


@pytest.mark.parametrize(
    "keys",
    [[], (), NEW, NEW.encode(), ["planted"], [NEW, "planted="], [""], [None], [NEW[:-2]]],
    ids=range(9),
)
def test_what_is_no_list_of_keys_is_refused_and_not_shown(keys: list[str]) -> None:
    """A slip in a setting is told when the program starts, without the key."""
    with pytest.raises(ConfigError, match="key") as caught:
        EncryptedTokenStore(MemoryTokenStore(), keys)
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "planted" not in shown
    assert NEW[:8] not in shown


def test_neither_repr_nor_pickle_shows_a_key(inner: MemoryTokenStore) -> None:
    """A key leaves the process in no log, no report and no task queue."""
    store = EncryptedTokenStore(inner, [NEW, OLD])

    assert repr(store) == "EncryptedTokenStore(MemoryTokenStore(max_tokens=4096), keys=2)"
    with pytest.raises(TypeError, match="keys would be readable"):
        pickle.dumps(store)


# -- New keys ------------------------------------------------------------------------------------


def test_old_keys_decrypt_and_the_first_encrypts(inner: MemoryTokenStore) -> None:
    """A new key is put in front, and nobody has to log in for it."""
    EncryptedTokenStore(inner, [OLD]).save("ann", FULL)
    both = EncryptedTokenStore(inner, [NEW, OLD])

    assert both.load("ann") == FULL
    both.save("bob", FULL)
    assert EncryptedTokenStore(inner, [NEW]).load("bob") == FULL
    refused(EncryptedTokenStore(inner, [NEW]), "ann", "not encrypted")


def test_after_a_rotation_the_old_key_can_be_thrown_away(inner: MemoryTokenStore) -> None:
    """A key that leaked is worth nothing any more."""
    old = EncryptedTokenStore(inner, [OLD])
    for user in ("ann", "bob", "cid"):
        old.save(user, FULL)

    assert EncryptedTokenStore(inner, [NEW, OLD]).rotate() == 3

    only_new = EncryptedTokenStore(inner, [NEW])
    assert [only_new.load(user) for user in ("ann", "bob", "cid")] == [FULL] * 3
    refused(old, "ann", "not encrypted")


def test_a_rotation_does_all_it_can_and_then_tells_of_the_rest(inner: MemoryTokenStore) -> None:
    """One token of a lost key does not keep the others under an old one."""
    EncryptedTokenStore(inner, [OTHER]).save("ann", FULL)
    EncryptedTokenStore(inner, [OLD]).save("bob", FULL)

    with pytest.raises(
        StoreUnreadable, match="1 tokens were encrypted anew, 1 could not"
    ) as caught:
        EncryptedTokenStore(inner, [NEW, OLD]).rotate()

    assert caught.value.key == "ann"
    assert EncryptedTokenStore(inner, [NEW]).load("bob") == FULL


def test_a_rotation_waits_for_a_renewal(inner: MemoryTokenStore) -> None:
    """A token that is just being renewed is not overwritten by the one before it."""
    store = EncryptedTokenStore(inner, [NEW, OLD])
    store.save("ann", FULL)

    with store.lock("ann", 1.0), pytest.raises(LockTimedOut):
        store.rotate(timeout=0.0)


def test_a_store_that_cannot_list_is_rotated_by_name() -> None:
    """Whoever keeps a list of users elsewhere can change keys, too."""
    rows: dict[str, Token] = {}
    inner = CallableTokenStore(rows.get, rows.__setitem__)
    EncryptedTokenStore(inner, [OLD]).save("ann", FULL)
    store: TokenStore = EncryptedTokenStore(inner, [NEW, OLD])

    assert isinstance(store, EncryptedTokenStore)
    with pytest.raises(StoreError, match="cannot tell its keys"):
        store.rotate()
    assert store.rotate(["ann", "nobody"]) == 1
    assert EncryptedTokenStore(inner, [NEW]).load("ann") == FULL


def test_what_ended_is_purged_though_its_end_is_encrypted(inner: MemoryTokenStore) -> None:
    """An encrypted store does not grow for ever; what cannot be decrypted is left to people."""
    store = EncryptedTokenStore(inner, [NEW])
    store.save("ann", Token("a", expires_at=1.0))
    EncryptedTokenStore(inner, [OTHER]).save("bob", Token("a", expires_at=1.0))

    assert purge_expired(store, clock=FakeClock()) == ["ann"]
    assert store.keys() == ["bob"]


# -- By URL --------------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", ["{} {}", "{},{}", " {}\n{}\n"])
def test_a_url_names_the_variable_that_holds_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, joined: str
) -> None:
    """Keys stand neither in a URL nor in a command line."""
    monkeypatch.setenv("TEST_KEYS", joined.format(NEW, OLD))
    inner = SqliteTokenStore(tmp_path / "tokens.db")
    EncryptedTokenStore(inner, [OLD]).save("ann", FULL)

    store = EncryptedTokenStore.from_url(
        f"encrypted+sqlite://{tmp_path}/tokens.db?keys_env=TEST_KEYS"
    )

    assert store.load("ann") == FULL
    store.save("bob", FULL)
    assert EncryptedTokenStore(inner, [NEW]).load("bob") == FULL


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("encrypted:", "followed by a store"),
        ("encrypted+?keys_env=TEST_KEYS", "followed by a store"),
        ("encrypted+memory:", "where its keys are"),
        ("encrypted+memory:?keys_env=", "where its keys are"),
        ("encrypted+memory:?keys_env=TEST_EMPTY", "variable that keys_env names is not set"),
        ("encrypted+memory:?keys_env=planted-key", "variable that keys_env names is not set"),
        ("encrypted+planted:?keys_env=TEST_KEYS", "no kind of token store"),
        ("encrypted+memory:?keys_env=TEST_KEYS&planted=1", "neither a path nor options"),
    ],
)
def test_a_url_that_is_half_right_says_which_half(
    monkeypatch: pytest.MonkeyPatch, url: str, message: str
) -> None:
    """Somebody will put the key itself into the URL; the error does not repeat it."""
    monkeypatch.setenv("TEST_KEYS", NEW)
    monkeypatch.setenv("TEST_EMPTY", " ")
    with pytest.raises(ConfigError, match=message) as caught:
        EncryptedTokenStore.from_url(url)
    assert "planted" not in f"{caught.value} {caught.value.hint}"


def test_closing_it_closes_the_store_within() -> None:
    """Connections of a store on the network are not left open; one in memory has none."""
    closed: list[bool] = []

    class Networked(MemoryTokenStore):
        def close(self) -> None:
            closed.append(True)

    for inner in (Networked(), MemoryTokenStore()):
        EncryptedTokenStore(inner, [EncryptedTokenStore.new_key()]).close()

    assert closed == [True]
