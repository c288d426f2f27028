"""Paths into a JSON document: JSON Pointers (RFC 6901), dotted names, tuples of keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

JsonPath: TypeAlias = str | tuple[str | int, ...]
"""Where something stands in a JSON document.

``"/meta/next"`` is a JSON Pointer (RFC 6901), and ``""`` the whole document; ``"meta.next"`` is a
dotted name, of which a member called exactly ``meta.next`` wins; ``("meta", "next")`` is taken key
by key, without any quoting. An array is entered by an index from 0: ``"/0"``, ``("rows", 0)``.
"""

_BAD_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,17}")


class Found(NamedTuple):
    """A value, and the JSON Pointer of where it was found."""

    pointer: str
    value: Any


def check_json_path(path: object) -> None:
    """Say at construction what would otherwise be found out on page 1.

    Raises:
        ConfigError: *path* is no JSON path.
    """
    if isinstance(path, str):
        if path.startswith("/") and _BAD_ESCAPE.search(path):
            raise ConfigError(
                f"the JSON Pointer {path!r} holds a '~' that is no escape",
                hint="write ~0 for '~' and ~1 for '/', or give a tuple of keys",
            )
        return
    if not isinstance(path, tuple) or not all(_is_key(key) for key in path):
        raise ConfigError(
            f"{path!r} is no path into a JSON document",
            hint="give a JSON Pointer '/meta/next', a dotted name 'meta.next' or a tuple of keys",
        )


def locate(document: Any, path: JsonPath) -> Found | None:
    """Find *path* in *document*; None if it is missing, which is not the same as null."""
    if isinstance(path, str) and path and not path.startswith("/"):
        return _locate_dotted(document, path)
    return _walk(document, _keys(path))


def find(document: Any, path: JsonPath | None) -> Any:
    """Return the value at *path*; None where there is none, and for no path at all."""
    found = None if path is None else locate(document, path)
    return None if found is None else found.value


def replaced(document: Any, path: JsonPath, value: Any) -> Any:
    """Return a copy of *document* with *value* at *path*; objects on the way are made.

    Only what lies on the way is copied.

    Raises:
        ConfigError: The way leads through something that is neither an object nor an element
            of an array.
    """
    if isinstance(path, str) and path and not path.startswith("/"):
        found = _locate_dotted(document, path)
        path = found.pointer if found else tuple(path.split("."))
    return _replaced(document, _keys(path), value)


def pointer_to(keys: Iterable[str | int]) -> str:
    """Write *keys* as a JSON Pointer (RFC 6901, section 3)."""
    return "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in keys)


def _is_key(key: object) -> bool:
    if isinstance(key, bool):
        return False
    return isinstance(key, str) or (isinstance(key, int) and key >= 0)


def _keys(path: JsonPath) -> tuple[str | int, ...]:
    if isinstance(path, tuple):
        return path
    # RFC 6901, section 4: ~1 before ~0, or "~01" would become "/".
    return tuple(key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[1:])


def _walk(document: Any, keys: tuple[str | int, ...]) -> Found | None:
    value = document
    for key in keys:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and (index := _index(key)) is not None and index < len(value):
            value = value[index]
        else:
            return None
    return Found(pointer_to(keys), value)


def _locate_dotted(document: Any, name: str) -> Found | None:
    # "@odata.nextLink" is one member of many APIs, and two names of none.
    return _walk(document, (name,)) or _walk(document, tuple(name.split(".")))


def _index(key: str | int) -> int | None:
    if isinstance(key, int):
        return key
    return int(key) if _INDEX.fullmatch(key) else None


def _replaced(document: Any, keys: tuple[str | int, ...], value: Any) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if document is None or isinstance(document, dict):
        members = document or {}
        return {**members, str(key): _replaced(members.get(str(key)), rest, value)}
    index = _index(key)
    if isinstance(document, list) and index is not None and index < len(document):
        return [*document[:index], _replaced(document[index], rest, value), *document[index + 1 :]]
    raise ConfigError(f"there is no way to {key!r} in the body of the request")
