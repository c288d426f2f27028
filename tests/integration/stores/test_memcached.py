"""The recipe for tokens on memcached, ``examples/memcached_tokens.py``, held to the contracts."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymemcache.client.base import PooledClient

from examples.memcached_tokens import memcached_store
from sessionkit.errors import StoreError
from sessionkit.stores import CallableTokenStore
from sessionkit.testing import SharedTokenStoreContract, TokenStoreContract
from tests.support.servers.memcached import has_memcached, real_memcached, small_memcached

ROOT = Path(__file__).parents[3]
LEASE = 2

SERVERS = {"small": small_memcached} | ({"real": real_memcached} if has_memcached() else {})


@contextmanager
def client_of(address: str) -> Iterator[PooledClient]:
    client = PooledClient(address, connect_timeout=2, timeout=20)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(params=SERVERS.values(), ids=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as address:
        yield address


@pytest.fixture
def client(server: str) -> Iterator[PooledClient]:
    with client_of(server) as client:
        yield client


class TestMemcached(TokenStoreContract):
    """The contract of all stores."""

    @pytest.fixture
    def store(self, client: PooledClient) -> CallableTokenStore:
        return memcached_store(client)


class TestMemcachedShared(SharedTokenStoreContract):
    """The contract of shared stores, with a lease that a killed worker leaves behind."""

    lease = float(LEASE)

    @pytest.fixture
    def opening(self, server: str) -> str:
        return (
            "from examples.memcached_tokens import PooledClient, memcached_store\n"
            f"store = memcached_store(PooledClient({server!r}), lease={LEASE})"
        )


def test_a_renewal_that_outlived_its_lease_leaves_the_next_one_alone(client: PooledClient) -> None:
    """A slow worker that comes back does not open the lock of the one that took over."""
    slow, quick = memcached_store(client, lease=1), memcached_store(client)
    held = slow.lock("app", 1.0)
    held.__enter__()

    with quick.lock("app", 20.0):
        held.__exit__(None, None, None)
        with pytest.raises(StoreError), quick.lock("app", 0.0):
            pass


def test_a_memcached_that_is_gone_is_a_store_error() -> None:
    """A cache that was switched off is told as that."""
    with (
        socket.socket() as taken,
        client_of(f"127.0.0.1:{_port(taken)}") as client,
        pytest.raises(StoreError, match="load function"),
    ):
        memcached_store(client).load("app")


def _port(taken: socket.socket) -> int:
    """Bind *taken* to a port on which nobody listens, and return it."""
    taken.bind(("127.0.0.1", 0))
    port: int = taken.getsockname()[1]
    return port


def test_the_example_runs(server: str) -> None:
    """What can be copied has been tried."""
    ran = subprocess.run(
        [sys.executable, "-m", "examples.memcached_tokens", server],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Token(***")
