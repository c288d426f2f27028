"""Real servers for the tests that ask for one: each is started once, at its first use."""

from __future__ import annotations

from collections.abc import Iterator
from shutil import which

import pytest
import redis

from tests.support.servers.real import (
    OAuthServer,
    PostgresServer,
    maria_server,
    oauth_server,
    postgres_server,
    redis_server,
)


@pytest.fixture(scope="session")
def _redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis"), password="planted-password") as url:
        yield url


@pytest.fixture
def redis_url(_redis: str) -> str:
    """A Redis server with nothing in it; its URL holds ``planted-password``."""
    with redis.Redis.from_url(_redis) as client:
        client.flushall()
    return _redis


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """An empty database on PostgreSQL, as SQLAlchemy names it."""
    return postgres.emptied()


@pytest.fixture(scope="session")
def maria_url() -> Iterator[str]:
    """A database on MariaDB, which is not in a wheel: skipped where there is none."""
    if which("mariadbd") is None:
        pytest.skip("no mariadbd is installed on this machine")
    with maria_server() as server:
        yield server.url


@pytest.fixture(scope="session")
def oauth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OAuthServer]:
    """Django with django-oauth-toolkit: strict rotation, an API, the admin's login form."""
    with oauth_server(tmp_path_factory.mktemp("oauth")) as server:
        yield server
