"""The value that means "not given", so that None is free to mean null.

It is msgspec's own, because msgspec then leaves such members out of what it writes, and fills them
in where a member is missing: ``note: str | None | UnsetType = UNSET`` tells all three apart.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType

__all__ = ["UNSET", "UnsetType"]
