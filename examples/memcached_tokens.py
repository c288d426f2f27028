"""Tokens on memcached, for a fleet that has one already: a recipe to copy.

Memcached forgets: when it is restarted or full, tokens are gone. So this is for grants that can
log in by themselves, such as client credentials, and not for refresh tokens, of which there is
one copy. Its lock is a lease: a renewal that takes longer than ``LEASE`` may be done twice.

Needs pymemcache. To try it: ``python examples/memcached_tokens.py 127.0.0.1:11211``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pymemcache.client.base import PooledClient

from sessionkit import Token
from sessionkit.stores import CallableTokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE = 30
"""Seconds after which the lock of a worker that died comes free."""


def memcached_store(client: Any, *, lease: int = LEASE) -> CallableTokenStore:
    """Return a store on memcached.

    Args:
        client: A client of pymemcache for many threads: ``PooledClient``, or ``HashClient`` with
            ``use_pooling=True``.
        lease: For how long the lock of a worker that died stays held, in seconds.
    """

    def load(key: str) -> dict[str, Any] | None:
        held = client.get(_name("token", key))
        return json.loads(held) if held else None

    def save(key: str, token: Token) -> None:
        # Not without an answer, because on return the token must be safe.
        content = json.dumps(token.to_dict()).encode()
        if not client.set(_name("token", key), content, noreply=False):
            raise RuntimeError("memcached did not take the token")

    return CallableTokenStore(
        load,
        save,
        delete=lambda key: client.delete(_name("token", key), noreply=False),
        lock=partial(_lock, client, lease),
    )


@contextmanager
def _lock(client: Any, lease: int, key: str, timeout: float) -> Iterator[None]:
    name, mine = _name("lock", key), secrets.token_hex(16).encode()
    until = time.monotonic() + timeout
    while not client.add(name, mine, expire=lease, noreply=False):
        if time.monotonic() >= until:
            raise TimeoutError
        time.sleep(0.02)
    try:
        yield
    finally:
        held, version = client.gets(name)
        if held == mine:
            # Ended, not deleted: nothing happens if somebody takes it over in this very moment.
            client.cas(name, b"", version, expire=-1, noreply=False)


def _name(kind: str, key: str) -> str:
    """Return a key that memcached takes: at most 250 characters, and no blanks."""
    return f"{kind}:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def main(server: str) -> None:
    """Keep a token and show it."""
    client = PooledClient(server, connect_timeout=2, timeout=2)
    store = memcached_store(client)
    with store.lock("demo", 1.0):
        store.save("demo", Token("an-access-token"))
    print(store.load("demo"))
    client.close()


if __name__ == "__main__":
    main(sys.argv[1])
