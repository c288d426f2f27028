"""The faces of packages: names that are loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy(
    face: str, places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names live in other modules.

    Args:
        face: The package's ``__name__``.
        places: The module of each name, without the package's own name in front; one of another
            package in full.
    """

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        place = places[name]
        module = place if place.startswith("sessionkit.") else f"{face}.{place}"
        return getattr(import_module(module), name)

    def names() -> list[str]:
        return sorted(places)

    return load, names
