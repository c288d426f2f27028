"""Request bodies that are rewound, and response bodies that are read within limits or watched.

Authors of handlers have `watch` of it, and `BodyObserver`: what they see of a body while somebody
reads it. `BodyCopy` hands on a body that was read whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.bodies._watched import BodyCopy, BodyObserver, watch

_PLACES = {
    "BodyCopy": "_watched",
    "BodyObserver": "_watched",
    "watch": "_watched",
}

__all__ = [
    "BodyCopy",
    "BodyObserver",
    "watch",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
