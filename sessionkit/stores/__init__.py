"""Tokens at rest, and the lock around a renewal. Knows no HTTP.

- `MemoryTokenStore`: as long as the process; shared by its threads.
- `SqliteTokenStore`: in a file with mode 0600; shared by the processes of one machine.
- `CallableTokenStore`: where two functions of yours put it; shared by whoever your lock knows.

`open_store` takes the choice from a URL, such as one in an environment variable.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit.stores._base import TokenStore
    from sessionkit.stores._callable import CallableTokenStore
    from sessionkit.stores._memory import MemoryTokenStore
    from sessionkit.stores._open import open_store
    from sessionkit.stores._sqlite import SqliteTokenStore

_HOMES = {
    "CallableTokenStore": "_callable",
    "MemoryTokenStore": "_memory",
    "SqliteTokenStore": "_sqlite",
    "TokenStore": "_base",
    "open_store": "_open",
}

__all__ = [
    "CallableTokenStore",
    "MemoryTokenStore",
    "SqliteTokenStore",
    "TokenStore",
    "open_store",
]


def __getattr__(name: str) -> Any:
    # Lazy (PEP 562): who keeps tokens in memory does not pay for importing sqlite3.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
