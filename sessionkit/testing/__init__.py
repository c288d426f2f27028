"""A kit for the tests of those who build on sessionkit.

`FakeClock` needs nothing but the library, the contracts need pytest, and `cassettes`, which is
imported by its path, vcrpy (extra ``testing``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.testing._clock import FakeClock
    from sessionkit.testing.contracts import ListableTokenStoreContract, TokenStoreContract
    from sessionkit.testing.shared_contracts import SharedTokenStoreContract

_PLACES = {
    "FakeClock": "_clock",
    "ListableTokenStoreContract": "contracts",
    "SharedTokenStoreContract": "shared_contracts",
    "TokenStoreContract": "contracts",
}

__all__ = [
    "FakeClock",
    "ListableTokenStoreContract",
    "SharedTokenStoreContract",
    "TokenStoreContract",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
