"""Tokens in a Django cache, shared by all processes of a site (extra ``django``)."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from sessionkit import _checks as checks
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._fork import PerProcess
from sessionkit._optional import require
from sessionkit.errors import ConfigError, SessionKitError, StoreError
from sessionkit.stores._forms import digest, from_text, to_text
from sessionkit.stores._leases import (
    LEASE,
    Holdings,
    extending,
    releasing,
    superseded,
)
from sessionkit.stores._locks import KeyedLocks, keep_trying, timed_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token

__all__ = ["DjangoCacheTokenStore"]

T = TypeVar("T")

#: Backends on which one renewal for all is not to be had, and why.
_REFUSED: Final = (
    ("locmem.LocMemCache", "is each process's own"),
    ("dummy.DummyCache", "keeps nothing"),
    ("filebased.FileBasedCache", "has no atomic add, so two could hold one lock"),
    ("db.DatabaseCache", "drops entries when it is full, and rolls back with the request"),
)


class DjangoCacheTokenStore:
    """Keeps tokens in a cache of a Django site that all its processes share: Redis, Memcached.

    The lock around a renewal is an entry made by ``cache.add``, with a lease that is extended
    while its holder lives; waiters ask again after 1 to 20 ms. A save under a lock that has ended
    is refused if another process saved since. Django's cache has no compare-and-set, so a moment
    is left between the look and the save. `RedisTokenStore` on the same server leaves no such
    moment, wakes its waiters, and can list its keys.

    Tokens are kept without an expiry, yet a cache may drop what it likes: Memcached when it is
    full or restarts, Redis by its ``maxmemory-policy``, all of them at ``cache.clear()``. Give the
    tokens a cache of their own, and use a database (`SqlTokenStore`) where a lost refresh token
    means that a person has to log in. All who can read the cache can read them, unless an
    `EncryptedTokenStore` wraps this store.

    Thread-safe; each thread of each process has a connection of its own.

    Args:
        alias: Name of the cache in ``settings.CACHES``.
        prefix: What the names of all entries begin with, after Django's own prefix.
        lease: Whole seconds after which the lock of a holder that is gone is free.
        clock: Measures and makes the waits for other processes.

    Raises:
        ConfigError: There is no such cache, or it is not shared: ``LocMemCache``, ``DummyCache``,
            ``FileBasedCache``, ``DatabaseCache``.
        ImportError: The extra ``django`` is not installed.
    """

    __slots__ = ("_alias", "_caches", "_clock", "_held", "_keyed", "_lease", "_prefix", "_threads")

    def __init__(
        self,
        alias: str = "default",
        *,
        prefix: str = "sessionkit",
        lease: int = int(LEASE),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._caches: Any = require("django.core.cache", "django").caches
        self._alias = alias
        self._prefix = prefix
        # Django's caches know whole seconds only.
        self._lease = int(checks.seconds("lease", lease, minimum=1))
        self._clock = clock
        # Not the site's own connections: a forked child would share those with its parent.
        self._threads: PerProcess[threading.local] = PerProcess(lambda _: threading.local())
        self._keyed = KeyedLocks(repr(self))
        self._held: Holdings[tuple[str, str | None]] = Holdings()
        _refuse_unshared(self._cache(), alias)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``django-cache:alias``; without an alias, of ``default``.

        Raises:
            ConfigError: There is no such cache, or it is not shared.
            ImportError: The extra ``django`` is not installed.
        """
        return cls(url.partition(":")[2] or "default")

    def __repr__(self) -> str:
        return f"DjangoCacheTokenStore({self._alias!r}, prefix={self._prefix!r})"

    def __reduce__(self) -> tuple[Callable[..., DjangoCacheTokenStore], tuple[str]]:
        # A worker process gets the way to the tokens, not the tokens.
        build = partial(
            DjangoCacheTokenStore, prefix=self._prefix, lease=self._lease, clock=self._clock
        )
        return build, (self._alias,)

    def close(self) -> None:
        """Close this thread's connection; it may be repeated, and the store used again."""
        cache = vars(self._threads.get()).pop("cache", None)
        if cache is not None:
            cache.close()

    def load(self, key: str) -> Token | None:
        held = self._read(key)
        return None if held is None else from_text(held[1], key, repr(self))

    def save(self, key: str, token: Token) -> None:
        mine, seen = self._held.fencing_token(key) or ("", None)
        if mine and not self._holds(key, mine):
            now = self._read(key)
            if now is not None and now[0] not in {mine, seen}:
                raise superseded(repr(self), key)
        # Who saved it, so that one who comes too late can tell.
        entry = json.dumps([mine or uuid.uuid4().hex, to_text(token)])
        name = self._name("token", key)
        # Without timeout=None an entry would be gone after 300 s, its refresh token with it.
        self._ask(key, lambda cache: cache.set(name, entry, timeout=None))
        if self._read(key) is None:
            raise StoreError(
                f"the cache {self._alias!r} did not keep the token",
                hint="is the server reached, and is the token too large for it (Memcached: 1 MiB)?",
                store=repr(self),
                key=key,
            )

    def delete(self, key: str) -> None:
        name = self._name("token", key)
        self._ask(key, lambda cache: cache.delete(name))

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        until = self._clock.monotonic() + timeout
        mine, name = uuid.uuid4().hex, self._name("lock", key)
        # The threads of a process wait in memory, so that only one of them asks the cache.
        with self._keyed.hold(key, timeout):
            self._seize(key, mine, until=until, timeout=timeout)
            with (
                releasing(lambda: self._holds(key, mine) and self._cache().delete(name)),
                extending(
                    lambda: self._holds(key, mine) and self._cache().touch(name, self._lease),
                    self._lease,
                    after=self.close,
                ),
            ):
                seen = self._read(key)
                with self._held.holding(key, (mine, seen and seen[0])):
                    yield

    def _seize(self, key: str, mine: str, *, until: float, timeout: float) -> None:
        name = self._name("lock", key)

        def attempt() -> None:
            if not self._ask(key, lambda cache: cache.add(name, mine, timeout=self._lease)):
                raise timed_out(repr(self), key, timeout=timeout)

        keep_trying(
            attempt,
            busy=lambda error: isinstance(error, SessionKitError) and error.retryable,
            until=until,
            clock=self._clock,
        )

    def _holds(self, key: str, mine: str) -> bool:
        name = self._name("lock", key)
        return bool(self._ask(key, lambda cache: cache.get(name)) == mine)

    def _read(self, key: str) -> tuple[str, str] | None:
        """Return who saved the entry of *key*, and its text."""
        name = self._name("token", key)
        entry = self._ask(key, lambda cache: cache.get(name))
        if entry is None:
            return None
        try:
            who, text = json.loads(entry)
        except (TypeError, ValueError, RecursionError):
            return "", ""  # no token: the caller reports that
        return str(who), str(text)

    def _name(self, kind: str, key: str) -> str:
        # Memcached takes 250 characters, none of them a blank.
        return f"{self._prefix}:{kind}:{digest(key)}"

    def _cache(self) -> Any:
        threads = self._threads.get()
        if not hasattr(threads, "cache"):
            try:
                threads.cache = self._caches.create_connection(self._alias)
            except Exception as error:
                # Of Django's settings, or of the backend that they name.
                raise ConfigError(
                    f"there is no cache {self._alias!r} to be had: {type(error).__name__}: {error}",
                    hint="name it in CACHES of the site's settings",
                ) from error
        return threads.cache

    def _ask(self, key: str, question: Callable[[Any], T]) -> T:
        cache = self._cache()
        try:
            return question(cache)
        except Exception as error:
            # Each backend has errors of its own, its client's.
            raise StoreError(
                f"the cache {self._alias!r} failed with {type(error).__name__}",
                hint="see that its server runs and is reached from here",
                store=repr(self),
                key=key,
            ) from error


def _refuse_unshared(cache: Any, alias: str) -> None:
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(cache).__mro__}
    for name, why in _REFUSED:
        if f"django.core.cache.backends.{name}" in kinds:
            raise ConfigError(
                f"the cache {alias!r} cannot hold tokens: a {type(cache).__name__} {why}",
                hint="name a cache on Redis or Memcached, or use an SqlTokenStore on the site's "
                "database",
            )
