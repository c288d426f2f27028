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
from sessionkit.paging._paths import find, locate, pointer_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.paging._base import Answer, Paginator, Step
    from sessionkit.paging._paths import Place

_ENVELOPES = ("meta", "pagination", "paging", "page", "page_info", "pageInfo", "response_metadata")
_LINK_ENVELOPES = (*_ENVELOPES, "links", "_links")
_NESTED = ("pagination", "page")
# These count something; "total" may be a price, unless it stands among what only pages have.
_SURE_TOTALS = (
    *("count", "total_count", "totalCount", "total_items", "totalItems", "totalElements"),
    *("total_results", "totalResults", "total_records", "totalRecords", "@odata.count"),
)
_TOTALS = ("total", *_SURE_TOTALS)
_TOTAL_HEADERS = ("X-Total-Count", "X-Total")
_CURRENT = ("current_page", "currentPage", "page", "page_number", "pageNumber", "number")
_LAST = ("last_page", "lastPage", "total_pages", "totalPages")
_POSITIONS = (
    *("offset", "limit", "skip", "start", "start_at", "startAt", "start_index", "startIndex"),
    *("per_page", "perPage", "size", "page_size", "pageSize", "max_results", "maxResults"),
    *("current_page", "currentPage", "page", "page_number", "pageNumber", "page_count"),
    *("pageCount", *_LAST),
)
_FLAGS = ("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage")
_LAST_FLAGS = ("last", "is_last", "isLast", "is_last_page", "isLastPage", "last_page", "lastPage")
_URLS = ("next", "next_url", "nextUrl", "@odata.nextLink", "nextLink")
_CURSORS = ("next_cursor", "nextCursor", "next_page_token", "nextPageToken", "next_token")
_NUMBERS = ("next_page", "nextPage")
_SIZE = re.compile(r"size|limit|per", re.IGNORECASE)
_POSITION = re.compile(
    r"page|offset|skip|start|from|cursor|after|before|since|until|marker|token|index",
    re.IGNORECASE,
)
_COUNTED_FROM_ONE = re.compile(r"page|index", re.IGNORECASE)


class Sign(NamedTuple):
    """Something on a page that says that another one follows, and what would follow it."""

    what: str
    cure: str


def told_total(answer: Answer, place: Place | None, *, last: bool) -> int | None:
    """Return how many items there are on all pages, as far as this page tells.

    Args:
        answer: The page.
        place: Where the document tells; without it ``X-Total-Count``, ``X-Total`` and members of
            the usual names are read. A number that this very walk disproves is dropped: some
            servers count the items of the page; and so is a ``total`` that may be a price, since
            nothing that belongs to pages stands beside it.
        last: Whether no page follows.
    """
    if place is not None:
        return as_count(answer.find(place))
    for total in _totals(answer):
        if total > answer.seen or (last and total == answer.seen):
            return total
    return None


def sign_of_more(
    answer: Answer, more: Place | None, *, total: int | None, inside: bool = False
) -> Sign | None:
    """Return what on this first page says that another one follows; None for nothing.

    A flag that says no is believed before anything else.

    Args:
        answer: The first page of a walk.
        more: Where the document has such a flag; without it the usual names are looked for.
        total: How many items there are, if rows that are missing can be told by it.
        inside: Whether the walk began behind the first row.
    """
    flags = _flags(answer.body, more)
    if any(says_no(flag) for flag in flags):
        return None
    sign = _url(answer) or _mark(answer.body) or sign_of_gap(answer, total)
    if sign is None and not inside:
        sign = _page_count(answer.body)
    if sign is None and flags:
        sign = Sign("a flag says so", "name the way on by paginator=")
    return sign


def sign_of_gap(answer: Answer, total: int | None) -> Sign | None:
    """Return what says, at the end of a walk, that fewer rows came than there are.

    A flag that says that nothing follows is no answer here: rows may be missing before, as of a
    server that counts its pages from 0.

    Args:
        answer: The last page.
        total: How many items there are, if rows that are missing can be told by it.
    """
    if total is None or total <= answer.seen:
        return None
    what = f"the server tells of {total} items and {answer.seen} came"
    return Sign(what, "paginator=PageNumber() or Offset(), with the names that this API has")


def starts_inside(opened: Step, paginator: Paginator) -> bool:
    """Tell whether a walk may begin behind the first row, so that a total proves nothing.

    Args:
        opened: The first step, as *paginator* made it.
        paginator: The way on.
    """
    if getattr(paginator, "start", None) not in (None, 0):
        return True
    pairs: list[tuple[str, Any]] = [
        *parse_qsl(opened.url.partition("?")[2], keep_blank_values=True),
        *(opened.params or {}).items(),
    ]
    first = 0 if getattr(paginator, "first", 1) == 0 else 1
    for name, value in pairs:
        if value in (None, "") or _SIZE.search(name) or not _POSITION.search(name):
            continue
        number = as_count(value)
        if number is None or number > (first if _COUNTED_FROM_ONE.search(name) else 0):
            return True
    return False


def _flags(body: Any, more: Place | None) -> list[Any]:
    if more is not None and (found := locate(body, more)) is not None:
        return [found.value]
    flags = [value for _, value in _members(body, _FLAGS, _ENVELOPES)]
    # Only true and false: "last" may as well be a name, a link or a number.
    lasts = [value for _, value in _members(body, _LAST_FLAGS, _ENVELOPES)]
    return flags + [not value for value in lasts if isinstance(value, bool)]


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


def _page_count(body: Any) -> Sign | None:
    current = [as_count(value) for _, value in _members(body, _CURRENT, _ENVELOPES)]
    for pointer, value in _members(body, _LAST, _ENVELOPES):
        pages = as_count(value)
        if pages is None or pages < 2 or any(n is not None and n >= pages for n in current):
            continue
        return Sign(f"{pointer!r} tells of {pages} pages", "paginator=PageNumber()")
    return None


def _totals(answer: Answer) -> Iterator[int]:
    for name in _TOTAL_HEADERS:
        if (total := as_count(answer.response.headers.get(name))) is not None:
            yield total
    body = answer.body
    placed = any(as_count(value) is not None for _, value in _members(body, _POSITIONS, _ENVELOPES))
    for pointer, value in _members(body, _TOTALS, _ENVELOPES):
        # Text of digits may be anything, also a price.
        if not isinstance(value, int) or (pointer == "/total" and not placed):
            continue
        if (total := as_count(value)) is not None:
            yield total


def _members(
    body: Any, names: tuple[str, ...], envelopes: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of *names* in the document, then inside of *envelopes*."""
    if not isinstance(body, dict):
        return
    places = [(), *((name,) for name in envelopes), *(("meta", name) for name in _NESTED)]
    for keys in places:
        inner = find(body, keys)
        for name in names:
            if isinstance(inner, dict) and name in inner:
                yield pointer_to((*keys, name)), inner[name]
