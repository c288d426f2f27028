"""HTTP caching (RFC 9111): a private cache for each caller, on hishel (extra ``cache``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.handlers.cache._handler import CacheHandler as CacheHandler

_PLACES = {"CacheHandler": "_handler"}

__all__ = ["CacheHandler"]

__getattr__, __dir__ = lazy(__name__, _PLACES)
