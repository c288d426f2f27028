"""Tokens at rest, and the lock around a renewal. Knows no HTTP.

- `MemoryTokenStore`: as long as the process; shared by its threads.
- `SqliteTokenStore`: in a file with mode 0600; shared by the processes of one machine.
- `CallableTokenStore`: where two functions of yours put it; shared by whoever your lock knows.

Imported by their paths, for each needs an extra: `file.FileTokenStore`,
`encrypted.EncryptedTokenStore`, `keyring.KeyringTokenStore`; and for many machines
`redis.RedisTokenStore`, `sql.SqlTokenStore`, `django.DjangoCacheTokenStore`.

`open_store` takes the choice from a URL, such as one in an environment variable; `purge` clears
away what has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.stores._base import ListableTokenStore, TokenStore
    from sessionkit.stores._callable import CallableTokenStore
    from sessionkit.stores._memory import MemoryTokenStore
    from sessionkit.stores._open import open_store
    from sessionkit.stores._purge import purge
    from sessionkit.stores._sqlite import SqliteTokenStore

_PLACES = {
    "CallableTokenStore": "_callable",
    "ListableTokenStore": "_base",
    "MemoryTokenStore": "_memory",
    "SqliteTokenStore": "_sqlite",
    "TokenStore": "_base",
    "open_store": "_open",
    "purge": "_purge",
}

__all__ = [
    "CallableTokenStore",
    "ListableTokenStore",
    "MemoryTokenStore",
    "SqliteTokenStore",
    "TokenStore",
    "open_store",
    "purge",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
