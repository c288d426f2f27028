"""The protocol of a token store, and the face of the package."""

from __future__ import annotations

import inspect

import pytest

import sessionkit.stores
from sessionkit.stores import (
    CallableTokenStore,
    ListableTokenStore,
    MemoryTokenStore,
    SqliteTokenStore,
    TokenStore,
)
from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.stores.file import FileTokenStore
from sessionkit.stores.keyring import KeyringTokenStore

METHODS = ("load", "save", "forget", "lock")
LISTABLE = [MemoryTokenStore, SqliteTokenStore, FileTokenStore, EncryptedTokenStore]


@pytest.mark.parametrize("kind", [*LISTABLE, CallableTokenStore, KeyringTokenStore])
@pytest.mark.parametrize("name", METHODS)
def test_every_store_is_called_in_the_same_way(kind: type[TokenStore], name: str) -> None:
    """One store is exchanged for another by one line."""
    promised = list(inspect.signature(getattr(TokenStore, name)).parameters)

    assert list(inspect.signature(getattr(kind, name)).parameters) == promised
    assert inspect.getdoc(getattr(kind, name))


def test_a_store_has_four_methods() -> None:
    """Who writes a store of their own knows when it is done."""
    assert {name for name in vars(TokenStore) if not name.startswith("_")} == set(METHODS)


@pytest.mark.parametrize("kind", LISTABLE)
def test_a_store_that_can_list_has_one_more(kind: type[ListableTokenStore]) -> None:
    """A program can ask by type whether it may ask for a list."""
    assert issubclass(kind, ListableTokenStore)
    assert not issubclass(CallableTokenStore, ListableTokenStore)
    assert {name for name in vars(ListableTokenStore) if not name.startswith("_")} == {"keys"}
    assert inspect.getdoc(kind.keys)


def test_the_face_shows_the_stores_only() -> None:
    """Completion in a shell offers what there is."""
    assert {"MemoryTokenStore", "open_store"} <= set(dir(sessionkit.stores))
    with pytest.raises(AttributeError, match="RedisTokenStore"):
        sessionkit.stores.RedisTokenStore  # noqa: B018  # looked up
