"""Request bodies that are rewound, and response bodies that are read within limits or watched.

For handlers there are `watch` and `BodyObserver`, which see a body while the caller reads it, and
`BodyCopy`, which hands on a body that was read whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.bodies._watched import (
        BodyCopy as BodyCopy,
        BodyObserver as BodyObserver,
        watch as watch,
    )


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_watched": ("BodyCopy", "BodyObserver", "watch"),
    },
)
