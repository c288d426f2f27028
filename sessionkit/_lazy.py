"""The faces of packages: names that are loaded when they are first asked for (PEP 562)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy(
    face: str, names: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package that shows other modules.

    Args:
        face: The package's ``__name__``.
        names: The names that each module has, by the module's name without the package's own in
            front; one of another package in full.
    """
    modules = {name: module for module, shown in names.items() for name in shown}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        module = modules[name]
        full = module if module.startswith("sessionkit.") else f"{face}.{module}"
        return getattr(import_module(full), name)

    shown = sorted(modules)
    return load, shown.copy, shown
