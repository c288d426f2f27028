"""HTTP caching (RFC 9111): a private cache for each caller, on hishel (extra ``cache``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.handlers.cache._handler import CacheHandler as CacheHandler


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_handler": ("CacheHandler",),
    },
)
