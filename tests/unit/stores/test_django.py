"""Tokens in a Django cache, in one process; between processes: test_stores_django.py."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import override_settings
from redis import Redis

from sessionkit import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import open_store
from sessionkit.stores.django import DjangoCacheTokenStore
from sessionkit.testing.contracts import TokenStoreContract
from tests.support.shared_stores import configure_django, django_caches

BACKENDS = "django.core.cache.backends"

configure_django()


@pytest.fixture
def cache(redis_url: str) -> Iterator[Any]:
    """The site's cache, on Redis."""
    with override_settings(CACHES=django_caches(redis_url)):
        yield caches["default"]


class TestDjangoCache(TokenStoreContract):
    @pytest.fixture
    def store(self, cache: Any) -> Iterator[DjangoCacheTokenStore]:
        store = DjangoCacheTokenStore()
        yield store
        store.close()


@pytest.fixture
def store(cache: Any) -> Iterator[DjangoCacheTokenStore]:
    store = DjangoCacheTokenStore()
    yield store
    store.close()


class OwnMemory(LocMemCache):  # type: ignore[misc]  # Django ships no types
    """A class of a site's own is what its parent is."""


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        (f"{BACKENDS}.locmem.LocMemCache", "each process's own"),
        (f"{__name__}.OwnMemory", "each process's own"),
        (f"{BACKENDS}.dummy.DummyCache", "keeps nothing"),
        (f"{BACKENDS}.filebased.FileBasedCache", "no atomic add"),
        (f"{BACKENDS}.db.DatabaseCache", "drops entries when it is full"),
    ],
)
def test_a_cache_that_cannot_hold_a_lock_is_refused(backend: str, why: str) -> None:
    """A site finds out at its start, not by a refresh token that was used twice."""
    setting = {"default": {"BACKEND": backend, "LOCATION": "/nowhere"}}
    with override_settings(CACHES=setting), pytest.raises(ConfigError, match=why) as caught:
        DjangoCacheTokenStore()

    assert "SqlTokenStore" in caught.value.hint


def test_a_cache_that_is_not_in_the_settings_is_named(cache: Any) -> None:
    """The error says where to write it."""
    with pytest.raises(ConfigError, match="no cache 'tokens'"):
        open_store("django-cache:tokens")


@pytest.mark.parametrize("url", ["django-cache:", "django-cache:default"])
def test_a_url_names_the_cache(cache: Any, url: str) -> None:
    """A site whose other programs open stores by URL does so, too."""
    store: Any = open_store(url)
    store.save("app", Token("a"))
    store.close()

    assert repr(store) == "DjangoCacheTokenStore('default', prefix='sessionkit')"


def test_no_token_ever_expires(store: DjangoCacheTokenStore, redis_url: str) -> None:
    """Django's own default would drop a login after five minutes."""
    with store.lock("app", 1.0):
        store.save("app", Token("a", expires_in=1, expires_at=1.0, refresh_token="r"))

    with Redis.from_url(redis_url) as server:
        assert [server.ttl(name) for name in server.scan_iter()] == [-1]


def test_two_prefixes_share_nothing(store: DjangoCacheTokenStore) -> None:
    """Two programs may have one cache."""
    other = DjangoCacheTokenStore(prefix="other")
    store.save("app", Token("a"))

    with store.lock("app", 1.0), other.lock("app", 0.0):
        assert other.load("app") is None
    other.close()


@pytest.mark.parametrize("entry", ["planted", "[1, 2, 3]", '["who", "planted"]', 7])
def test_an_entry_that_is_no_token_is_told_and_can_be_replaced(
    store: DjangoCacheTokenStore, cache: Any, entry: object
) -> None:
    """What somebody else wrote there stops one user only."""
    cache.set(store._name("token", "app"), entry, timeout=None)
    with pytest.raises(StoreUnreadable) as caught:
        store.load("app")
    assert "planted" not in f"{caught.value!r}{caught.value.__cause__!r}"

    store.save("app", Token("a"))
    assert store.load("app") == Token("a")


def test_a_cache_that_drops_what_it_is_given_is_an_error(store: DjangoCacheTokenStore) -> None:
    """A refresh token that the server has thrown away is not taken for a safe one."""
    store._cache().set = lambda *_, **__: None

    with pytest.raises(StoreError, match="did not keep"):
        store.save("app", Token("a"))


def test_a_server_that_is_gone_is_told_for_each_way_in() -> None:
    """All methods speak of the store, none in the words of a library below."""
    with override_settings(CACHES=django_caches("redis://:planted-password@127.0.0.1:1/0")):
        store = DjangoCacheTokenStore()
        works: list[Callable[[], object]] = [
            lambda: store.load("app"),
            lambda: store.save("app", Token("a")),
            lambda: store.delete("app"),
            lambda: store.lock("app", 0.0).__enter__(),
        ]
        for work in works:
            with pytest.raises(StoreError, match="failed with ConnectionError") as caught:
                work()
            assert "planted" not in f"{caught.value!r} {caught.value}"


def test_each_thread_has_a_connection_of_its_own(store: DjangoCacheTokenStore) -> None:
    """As Django's caches want it; and none of them is the site's, which a fork would share."""
    mine = store._cache()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(store._cache()))
    thread.start()
    thread.join()

    assert found[0] is not mine
    assert store._cache() is mine
    assert caches["default"] is not mine


def test_a_worker_gets_the_way_to_the_tokens(store: DjangoCacheTokenStore) -> None:
    """A pickle of it names the cache, and holds neither a token nor a password."""
    store.save("app", Token("planted-secret"))
    pickled = pickle.dumps(store)

    assert b"planted" not in pickled
    again: DjangoCacheTokenStore = pickle.loads(pickled)
    assert again.load("app") == Token("planted-secret")
    again.close()
