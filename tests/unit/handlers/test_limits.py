"""One rate for a whole fleet, on a real Redis."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
from limits.storage import MemoryStorage, RedisStorage

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.errors import ConfigError, RateLimitExhausted, StoreError
from sessionkit.handlers import ErrorHandler, RateLimitHandler
from sessionkit.handlers.limits import SharedRateLimiter
from tests.support.servers.real import redis_server
from tests.unit.handlers.scripted import Script, stack_over


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Redis that asks for a password."""
    with redis_server(tmp_path_factory.mktemp("redis"), password="planted-7") as url:
        yield url


def waits(limiter: SharedRateLimiter, key: str = "one") -> float:
    """Ask once: send if there is room, and give up if there is not."""
    with closing(limiter.waits(key, SYSTEM_CLOCK)) as asking:  # type: ignore[type-var]  # a generator
        return next(iter(asking), 0.0)


def test_limiters_of_one_storage_share_one_budget(redis: str) -> None:
    """Two programs together send no more than one alone."""
    one, two = (SharedRateLimiter("3/hour", redis, prefix="shared") for _ in range(2))

    assert [waits(limiter) == 0 for limiter in (one, two, one, two, one)] == [True] * 3 + [
        False
    ] * 2
    assert 3_500 < waits(two) <= 3_600.05


def test_keys_and_names_tell_budgets_apart(redis: str) -> None:
    """Each key has its own budget, and so has each name."""
    one = SharedRateLimiter("1/hour", redis, prefix="apart")
    other = SharedRateLimiter("1/hour", redis, prefix="other")

    assert [waits(one, "a") == 0, waits(one, "b") == 0, waits(other, "a") == 0] == [True] * 3
    assert waits(one, "a") > 0


def test_a_storage_of_the_users_own_is_taken(redis: str) -> None:
    """Whoever has a storage of limits already, with its own settings, gives it."""
    limiter = SharedRateLimiter((1, 3_600), RedisStorage(redis), prefix="own")

    assert waits(limiter) == 0
    assert waits(limiter) > 0
    assert waits(SharedRateLimiter("1/hour", "memory://")) == 0


def test_a_wait_ends_when_there_is_room_again(redis: str) -> None:
    """Two calls at one a second: the second is sent a second after the first."""
    moments = []
    limiter = SharedRateLimiter("1/second", redis, prefix="again")
    for _ in range(2):
        for wait in limiter.waits("one", SYSTEM_CLOCK):
            assert 0.05 < wait <= 1.05
            SYSTEM_CLOCK.sleep(wait)
        moments.append(SYSTEM_CLOCK.time())

    assert moments[1] - moments[0] >= 1.0


def test_a_stack_refuses_what_the_fleet_has_no_room_for(redis: str) -> None:
    """The handler treats a shared rate as it treats its own."""
    handler = RateLimitHandler(SharedRateLimiter("1/hour", redis, prefix="stack"))
    stack, _ = stack_over(Script(200), handler)

    assert stack.get("tasks").status_code == 200
    with pytest.raises(RateLimitExhausted, match="the rate of SharedRateLimiter") as caught:
        stack.get("tasks")
    assert "planted-7" not in f"{caught.value!r} {caught.value}"


def test_a_storage_that_is_down_is_one_clear_error() -> None:
    """Nothing is sent while nobody knows what the others send; the password stays hidden."""
    limiter = SharedRateLimiter("1/second", "redis://:planted-7@127.0.0.1:1/0")
    script = Script()
    stack, _ = stack_over(script, ErrorHandler(), RateLimitHandler(limiter))

    with pytest.raises(StoreError) as caught:
        stack.get("tasks")

    error = caught.value
    assert isinstance(error, requests.RequestException)
    assert error.message == ("the rate limit on redis://***@127.0.0.1:1/0 failed: ConnectionError")
    assert error.hint.startswith("see that the storage runs")
    assert script.sent == 0
    assert "planted-7" not in f"{error!r} {error} {error.cause_text} {vars(error)}"


@pytest.mark.parametrize(
    ("rate", "storage", "message"),
    [
        ("10/fortnight", "memory://", "is no rate of requests"),
        ((1, 0.5), "memory://", "whole seconds, not 0.5"),
        ("1/second", "nothing://127.0.0.1", "nothing://127.0.0.1 cannot hold a moving window"),
        ("1/second", "memory", "memory cannot hold a moving window"),
        ("1/second", object(), "object cannot hold a moving window"),
    ],
)
def test_what_cannot_work_is_told_when_it_is_built(rate: Any, storage: Any, message: str) -> None:
    """A wrong rate or storage does not wait for the first call."""
    with pytest.raises(ConfigError, match=message):
        SharedRateLimiter(rate, storage)


def test_a_storage_that_is_unknown_is_told_without_its_password() -> None:
    """A traceback shows the cause too."""
    url = "nothing://app:planted-7@127.0.0.1"
    with pytest.raises(ConfigError) as caught:
        SharedRateLimiter("1/second", url)

    assert "planted-7" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("module", ["limits", "redis"])
def test_a_missing_extra_is_told_with_its_line(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lacks the library is told how to get it."""
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ImportError, match=r'pip install "requests-sessionkit\[limits\]"'):
        SharedRateLimiter("1/second", "redis://127.0.0.1:1/0")


def test_it_shows_its_settings_without_the_password() -> None:
    """explain() tells the rate and where it is kept, and no secret."""
    url = "redis://:planted-7@127.0.0.1:1/0"

    assert repr(SharedRateLimiter("50/second", url)) == (
        "SharedRateLimiter(50 in 1 s on redis://***@127.0.0.1:1/0, prefix='sessionkit')"
    )
    assert "on MemoryStorage" in repr(SharedRateLimiter("50/second", MemoryStorage()))
