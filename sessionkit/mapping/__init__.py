"""From JSON to the user's own types, and back; pure, nothing here sends anything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit.errors import MappingError, Problem
    from sessionkit.mapping._engine import Loader, dump, load, loader

_HOMES = {
    "Loader": "sessionkit.mapping._engine",
    "MappingError": "sessionkit.errors",
    "Problem": "sessionkit.errors",
    "dump": "sessionkit.mapping._engine",
    "load": "sessionkit.mapping._engine",
    "loader": "sessionkit.mapping._engine",
}

__all__ = ["Loader", "MappingError", "Problem", "dump", "load", "loader"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
