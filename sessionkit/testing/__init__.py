"""A kit for the tests of those who build on sessionkit.

`FakeClock` needs nothing but the library, `contracts` needs pytest, and `cassettes`, which is
imported by its path, vcrpy (extra ``testing``).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit.testing._clock import FakeClock
    from sessionkit.testing.contracts import TokenStoreContract

_HOMES = {"FakeClock": "_clock", "TokenStoreContract": "contracts"}

__all__ = ["FakeClock", "TokenStoreContract"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
