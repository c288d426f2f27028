"""Paths and queries of resources: every value quoted, so that none can leave its place."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

# The value that means "not given", so that None is free to mean null. It is msgspec's own, which
# leaves such members out of what it writes, and fills them in where one is missing.
from msgspec import UNSET, UnsetType

from sessionkit._origins import is_absolute
from sessionkit.errors import ConfigError, InvalidRequest
from sessionkit.mapping._engine import dump

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["UNSET", "Template", "UnsetType", "check_names", "check_path", "query", "segment"]


def segment(value: object, name: str) -> str:
    """Return *value* as one segment of a path, percent-encoded (RFC 3986, section 2.1).

    Args:
        value: Text, a number, UUID, date or Enum member; 0 is as good as any other.
        name: What it is called, for the message.

    Raises:
        InvalidRequest: None, empty, ``.`` or ``..``, which servers and proxies take for a way to
            another resource (RFC 3986, section 5.2.4), or nothing that a path can hold.
    """
    if value is None or value is UNSET or value == "":
        raise InvalidRequest(f"{name} is missing: without it the URL would be another resource's")
    text = _text(value, name)
    if text in {".", ".."}:
        raise InvalidRequest(f"{name} is {text!r}, which leads to another resource")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{name} cannot be written in UTF-8") from error


def query(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return *params* as texts: booleans as ``true`` and ``false``, dates in ISO 8601.

    None and ``UNSET`` are left out; a list gives one parameter for each of its items.

    Raises:
        InvalidRequest: A value that no query can hold, such as an object.
    """
    return {
        name: [_text(item, name) for item in value]
        if isinstance(value, list | tuple | set | frozenset)
        else _text(value, name)
        for name, value in params.items()
        if value is not None and value is not UNSET
    }


def _text(value: object, name: str) -> str:
    # Only what JSON has, too: str() of anything else would send <object at 0x7f...>.
    try:
        plain = dump(value)
    except InvalidRequest as error:
        raise InvalidRequest(f"{name} cannot be part of a URL: {error.message}") from error
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if not isinstance(plain, str | int | float):
        kind = type(value).__name__
        raise InvalidRequest(f"{name} cannot be part of a URL: it is of type {kind}")
    return str(plain)


class Template:
    """A path below a base URL, with places for values, such as ``orders/{id}/cancel``.

    Immutable.

    Args:
        text: Relative; a query may follow the path.
        owner: Who declares it, for messages.

    Raises:
        ConfigError: An absolute URL, a fragment, a ``..``, or braces without a plain name.
    """

    __slots__ = ("_parts", "names", "text")

    def __init__(self, text: str, owner: str) -> None:
        check_path(text, owner)
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise ConfigError(f"{owner}: the template {text!r} cannot be read: {error}") from error
        for _, name, form, conversion in parts:
            if name is not None and (not name.isidentifier() or form or conversion):
                raise ConfigError(f"{owner}: the template {text!r} needs a plain name in each {{}}")
        self.text = text
        self.names = frozenset(name for _, name, _, _ in parts if name is not None)
        self._parts = tuple((literal, name) for literal, name, _, _ in parts)

    def fill(self, values: Mapping[str, object]) -> str:
        """Return the path with each of *values* quoted at its place.

        Raises:
            InvalidRequest: A value that no path can hold.
        """
        return "".join(
            literal + (segment(values[name], name) if name is not None else "")
            for literal, name in self._parts
        )

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def check_path(path: object, owner: str) -> None:
    """Refuse what is no path below a base URL.

    Raises:
        ConfigError: No text, an absolute URL, a fragment, a dot segment.
    """
    if not isinstance(path, str):
        raise ConfigError(f"{owner}: a path is text such as 'orders/', not {path!r}")
    if is_absolute(path) or path.startswith("//"):
        raise ConfigError(f"{owner}: {path!r} must be a path below the client's base_url")
    if "#" in path or {".", ".."} & set(path.partition("?")[0].split("/")):
        raise ConfigError(f"{owner}: {path!r} must have neither a fragment nor dot segments")


def check_names(cls: type, reserved: tuple[str, ...]) -> None:
    """Refuse a class whose body takes a name that its base needs.

    Raises:
        ConfigError: One of *reserved* is taken.
    """
    for name in reserved:
        if name in vars(cls):
            raise ConfigError(f"{cls.__name__}.{name}: the base class needs this name itself")
