"""The pages of a resource as the caller holds them: lazy, and under the caller's own ceilings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from sessionkit.errors import ConfigError, PagesUndetected, SessionKitError
from sessionkit.paging._base import Page, check_number
from sessionkit.paging._detect import sign_of_more, told_total
from sessionkit.paging._links import LinkHeader
from sessionkit.paging._paths import check_place
from sessionkit.paging._walk import Walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    from sessionkit.paging._base import Paginator, Step
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
        if isinstance(self.paginator, type) or not hasattr(self.paginator, "next_step"):
            raise ConfigError(
                f"{self.paginator!r} is no paginator",
                hint="give an object such as LinkHeader() or PageNumber('page')",
            )
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
        """How many items there are on all pages, whatever the limit; None until a page told."""
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
            ForeignPage: The next page is on another origin; nothing was sent there.
            PagesUndetected: Items or the way on cannot be told.
            PagesStalled: 50 empty pages came in a row.
            DecodeError: A page is no JSON.
            StatusError: The answer is an error.
        """
        self._stopped = None
        plan, left = self._plan, self._plan.limit
        walk = Walk(self._send, self._start, paginator=plan.paginator, items=plan.items)
        step: Step | None = plan.paginator.first_step(self._start)
        stopped: Stopped | None = "limit" if left == 0 else None
        while step is not None and stopped is None:
            stage = walk.ask(step)
            rows = len(stage.answer.rows)
            page = self._page(stage, number=walk.number, left=left)
            left = None if left is None else left - len(page.items)
            yield page
            step = page.next
            if step is None and len(page.items) == rows:
                stopped = "end"
            elif left == 0:
                stopped = "limit"
            elif walk.number == plan.max_pages:
                stopped = "max_pages"
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

    def _page(self, stage: Stage, *, number: int, left: int | None) -> Page[T]:
        answer = stage.answer
        place = getattr(self._plan.paginator, "total", None)
        total = told_total(answer, place, last=stage.next is None)
        self._total = self._total if total is None else total
        try:
            if stage.next is None and number == 1 and (left is None or left > len(answer.rows)):
                self._check_alone(stage)
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

    def _check_alone(self, stage: Stage) -> None:
        """Refuse a first page without a next one, which says itself that there is one."""
        plan = self._plan
        more = getattr(plan.paginator, "more", None)
        sign = sign_of_more(stage.answer, more, counts=not callable(plan.items))
        if sign is not None and plan.max_pages != 1:
            raise PagesUndetected(
                f"{plan.paginator!r} finds no page after the first, but {sign.what}",
                hint=f"{sign.cure}; or max_pages=1 if one page is all that is wanted",
            )
