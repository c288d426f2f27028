"""Tokens and their keys as texts: what stores on the network keep."""

from __future__ import annotations

import codecs
import hashlib
import json

from sessionkit._tokens import Token
from sessionkit.errors import StoreUnreadable

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
    """Return 64 hex digits for texts: another number for each, whatever a server can compare."""
    found = hashlib.sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogatepass")
        found.update(b"%d:%b" % (len(content), content))
    return found.hexdigest()
