"""Tokens in memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn, Self

from cachetools import LRUCache

from sessionkit import _checks as checks
from sessionkit._fork import PerProcess
from sessionkit.errors import ConfigError
from sessionkit.stores._locks import KeyedLocks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sessionkit._tokens import Token


class MemoryTokenStore:
    """Keeps tokens as long as the process lives; the default.

    Thread-safe. Nothing is shared between processes: a forked child starts with a copy, and each
    side then renews on its own. Where the server rotates refresh tokens, share a
    `SqliteTokenStore` instead.

    Args:
        max_tokens: How many keys it holds; the one unused for longest makes room. There is no limit
            by time: an access token whose life has ended still carries its refresh token.

    Raises:
        ConfigError: *max_tokens* is below one.
    """

    __slots__ = ("_locks", "_maps", "_max_tokens")

    def __init__(self, *, max_tokens: int = 4096) -> None:
        self._max_tokens = checks.count("max_tokens", max_tokens)
        self._maps: PerProcess[_TokenMap] = PerProcess(
            lambda parents: _TokenMap(max_tokens, parents)
        )
        self._locks = KeyedLocks("MemoryTokenStore")

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a new store for ``memory:``.

        Raises:
            ConfigError: The URL says more than that.
        """
        if url.partition(":")[2]:
            raise ConfigError("memory: takes neither a path nor options")
        return cls()

    def __repr__(self) -> str:
        return f"MemoryTokenStore(max_tokens={self._max_tokens})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a MemoryTokenStore cannot be pickled, because its tokens would be readable in the "
            "pickle; share a SqliteTokenStore between processes"
        )

    def keys(self) -> list[str]:
        held = self._maps.get()
        with held.guard:
            return sorted(held.tokens)

    def load(self, key: str) -> Token | None:
        held = self._maps.get()
        with held.guard:
            return held.tokens.get(key)

    def save(self, key: str, token: Token) -> None:
        held = self._maps.get()
        with held.guard:
            held.tokens[key] = token

    def delete(self, key: str) -> None:
        held = self._maps.get()
        with held.guard:
            held.tokens.pop(key, None)

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        return self._locks.hold(key, timeout)


class _TokenMap:
    """The tokens of one process and the lock that keeps their order of use whole."""

    __slots__ = ("guard", "tokens")

    def __init__(self, max_tokens: int, parents: _TokenMap | None) -> None:
        self.guard = threading.Lock()
        self.tokens: LRUCache[str, Token] = LRUCache(max_tokens)
        if parents is not None:
            # Filled anew, not taken over: the fork may have come in the middle of a change.
            self.tokens.update(dict(parents.tokens.items()))
