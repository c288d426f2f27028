"""Detection of a page's items, and of totals, flags, links and cursors that point to more.

A walk that ends after one page although there are more is an error that shows nowhere else, so the
first page is read for evidence that it is not the only one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from sessionkit.errors import PaginationNotDetected, SessionKitError
from sessionkit.headers._link import parse_links
from sessionkit.paging._base import as_count, is_false_flag
from sessionkit.paging._counted import PageNumber
from sessionkit.paging._links import href_of, looks_like_url
from sessionkit.paging._paths import Found, find, locate, pointer_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sessionkit.paging._base import Page, PageRequest, PageResponse, Paginator
    from sessionkit.paging._paths import JsonPath
    from sessionkit.paging._walk import FetchedPage, WalkOptions

    Items: TypeAlias = JsonPath | Callable[[Any], Iterable[Any]] | None

_USUAL_LISTS = ("results", "items", "data", "objects", "value", "records", "entries")
_EMBEDDED = "_embedded"
_MAX_NAMED_LISTS = 8

StopReason: TypeAlias = Literal["end", "max_items", "max_pages"]

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
    usual = [Found(pointer_to((name,)), members[name]) for name in _USUAL_LISTS if name in members]
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


class MoreEvidence(NamedTuple):
    """Something on a page that says that another one follows, and how to follow it."""

    what: str
    cure: str


class CompletenessCheck:
    """Check that one walk gave all rows that the server says there are.

    Belongs to one iterator, hence to one thread at a time.

    Args:
        options: How the walk goes.
        first: Its first request, as the paginator made it.

    Attributes:
        total: How many items there are on all pages; None until a page says.
    """

    __slots__ = ("_after_first", "_counts", "_disproved", "_evidence", "_options", "total")

    def __init__(self, options: WalkOptions, first: PageRequest) -> None:
        self.total: int | None = None
        self._options = options
        self._after_first = starts_after_first(first, options.paginator)
        self._counts = not self._after_first and not callable(options.items)
        self._evidence: MoreEvidence | None = None
        self._disproved = False

    def read(self, fetched: FetchedPage, number: int, *, is_cut: bool) -> int | None:
        """Return how many items there are, as far as page *number* says.

        Args:
            fetched: The page.
            number: Its number in this walk, from 1.
            is_cut: Whether the caller's ``max_items`` ends the walk on it.

        Raises:
            PaginationNotDetected: It is the first page and the last, and there are more.
        """
        page, paginator = fetched.page, self._options.paginator
        is_last = fetched.next is None
        total = read_total(page, getattr(paginator, "total", None), is_last=is_last)
        self.total = self.total if total is None else total
        if is_last:
            known = self.total if self._counts else None
            if number == 1:
                flag = getattr(paginator, "has_more", None)
                self._evidence = evidence_of_more(
                    page, flag, total=known, after_first=self._after_first
                )
            else:
                self._evidence = missing_rows(page, known)
            self._disproved = (self.total or 0) > page.items_seen and not self._after_first
        if number == 1 and not is_cut:
            self._refuse_end(number)
        return total

    def stop_reason(self, page: Page[Any], rows: int, left: int | None) -> StopReason | None:
        """Return why the walk ends after *page*, which had so many *rows*; None if it goes on.

        Raises:
            PaginationNotDetected: The paginator is at its end, and rows are missing.
        """
        if page.next is None and len(page.items) == rows and self._evidence is None:
            # The server's own flag, or a function that picks rows, speaks against the number.
            self.total = None if self._disproved else self.total
            return "end"
        if left == 0:
            return "max_items"
        if page.number == self._options.max_pages:
            return "max_pages"
        try:
            self._refuse_end(page.number)
        except SessionKitError as error:
            error.complete(response=page.response)
            raise
        return None

    def _refuse_end(self, number: int) -> None:
        evidence, options = self._evidence, self._options
        if evidence is None or number == options.max_pages:
            return
        where = "the first" if number == 1 else f"page {number}"
        limit = "1 if one page is" if number == 1 else f"{number} if these pages are"
        raise PaginationNotDetected(
            f"{options.paginator!r} finds no page after {where}, but {evidence.what}",
            hint=f"{evidence.cure}; or max_pages={limit} all that is wanted",
        )


def read_total(page: PageResponse, path: JsonPath | None, *, is_last: bool) -> int | None:
    """Return how many items there are on all pages, as far as this page says.

    Args:
        page: The page.
        path: Where the document says; without it ``X-Total-Count``, ``X-Total`` and members of
            the usual names are read. A number that this very walk disproves is dropped: some
            servers count the items of the page; and so is a ``total`` that may be a price, since
            nothing that belongs to pages stands beside it.
        is_last: Whether no page follows.
    """
    if path is not None:
        return as_count(page.find(path))
    for total in _totals(page):
        if total > page.items_seen or (is_last and total == page.items_seen):
            return total
    return None


def evidence_of_more(
    page: PageResponse, flag: JsonPath | None, *, total: int | None, after_first: bool = False
) -> MoreEvidence | None:
    """Return what on this first page says that another one follows; None for nothing.

    A flag that says no is believed before anything else.

    Args:
        page: The first page of a walk.
        flag: Where the document has such a flag; without it the usual names are looked for.
        total: How many items there are, if missing rows can be known by it.
        after_first: Whether the walk began after the first row.
    """
    flags = _flags(page.document, flag)
    if any(is_false_flag(value) for value in flags):
        return None
    evidence = _next_url(page) or _next_cursor(page.document) or missing_rows(page, total)
    if evidence is None and not after_first:
        evidence = _page_count(page.document)
    if evidence is None and flags:
        evidence = MoreEvidence("a flag says so", "name the way on by paginator=")
    return evidence


def missing_rows(page: PageResponse, total: int | None) -> MoreEvidence | None:
    """Return the evidence, at the end of a walk, that fewer rows came than there are.

    A flag that says that nothing follows is not asked here: rows may be missing before, as of a
    server that counts its pages from 0.

    Args:
        page: The last page.
        total: How many items there are, if missing rows can be known by it.
    """
    if total is None or total <= page.items_seen:
        return None
    what = f"the server tells of {total} items and {page.items_seen} came"
    return MoreEvidence(
        what, "paginator=PageNumber() or Offset(), with the names that this API has"
    )


def starts_after_first(first: PageRequest, paginator: Paginator) -> bool:
    """Return whether a walk may begin after the first row, so that a total proves nothing.

    Args:
        first: The first request, as *paginator* made it.
        paginator: What names the next ones.
    """
    start = getattr(paginator, "start", None)
    # A page number starts at 1 or 0 with the first row; any other start is after it.
    is_number = isinstance(paginator, PageNumber)
    if not is_number and start not in (None, 0):
        return True
    lowest_page = 0 if is_number and start == 0 else 1
    pairs: list[tuple[str, Any]] = [
        *parse_qsl(first.url.partition("?")[2], keep_blank_values=True),
        *(first.params or {}).items(),
    ]
    for name, value in pairs:
        if value in (None, "") or _SIZE.search(name) or not _POSITION.search(name):
            continue
        number = as_count(value)
        if number is None or number > (lowest_page if _COUNTED_FROM_ONE.search(name) else 0):
            return True
    return False


def _flags(document: Any, path: JsonPath | None) -> list[Any]:
    if path is not None and (found := locate(document, path)) is not None:
        return [found.value]
    flags = [value for _, value in _members(document, _FLAGS, _ENVELOPES)]
    # Only true and false: "last" may as well be a name, a link or a number.
    lasts = [value for _, value in _members(document, _LAST_FLAGS, _ENVELOPES)]
    return flags + [not value for value in lasts if isinstance(value, bool)]


def _next_url(page: PageResponse) -> MoreEvidence | None:
    for link in parse_links(page.response.headers.get("Link", "")):
        if "next" in link.relations and link.anchor is None:
            return MoreEvidence("the Link header has rel='next'", "paginator=LinkHeader()")
    for pointer, value in _members(page.document, _URLS, _LINK_ENVELOPES):
        target = href_of(value)
        if isinstance(target, str) and looks_like_url(target):
            return MoreEvidence(f"{pointer!r} holds a URL", f"paginator=NextUrl({pointer!r})")
    return None


def _next_cursor(document: Any) -> MoreEvidence | None:
    for pointer, value in _members(document, _CURSORS, _ENVELOPES):
        if isinstance(value, str | int) and value:
            return MoreEvidence(
                f"{pointer!r} holds a cursor", f"paginator=Cursor({pointer!r}, param=...)"
            )
    for pointer, value in _members(document, _NUMBERS, _ENVELOPES):
        if as_count(value):
            return MoreEvidence(f"{pointer!r} holds a number", "paginator=PageNumber()")
    return None


def _page_count(document: Any) -> MoreEvidence | None:
    current = [as_count(value) for _, value in _members(document, _CURRENT, _ENVELOPES)]
    for pointer, value in _members(document, _LAST, _ENVELOPES):
        pages = as_count(value)
        if pages is None or pages < 2 or any(n is not None and n >= pages for n in current):
            continue
        return MoreEvidence(f"{pointer!r} tells of {pages} pages", "paginator=PageNumber()")
    return None


def _totals(page: PageResponse) -> Iterator[int]:
    for name in _TOTAL_HEADERS:
        if (total := as_count(page.response.headers.get(name))) is not None:
            yield total
    document = page.document
    has_position = any(
        as_count(value) is not None for _, value in _members(document, _POSITIONS, _ENVELOPES)
    )
    for pointer, value in _members(document, _TOTALS, _ENVELOPES):
        # Text of digits may be anything, also a price.
        if not isinstance(value, int) or (pointer == "/total" and not has_position):
            continue
        if (total := as_count(value)) is not None:
            yield total


def _members(
    document: Any, names: tuple[str, ...], envelopes: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of *names* in the document, then inside of *envelopes*."""
    if not isinstance(document, dict):
        return
    paths = [(), *((name,) for name in envelopes), *(("meta", name) for name in _NESTED)]
    for keys in paths:
        inner = find(document, keys)
        for name in names:
            if isinstance(inner, dict) and name in inner:
                yield pointer_to((*keys, name)), inner[name]
