"""A kit for the tests of those who build on sessionkit.

`FakeClock` needs nothing but the library, the contracts need pytest, and `cassettes`, which is
imported by its path, vcrpy (extra ``testing``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.testing._clock import FakeClock as FakeClock
    from sessionkit.testing.contracts import (
        ListableTokenStoreContract as ListableTokenStoreContract,
        TokenStoreContract as TokenStoreContract,
    )
    from sessionkit.testing.shared_contracts import (
        SharedTokenStoreContract as SharedTokenStoreContract,
    )


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_clock": ("FakeClock",),
        "contracts": ("ListableTokenStoreContract", "TokenStoreContract"),
        "shared_contracts": ("SharedTokenStoreContract",),
    },
)
