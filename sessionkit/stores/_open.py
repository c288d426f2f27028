"""A token store from a URL."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sessionkit.stores._base import TokenStore

#: The scheme, up to a ``+`` in it: the class whose ``from_url`` takes the URL, and how it is
#: written.
_STORES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "memory": ("_memory.MemoryTokenStore", "memory:"),
        "sqlite": ("_sqlite.SqliteTokenStore", "sqlite:///absolute/path.db"),
        "file": ("file.FileTokenStore", "file:///absolute/path.json"),
        "keyring": ("keyring.KeyringTokenStore", "keyring:my-program"),
        "redis": ("redis.RedisTokenStore", "redis://host:6379/0"),
        "rediss": ("redis.RedisTokenStore", "rediss://host:6379/0"),
        "postgresql": ("sql.SqlTokenStore", "postgresql+psycopg://host/database"),
        "mariadb": ("sql.SqlTokenStore", "mariadb+pymysql://host/database"),
        "mysql": ("sql.SqlTokenStore", "mysql+pymysql://host/database"),
        "django-cache": ("django.DjangoCacheTokenStore", "django-cache:default"),
        "encrypted": (
            "encrypted.EncryptedTokenStore",
            "encrypted+sqlite:///absolute/path.db?keys_env=VARIABLE",
        ),
    }
)


def open_store(url: str) -> TokenStore:
    """Return the token store that *url* names, such as one from an environment variable.

    - ``memory:`` is a new `MemoryTokenStore`;
    - ``sqlite:///var/lib/app/tokens.db`` a `SqliteTokenStore`, ``file:///...`` a
      `FileTokenStore`; ``sqlite:tokens.db`` has a path relative to the working folder;
    - ``keyring:my-program`` a `KeyringTokenStore`;
    - ``redis://host:6379/0`` and ``rediss://...`` a `RedisTokenStore`;
    - ``postgresql+psycopg://host/database``, ``mariadb+...``, ``mysql+...`` a `SqlTokenStore`;
    - ``django-cache:default`` a `DjangoCacheTokenStore`;
    - ``encrypted+sqlite:///path.db?keys_env=NAME`` an `EncryptedTokenStore` over what follows the
      plus, its keys in the environment variable NAME.

    In a path, ``%20`` and the like stand for other characters, as in any URL.

    Raises:
        ConfigError: The URL names no store that there is. The message never repeats the URL,
            which may hold a password.
        ImportError: The store is an extra that is not installed; the message is the line that
            installs it.
        StoreError: The folder of the file does not exist.
    """
    scheme, colon, _ = url.partition(":")
    kind = scheme.lower().partition("+")[0] if colon else ""
    if kind not in _STORES:
        known = ", ".join(example for _, example in _STORES.values())
        raise ConfigError(
            "the URL names no kind of token store that is known", hint=f"known are {known}"
        )
    module, _, name = _STORES[kind][0].rpartition(".")
    made = getattr(import_module(f"sessionkit.stores.{module}"), name)
    store: TokenStore = made.from_url(url)
    return store
