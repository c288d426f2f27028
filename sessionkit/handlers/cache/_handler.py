"""Answers kept for the one who asked for them: a private cache (RFC 9111), an extra on hishel.

hishel keeps the answers, and says which may be kept, which are fresh and what a 304 renews. What it
leaves out, directives of requests among it, stands in ``_freshness``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import requests

from sessionkit import _checks as checks
from sessionkit._optional import require
from sessionkit.errors import ConfigError
from sessionkit.handlers.cache._lookup import CacheLookup, CacheParts
from sessionkit.handlers.cache._storage import ResponseStorage
from sessionkit.stores._locks import PerProcess
from sessionkit.stores._private import absolute

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.chain._exchange import CallNext, Exchange

_MEBIBYTE = 1_048_576
_METHODS = ("GET", "HEAD")
_IGNORED_METHODS = ("OPTIONS", "TRACE")


class CacheHandler:
    """Keep answers, and give them again to the one who asked for them.

    A private cache in the sense of RFC 9111: what the server called fresh is answered from here;
    what it gave an ``ETag`` or ``Last-Modified`` is asked for anew with that, and a 304 brings the
    kept answer back. Nothing is taken for fresh of which the server did not say so. ``Vary`` and
    the ``Cache-Control`` of both sides hold. A call that changes something makes the cache forget
    the address that it went to.

    Two who ask never share an answer: all credentials on the request are part of the name under
    which an answer is kept, as a keyed hash, and so are headers that say for whom it is made
    (``X-Tenant-Id``, ``OpenAI-Organization``). Where something was sent that could not be foreseen,
    such as a signature, nothing is kept.

    Kept are whole answers to GET and HEAD of statuses 200, 203, 204, 300, 301, 308, 404 and 410:
    none that refuses a login, none that redirects led to, no cookies that it set. A stream is kept
    as the caller reads it, once it was read to its end. An answer from here has ``from_cache`` set,
    as has the record of its call; hooks and cookies of the session see nothing of it.

    Place it inside ``auth`` and outside ``ratelimit``. A call may say ``cache=False``, or send
    ``Cache-Control`` directives of its own. A cache that cannot be read or written is logged as a
    warning at ``sessionkit.cache``, and the server is asked instead. Thread-safe; may serve several
    stacks. A forked child opens the file anew, and starts empty without one.

    Args:
        path: A file, made with mode 0600, for all processes of this machine; by default in memory.
        principal: From an exchange to who asks, in place of the credentials: for tokens that change
            while their owner does not, and for signed requests.
        max_bytes: All answers together; beyond, those that were not used lately make room.
        max_body_bytes: Bytes of the largest body that is kept.

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
        """Answer from the cache, or forward and keep what comes.

        What the handlers further in raise passes; with ``Cache-Control: only-if-cached`` the answer
        is a 504 where there is none here.
        """
        visit = self._lookup(exchange, call_next)
        if visit is None:
            return call_next(exchange)
        if exchange.method.upper() not in _METHODS:
            return visit.send_and_invalidate()
        return visit.respond() if visit.is_cacheable() else call_next(exchange)

    def _lookup(self, exchange: Exchange, call_next: CallNext) -> CacheLookup | None:
        """Return the visit of one call, or None where who asks what cannot be told."""
        principal = None if self._principal is None else str(self._principal(exchange))
        # Who asks is told by a signature, which is made later.
        signed = bool(exchange.preparation_steps) and principal is None
        if signed or exchange.method.upper() in _IGNORED_METHODS:
            return None
        try:
            preview = exchange.preview()
        except (requests.RequestException, ValueError):
            return None  # the session will say what is wrong with this request
        tools = CacheParts(self._hishel, self._storages.get(), self._max_body_bytes)
        return CacheLookup(tools, exchange, call_next, preview=preview, principal=principal)

    def clear(self) -> None:
        """Forget all answers; in a file, those of all processes."""
        self._storages.get().clear()

    def close(self) -> None:
        """Close the file. Calls still work, and nothing is kept any more."""
        self._storages.get().close()

    def __repr__(self) -> str:
        place = "" if self._path is None else f"{str(self._path)!r}, "
        who = "" if self._principal is None else "principal=..., "
        sizes = f"max_bytes={self._max_bytes}, max_body_bytes={self._max_body_bytes}"
        return f"CacheHandler({place}{who}{sizes})"


def _library() -> Any:
    """Return hishel, if it is one that is known here: its API has changed with each major."""
    hishel: Any = require("hishel", "cache")
    needed = ("CacheMiss", "FromCache", "IdleClient", "InvalidateEntries", "SqliteStorage")
    if not all(hasattr(hishel, name) for name in needed):
        message = "this hishel is not one that the cache knows"
        raise ConfigError(message, hint='pip install "hishel>=2,<3"')
    return hishel
