"""What a page says about the others: how many items there are, and whether more pages follow.

A walk that ends after one page is the error that nobody sees, so the first page is read for signs
that it is not the only one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from sessionkit.paging._base import as_count, says_no
from sessionkit.paging._links import href_of, looks_like_url, parse_links
from sessionkit.paging._paths import locate, pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.paging._base import Answer
    from sessionkit.paging._paths import Place

_ENVELOPES = ("meta", "pagination", "paging", "page", "page_info", "pageInfo", "response_metadata")
_LINK_ENVELOPES = (*_ENVELOPES, "links", "_links")
_TOTALS = ("total", "count", "total_count", "totalCount", "totalItems", "totalElements")
# "total" may be a price; these count something.
_SURE_TOTALS = ("count", "total_count", "totalCount")
_TOTAL_HEADERS = ("X-Total-Count", "X-Total")
_FLAGS = ("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage")
_URLS = ("next", "next_url", "nextUrl", "@odata.nextLink", "nextLink")
_CURSORS = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token")
_NUMBERS = ("next_page", "nextPage")
_SIZE = re.compile(r"size|limit|per", re.IGNORECASE)
_POSITION = re.compile(
    r"page|offset|skip|start|from|cursor|after|before|since|until|marker|token|index",
    re.IGNORECASE,
)


class Sign(NamedTuple):
    """Something on a page that says that another one follows, and what would follow it."""

    what: str
    cure: str


def told_total(answer: Answer, place: Place | None, *, last: bool) -> int | None:
    """Return how many items there are on all pages, as far as this page tells.

    Args:
        answer: The page.
        place: Where the document tells; without it ``X-Total-Count``, ``X-Total`` and members of
            the usual names are read, and a number that this very walk disproves is dropped: some
            servers count the items of the page.
        last: Whether no page follows.
    """
    if place is not None:
        return as_count(answer.find(place))
    for _, total in _totals(answer, _TOTALS):
        if total > answer.seen or (last and total == answer.seen):
            return total
    return None


def sign_of_more(answer: Answer, more: Place | None, *, counts: bool) -> Sign | None:
    """Return what on this first page says that another one follows; None for nothing.

    A flag that says no is believed before anything else.

    Args:
        answer: The first page of a walk.
        more: Where the document has such a flag; without it the usual names are looked for.
        counts: Whether all rows that the page had were counted.
    """
    flags = [value for _, value in _members(answer.body, _FLAGS, _ENVELOPES)]
    if more is not None and (found := locate(answer.body, more)) is not None:
        flags = [found.value]
    if any(says_no(flag) for flag in flags):
        return None
    sign = _url(answer) or _mark(answer.body)
    if sign is None and counts and not _starts_inside(answer):
        sign = _total(answer)
    if sign is None and flags:
        sign = Sign("a flag says so", "name the way on by paginator=")
    return sign


def _url(answer: Answer) -> Sign | None:
    for link in parse_links(answer.response.headers.get("Link", "")):
        if "next" in link.relations and link.anchor is None:
            return Sign("the Link header has rel='next'", "paginator=LinkHeader()")
    for pointer, value in _members(answer.body, _URLS, _LINK_ENVELOPES):
        target = href_of(value)
        if isinstance(target, str) and looks_like_url(target):
            return Sign(f"{pointer!r} holds a URL", f"paginator=NextUrl({pointer!r})")
    return None


def _mark(body: Any) -> Sign | None:
    for pointer, value in _members(body, _CURSORS, _ENVELOPES):
        if isinstance(value, str | int) and value:
            return Sign(f"{pointer!r} holds a cursor", f"paginator=Cursor({pointer!r}, param=...)")
    for pointer, value in _members(body, _NUMBERS, _ENVELOPES):
        if as_count(value):
            return Sign(f"{pointer!r} holds a number", "paginator=PageNumber()")
    return None


def _total(answer: Answer) -> Sign | None:
    for name, total in _totals(answer, _SURE_TOTALS):
        if total > answer.seen:
            what = f"{name!r} tells of {total} items and {answer.seen} came"
            return Sign(what, "paginator=PageNumber() or Offset()")
    return None


def _starts_inside(answer: Answer) -> bool:
    """Tell whether the walk may have begun behind the first row, so that a total proves nothing."""
    step = answer.step
    names = [name for name, _ in parse_qsl(step.url.partition("?")[2], keep_blank_values=True)]
    names += step.params or {}
    return any(_POSITION.search(name) and not _SIZE.search(name) for name in names)


def _totals(answer: Answer, names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    for name in _TOTAL_HEADERS:
        if (total := as_count(answer.response.headers.get(name))) is not None:
            yield name, total
    for pointer, value in _members(answer.body, names, _ENVELOPES):
        # Text of digits may be anything, also a price.
        if isinstance(value, int) and (total := as_count(value)) is not None:
            yield pointer, total


def _members(
    body: Any, names: tuple[str, ...], envelopes: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of *names* in the document, then one level down in *envelopes*."""
    if not isinstance(body, dict):
        return
    for keys in ((), *((envelope,) for envelope in envelopes)):
        inner = body.get(keys[0]) if keys else body
        for name in names:
            if isinstance(inner, dict) and name in inner:
                yield pointer_to((*keys, name)), inner[name]
