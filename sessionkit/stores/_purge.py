"""Clearing away tokens that are of no more use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.errors import LockTimedOut, StoreUnreadable

if TYPE_CHECKING:
    from sessionkit._clock import Clock
    from sessionkit._tokens import Token
    from sessionkit.stores._base import ListableTokenStore


def purge(store: ListableTokenStore, *, clock: Clock = SYSTEM_CLOCK) -> list[str]:
    """Forget the tokens that have ended and cannot be renewed; return whose they were.

    A token with a refresh token stays, however long ago it ended, and so do one whose end nobody
    knows, one that is being renewed at this moment, and an entry that cannot be read.

    Args:
        store: Which one.
        clock: Tells the time that the ends are compared with.

    Raises:
        StoreError: The store cannot be reached.
    """
    keys = store.keys()
    return [key for key in keys if _dropped(store, key, clock.time())]


def _dropped(store: ListableTokenStore, key: str, now: float) -> bool:
    if not _is_spent(store, key, now):
        return False
    try:
        # Looked at again under the lock: whoever renews saves under it, too.
        with store.lock(key, 0.0):
            if spent := _is_spent(store, key, now):
                store.forget(key)
            return spent
    except LockTimedOut:
        return False


def _is_spent(store: ListableTokenStore, key: str, now: float) -> bool:
    token: Token | None
    try:
        token = store.load(key)
    except StoreUnreadable:
        return False
    return token is not None and token.refresh_token is None and not token.is_valid(now)
