"""How tokens, keys and URLs are written: texts in a store, names of files, options of a URL."""

from __future__ import annotations

import codecs
import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreUnreadable

if TYPE_CHECKING:
    from collections.abc import Collection

# Looked up now, because its first use imports it: a child that was forked in that very moment, by
# a server that starts its workers, would wait for the import for ever, and hold its lock.
_PRINTABLE = codecs.lookup("unicode_escape")


def to_text(token: Token) -> str:
    """Return *token* as JSON in ASCII, secrets included."""
    return json.dumps(token.to_dict(), separators=(",", ":"))


def from_text(text: str | bytes, key: str, owner: str) -> Token:
    """Return the token that `to_text` wrote.

    Args:
        text: What the store holds.
        key: Whose token it is.
        owner: The store, as the error shall name it.

    Raises:
        StoreUnreadable: It is no token.
    """
    try:
        return Token.from_dict(json.loads(text))
    except (TypeError, ValueError, RecursionError):
        # From None, because the JSON error carries the whole text, secrets included.
        raise StoreUnreadable(
            f"what the token store holds for {key!r:.80} is no token",
            hint="drop it with store.delete(key) and log in again",
            store=owner,
            key=key,
        ) from None


def to_name(key: str) -> str:
    """Return *key* in printable ASCII, so that any text is a name on any server."""
    return _PRINTABLE.encode(key)[0].decode("ascii")


def from_name(name: str | bytes) -> str:
    """Return the key that `to_name` wrote."""
    return _PRINTABLE.decode(name.encode("ascii") if isinstance(name, str) else name)[0]


def digest(*parts: str) -> str:
    """Return one SHA-256 of all the texts, as 64 hex digits: a name that any server can compare."""
    found = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        found.update(b"%d:%b" % (len(content), content))
    return found.hexdigest()


def hex_digest(key: str) -> str:
    """Return 32 hex digits for a key: the name of its lock's file."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def file_path(url: str) -> str:
    """Return the path in a URL such as ``file:tokens.json`` or ``file:///var/tokens.json``.

    Raises:
        ConfigError: There is no path, or something else than a path. The message never repeats
            the URL.
    """
    scheme, _, rest = url.partition(":")
    kind = scheme.lower()
    example = f"{kind}:relative/path, {kind}:///absolute/path"
    if "?" in rest or "#" in rest:
        raise ConfigError(f"{kind}: takes no options", hint="write ? as %3F and # as %23 in a path")
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host or not slash:
            # file://tokens.json: a host to a URL parser, a path to the one who wrote it.
            raise ConfigError(f"{kind}:// is followed by a third slash", hint=f"write {example}")
        rest = f"/{path.lstrip('/')}"
    path = unquote(rest)
    if not path or path.endswith("/"):
        raise ConfigError(f"{kind}: needs the path of a file", hint=f"write {example}")
    return path


def take_options(url: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """Take options out of the query of a URL.

    Args:
        url: Such as ``redis://cache.example/0?prefix=app&ssl_cert_reqs=required``.
        names: The options to take; others stay in the URL.

    Returns:
        The URL without them, and what they were.
    """
    front, _, query = url.partition("?")
    taken: dict[str, str] = {}
    left: list[str] = []
    for pair in query.split("&") if query else []:
        name, _, text = pair.partition("=")
        if name in names:
            taken[name] = unquote_plus(text)
        else:
            # As it was written, for another parser reads it.
            left.append(pair)
    return "?".join([front, "&".join(left)] if left else [front]), taken
