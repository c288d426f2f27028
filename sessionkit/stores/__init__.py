"""Tokens at rest, and the lock around a renewal. Knows no HTTP.

- `MemoryTokenStore`: as long as the process; shared by its threads.
- `SqliteTokenStore`: in a file with mode 0600; shared by the processes of one machine.
- `CallableTokenStore`: where two functions of yours put it; shared by whoever your lock knows.

`open_store` takes the choice from a URL, such as one in an environment variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._faces import lazy

if TYPE_CHECKING:
    from sessionkit.stores._base import TokenStore
    from sessionkit.stores._callable import CallableTokenStore
    from sessionkit.stores._memory import MemoryTokenStore
    from sessionkit.stores._open import open_store
    from sessionkit.stores._sqlite import SqliteTokenStore

_PLACES = {
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

__getattr__, __dir__ = lazy(__name__, _PLACES)
