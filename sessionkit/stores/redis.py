"""Tokens on a Redis or Valkey server, shared by a fleet (extra ``redis``)."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from sessionkit import _checks as checks
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._fork import PerProcess
from sessionkit._optional import require
from sessionkit._redact import redact_url
from sessionkit.errors import ConfigError, StoreError
from sessionkit.stores._forms import from_name, from_text, take_options, to_name, to_text
from sessionkit.stores._leases import (
    LEASE,
    Holdings,
    extending,
    releasing,
    superseded,
)
from sessionkit.stores._locks import KeyedLocks, timed_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token

__all__ = ["RedisTokenStore"]

#: Seconds that a response of the server may take.
_TIMEOUT: Final = 5.0
_MIN_LEASE: Final = 0.1
#: Seconds after which a waiter looks for itself, should it not have been woken.
_MAX_WAIT: Final = 1.0
#: Shorter waits were rounded to zero, which is for ever, by early versions of Redis 6.
_MIN_WAIT: Final = 0.01
#: A password with one of these in it ends the host early, and its rest would be shown as a path.
_TORN: Final = re.compile(r"rediss?://[^/?#]*(?:/[^?]*|\?[^=]*|#.*)@", re.IGNORECASE)

# Later is greater, also after a failover or a restart that lost the counter, and also when the
# server's clock is set back. Microseconds fit into Lua's numbers for 285 years.
_NUMBER: Final = """
local function new_number(counter)
    local now = redis.call('TIME')
    local after = tonumber(redis.call('GET', counter) or '0') + 1
    local number = string.format('%.0f', math.max(now[1] * 1000000 + now[2], after))
    redis.call('SET', counter, number)
    return number
end
"""
_LOCK: Final = f"""{_NUMBER}
if redis.call('EXISTS', KEYS[1]) == 1 then
    return {{'', redis.call('PTTL', KEYS[1])}}
end
local number = new_number(KEYS[2])
redis.call('SET', KEYS[1], number, 'PX', ARGV[1])
redis.call('DEL', KEYS[3])
return {{number, 0}}
"""
_EXTEND: Final = """
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_FREE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1], KEYS[2])
    redis.call('RPUSH', KEYS[2], '')
    redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
"""
_SAVE: Final = f"""{_NUMBER}
local number = ARGV[1] ~= '' and ARGV[1] or new_number(KEYS[3])
if tonumber(number) < tonumber(redis.call('GET', KEYS[2]) or '0') then
    return 0
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('SET', KEYS[2], number)
return 1
"""
# The number stays for a day, or a renewal that was stopped meanwhile would undo a logout.
_FORGET: Final = f"""{_NUMBER}
local number = ARGV[1] ~= '' and ARGV[1] or new_number(KEYS[3])
if tonumber(number) >= tonumber(redis.call('GET', KEYS[2]) or '0') then
    redis.call('SET', KEYS[2], number)
end
redis.call('PEXPIRE', KEYS[2], 86400000)
redis.call('HDEL', KEYS[1], ARGV[2])
"""


class RedisTokenStore:
    """Keeps tokens on a server that all processes of a fleet reach: Redis 6 or later, or Valkey.

    The lock around a renewal is a lease, extended while its holder lives. A waiter is woken when
    the lock is given back, and when the lease ends, as it does after *lease* seconds if the holder
    was killed, stopped or cut off. Each lock has a number, greater than all before it, that a save
    under it brings along: the server refuses one that comes after a later lock's, so a process
    that wakes up after its lease cannot overwrite a newer token.

    Nothing is ever given an expiry: a server that evicts (``maxmemory-policy`` other than
    ``noeviction``) or that keeps nothing on disk will lose refresh tokens. All who
    can read the server can read them, unless an `EncryptedTokenStore` wraps this store.

    Thread-safe; with a URL, a forked child makes a client of its own. It refuses to be pickled, for
    its URL may hold a password.

    Args:
        server: URL, such as ``rediss://:password@cache.example:6379/0``, or a ``redis.Redis`` of
            yours, which stays yours to close.
        prefix: What the names of all entries begin with. On a cluster they are in one slot.
        lease: Seconds after which the lock of a holder that is gone is free.
        clock: Measures the waits.

    Raises:
        ConfigError: A URL or a lease that cannot be used. The message never shows the URL.
        ImportError: The extra ``redis`` is not installed.
    """

    __slots__ = (
        *("_clients", "_clock", "_errors", "_held", "_keyed", "_lease", "_owned", "_prefix"),
        *("_shown", "_wait"),
    )

    def __init__(
        self,
        server: str | Redis,
        *,
        prefix: str = "sessionkit",
        lease: float = LEASE,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        redis: Any = require("redis", "redis")
        self._lease = checks.seconds("lease", lease, minimum=_MIN_LEASE)
        self._prefix = f"{{{to_name(prefix)}}}:"
        self._clock = clock
        self._owned = isinstance(server, str)
        self._shown = redact_url(server) if isinstance(server, str) else type(server).__name__
        # A child asks nothing of its parent's client, whose locks may be held for ever.
        self._clients = PerProcess(lambda _parents: _Client(_client(redis, server)))
        self._errors: type[Exception] = redis.RedisError
        self._wait = _max_wait(self._clients.get().redis)
        self._keyed = KeyedLocks(repr(self))
        self._held: Holdings[str] = Holdings()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``redis://host:6379/0?prefix=app&lease=10``.

        Whatever else the URL has is for redis-py.

        Raises:
            ConfigError: It cannot be used.
            ImportError: The extra ``redis`` is not installed.
        """
        rest, options = take_options(url, {"prefix", "lease"})
        try:
            lease = float(options.get("lease", LEASE))
        except ValueError:
            raise ConfigError("lease= in the URL must be a number of seconds") from None
        return cls(rest, prefix=options.get("prefix", "sessionkit"), lease=lease)

    def __repr__(self) -> str:
        return f"RedisTokenStore({self._shown!r}, prefix={self._prefix[1:-2]!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a RedisTokenStore cannot be pickled, because its URL may hold a password; send a "
            "StackSpec, or build the store in the process that uses it"
        )

    def close(self) -> None:
        """Close the connections, unless they are of a client that was given; may be repeated."""
        if self._owned:
            self._clients.get().redis.close()

    def keys(self) -> list[str]:
        with self._store_errors(None):
            return sorted(map(from_name, self._clients.get().redis.hkeys(self._name("tokens"))))

    def load(self, key: str) -> Token | None:
        with self._store_errors(key):
            text = self._clients.get().redis.hget(self._name("tokens"), to_name(key))
        return None if text is None else from_text(text, key, repr(self))

    def save(self, key: str, token: Token) -> None:
        number = self._held.fencing_token(key) or ""
        if not self._run("save", key, [number, to_name(key), to_text(token)]):
            raise superseded(repr(self), key)

    def delete(self, key: str) -> None:
        self._run("delete", key, [self._held.fencing_token(key) or "", to_name(key)])

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        until = self._clock.monotonic() + timeout
        # The threads of a process wait in memory, so that only one of them asks the server.
        with self._keyed.hold(key, timeout):
            number = self._seize(key, until, timeout=timeout)
            lease = int(self._lease * 1000)
            names = self._name("lock", key), self._name("free", key)
            scripts = self._clients.get().scripts
            with (
                self._held.holding(key, number),
                releasing(lambda: scripts["free"](names, [number, lease])),
                extending(lambda: bool(scripts["extend"](names[:1], [number, lease])), self._lease),
            ):
                yield

    def _seize(self, key: str, until: float, *, timeout: float) -> str:
        names = [self._name("lock", key), self._name("count"), self._name("free", key)]
        client = self._clients.get()
        with self._store_errors(key):
            while True:
                number, left = client.scripts["lock"](names, [int(self._lease * 1000)])
                if number:
                    return number.decode() if isinstance(number, bytes) else str(number)
                wait = until - self._clock.monotonic()
                if wait <= 0:
                    raise timed_out(repr(self), key, timeout=timeout)
                wait = min(wait, self._wait, left / 1000 if left > 0 else self._wait)
                client.redis.blpop([names[2]], max(wait, _MIN_WAIT))

    def _run(self, script: str, key: str, arguments: list[str]) -> Any:
        names = [self._name("tokens"), self._name("fence", key), self._name("count")]
        with self._store_errors(key):
            return self._clients.get().scripts[script](names, arguments)

    def _name(self, kind: str, key: str | None = None) -> str:
        return f"{self._prefix}{kind}" + ("" if key is None else f":{to_name(key)}")

    @contextmanager
    def _store_errors(self, key: str | None) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise StoreError(
                f"the token store cannot use {self._shown}: {type(error).__name__}: {error}",
                hint="see that the server runs, is reached from here, and lets this user in",
                store=repr(self),
                key=key,
            ) from error
        except (TypeError, ValueError) as error:
            # From None, because one about bytes that are no text holds them, and so a token.
            raise StoreError(
                f"the token store cannot use {self._shown}: {type(error).__name__}: {error}",
                hint="does redis-py know each option of the URL, and is the prefix ours alone?",
                store=repr(self),
                key=key,
            ) from None


class _Client:
    """A client with the scripts that it runs."""

    __slots__ = ("redis", "scripts")

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        texts = {"lock": _LOCK, "extend": _EXTEND, "free": _FREE, "save": _SAVE, "delete": _FORGET}
        self.scripts = {name: redis.register_script(text) for name, text in texts.items()}


def _client(redis: Any, server: object) -> Any:
    if isinstance(server, redis.Redis | redis.RedisCluster):
        return server
    if not isinstance(server, str):
        raise ConfigError(f"a RedisTokenStore takes a URL or a redis.Redis, not {server!r:.60}")
    backoff = redis.backoff.ExponentialBackoff(cap=0.5, base=0.05)
    try:
        return redis.Redis.from_url(
            "" if _TORN.match(server) else server,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            # A server that restarts is back within seconds. One that is silent is not asked again:
            # redis-py tries each of its tries four times more, and two minutes would be gone.
            retry=redis.retry.Retry(backoff, 4, (redis.ConnectionError,)),
            health_check_interval=30,
        )
    except (ValueError, TypeError):
        # From None: what the original says may hold a piece of the password.
        raise ConfigError(
            "the URL of the Redis server cannot be read",
            hint="write rediss://user:password@host:6379/0, with %2F for / in a password",
        ) from None


def _max_wait(client: Any) -> float:
    """Return for how many seconds a connection may be silent before it counts as lost, halved."""
    silent = client.get_connection_kwargs().get("socket_timeout")
    return min(_MAX_WAIT, silent / 2) if silent else _MAX_WAIT
