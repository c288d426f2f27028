"""Where the items of a page are: at the place the caller named, or the only one there can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sessionkit.errors import PaginationNotDetected
from sessionkit.paging._paths import Found, locate, pointer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sessionkit.paging._paths import JsonPath

    Items: TypeAlias = JsonPath | Callable[[Any], Iterable[Any]] | None

_USUAL = ("results", "items", "data", "objects", "value", "records", "entries")
_EMBEDDED = "_embedded"
_MAX_NAMED_LISTS = 8


def rows_of(body: Any, items: Items) -> Found:
    """Find the items of a page; null is an empty page, and so is no document at all.

    Args:
        body: The decoded document.
        items: Where they are; a function of the document that returns all of them; or None for
            the document itself, or the only list under one of the usual names: ``results``,
            ``items``, ``data``, ``objects``, ``value``, ``records``, ``entries``, and inside of
            ``_embedded`` (HAL).

    Raises:
        PaginationNotDetected: There is no list at *items*; or, without it, no list or more than one
            that could be meant. The text names the lists that there are.
    """
    if body is None:
        return Found("", [])
    if callable(items):
        return Found("", list(items(body)))
    found = _find_items(body) if items is None else locate(body, items)
    if found is None:
        raise _not_detected(body, f"nothing stands at items={items!r}")
    if found.value is None:
        return Found(found.pointer, [])
    if not isinstance(found.value, list):
        raise _not_detected(body, f"what stands at {found.pointer!r} is no list")
    return found


def _find_items(body: Any) -> Found:
    if isinstance(body, list):
        return Found("", body)
    members = body if isinstance(body, dict) else {}
    usual = [Found(pointer_to((name,)), members[name]) for name in _USUAL if name in members]
    lists = [found for found in usual if isinstance(found.value, list)]
    lists += _lists_in(members.get(_EMBEDDED), (_EMBEDDED,))
    if len(lists) == 1:
        return lists[0]
    # {"results": null} is how some servers write an empty list.
    if not lists and len(usual) == 1 and usual[0].value is None:
        return usual[0]
    what = "several lists may be the items" if lists else "no list under a usual name"
    raise _not_detected(body, what)


def _lists_in(value: Any, keys: tuple[str, ...] = ()) -> list[Found]:
    if not isinstance(value, dict):
        return []
    return [
        Found(pointer_to((*keys, name)), inner)
        for name, inner in value.items()
        if isinstance(inner, list)
    ]


def _not_detected(body: Any, what: str) -> PaginationNotDetected:
    lists = _lists_in(body)
    if isinstance(body, dict):
        for name, value in body.items():
            lists += _lists_in(value, (name,))
    names = ", ".join(repr(found.pointer) for found in lists[:_MAX_NAMED_LISTS])
    return PaginationNotDetected(
        f"{what}; lists in the document: {names or 'none'}",
        hint="say where the items are, as items='/data', or give a function of the document",
    )
