"""Tokens on Redis between processes: waits, kills, pauses, restarts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from sessionkit import Token
from sessionkit.stores.redis import RedisTokenStore
from sessionkit.testing import SharedTokenStoreContract
from sessionkit.testing.server import IdentityProvider, LoopbackServer
from tests.support.servers.real import RedisServer
from tests.support.servers.slow_identity import SlowIdentity
from tests.support.shared_stores import (
    SAVE_LATE,
    FleetStoreContract,
    LockHolderContract,
    opened,
    program,
    refused,
    stopped,
)
from tests.support.workers.fleet import Fleet

LEASE = 0.3


class TestShared(SharedTokenStoreContract):
    lease = 1.0

    @pytest.fixture
    def opening(self, redis_url: str) -> str:
        return opened(f"{redis_url}?lease={self.lease}")


class TestFleet(FleetStoreContract):
    @pytest.fixture
    def url(self, redis_url: str) -> str:
        return redis_url


class TestLockHolder(LockHolderContract):
    lease = LEASE


@pytest.fixture
def url(redis_url: str) -> str:
    """A store whose leases are short."""
    return f"{redis_url}?lease={LEASE}"


@pytest.fixture
def store(url: str) -> Iterator[RedisTokenStore]:
    store = RedisTokenStore.from_url(url)
    yield store
    store.close()


@pytest.fixture
def server(redis_url: str) -> Iterator[Any]:
    """The server, as its operator sees it."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


# -- Waiting --------------------------------------------------------------------------------------


def test_a_waiter_sleeps_in_the_server_and_is_woken_at_the_release(
    redis_url: str, server: Any
) -> None:
    """Processes that wait ask nothing meanwhile, and go on when the renewal is done."""
    store, other = RedisTokenStore(redis_url), RedisTokenStore(redis_url)
    had = threading.Event()

    def wait() -> None:
        with other.lock("app", 20.0):
            had.set()

    waiter = threading.Thread(target=wait)
    with store.lock("app", 1.0):
        waiter.start()
        while not server.info("clients")["blocked_clients"]:
            pass
        asked = server.info("commandstats")["cmdstat_blpop"]["calls"]
        released = time.monotonic()
    assert had.wait(20)
    waited = time.monotonic() - released
    waiter.join(20)
    store.close()
    other.close()

    # Unwoken it would have slept for a second, as it does where no release is heard of.
    assert waited < 0.5
    assert server.info("commandstats")["cmdstat_blpop"]["calls"] == asked


def test_a_signal_that_nobody_waited_for_wakes_nobody_later(
    store: RedisTokenStore, server: Any
) -> None:
    """Nothing piles up on the server: what a release leaves is gone with the next lock."""
    for _ in range(3):
        with store.lock("app", 1.0):
            pass
    assert server.llen("{sessionkit}:free:app") == 1

    with store.lock("app", 1.0):
        assert not server.exists("{sessionkit}:free:app")


# -- Stopped, cut off -----------------------------------------------------------------------------


def test_a_logout_is_not_undone_by_a_renewal_that_was_stopped(
    store: RedisTokenStore, url: str
) -> None:
    """Whoever logged out stays so, though a machine wakes up with a token in its hands."""
    with program(SAVE_LATE, url) as process:
        assert process.heard() == "held"
        with stopped(process), store.lock("app", 20.0):
            store.delete("app")
        process.tell("save")

        assert "not saved" in process.finished()

    assert store.load("app") is None


def test_what_was_saved_without_a_lock_is_not_overwritten_by_a_renewal_begun_before(
    store: RedisTokenStore, redis_url: str
) -> None:
    """A token put there by hand, after a new login, stays."""
    by_hand = RedisTokenStore(redis_url)
    with store.lock("app", 1.0):
        store.save("app", Token("first"))
        store.save("app", Token("second"))
        by_hand.save("app", Token("by hand"))

        assert refused(store, "app", Token("third"))
    by_hand.close()

    assert store.load("app") == Token("by hand")


def test_locks_stay_in_order_when_the_server_has_lost_everything(
    store: RedisTokenStore, url: str, server: Any
) -> None:
    """After a restart without its data a renewal from before does not count as the later one."""
    with program(SAVE_LATE, url) as process:
        assert process.heard() == "held"
        with stopped(process):
            server.flushall()
            with store.lock("app", 20.0):
                store.save("app", Token("newer"))
        process.tell("save")

        assert "a newer one was" in process.finished()


def test_locks_stay_in_order_when_the_clock_of_the_server_is_set_back(
    store: RedisTokenStore, url: str, server: Any
) -> None:
    """Numbers never go back: the counter holds where the clock does not."""
    server.set("{sessionkit}:count", 9_000_000_000_000_000)
    with program(SAVE_LATE, url) as process:
        assert process.heard() == "held"
        with stopped(process), store.lock("app", 20.0):
            store.save("app", Token("newer"))
        process.tell("save")

        assert "a newer one was" in process.finished()
    assert server.get("{sessionkit}:count") == "9000000000000002"


# -- The server, killed and started again ---------------------------------------------------------


def test_a_redis_that_is_killed_and_restarted_in_a_renewal_costs_nothing(tmp_path: Path) -> None:
    """With its data on the disk the lock is still held, and one renewal serves all calls."""
    identity = SlowIdentity()
    with (
        RedisServer(tmp_path, durable=True) as redis,
        LoopbackServer(identity.respond) as server,
        Fleet(server.origin, redis.url, processes=4, threads=2) as fleet,
    ):
        assert fleet.call("/login") == ["200"] * 8
        with identity.holding():
            fleet.start("/items")
            assert identity.caught.wait(30)
            redis.kill()
            redis.start()
        results = fleet.results()

        identity.expire()
        results += fleet.call("/later")

    assert results == ["200"] * 16
    assert identity.renewals == 3
    assert identity.reuse_detected == 0


def test_a_redis_that_lost_everything_gets_its_token_back(tmp_path: Path) -> None:
    """A cache without a disk may restart between two renewals: the processes know the token."""
    identity = IdentityProvider()
    with (
        RedisServer(tmp_path) as redis,
        LoopbackServer(identity.respond) as server,
        Fleet(server.origin, redis.url, processes=4, threads=2) as fleet,
    ):
        results = fleet.call("/login")
        redis.kill()
        redis.start()
        results += fleet.call("/items")
        identity.expire()
        results += fleet.call("/later")

    assert results == ["200"] * 24
    assert identity.renewals == 2
    assert identity.reuse_detected == 0


def test_a_redis_that_is_gone_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    """A call that needs a new token says what is missing; others go on with what they hold."""
    identity = IdentityProvider()
    with (
        RedisServer(tmp_path) as redis,
        LoopbackServer(identity.respond) as server,
        Fleet(server.origin, redis.url, processes=1) as fleet,
    ):
        assert fleet.call("/login") == ["200"]
        redis.kill()
        assert fleet.call("/items") == ["200"]
        identity.expire()
        (result,) = fleet.call("/later")

    assert result.startswith("StoreError: the token store cannot use redis://127.0.0.1:")
    assert result.endswith("see that the server runs, is reached from here, and lets this user in")
    assert identity.renewals == 1
