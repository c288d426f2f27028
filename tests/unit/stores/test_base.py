"""The protocol of a token store, what clears tokens away, and the face of the package."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import sessionkit.stores
from sessionkit._tokens import Token
from sessionkit.errors import StoreError, StoreUnreadable
from sessionkit.stores import (
    CallableTokenStore,
    ListableTokenStore,
    MemoryTokenStore,
    SqliteTokenStore,
    TokenStore,
    purge_expired,
)
from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.stores.file import FileTokenStore
from sessionkit.stores.keyring import KeyringTokenStore
from sessionkit.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = ("load", "save", "delete", "lock")
EXPIRED = Token("a", expires_at=1.0)
LISTABLE = [MemoryTokenStore, SqliteTokenStore, FileTokenStore, EncryptedTokenStore]


@pytest.mark.parametrize("kind", [*LISTABLE, CallableTokenStore, KeyringTokenStore])
@pytest.mark.parametrize("name", METHODS)
def test_every_store_is_called_in_the_same_way(kind: type[TokenStore], name: str) -> None:
    """One store is exchanged for another by one line."""
    promised = list(inspect.signature(getattr(TokenStore, name)).parameters)

    assert list(inspect.signature(getattr(kind, name)).parameters) == promised


def test_a_store_has_four_methods() -> None:
    """Who writes a store of their own knows when it is done."""
    assert {name for name in vars(TokenStore) if not name.startswith("_")} == set(METHODS)


@pytest.mark.parametrize("kind", LISTABLE)
def test_a_store_that_can_list_has_one_more(kind: type[ListableTokenStore]) -> None:
    """A program can ask by type whether it may ask for a list."""
    assert issubclass(kind, ListableTokenStore)
    assert not issubclass(CallableTokenStore, ListableTokenStore)
    assert {name for name in vars(ListableTokenStore) if not name.startswith("_")} == {"keys"}


def test_the_face_shows_the_stores_only() -> None:
    """Completion in a shell offers what there is."""
    assert {"MemoryTokenStore", "open_store"} <= set(dir(sessionkit.stores))
    with pytest.raises(AttributeError, match="RedisTokenStore"):
        sessionkit.stores.RedisTokenStore  # noqa: B018  # looked up


class Listable:
    """A store in memory in which something happens."""

    def __init__(self) -> None:
        self.inner = MemoryTokenStore()

    def keys(self) -> list[str]:
        return self.inner.keys()

    def load(self, key: str) -> Token | None:
        return self.inner.load(key)

    def save(self, key: str, token: Token) -> None:
        self.inner.save(key, token)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        with self.inner.lock(key, timeout):
            yield


def test_a_token_renewed_at_the_last_moment_stays() -> None:
    """Whoever renews between the look and the lock keeps what they got."""

    class Renewing(Listable):
        @contextmanager
        def lock(self, key: str, timeout: float) -> Iterator[None]:
            self.save(key, Token("renewed"))
            with super().lock(key, timeout):
                yield

    store = Renewing()
    store.save("app", EXPIRED)

    assert purge_expired(store, clock=FakeClock()) == []
    assert store.load("app") == Token("renewed")


def test_a_token_forgotten_meanwhile_is_no_error() -> None:
    """Two programs may clear away at once."""

    class Forgetting(Listable):
        def keys(self) -> list[str]:
            return [*super().keys(), "gone"]

    store = Forgetting()
    store.save("app", EXPIRED)

    assert purge_expired(store, clock=FakeClock()) == ["app"]


def test_what_cannot_be_read_is_left_to_people() -> None:
    """A damaged entry neither stops the others nor disappears unseen."""

    class Damaged(Listable):
        def load(self, key: str) -> Token | None:
            if key == "broken":
                raise StoreUnreadable
            return super().load(key)

    store = Damaged()
    store.save("app", EXPIRED)
    store.save("broken", EXPIRED)

    assert purge_expired(store, clock=FakeClock()) == ["app"]
    assert store.keys() == ["broken"]


def test_a_store_that_cannot_be_reached_is_told() -> None:
    """No answer is not taken for nothing to do."""

    class Gone(Listable):
        def load(self, key: str) -> Token | None:
            raise StoreError("gone")

    store = Gone()
    store.save("app", EXPIRED)

    with pytest.raises(StoreError, match="gone"):
        purge_expired(store)


def test_the_time_is_the_machines_by_default() -> None:
    """A nightly job needs one line."""
    store = MemoryTokenStore()
    store.save("app", EXPIRED)
    store.save("living", Token("a", expires_at=4e9))

    assert purge_expired(store) == ["app"]
