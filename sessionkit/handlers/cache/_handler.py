"""HTTP caching: a private cache for each caller (RFC 9111), on hishel (extra ``cache``).

hishel stores the responses, and decides which may be stored, which are fresh and what a 304
updates. What it leaves out, directives of requests among it, stands in ``_freshness``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import requests

from sessionkit import _checks as checks
from sessionkit._fork import PerProcess
from sessionkit._optional import require
from sessionkit.errors import ConfigError
from sessionkit.handlers.cache._lookup import CacheLookup, CacheParts
from sessionkit.handlers.cache._storage import ResponseStorage
from sessionkit.stores._private import absolute

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.chain._exchange import CallNext, Exchange

_MEBIBYTE = 1_048_576
_METHODS = ("GET", "HEAD")
_IGNORED_METHODS = ("OPTIONS", "TRACE")


class CacheHandler:
    """Store responses, and return them again to the same caller.

    A private cache in the sense of RFC 9111: a response that the server declared fresh is returned
    from the cache; a stale one with an ``ETag`` or ``Last-Modified`` is revalidated, and a 304
    returns the stored one. Without a word of the server nothing counts as fresh. ``Vary`` and the
    ``Cache-Control`` of both sides are followed. A call that changes something removes what is
    stored of its URL.

    Two callers never share a response: all credentials on the request are part of the cache key, as
    a keyed hash, and so are headers that say for whom it is made (``X-Tenant-Id``,
    ``OpenAI-Organization``). A response to a request that could not be foreseen, such as a signed
    one, is not stored.

    Stored are complete responses to GET and HEAD of statuses 200, 203, 204, 300, 301, 308, 404 and
    410: none that refuses a login, none after redirects, no cookies. A stream is stored when the
    caller has read it to its end. A response from the cache has ``from_cache`` set, as has the
    record of its call; hooks and cookies of the session do not see it.

    Place it inside ``auth`` and outside ``ratelimit``. A call may pass ``cache=False``, or send
    ``Cache-Control`` directives of its own. If the cache cannot be read or written, a warning is
    logged at ``sessionkit.cache``, and the request is sent to the server. Thread-safe; may serve
    several stacks. A forked child opens the file anew, and starts empty without one.

    Args:
        path: A file, made with mode 0600, for all processes of this machine; by default in memory.
        principal: Returns the caller of an exchange, in place of the credentials: for tokens that
            change while their owner does not, and for signed requests.
        max_bytes: The most bytes of all responses; the least recently used are removed for others.
        max_body_bytes: The most bytes of a body that is stored.

    Raises:
        ConfigError: A path or a number, or a version of hishel, that cannot be used.
        ImportError: The extra ``cache`` is not installed.
    """

    options = frozenset({"cache"})

    __slots__ = ("_hishel", "_max_body_bytes", "_max_bytes", "_path", "_principal", "_storages")

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        principal: Callable[[Exchange], object] | None = None,
        max_bytes: int = 64 * _MEBIBYTE,
        max_body_bytes: int = 4 * _MEBIBYTE,
    ) -> None:
        self._hishel = _library()
        self._path = None if path is None else absolute(os.fspath(path), "CacheHandler")
        self._principal = principal
        self._max_bytes = checks.size("max_bytes", max_bytes)
        self._max_body_bytes = checks.size("max_body_bytes", max_body_bytes)
        if self._path is not None and not self._path.parent.is_dir():
            message = f"there is no folder {self._path.parent} for the cache {self._path.name}"
            raise ConfigError(message, hint="make it, readable by you alone")
        self._storages = PerProcess(lambda _parents: ResponseStorage(self._path, self._max_bytes))

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        """Return a stored response, or send the call and store its response.

        Exceptions pass. With ``Cache-Control: only-if-cached``, a call without a stored response
        gets a 504.
        """
        lookup = self._lookup(exchange, call_next)
        if lookup is None:
            return call_next(exchange)
        if exchange.method.upper() not in _METHODS:
            return lookup.send_and_invalidate()
        return lookup.respond() if lookup.is_cacheable() else call_next(exchange)

    def _lookup(self, exchange: Exchange, call_next: CallNext) -> CacheLookup | None:
        """Return the lookup of one call, or None if its caller or request cannot be foreseen."""
        principal = None if self._principal is None else str(self._principal(exchange))
        # The caller is identified by a signature, which is made later.
        signed = bool(exchange.preparation_steps) and principal is None
        if signed or exchange.method.upper() in _IGNORED_METHODS:
            return None
        try:
            preview = exchange.preview()
        except (requests.RequestException, ValueError):
            return None  # the session will raise for this request
        parts = CacheParts(self._hishel, self._storages.get(), self._max_body_bytes)
        return CacheLookup(parts, exchange, call_next, preview=preview, principal=principal)

    def clear(self) -> None:
        """Remove all stored responses; in a file, those of all processes."""
        self._storages.get().clear()

    def close(self) -> None:
        """Close the file. Calls still work; nothing is stored any more."""
        self._storages.get().close()

    def __repr__(self) -> str:
        path = "" if self._path is None else f"{str(self._path)!r}, "
        who = "" if self._principal is None else "principal=..., "
        sizes = f"max_bytes={self._max_bytes}, max_body_bytes={self._max_body_bytes}"
        return f"CacheHandler({path}{who}{sizes})"


def _library() -> Any:
    """Return hishel, if its version is known here: its API has changed with each major one."""
    hishel: Any = require("hishel", "cache")
    needed = ("CacheMiss", "FromCache", "IdleClient", "InvalidateEntries", "SqliteStorage")
    if not all(hasattr(hishel, name) for name in needed):
        message = "the cache does not know this version of hishel"
        raise ConfigError(message, hint='pip install "hishel>=2,<3"')
    return hishel
