"""A kit for the tests of those who build on sessionkit.

`FakeClock` needs nothing but the library, `contracts` needs pytest, and `cassettes`, which is
imported by its path, vcrpy (extra ``testing``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._faces import lazy

if TYPE_CHECKING:
    from sessionkit.testing._clock import FakeClock
    from sessionkit.testing.contracts import TokenStoreContract

_PLACES = {"FakeClock": "_clock", "TokenStoreContract": "contracts"}

__all__ = ["FakeClock", "TokenStoreContract"]

__getattr__, __dir__ = lazy(__name__, _PLACES)
