"""Typed resources: collections of the user's own objects, and operations on typed stub methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.resources._codec import Codec as Codec, PlainJson as PlainJson
    from sessionkit.resources._collection import Collection as Collection
    from sessionkit.resources._operations import (
        delete as delete,
        get as get,
        patch as patch,
        post as post,
        put as put,
    )
    from sessionkit.resources._urls import UNSET as UNSET, UnsetType as UnsetType


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_codec": ("Codec", "PlainJson"),
        "_collection": ("Collection",),
        "_operations": ("delete", "get", "patch", "post", "put"),
        "_urls": ("UNSET", "UnsetType"),
    },
)
