"""The protocol of a token store, and the purge of expired tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.errors import LockTimedOut, StoreUnreadable

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token


class TokenStore(Protocol):
    """Tokens by key, and one lock per key.

    A store is shared: every method may be called from any thread at any time. It keeps a token
    whose life has ended, because the token's refresh token may still be good. A reader never
    waits for the lock, which covers a whole renewal and so may be held for seconds.

    `sessionkit.testing.TokenStoreContract` checks a store of your own against these rules.
    """

    def load(self, key: str) -> Token | None:
        """Return the token last saved under *key*, or None.

        Raises:
            StoreError: The store cannot be reached.
            StoreUnreadable: What it holds is no token.
        """
        ...

    def save(self, key: str, token: Token) -> None:
        """Keep *token* under *key* in place of any other; on return it is safe.

        Raises:
            StoreError: The token could not be saved; the one before it still stands.
        """
        ...

    def delete(self, key: str) -> None:
        """Drop the token under *key*; nothing happens if there is none.

        Raises:
            StoreError: The token could not be dropped.
        """
        ...

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        """Return a context manager that holds the lock of *key*.

        The lock is not re-entrant, does not cover other keys, and is free as soon as the
        process that held it is gone.

        Args:
            key: Whose renewal it guards.
            timeout: How long to wait for it, in seconds; zero or less tries once.

        Raises:
            LockTimedOut: On entry: the lock did not come free in time.
        """
        ...


@runtime_checkable
class ListableTokenStore(TokenStore, Protocol):
    """A store that can also list its keys.

    Nothing in sessionkit needs that to renew a token, so a store of your own may do without.
    """

    def keys(self) -> list[str]:
        """Return the keys that have a token, in order; waits for no lock.

        Raises:
            StoreError: The store cannot be reached.
            StoreUnreadable: It is damaged as a whole; an entry that is no token is listed.
        """
        ...


def purge_expired(store: ListableTokenStore, *, clock: Clock = SYSTEM_CLOCK) -> list[str]:
    """Delete the tokens that have expired and cannot be renewed; return their keys.

    A token with a refresh token stays, however long ago it expired. So do a token without an
    expiry, one that is being renewed at this moment, and an entry that cannot be read.

    Args:
        store: Which one.
        clock: Gives the time that expiries are compared with.

    Raises:
        StoreError: The store cannot be reached.
    """
    keys = store.keys()
    return [key for key in keys if _delete_expired(store, key, clock.time())]


def _delete_expired(store: ListableTokenStore, key: str, now: float) -> bool:
    if not _is_expired(store, key, now):
        return False
    try:
        # Looked at again under the lock, under which a renewal saves, too.
        with store.lock(key, 0.0):
            if expired := _is_expired(store, key, now):
                store.delete(key)
            return expired
    except LockTimedOut:
        return False


def _is_expired(store: ListableTokenStore, key: str, now: float) -> bool:
    token: Token | None
    try:
        token = store.load(key)
    except StoreUnreadable:
        return False
    return token is not None and token.refresh_token is None and not token.is_valid(now)
