"""A token store from a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from sessionkit.stores._base import TokenStore

_KNOWN: Final = "memory:, sqlite:relative.db, sqlite:///absolute/path.db"
_PLANNED: Final = ("file", "keyring", "redis", "rediss", "postgresql", "django")


def open_store(url: str) -> TokenStore:
    """Return the token store that *url* names, such as one from an environment variable.

    - ``memory:`` is a new `MemoryTokenStore`;
    - ``sqlite:tokens.db`` a `SqliteTokenStore`, its path relative to the working folder;
    - ``sqlite:///var/lib/app/tokens.db`` the same with an absolute path.

    In a path, ``%20`` and the like stand for other characters, as in any URL.

    Raises:
        ConfigError: The URL names no store that there is. The message never repeats the URL,
            which may hold a password.
        StoreError: The folder of the file does not exist.
    """
    scheme, colon, rest = url.partition(":")
    kind = scheme.lower() if colon else ""
    if kind == "memory":
        return _memory(rest)
    if kind == "sqlite":
        return _sqlite(rest)
    if kind in _PLANNED:
        raise ConfigError(
            f"{kind}: stores are not in this version of sessionkit",
            hint=f"they are to come as extras, with {_listed(_PLANNED)}; until then: {_KNOWN}",
        )
    raise ConfigError(
        "the URL names no kind of token store that is known",
        hint=f"known are {_KNOWN}; to come as extras: {_listed(_PLANNED)}",
    )


def _memory(rest: str) -> TokenStore:
    from sessionkit.stores._memory import MemoryTokenStore

    if rest:
        raise ConfigError("memory: takes neither a path nor options")
    return MemoryTokenStore()


def _sqlite(rest: str) -> TokenStore:
    from sessionkit.stores._sqlite import SqliteTokenStore

    if "?" in rest or "#" in rest:
        raise ConfigError("sqlite: takes no options", hint="write ? as %3F and # as %23 in a path")
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host or not slash:
            # sqlite://tokens.db: a host to a URL parser, a path to whoever wrote it.
            raise ConfigError("sqlite:// is followed by a third slash", hint=f"write {_KNOWN}")
        rest = f"/{path.lstrip('/')}"
    path = unquote(rest)
    if not path or path.endswith("/"):
        raise ConfigError("sqlite: needs the path of a file", hint=f"write {_KNOWN}")
    return SqliteTokenStore(path)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name}:" for name in names)
