"""The pages of a resource as the caller holds them: lazy, and under the caller's own ceilings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from sessionkit.errors import ConfigError, PaginationNotDetected, SessionKitError
from sessionkit.paging._base import Page, Step, check_number
from sessionkit.paging._detect import sign_of_gap, sign_of_more, starts_inside, told_total
from sessionkit.paging._links import LinkHeader
from sessionkit.paging._paths import check_place
from sessionkit.paging._walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    from sessionkit.paging._base import Paginator
    from sessionkit.paging._detect import Sign
    from sessionkit.paging._rows import Items
    from sessionkit.paging._walk import Stage

T = TypeVar("T")
Stopped: TypeAlias = Literal["end", "limit", "max_pages"]

_LARGEST_HINT = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How to walk: what the caller asked for, checked. Immutable.

    Args:
        paginator: The way from page to page.
        items: Where the items of a page are; a function of the document that returns all of them;
            or None to find the only list there can be.
        limit: Items at most; None for all.
        max_pages: Pages at most; None for all.

    Raises:
        ConfigError: A setting that cannot be meant.
    """

    paginator: Paginator = field(default_factory=LinkHeader)
    items: Items = None
    limit: int | None = None
    max_pages: int | None = None

    def __post_init__(self) -> None:
        _check_paginator(self.paginator)
        if self.items is not None and not callable(self.items):
            check_place(self.items)
        if self.limit is not None:
            check_number("limit", self.limit, least=0)
        if self.max_pages is not None:
            check_number("max_pages", self.max_pages, least=1)


class Pages(Generic[T]):
    """All items of a paged resource; nothing is asked for until they are iterated.

    Iterating gives items, :meth:`pages` gives pages. Each iteration is a walk of its own from the
    start, and asks for a page only when the one before has been used up. ``limit`` and
    ``max_pages`` are the caller's own ceilings: reaching one ends the walk quietly, and
    :attr:`stopped` tells.

    Thread-safe, while each iterator belongs to one thread; :attr:`total` and :attr:`stopped`
    speak of the walk that came by last.

    Args:
        send: Sends one step and returns the response.
        start: The first request.
        plan: How to walk; by default along the Link header, to the end.
        load: Makes the caller's object of one item and the JSON Pointer of its place, such as
            ``/items/3``; None leaves items as they are.
    """

    def __init__(
        self,
        send: Callable[[Step], Response],
        start: Step,
        *,
        plan: Plan | None = None,
        load: Callable[[Any, str], T] | None = None,
    ) -> None:
        self._send = send
        self._start = start
        self._plan = plan or Plan()
        self._load = load
        self._total: int | None = None
        self._stopped: Stopped | None = None

    @property
    def total(self) -> int | None:
        """How many items there are on all pages, whatever the limit; None until a page told.

        A walk that came to its end has shown as many, or else begun in the middle.
        """
        return self._total

    @property
    def stopped(self) -> Stopped | None:
        """Why the walk ended; None before its end, and after an error.

        ``end``: there was no further page. ``limit`` and ``max_pages``: the caller's ceiling was
        reached, and there was more to come.
        """
        return self._stopped

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            yield from page.items

    def pages(self) -> Iterator[Page[T]]:
        """Walk page by page; the last one holds no more than *limit* allows.

        Raises:
            PageLoop: The next request would be one that was sent before, or rows came again.
            CrossOriginPage: The next page is on another origin; nothing was sent there.
            PaginationNotDetected: Items or the way on cannot be told; or, after all items that
                came, they are fewer than the server told of.
            ConfigError: The paginator named something else than a step.
            PagesStalled: 50 empty pages came in a row.
            DecodeError: A page is no JSON.
            StatusError: The answer is an error.
        """
        self._stopped = self._total = None
        plan, left = self._plan, self._plan.limit
        walk = Walk(self._send, self._start, paginator=plan.paginator, items=plan.items)
        opened = _opened(plan.paginator, self._start)
        check = _Check(plan, inside=starts_inside(opened, plan.paginator))
        step: Step | None = opened
        stopped: Stopped | None = "limit" if left == 0 else None
        while step is not None and stopped is None:
            stage = walk.ask(step)
            page = self._page(stage, check, number=walk.number, left=left)
            left = None if left is None else left - len(page.items)
            yield page
            step = page.next
            stopped = check.reason(page, len(stage.answer.rows), left)
            self._total = check.total
        self._stopped = stopped

    def first(self) -> T | None:
        """Return the first item of a new walk, and None if there is none.

        Pages are asked for until one has an item, and none after it.
        """
        plan = replace(self._plan, limit=1)
        return next(iter(Pages(self._send, self._start, plan=plan, load=self._load)), None)

    def __length_hint__(self) -> int:
        if self._total is None:
            # What operator.length_hint takes for "unknown", as it takes NotImplemented.
            raise TypeError("no page has told the total yet")
        # list() makes room for so many at once, on a server's word.
        limit = _LARGEST_HINT if self._plan.limit is None else self._plan.limit
        return min(self._total, limit, _LARGEST_HINT)

    def __repr__(self) -> str:
        return f"<Pages of {self._start!r} by {self._plan.paginator!r}>"

    def _page(self, stage: Stage, check: _Check, *, number: int, left: int | None) -> Page[T]:
        answer = stage.answer
        try:
            total = check.read(stage, number)
            self._total = check.total
            if number == 1 and (left is None or left > len(answer.rows)):
                check.refuse_more(number)
            items = self._loaded(answer.rows[:left], stage.pointer)
        except SessionKitError as error:
            error.complete(response=answer.response)
            raise
        return Page(items, number, answer.step, stage.next, total, answer.response, answer.body)

    def _loaded(self, rows: list[Any], pointer: str) -> list[T]:
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


class _Check:
    """Whether one walk has shown all rows that the server told of. Belongs to one iterator.

    Args:
        plan: How the walk goes.
        inside: Whether it began behind the first row.
    """

    __slots__ = ("_counts", "_disproved", "_inside", "_plan", "_sign", "total")

    def __init__(self, plan: Plan, *, inside: bool) -> None:
        self.total: int | None = None
        self._plan = plan
        self._inside = inside
        self._counts = not inside and not callable(plan.items)
        self._sign: Sign | None = None
        self._disproved = False

    def read(self, stage: Stage, number: int) -> int | None:
        """Take in what a page says, and return how many items it tells of."""
        answer, paginator = stage.answer, self._plan.paginator
        ends = stage.next is None
        told = told_total(answer, getattr(paginator, "total", None), last=ends)
        self.total = self.total if told is None else told
        if ends:
            total = self.total if self._counts else None
            if number == 1:
                more = getattr(paginator, "more", None)
                self._sign = sign_of_more(answer, more, total=total, inside=self._inside)
            else:
                self._sign = sign_of_gap(answer, total)
            self._disproved = (self.total or 0) > answer.seen and not self._inside
        return told

    def refuse_more(self, number: int) -> None:
        """Refuse to end after page *number*, if there is more and no ceiling asked for the end.

        Raises:
            PaginationNotDetected: Rows would be missing.
        """
        sign, plan = self._sign, self._plan
        if sign is None or number == plan.max_pages:
            return
        where = "the first" if number == 1 else f"page {number}"
        ceiling = "1 if one page is" if number == 1 else f"{number} if these pages are"
        raise PaginationNotDetected(
            f"{plan.paginator!r} finds no page after {where}, but {sign.what}",
            hint=f"{sign.cure}; or max_pages={ceiling} all that is wanted",
        )

    def reason(self, page: Page[Any], rows: int, left: int | None) -> Stopped | None:
        """Return why the walk ends after *page*, of which there were *rows*; None if it goes on.

        Raises:
            PaginationNotDetected: The paginator is at its end, and rows are missing.
        """
        if page.next is None and len(page.items) == rows and self._sign is None:
            # The server's own flag, or a function that picks rows, speaks against the number.
            self.total = None if self._disproved else self.total
            return "end"
        if left == 0:
            return "limit"
        if page.number == self._plan.max_pages:
            return "max_pages"
        try:
            self.refuse_more(page.number)
        except SessionKitError as error:
            error.complete(response=page.response)
            raise
        return None


def _check_paginator(paginator: object) -> None:
    methods = ("first_step", "next_step")
    if isinstance(paginator, type) or not all(
        callable(getattr(paginator, n, None)) for n in methods
    ):
        raise ConfigError(
            f"{paginator!r} is no paginator, which has first_step and next_step",
            hint="give an object such as LinkHeader() or PageNumber('page')",
        )


def _opened(paginator: Paginator, start: Step) -> Step:
    step: object = paginator.first_step(start)
    if not isinstance(step, Step):
        raise ConfigError(
            f"first_step of {paginator!r} must return a Step, not {type(step).__name__}"
        )
    return step
