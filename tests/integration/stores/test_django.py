"""Tokens in a Django cache between processes: kills and pauses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings

from sessionkit.stores.django import DjangoCacheTokenStore
from sessionkit.testing import SharedTokenStoreContract
from tests.support.shared_stores import (
    FleetStoreContract,
    LockHolderContract,
    configure_django,
    django_caches,
    opened,
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


class TestLockHolder(LockHolderContract):
    prelude = SHORT
    lease = float(LEASE)

    @pytest.fixture
    def url(self, site: str) -> str:
        return site
