"""Load JSON into the user's own types, and dump them to JSON; nothing here sends anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.errors import MappingError as MappingError, Problem as Problem
    from sessionkit.mapping._engine import Loader as Loader, dump as dump, load as load


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_engine": ("Loader", "MappingError", "Problem", "dump", "load"),
    },
)
