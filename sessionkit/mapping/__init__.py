"""Load JSON into the user's own types, and dump them to JSON; nothing here sends anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.errors import MappingError, Problem
    from sessionkit.mapping._engine import Loader, dump, load

_PLACES = {
    "Loader": "_engine",
    "MappingError": "_engine",
    "Problem": "_engine",
    "dump": "_engine",
    "load": "_engine",
}

__all__ = ["Loader", "MappingError", "Problem", "dump", "load"]

__getattr__, __dir__ = lazy(__name__, _PLACES)
