"""Tokens in a keyring."""

from __future__ import annotations

import pickle
import traceback
from typing import TYPE_CHECKING

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked
from keyrings.alt.file import PlaintextKeyring

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import ListableTokenStore
from sessionkit.stores.keyring import KeyringTokenStore
from sessionkit.testing import FakeClock, TokenStoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlaintextKeyring]:
    """Make a keyring in a file the one that ``keyring`` chooses, as a user's settings would."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = keyring.get_keyring()
    backend = PlaintextKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


class TestKeyringTokenStore(TokenStoreContract):
    """The contract of all stores, on a keyring that bears no two calls at once by itself."""

    @pytest.fixture
    def store(self) -> KeyringTokenStore:
        return KeyringTokenStore("sessionkit-test")


class Stubborn(KeyringBackend):
    """A keyring that takes short secrets only, as Windows does, or is locked."""

    priority = 1

    def __init__(self, *, limit: int = 10**9) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # it ships no types
        self.limit = limit
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.limit < 0:
            raise KeyringLocked("prompt dismissed")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if len(password) > self.limit:
            raise OSError(1783, "The stub received bad data")
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


def test_the_keyring_shows_whose_entry_it_is() -> None:
    """A person who looks into the keyring finds the program and the user."""
    backend = Stubborn()
    KeyringTokenStore("shop", backend=backend).save("ann@example.org", Token("a"))

    ((service, name),) = backend.held

    assert service == "shop"
    assert name.startswith("ann@example.org ")


def test_users_who_differ_in_case_are_two_in_any_keyring() -> None:
    """Windows, which knows no case, does not hand ann what is Ann's."""
    backend = Stubborn()
    store = KeyringTokenStore("shop", backend=backend)
    for number, user in enumerate(("ann", "Ann", "ann ", "long" * 100 + "a", "long" * 100 + "b")):
        store.save(user, Token(str(number)))

    assert len({name.lower() for _, name in backend.held}) == 5


def test_two_programs_share_neither_tokens_nor_locks() -> None:
    """One user's programs log in on their own."""
    one, other = KeyringTokenStore("one"), KeyringTokenStore("other")
    one.save("app", Token("a"))

    assert other.load("app") is None
    with one.lock("app", 1.0), other.lock("app", 0.0):
        pass


def test_a_keyring_lists_nobody() -> None:
    """A keyring cannot be searched; a program that needs a list is told by the type."""
    assert not isinstance(KeyringTokenStore("shop"), ListableTokenStore)


@pytest.mark.parametrize(
    ("backend", "message"),
    [(fail.Keyring, "there is no keyring here"), (null.Keyring, "keeps nothing")],
)
def test_where_there_is_no_keyring_another_store_is_named(
    backend: type[KeyringBackend], message: str
) -> None:
    """On a server the program says at its start what to use, instead of failing at a renewal."""
    keyring.set_keyring(backend())
    with pytest.raises(StoreError, match=message) as caught:
        KeyringTokenStore("shop")
    assert "SqliteTokenStore" in caught.value.hint
    assert "EncryptedTokenStore" in caught.value.hint


def test_a_keyring_that_stays_locked_is_a_store_error() -> None:
    """A dialog that was closed is told as that."""
    store = KeyringTokenStore("shop", backend=Stubborn(limit=-1))

    with pytest.raises(StoreError, match="KeyringLocked") as caught:
        store.load("app")
    assert "unlock it" in caught.value.hint
    assert caught.value.key == "app"
    assert isinstance(caught.value.__cause__, KeyringLocked)


def test_a_token_too_long_for_the_keyring_is_told_with_a_way_out() -> None:
    """Who meets the limit of Windows reads of it, and of the store that has none."""
    store = KeyringTokenStore("shop", backend=Stubborn(limit=1280))
    store.save("app", Token("short"))

    with pytest.raises(StoreError, match="OSError") as caught:
        store.save("app", Token("planted" * 300))

    assert "2112 characters" in caught.value.hint
    assert "1280" in caught.value.hint
    assert "EncryptedTokenStore" in caught.value.hint
    assert "plantedplanted" not in "".join(traceback.format_exception(caught.value))
    assert store.load("app") == Token("short")


@pytest.mark.parametrize("content", ["planted", '"planted"', '{"planted": 1}', ""])
def test_an_entry_that_is_no_token_is_told_without_its_content(content: str) -> None:
    """An entry that somebody typed over is dropped and logged in again."""
    backend = Stubborn()
    store = KeyringTokenStore("shop", backend=backend)
    store.save("app", Token("a"))
    (name,) = backend.held
    backend.held[name] = content

    with pytest.raises(StoreUnreadable, match="holds for 'app' is no token") as caught:
        store.load("app")
    assert "delete" in caught.value.hint
    shown = "".join(traceback.format_exception(caught.value))
    assert "planted" not in shown
    store.delete("app")
    assert store.load("app") is None


def test_a_dialog_that_nobody_answers_ends_the_wait() -> None:
    """A second program does not hang for ever behind the password prompt of the first."""
    clock = FakeClock()
    waiting = KeyringTokenStore("shop", busy_timeout=3.0, clock=clock)
    with (
        KeyringTokenStore("shop")._locks.hold_all(1.0),
        pytest.raises(StoreError, match="busy for too long"),
    ):
        waiting.load("app")
    assert sum(clock.sleeps) == pytest.approx(3.0)


def test_a_worker_process_gets_the_way_and_not_the_tokens() -> None:
    """A store may be an argument of a task; no token travels with it."""
    store = KeyringTokenStore("shop")
    store.save("app", Token("planted-secret"))

    pickled = pickle.dumps(store)

    assert b"planted-secret" not in pickled
    assert pickle.loads(pickled).load("app") == Token("planted-secret")


def test_locks_can_be_kept_elsewhere(tmp_path: Path) -> None:
    """A user without a home folder to write to gives another one."""
    store = KeyringTokenStore("shop", folder=tmp_path / "locks")

    with store.lock("app", 1.0):
        assert len(list((tmp_path / "locks").iterdir())) == 1
    assert not (tmp_path / "state" / "sessionkit").exists()


@pytest.mark.parametrize("url", ["keyring:", "keyring://shop", "keyring:shop?x=1", "keyring:a#b"])
def test_a_url_holds_a_service_and_nothing_else(url: str) -> None:
    """Nothing in a setting is ignored."""
    with pytest.raises(ConfigError, match="name of a service"):
        KeyringTokenStore.from_url(url)


def test_a_service_may_hold_any_character_in_its_urls_spelling() -> None:
    """A name with blanks or slashes is written as in any URL."""
    assert repr(KeyringTokenStore.from_url("keyring:my%20shop%2F2")) == (
        "KeyringTokenStore('my shop/2')"
    )


def test_a_service_needs_a_name() -> None:
    """An empty setting is told, not taken for a program's name."""
    with pytest.raises(ConfigError, match="name of a service"):
        KeyringTokenStore(" ")
