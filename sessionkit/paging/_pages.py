"""All items of a paged resource, fetched page by page as they are iterated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sessionkit.errors import ConfigError, SessionKitError
from sessionkit.paging._base import Page, PageRequest
from sessionkit.paging._detect import CompletenessCheck
from sessionkit.paging._walk import PageWalk, WalkOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    from sessionkit.paging._base import Paginator
    from sessionkit.paging._detect import StopReason
    from sessionkit.paging._walk import FetchedPage

T = TypeVar("T")

_MAX_LENGTH_HINT = 1_000_000


class Pages(Generic[T]):
    """All items of a paged resource; nothing is asked for until they are iterated.

    Iterating gives items, :meth:`pages` gives pages. Each iteration is a walk of its own from the
    start, and asks for a page only when the one before has been used up. A walk that reaches
    ``max_items`` or ``max_pages`` ends without an error; :attr:`stop_reason` says which.

    Thread-safe, while each iterator belongs to one thread; :attr:`total` and
    :attr:`stop_reason` are those of the walk that moved last.

    Args:
        send: Sends one page request and returns the response.
        start: The first request.
        options: How to walk; by default along the Link header, to the end.
        load: Makes the caller's object of one item and the JSON Pointer of its place, such as
            ``/items/3``; None leaves items as they are.
    """

    def __init__(
        self,
        send: Callable[[PageRequest], Response],
        start: PageRequest,
        *,
        options: WalkOptions | None = None,
        load: Callable[[Any, str], T] | None = None,
    ) -> None:
        self._send = send
        self._start = start
        self._options = options or WalkOptions()
        self._load = load
        self._total: int | None = None
        self._stop_reason: StopReason | None = None

    @property
    def total(self) -> int | None:
        """How many items there are on all pages, whatever ``max_items``; None until a page says.

        A walk that came to its end has given as many, unless it began after the first.
        """
        return self._total

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the walk ended; None before its end, and after an error.

        ``end``: there was no further page. ``max_items`` and ``max_pages``: the caller's limit was
        reached, and there was more to come.
        """
        return self._stop_reason

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[T]]:
        """Walk page by page; the last one holds no more than ``max_items`` allows.

        Raises:
            PageLoop: The next request would be one that was sent before, or rows came again.
            CrossOriginPage: The next page is on another origin; nothing was sent there.
            PaginationNotDetected: The items or the next page cannot be detected; or, at the end,
                there were fewer items than the server says there are.
            ConfigError: The paginator returned something else than a PageRequest.
            PagesStalled: 50 empty pages came in a row.
            DecodeError: A page is no JSON.
            StatusError: The response is an error.
        """
        self._stop_reason = self._total = None
        options, left = self._options, self._options.max_items
        walk = PageWalk(self._send, self._start, options)
        first = _first_request(options.paginator, self._start)
        check = CompletenessCheck(options, first)
        request: PageRequest | None = first
        stop_reason: StopReason | None = "max_items" if left == 0 else None
        while request is not None and stop_reason is None:
            fetched = walk.fetch(request)
            page = self._page(fetched, check, number=walk.number, left=left)
            left = None if left is None else left - len(page.items)
            yield page
            request = page.next
            stop_reason = check.stop_reason(page, len(fetched.page.rows), left)
            self._total = check.total
        self._stop_reason = stop_reason

    def first(self) -> T | None:
        """Return the first item of a new walk, and None if there is none.

        Pages are asked for until one has an item, and none after it.
        """
        plan = replace(self._options, max_items=1)
        return next(iter(Pages(self._send, self._start, options=plan, load=self._load)), None)

    def __length_hint__(self) -> int:
        if self._total is None:
            # What operator.length_hint takes for "unknown", as it takes NotImplemented.
            raise TypeError("no page has given the total yet")
        # list() makes room for so many at once, on a server's word.
        limit = _MAX_LENGTH_HINT if self._options.max_items is None else self._options.max_items
        return min(self._total, limit, _MAX_LENGTH_HINT)

    def __repr__(self) -> str:
        return f"<Pages of {self._start!r} by {self._options.paginator!r}>"

    def _page(
        self, fetched: FetchedPage, check: CompletenessCheck, *, number: int, left: int | None
    ) -> Page[T]:
        page = fetched.page
        rows = page.rows if left is None else page.rows[:left]
        try:
            total = check.read(fetched, number, is_cut=len(rows) == left)
            items = self._load_items(rows, fetched.pointer)
        except SessionKitError as error:
            error.complete(response=page.response)
            raise
        finally:
            self._total = check.total
        return Page(items, number, page.request, fetched.next, total, page.response, page.document)

    def _load_items(self, rows: list[Any], pointer: str) -> list[T]:
        if self._load is None:
            return rows
        if (many := getattr(self._load, "many", None)) is not None:
            # The mapping engine makes a page of objects in one go, several times as fast.
            loaded: list[T] = many(rows, pointer)
            return loaded
        items: list[T] = []
        for index, row in enumerate(rows):
            try:
                items.append(self._load(row, f"{pointer}/{index}"))
            except SessionKitError as error:
                error.complete(index=index)
                raise
        return items


def _first_request(paginator: Paginator, start: PageRequest) -> PageRequest:
    request: object = paginator.first_request(start)
    if not isinstance(request, PageRequest):
        raise ConfigError(
            f"first_request of {paginator!r} must return a PageRequest, "
            f"not {type(request).__name__}"
        )
    return request
