"""Tokens on a Redis server, in one process; between processes: integration/stores/test_redis.py."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sessionkit import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import open_store
from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.stores.redis import RedisTokenStore
from sessionkit.testing.contracts import ListableTokenStoreContract


class TestRedis(ListableTokenStoreContract):
    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[RedisTokenStore]:
        store = RedisTokenStore(redis_url)
        yield store
        store.close()


class TestClientOfTheUsers(ListableTokenStoreContract):
    """Whatever the client was set up for."""

    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[RedisTokenStore]:
        with Redis.from_url(redis_url, decode_responses=True, socket_timeout=0.5) as client:
            yield RedisTokenStore(client)


class TestEncrypted(ListableTokenStoreContract):
    """As it should be used."""

    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[EncryptedTokenStore]:
        inner = RedisTokenStore(redis_url)
        yield EncryptedTokenStore(inner, [EncryptedTokenStore.new_key()])
        inner.close()


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisTokenStore]:
    store = RedisTokenStore(redis_url)
    yield store
    store.close()


@pytest.fixture
def server(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("ending", ["", "?prefix=shop&lease=2.5&socket_timeout=3"])
def test_a_url_names_the_store_and_its_settings(redis_url: str, ending: str) -> None:
    """One environment variable is enough; what is redis-py's goes to redis-py."""
    store = open_store(redis_url + ending)
    assert isinstance(store, RedisTokenStore)
    store.save("app", Token("a"))
    store.close()

    assert ("prefix='shop'" in repr(store)) is bool(ending)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:planted-pass/word@127.0.0.1:1/0",
        "redis://:/planted-password@127.0.0.1:1/0",
        "redis://user:12/planted@127.0.0.1:1/0",
        "redis://user:12?planted@127.0.0.1:1/0",
        "rediss://user:12#planted@127.0.0.1:1/0?lease=10",
        "redis://:planted-password@127.0.0.1:port/0",
        "redis://:planted-password@127.0.0.1:1/0?socket_timeout=planted-password",
        "redis://:planted-password@127.0.0.1:1/0?lease=planted-password",
        "redis://:planted-password@127.0.0.1:1/0?lease=0",
    ],
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    """A typing error in a variable does not put its password into a log."""
    with pytest.raises(ConfigError) as caught:
        open_store(url)

    shown = f"{caught.value!r} {caught.value} {caught.value.hint} {caught.value.__cause__!r}"
    assert "planted" not in shown


def test_only_a_url_or_a_client_is_taken() -> None:
    """A mistake is named where it is made."""
    with pytest.raises(ConfigError, match=r"a URL or a redis\.Redis"):
        RedisTokenStore(7)  # type: ignore[arg-type]  # wrong on purpose


def test_two_prefixes_share_nothing(redis_url: str) -> None:
    """Staging and production may have one server."""
    one, other = RedisTokenStore(redis_url, prefix="one"), RedisTokenStore(redis_url, prefix="two")
    one.save("app", Token("a"))
    with one.lock("app", 1.0), other.lock("app", 0.0):
        assert other.load("app") is None
        assert other.keys() == []
    one.close()
    other.close()


def test_no_token_ever_expires(store: RedisTokenStore, server: Redis) -> None:
    """An access token that ended still carries its refresh token."""
    with store.lock("app", 1.0):
        store.save("app", Token("a", expires_in=1, expires_at=1.0, refresh_token="r"))

    for name in ("tokens", "fence:app", "count"):
        assert server.ttl(f"{{sessionkit}}:{name}") == -1


def test_what_a_forgotten_token_leaves_behind_goes_by_itself(
    store: RedisTokenStore, server: Redis
) -> None:
    """A server that millions logged in to and out of does not fill up."""
    with store.lock("app", 1.0):
        store.save("app", Token("a"))
    store.delete("app")

    assert 0 < server.ttl("{sessionkit}:fence:app") <= 86_400
    assert server.hlen("{sessionkit}:tokens") == 0
    lasting = [name for name in server.scan_iter() if server.ttl(name) == -1]
    assert lasting == [b"{sessionkit}:count"]


def test_an_entry_that_is_no_token_is_told_and_can_be_dropped(
    store: RedisTokenStore, server: Redis
) -> None:
    """What somebody else wrote there stops one user only, until it is forgotten."""
    server.hset("{sessionkit}:tokens", "app", "planted-secret")
    with pytest.raises(StoreUnreadable) as caught:
        store.load("app")
    assert "planted-secret" not in f"{caught.value!r}{caught.value.__cause__!r}"
    assert store.keys() == ["app"]

    store.delete("app")
    assert store.load("app") is None


def test_a_wrong_password_is_told_without_the_password(redis_url: str) -> None:
    """The error says what the server said."""
    store = RedisTokenStore(redis_url.replace("planted-password", "planted-wrong"))

    with pytest.raises(StoreError, match="AuthenticationError") as caught:
        store.load("app")

    assert caught.value.key == "app"
    assert caught.value.__cause__ is not None
    assert "planted" not in f"{caught.value!r} {caught.value} {caught.value.store}"
    store.close()


def test_a_server_that_is_not_there_is_told_for_each_way_in() -> None:
    """All methods speak of the store, none in the words of a library below."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        once = Retry(NoBackoff(), 0)
        client = Redis(host="127.0.0.1", port=taken.getsockname()[1], retry=once)
        store = RedisTokenStore(client)
        for work in (
            store.keys,
            lambda: store.load("app"),
            lambda: store.save("app", Token("a")),
            lambda: store.delete("app"),
            lambda: store.lock("app", 0.0).__enter__(),
        ):
            with pytest.raises(StoreError, match="cannot use Redis: ConnectionError"):
                work()
        client.close()


def test_a_server_that_is_silent_is_asked_once() -> None:
    """Each wait is the whole time-out, and redis-py would have waited twenty-five times."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        store = RedisTokenStore(f"redis://127.0.0.1:{port}/0?socket_timeout=0.1")

        with pytest.raises(StoreError, match="TimeoutError"):
            store.load("app")

        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
        store.close()


def test_what_redis_py_stumbles_over_is_an_error_of_the_store(
    redis_url: str, server: Redis
) -> None:
    """An option that it does not know, and what somebody else wrote under our name."""
    unknown = RedisTokenStore(f"{redis_url}?no_such_option=1")
    with pytest.raises(StoreError, match="no_such_option"):
        unknown.load("app")

    with Redis.from_url(redis_url, decode_responses=True) as client:
        store = RedisTokenStore(client)
        server.hset("{sessionkit}:tokens", "app", b"planted\xff")
        with pytest.raises(StoreError, match="UnicodeDecodeError") as caught:
            store.load("app")
        assert "planted" not in f"{caught.value!r} {caught.value.__cause__!r}"

        server.hset("{sessionkit}:tokens", "\\x", "")
        with pytest.raises(StoreError, match="UnicodeDecodeError"):
            store.keys()


def test_a_client_that_was_given_stays_open(redis_url: str) -> None:
    """Whoever made it closes it."""
    with Redis.from_url(redis_url, single_connection_client=True) as client:
        store = RedisTokenStore(client)
        store.save("app", Token("a"))
        connection = client.connection
        store.close()

        assert client.connection is connection is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_a_client_of_its_own(store: RedisTokenStore) -> None:
    """A lock of redis-py that a thread of the parent held at that moment stops no child."""
    store.save("app", Token("a"))
    parents = store._clients.get()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            mine = store._clients.get()
            code = 0 if store.load("app") == Token("a") and mine is not parents else 2
            store.close()
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store._clients.get() is parents
    assert store.load("app") == Token("a")


def test_it_refuses_to_be_pickled(store: RedisTokenStore) -> None:
    """No password gets into a queue of jobs."""
    with pytest.raises(TypeError, match="StackSpec"):
        pickle.dumps(store)
