"""Typed resources: collections of the user's own objects, and operations on typed stub methods."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit.resources._codec import Codec, Plain
    from sessionkit.resources._collection import Collection
    from sessionkit.resources._fields import UNSET, UnsetType
    from sessionkit.resources._operations import delete, get, patch, post, put

_HOMES = {
    "Codec": "_codec",
    "Collection": "_collection",
    "Plain": "_codec",
    "UNSET": "_fields",
    "UnsetType": "_fields",
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
    "Plain",
    "UnsetType",
    "delete",
    "get",
    "patch",
    "post",
    "put",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
