"""Clearing away tokens that are of no more use (see the contract of stores that can list)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import StoreError, StoreUnreadable
from sessionkit.stores import MemoryTokenStore, purge
from sessionkit.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDED = Token("a", expires_at=1.0)


class Store:
    """A store in memory in which something happens."""

    def __init__(self) -> None:
        self.inner = MemoryTokenStore()

    def keys(self) -> list[str]:
        return self.inner.keys()

    def load(self, key: str) -> Token | None:
        return self.inner.load(key)

    def save(self, key: str, token: Token) -> None:
        self.inner.save(key, token)

    def forget(self, key: str) -> None:
        self.inner.forget(key)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        with self.inner.lock(key, timeout):
            yield


def test_a_token_renewed_at_the_last_moment_stays() -> None:
    """Whoever renews between the look and the lock keeps what they got."""

    class Renewing(Store):
        @contextmanager
        def lock(self, key: str, timeout: float) -> Iterator[None]:
            self.save(key, Token("renewed"))
            with super().lock(key, timeout):
                yield

    store = Renewing()
    store.save("app", ENDED)

    assert purge(store, clock=FakeClock()) == []
    assert store.load("app") == Token("renewed")


def test_a_token_forgotten_meanwhile_is_no_error() -> None:
    """Two programs may clear away at once."""

    class Forgetting(Store):
        def keys(self) -> list[str]:
            return [*super().keys(), "gone"]

    store = Forgetting()
    store.save("app", ENDED)

    assert purge(store, clock=FakeClock()) == ["app"]


def test_what_cannot_be_read_is_left_to_people() -> None:
    """A damaged entry neither stops the others nor disappears unseen."""

    class Damaged(Store):
        def load(self, key: str) -> Token | None:
            if key == "broken":
                raise StoreUnreadable
            return super().load(key)

    store = Damaged()
    store.save("app", ENDED)
    store.save("broken", ENDED)

    assert purge(store, clock=FakeClock()) == ["app"]
    assert store.keys() == ["broken"]


def test_a_store_that_cannot_be_reached_is_told() -> None:
    """No answer is not taken for nothing to do."""

    class Gone(Store):
        def load(self, key: str) -> Token | None:
            raise StoreError("gone")

    store = Gone()
    store.save("app", ENDED)

    with pytest.raises(StoreError, match="gone"):
        purge(store)


def test_the_time_is_the_machines_by_default() -> None:
    """A nightly job needs one line."""
    store = MemoryTokenStore()
    store.save("app", ENDED)
    store.save("living", Token("a", expires_at=4e9))

    assert purge(store) == ["app"]
