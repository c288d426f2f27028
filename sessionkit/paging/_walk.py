"""One walk over pages: it sends page requests one by one, each checked, and reads the responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sessionkit import _checks as checks
from sessionkit.errors import (
    ClientError,
    ConfigError,
    DecodeError,
    PagesStalled,
    ServerError,
    SessionKitError,
    StatusError,
    UnexpectedStatus,
)
from sessionkit.paging._base import PageRequest, PageResponse
from sessionkit.paging._detect import rows_of
from sessionkit.paging._links import LinkHeader
from sessionkit.paging._loop_guard import LoopGuard
from sessionkit.paging._paths import check_json_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit.paging._base import Paginator
    from sessionkit.paging._detect import Items

MAX_EMPTY_PAGES = 50
"""So many empty pages in a row, each with a next one, and a walk is given up."""

_NO_BODY = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT))


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How to walk over pages: what the caller asked for, checked. Immutable.

    Args:
        paginator: Names the request after each page; by default the ``Link`` header does.
        items: Where the items of a page are; a function of the document that returns all of them;
            or None to find the only list there can be.
        max_items: Items at most; None for all.
        max_pages: Pages at most; None for all.

    Raises:
        ConfigError: A setting that cannot be meant.
    """

    paginator: Paginator = field(default_factory=LinkHeader)
    items: Items = None
    max_items: int | None = None
    max_pages: int | None = None

    def __post_init__(self) -> None:
        _check_paginator(self.paginator)
        if self.items is not None and not callable(self.items):
            check_json_path(self.items)
        if self.max_items is not None:
            checks.count("max_items", self.max_items, minimum=0)
        if self.max_pages is not None:
            checks.count("max_pages", self.max_pages, minimum=1)


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page as it was fetched: the response, the JSON Pointer of its rows, the next request."""

    page: PageResponse
    pointer: str
    next: PageRequest | None


class PageWalk:
    """Pages one after the other. Belongs to one iterator, hence to one thread at a time.

    Args:
        send: Sends one page request and returns the response.
        start: The caller's first request.
        options: Where the items of a page are, and what names the next request.
    """

    __slots__ = ("_empty", "_guard", "_items", "_paginator", "_rows", "_seen", "_send", "number")

    def __init__(
        self, send: Callable[[PageRequest], Response], start: PageRequest, options: WalkOptions
    ) -> None:
        self.number = 0
        self._send = send
        self._paginator = options.paginator
        self._items = options.items
        self._guard = LoopGuard(start.url)
        self._rows: list[Any] = []
        self._seen = 0
        self._empty = 0

    def fetch(self, request: PageRequest) -> FetchedPage:
        """Return the page of *request*; nothing is sent if it must not be.

        Raises:
            PageLoop: *request* was sent before, or its rows are those of the page before.
            CrossOriginPage: It leads to another origin.
            PagesStalled: Too many empty pages came in a row.
            PaginationNotDetected: There are no items where they should be, or no way on.
            StatusError: The response is an error, and no handler of the stack raised it.
            DecodeError: The response is no JSON.
            ConfigError: The paginator returned something else than a PageRequest.
        """
        self._check_progress(request)
        request = self._guard.check(request, self.number + 1)
        response = self._send(request)
        self.number += 1
        self._guard.record(request, response, self.number)
        try:
            return self._read(request, response)
        except SessionKitError as error:
            error.complete(response=response)
            raise

    def _check_progress(self, request: PageRequest) -> None:
        if self._empty >= MAX_EMPTY_PAGES:
            raise PagesStalled(
                f"{self._empty} pages in a row were empty, and each named a next one",
                hint="check the filter of the request, and the paginator's path",
                method=request.method,
            )

    def _read(self, request: PageRequest, response: Response) -> FetchedPage:
        body = _read_document(response, self.number)
        pointer, rows = rows_of(body, self._items)
        self._seen += len(rows)
        self._empty = 0 if rows else self._empty + 1
        # Plain values may well come twice; objects of one page that all come again do not.
        repeats = any(isinstance(row, dict) for row in rows) and rows == self._rows
        self._rows = rows
        page = PageResponse(request, response, body, rows, items_seen=self._seen, is_repeat=repeats)
        following: object = self._paginator.next_request(page)
        if following is not None and not isinstance(following, PageRequest):
            # Its type alone: a text would be a URL or a cursor, which may hold a key.
            raise ConfigError(
                f"next_request of {self._paginator!r} must return a PageRequest or None, "
                f"not {type(following).__name__}",
                hint="derive it: page.request.with_params(...) or page.request.with_url(url)",
            )
        return FetchedPage(page, pointer, following)


def _check_paginator(paginator: object) -> None:
    methods = ("first_request", "next_request")
    if isinstance(paginator, type) or not all(
        callable(getattr(paginator, n, None)) for n in methods
    ):
        raise ConfigError(
            f"{paginator!r} is no paginator, which has first_request and next_request",
            hint="give an object such as LinkHeader() or PageNumber('page')",
        )


def _read_document(response: Response, number: int) -> Any:
    _check_status(response, number)
    if response.status_code in _NO_BODY:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        if isinstance(error, SessionKitError):
            raise
        raise DecodeError(f"page {number} is no JSON") from error


def _check_status(response: Response, number: int) -> None:
    # A stack without an error handler returns whatever came; as a page it would be lost rows.
    status = response.status_code
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    kind: type[StatusError] = UnexpectedStatus
    if status >= HTTPStatus.BAD_REQUEST:
        kind = ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ClientError
    raise kind(f"{status} {response.reason or ''}".strip() + f" instead of page {number}")
