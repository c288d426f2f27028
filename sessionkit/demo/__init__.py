"""A loopback API to try everything against, and a tour of the library over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.demo._server import DemoServer as DemoServer


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_server": ("DemoServer",),
    },
)
