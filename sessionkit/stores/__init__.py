"""Tokens at rest, and the lock around a renewal. Knows no HTTP.

- `MemoryTokenStore`: as long as the process; shared by its threads.
- `SqliteTokenStore`: in a file with mode 0600; shared by the processes of one machine.
- `CallableTokenStore`: where two functions of yours put it; shared as far as your lock reaches.

Imported by their paths: `file.FileTokenStore`; and, each with an extra,
`encrypted.EncryptedTokenStore`, `keyring.KeyringTokenStore`, and for many machines
`redis.RedisTokenStore`, `sql.SqlTokenStore`, `django.DjangoCacheTokenStore`.

`open_store` takes the choice from a URL, such as one in an environment variable; `purge_expired`
deletes tokens that have expired and cannot be renewed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.stores._base import (
        ListableTokenStore as ListableTokenStore,
        TokenStore as TokenStore,
        purge_expired as purge_expired,
    )
    from sessionkit.stores._callable import CallableTokenStore as CallableTokenStore
    from sessionkit.stores._memory import MemoryTokenStore as MemoryTokenStore
    from sessionkit.stores._open import open_store as open_store
    from sessionkit.stores._sqlite import SqliteTokenStore as SqliteTokenStore


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_base": ("ListableTokenStore", "TokenStore", "purge_expired"),
        "_callable": ("CallableTokenStore",),
        "_memory": ("MemoryTokenStore",),
        "_open": ("open_store",),
        "_sqlite": ("SqliteTokenStore",),
    },
)
