"""Typed resources: collections of the user's own objects, and operations on typed stub methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.resources._codec import Codec, PlainJson
    from sessionkit.resources._collection import Collection
    from sessionkit.resources._operations import delete, get, patch, post, put
    from sessionkit.resources._urls import UNSET, UnsetType

_PLACES = {
    "Codec": "_codec",
    "Collection": "_collection",
    "PlainJson": "_codec",
    "UNSET": "_urls",
    "UnsetType": "_urls",
    "delete": "_operations",
    "get": "_operations",
    "patch": "_operations",
    "post": "_operations",
    "put": "_operations",
}

__all__ = [
    "UNSET",
    "Codec",
    "Collection",
    "PlainJson",
    "UnsetType",
    "delete",
    "get",
    "patch",
    "post",
    "put",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
