"""Tokens in memory."""

from __future__ import annotations

import os
import pickle

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing import ListableTokenStoreContract


class TestMemoryTokenStore(ListableTokenStoreContract):
    """The contract of all stores."""

    @pytest.fixture
    def store(self) -> MemoryTokenStore:
        return MemoryTokenStore()


def test_only_size_makes_a_token_go_and_the_unused_one_first() -> None:
    """Thousands of users fit; a token that has ended is not thrown away for its age."""
    store = MemoryTokenStore(max_tokens=2)
    store.save("ann", Token("a", expires_at=1.0))
    store.save("bob", Token("b"))
    store.load("ann")
    store.save("cid", Token("c"))

    kept = [key for key in ("ann", "bob", "cid") if store.load(key)]

    assert kept == ["ann", "cid"]


def test_a_store_for_no_token_is_refused() -> None:
    """A slip in a setting shows at once, not as a login for every call."""
    with pytest.raises(ConfigError, match="max_tokens must be a whole number from 1, not 0"):
        MemoryTokenStore(max_tokens=0)


def test_two_stores_share_nothing() -> None:
    """Two stacks in one program do not use each other's login."""
    one, other = MemoryTokenStore(), MemoryTokenStore()
    one.save("app", Token("a"))

    with one.lock("app", 1.0), other.lock("app", 1.0):
        assert other.load("app") is None


def test_a_forked_child_starts_with_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker need not log in again, and what it then does is its own."""
    store = MemoryTokenStore()
    store.save("app", Token("a"))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    inherited = store.load("app")
    store.delete("app")
    monkeypatch.undo()

    assert inherited == store.load("app") == Token("a")


def test_a_store_of_tokens_cannot_be_pickled() -> None:
    """No token gets into a task queue or a cache with the store that holds it."""
    store = MemoryTokenStore()
    store.save("app", Token("planted-secret"))

    with pytest.raises(TypeError, match="share a SqliteTokenStore"):
        pickle.dumps(store)
