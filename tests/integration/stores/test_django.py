"""Tokens in a Django cache between processes: kills and pauses."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from sessionkit import Token
from sessionkit.errors import LockTimedOut
from sessionkit.stores.django import DjangoCacheTokenStore
from sessionkit.testing import SharedTokenStoreContract
from tests.support.shared_stores import (
    HOLD,
    SAVE_LATE,
    FleetStoreContract,
    configure_django,
    django_caches,
    is_free,
    opened,
    program,
)

LEASE = 1
SHORT = f"""
from sessionkit.stores.django import DjangoCacheTokenStore
store = DjangoCacheTokenStore(lease={LEASE})
"""


@pytest.fixture
def site(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A site whose processes share a cache on Redis."""
    monkeypatch.setenv("DJANGO_REDIS", redis_url)
    configure_django()
    with override_settings(CACHES=django_caches(redis_url)):
        yield "django-cache:default"


class TestShared(SharedTokenStoreContract):
    lease = float(LEASE)

    @pytest.fixture
    def opening(self, site: str) -> str:
        return opened(site, LEASE)


class TestFleet(FleetStoreContract):
    @pytest.fixture
    def url(self, site: str) -> str:
        return site


@pytest.fixture
def store(site: str) -> Iterator[Any]:
    """A store whose leases are short."""
    store = DjangoCacheTokenStore(lease=LEASE)
    yield store
    store.close()


def test_a_renewal_may_take_longer_than_the_lease(store: Any, site: str) -> None:
    """While its holder lives a lock stays held, however slow the token endpoint is."""
    with program(SHORT + HOLD, site) as process:
        assert process.heard() == "held"

        with pytest.raises(LockTimedOut), store.lock("app", 2.5 * LEASE):
            raise AssertionError("two hold it")


def test_the_lock_of_a_killed_process_is_free_after_its_lease(store: Any, site: str) -> None:
    """A renewal that dies with its machine holds the others up for seconds, not for ever."""
    with program(SHORT + HOLD, site) as process:
        assert process.heard() == "held"
        process.signal(signal.SIGKILL)

        with store.lock("app", 20.0):
            store.save("app", Token("renewed"))

    assert store.load("app") == Token("renewed")


def test_a_process_stopped_beyond_its_lease_cannot_overwrite_the_newer_token(
    store: Any, site: str
) -> None:
    """A machine that was suspended in a renewal wakes up to an error, and the fleet goes on."""
    store.save("app", Token("old"))
    with program(SHORT + SAVE_LATE, site) as process:
        assert process.heard() == "held"
        process.signal(signal.SIGSTOP)
        with store.lock("app", 20.0):
            store.save("app", Token("newer"))
        process.signal(signal.SIGCONT)
        process.tell("save")

        assert "a newer one was" in process.finished()

    assert store.load("app") == Token("newer")
    assert is_free(store, "app")


def test_a_process_that_lost_its_lock_to_a_failure_may_still_save(store: Any, site: str) -> None:
    """If the one who took over got no token, the late one is the only copy, and is kept."""
    store.save("app", Token("old"))
    with program(SHORT + SAVE_LATE, site) as process:
        assert process.heard() == "held"
        process.signal(signal.SIGSTOP)
        with store.lock("app", 20.0):
            pass  # the token endpoint failed
        process.signal(signal.SIGCONT)
        process.tell("save")

        assert process.finished() == "saved"

    assert store.load("app") == Token("older")
