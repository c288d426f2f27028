"""Pages as the caller holds them."""

from __future__ import annotations

import operator
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest

from sessionkit.errors import ConfigError, MappingError, PageLoop, PaginationNotDetected
from sessionkit.paging import (
    Cursor,
    LinkHeader,
    NextUrl,
    Offset,
    Page,
    PageNumber,
    PageRequest,
    PageResponse,
    Pages,
    Paginator,
)
from sessionkit.paging._walk import WalkOptions
from tests.support.servers.paged import Ask, Paper, Sender, in_turn


def listing(size: int, total: int = 7, **extra: Any) -> Sender:
    """Serve rows 1 to *total*, *size* on a page, the next one by its URL."""

    def page(ask: Ask) -> Paper:
        number = int(ask.query.get("page", "1"))
        rows = list(range(1, total + 1))[(number - 1) * size : number * size]
        more = number * size < total
        return Paper({"items": rows, "next": f"?page={number + 1}" if more else None, **extra})

    return Sender(page)


def pages_of(sender: Sender, **options: Any) -> Pages[Any]:
    return Pages(sender, PageRequest("orders"), options=WalkOptions(NextUrl(), **options))


def test_iterating_gives_every_item_of_every_page() -> None:
    """One loop, and nothing is missing or doubled."""
    pages = pages_of(listing(3))

    assert list(pages) == [1, 2, 3, 4, 5, 6, 7]
    assert pages.stop_reason == "end"


def test_nothing_is_asked_before_it_is_needed() -> None:
    """Holding pages costs nothing, and page 2 is asked for when page 1 is used up."""
    sender = listing(3)
    items = iter(pages_of(sender))
    assert sender.requests == []

    assert list(islice(items, 3)) == [1, 2, 3]
    assert len(sender.requests) == 1
    assert next(items) == 4
    assert len(sender.requests) == 2


def test_iterating_twice_starts_twice() -> None:
    """Pages are no one-shot iterator: the second loop is as good as the first."""
    sender = listing(4)
    pages = pages_of(sender)

    assert list(pages) == list(pages)
    assert len(sender.requests) == 4


def test_two_iterators_do_not_disturb_each_other() -> None:
    """Each iteration is a walk of its own."""
    pages = pages_of(listing(2))

    assert list(zip(pages, pages, strict=True)) == [(n, n) for n in range(1, 8)]


def test_pages_come_with_all_that_belongs_to_them() -> None:
    """Numbers, steps, totals and responses are at hand where a program works page by page."""
    first, second = pages_of(listing(4, meta={"total": 7})).pages()

    assert (first.number, first.items, first.total) == (1, [1, 2, 3, 4], 7)
    assert first.request == PageRequest("orders")
    assert first.next == second.request == PageRequest("https://api.example/v1/orders?page=2")
    assert first.response.url == "https://api.example/v1/orders"
    assert first.document["meta"] == {"total": 7}
    assert (second.number, second.items, second.next) == (2, [5, 6, 7], None)


@pytest.mark.parametrize(
    ("max_items", "requests", "stopped"),
    [
        (1, 1, "max_items"),
        (3, 1, "max_items"),
        (4, 2, "max_items"),
        (6, 2, "max_items"),
        (7, 3, "end"),
        (9, 3, "end"),
    ],
)
def test_the_limit_ends_the_walk_without_another_request(
    max_items: int, requests: int, stopped: str
) -> None:
    """A sample costs the pages that it takes, and says whether it was all there is."""
    sender = listing(3)
    pages = pages_of(sender, max_items=max_items)

    assert list(pages) == [1, 2, 3, 4, 5, 6, 7][:max_items]
    assert len(sender.requests) == requests
    assert pages.stop_reason == stopped


def test_a_limit_of_nothing_asks_for_nothing() -> None:
    """A computed limit of 0 needs no special case."""
    sender = listing(3)
    pages = pages_of(sender, max_items=0)

    assert list(pages) == []
    assert sender.requests == []
    assert pages.stop_reason == "max_items"


def test_the_last_page_is_cut_to_the_limit() -> None:
    """Who works page by page gets no item too many either."""
    assert [page.items for page in pages_of(listing(3), max_items=5).pages()] == [[1, 2, 3], [4, 5]]


def test_a_limit_inside_the_last_page_is_a_limit() -> None:
    """There was more to come, though no further page."""
    pages = pages_of(listing(9), max_items=5)

    assert (list(pages), pages.stop_reason) == ([1, 2, 3, 4, 5], "max_items")


@pytest.mark.parametrize(
    ("most", "items", "stopped"),
    [(1, 3, "max_pages"), (2, 6, "max_pages"), (3, 7, "end"), (4, 7, "end")],
)
def test_the_ceiling_of_pages_ends_the_walk_quietly(most: int, items: int, stopped: str) -> None:
    """The caller's own ceiling is no error, and says whether there was more."""
    pages = pages_of(listing(3), max_pages=most)

    assert len(list(pages)) == items
    assert pages.stop_reason == stopped


def test_nothing_is_told_before_the_end() -> None:
    """``stop_reason`` is None while a walk is under way, also the second time."""
    pages = pages_of(listing(3))
    assert pages.stop_reason is None
    list(pages)
    items = iter(pages)
    next(items)

    assert pages.stop_reason is None


def test_an_explicit_next_page_beats_an_empty_one() -> None:
    """A filtered page without rows loses none of the pages behind it."""
    sender = in_turn(
        Paper({"items": [1], "next": "?page=2"}),
        Paper({"items": [], "next": "?page=3"}),
        Paper({"items": [2], "next": None}),
    )

    assert list(pages_of(sender)) == [1, 2]


@pytest.mark.parametrize(("cursors", "page"), [("AA", 2), ("ABA", 2), ("ABCA", 2), ("ABCDB", 3)])
def test_a_loop_of_any_length_ends_before_it_is_sent(cursors: str, page: int) -> None:
    """Cursors that come again are found out whatever lies between."""
    sender = in_turn(*(Paper({"items": [n], "next_cursor": c}) for n, c in enumerate(cursors)))
    got: list[int] = []

    with pytest.raises(PageLoop, match=f"the request of page {page} again"):
        got.extend(Pages[int](sender, PageRequest("orders"), options=WalkOptions(Cursor())))
    assert got == list(range(len(cursors)))
    assert len(sender.requests) == len(cursors)


def test_the_items_before_an_error_are_delivered() -> None:
    """What came in good order is not lost with what did not."""
    sender = in_turn(Paper({"items": [1, 2], "next": "https://evil.example/"}))
    pages = pages_of(sender)
    items = iter(pages)

    assert list(islice(items, 2)) == [1, 2]
    with pytest.raises(Exception, match=r"evil\.example"):
        next(items)
    assert pages.stop_reason is None


@dataclass(frozen=True)
class Order:
    id: int


def order(raw: Any, place: str) -> Order:
    """Stand in for the mapping engine."""
    if not isinstance(raw, int):
        raise MappingError(f"no number at {place}")
    return Order(raw)


def test_items_become_the_callers_own_objects() -> None:
    """What comes out is what ``into=`` asked for, also page by page."""
    pages = Pages(listing(3), PageRequest("orders"), options=WalkOptions(NextUrl()), load=order)

    assert list(pages)[:4] == [Order(1), Order(2), Order(3), Order(4)]
    assert next(pages.pages()).items == [Order(1), Order(2), Order(3)]


@pytest.mark.parametrize(
    ("body", "items", "place"),
    [
        ([1, "x"], None, "/1"),
        ({"items": [1, "x"]}, None, "/items/1"),
        ({"d": {"a/b": [1, "x"]}}, ("d", "a/b"), "/d/a~1b/1"),
    ],
)
def test_a_bad_item_is_named_by_its_place(body: object, items: Any, place: str) -> None:
    """The pointer leads to the very item in the document, and the error knows the request."""
    pages = Pages(
        in_turn(Paper(body)), PageRequest("orders"), options=WalkOptions(items=items), load=order
    )

    with pytest.raises(MappingError, match=f"no number at {place}") as caught:
        list(pages)
    assert caught.value.index == 1
    assert caught.value.url == "https://api.example/v1/orders"


def test_items_beyond_the_limit_are_not_mapped() -> None:
    """A bad row that nobody asked for stops nobody."""
    sender = in_turn(Paper([1, "x"]))

    assert list(
        Pages(sender, PageRequest("orders"), options=WalkOptions(max_items=1), load=order)
    ) == [Order(1)]


def test_the_first_item_costs_no_page_after_it() -> None:
    """Looking for one item reads no list to its end."""
    sender = listing(3)
    pages = pages_of(sender)

    assert pages.first() == 1
    assert len(sender.requests) == 1
    assert Pages(
        listing(3), PageRequest("orders"), options=WalkOptions(NextUrl()), load=order
    ).first() == Order(1)


def test_the_first_item_of_nothing_is_none() -> None:
    """An empty list is no error."""
    assert pages_of(listing(3, total=0)).first() is None


def test_the_first_item_may_stand_on_a_later_page() -> None:
    """An empty first page is not the end."""
    sender = in_turn(Paper({"items": [], "next": "?2"}), Paper({"items": [5]}))

    assert pages_of(sender).first() == 5


def test_the_total_is_none_until_a_page_tells_it() -> None:
    """No request is sent for a number."""
    sender = listing(3, total=7, count=7)
    pages = pages_of(sender, max_items=2)
    assert pages.total is None
    assert sender.requests == []

    list(pages)
    assert pages.total == 7


def test_a_page_that_tells_no_total_keeps_the_one_before() -> None:
    """Servers that count on page 1 only are enough for a progress bar."""
    sender = in_turn(Paper({"items": [1], "next": "?2", "count": 2}), Paper({"items": [2]}))
    pages = pages_of(sender)

    assert [page.total for page in pages.pages()] == [2, None]
    assert pages.total == 2


def test_the_place_of_the_total_is_the_paginators() -> None:
    """What ends the walk is also what ``total`` shows."""
    sender = in_turn(Paper({"items": [1], "all": 2, "total": 9}), Paper({"items": [2], "all": 2}))
    pages: Pages[int] = Pages(
        sender, PageRequest("orders"), options=WalkOptions(Offset(total="/all"))
    )

    assert (list(pages), pages.total, len(sender.requests)) == ([1, 2], 2, 2)


@pytest.mark.parametrize(
    ("total", "max_items", "hint"), [(7, None, 7), (7, 3, 3), (10**15, None, 1_000_000), (7, 9, 7)]
)
def test_the_length_is_hinted_and_never_promised(
    total: int, max_items: int | None, hint: int
) -> None:
    """``list()`` sends no request for it, and no server makes it reserve all memory."""
    sender = in_turn(Paper({"items": [1], "count": total, "next": "?2"}))
    pages = pages_of(sender, max_items=max_items)
    assert operator.length_hint(pages, 5) == 5
    assert sender.requests == []

    next(pages.pages())
    assert operator.length_hint(pages, 5) == hint
    assert not hasattr(pages, "__len__")


def test_a_list_cut_at_one_page_is_an_error_with_its_cure() -> None:
    """The default paginator on an API that pages otherwise loses no rows in silence."""
    sender = in_turn(Paper({"results": [1, 2], "count": 9, "next": "https://api.example/?page=2"}))
    pages: Pages[int] = Pages(sender, PageRequest("orders"))
    got: list[int] = []

    with pytest.raises(PaginationNotDetected, match=r"LinkHeader\(\) finds no page") as caught:
        got.extend(pages)
    assert got == []
    assert "paginator=NextUrl('/next')" in caught.value.hint
    assert caught.value.url == "https://api.example/v1/orders"


def by_offset(ask: Ask) -> Paper:
    at, size = int(ask.query.get("offset", 0)), int(ask.query.get("limit", 3))
    rows = list(range(1, 8))[at : at + size]
    return Paper({"items": rows, "total": 7, "offset": at, "limit": size})


def by_laravel(ask: Ask) -> Paper:
    number = int(ask.query.get("page", 1))
    meta = {"current_page": number, "last_page": 3, "per_page": 3, "total": 7}
    return Paper({"data": list(range(1, 8))[number * 3 - 3 : number * 3], "meta": meta})


def by_spring(ask: Ask) -> Paper:
    number = int(ask.query.get("page", 0))
    rows = list(range(1, 8))[number * 3 : number * 3 + 3]
    told = {"totalElements": 7, "totalPages": 3, "number": number, "size": 3, "last": number > 1}
    return Paper({"items": rows, **told})


SERVERS: list[tuple[Callable[[Ask], Paper], list[Paginator]]] = [
    (by_offset, [Offset(), Offset(2), Offset(total="/total"), Offset(5, total="/total")]),
    (by_laravel, [PageNumber(), PageNumber(total_pages="/meta/last_page")]),
    (by_spring, [PageNumber(start=0), PageNumber(start=0, total="totalElements")]),
]


@pytest.mark.parametrize("serve", [serve for serve, _ in SERVERS])
def test_a_page_that_tells_of_more_rows_is_not_taken_for_all(
    serve: Callable[[Ask], Paper],
) -> None:
    """The default walk on the usual counted APIs stops loudly, and before the first item."""
    pages: Pages[int] = Pages(Sender(serve), PageRequest("orders"))
    got: list[int] = []

    with pytest.raises(PaginationNotDetected, match="7 items and 3 came"):
        got.extend(pages)
    assert (got, pages.total, pages.stop_reason) == ([], 7, None)


@pytest.mark.parametrize(
    ("serve", "paginator"),
    [(serve, way) for serve, ways in SERVERS for way in ways],
    ids=lambda part: getattr(part, "__name__", str(part)),
)
def test_the_paginator_that_fits_walks_whole(
    serve: Callable[[Ask], Paper], paginator: Paginator
) -> None:
    """With the right paginator the same APIs give every row, and no error."""
    pages: Pages[int] = Pages(Sender(serve), PageRequest("orders"), options=WalkOptions(paginator))

    assert list(pages) == [1, 2, 3, 4, 5, 6, 7]
    assert (pages.total, pages.stop_reason) == (7, "end")


@pytest.mark.parametrize(
    ("options", "stopped"),
    [
        ({"max_pages": 1}, "max_pages"),
        ({"max_items": 3}, "max_items"),
        ({"max_items": 2}, "max_items"),
    ],
)
def test_a_ceiling_that_is_met_tells_that_there_was_more(
    options: dict[str, Any], stopped: str
) -> None:
    """A sample is no error, and is never called the end."""
    pages: Pages[int] = Pages(
        Sender(by_offset), PageRequest("orders"), options=WalkOptions(**options)
    )

    assert list(pages) == [1, 2, 3][: options.get("max_items")]
    assert (pages.total, pages.stop_reason) == (7, stopped)


@pytest.mark.parametrize(
    ("serve", "params"), [(by_offset, {"offset": 3}), (by_laravel, {"page": 3})]
)
def test_a_walk_from_the_middle_misses_nothing(
    serve: Callable[[Ask], Paper], params: dict[str, Any]
) -> None:
    """Who steps through the pages by hand knows that others lie before."""
    pages: Pages[int] = Pages(Sender(serve), PageRequest("orders", params))

    assert list(pages) == [4, 5, 6] or list(pages) == [7]
    assert pages.stop_reason == "end"


def test_a_page_number_that_starts_too_late_is_found_out() -> None:
    """The second page of a server that counts from 0 is not the first."""
    pages: Pages[int] = Pages(
        Sender(by_spring), PageRequest("orders"), options=WalkOptions(PageNumber())
    )
    got: list[int] = []

    with pytest.raises(PaginationNotDetected, match="7 items and 4 came"):
        got.extend(pages)
    assert got == [4, 5, 6, 7]


def test_rows_that_are_missing_at_the_end_are_an_error_after_all_items() -> None:
    """What came is given, and then the walk says that it was not all."""
    sender = in_turn(
        Paper([1, 2], headers={"X-Total-Count": "9", "Link": '<?2>; rel="next"'}), Paper([3])
    )
    pages: Pages[int] = Pages(sender, PageRequest("orders"))
    got: list[int] = []

    with pytest.raises(
        PaginationNotDetected, match=r"no page after page 2, but .* 9 items"
    ) as caught:
        got.extend(pages)
    assert (got, pages.stop_reason) == ([1, 2, 3], None)
    assert "max_pages=2" in caught.value.hint
    assert caught.value.url is not None


@pytest.mark.parametrize(
    ("options", "stopped"), [({"max_pages": 2}, "max_pages"), ({"max_items": 3}, "max_items")]
)
def test_a_ceiling_on_the_last_page_is_no_error(options: dict[str, Any], stopped: str) -> None:
    """Who wants two pages gets two, whatever the server tells of."""
    sender = in_turn(
        Paper([1, 2], headers={"X-Total-Count": "9", "Link": '<?2>; rel="next"'}), Paper([3])
    )
    pages: Pages[int] = Pages(sender, PageRequest("orders"), options=WalkOptions(**options))

    assert (list(pages), pages.stop_reason) == ([1, 2, 3], stopped)


@pytest.mark.parametrize(
    ("body", "items"),
    [
        ({"items": [1, 2], "total": 1999}, None),
        ({"items": [1, 2], "count": 9, "has_more": False}, None),
        ({"items": [1, 2], "count": 9}, lambda body: body["items"]),
    ],
)
def test_a_number_that_is_not_believed_is_not_shown(body: object, items: Any) -> None:
    """A walk that came to its end never stands beside a total above what it gave."""
    pages: Pages[int] = Pages(
        in_turn(Paper(body)), PageRequest("orders"), options=WalkOptions(items=items)
    )

    assert (list(pages), pages.total, pages.stop_reason) == ([1, 2], None, "end")


@pytest.mark.parametrize("options", [{"max_pages": 1}, {"max_items": 1}, {"max_items": 2}])
def test_who_wants_one_page_gets_it(options: dict[str, Any]) -> None:
    """Signs of more pages are of no interest to a walk that needs none."""
    sender = in_turn(Paper({"results": [1, 2], "count": 9}))

    assert list(Pages[int](sender, PageRequest("orders"), options=WalkOptions(**options)))[:1] == [
        1
    ]


def test_a_paginator_that_was_told_the_end_is_believed() -> None:
    """A cursor for the next time is no page of this time."""
    sender = in_turn(Paper({"items": [1], "next_cursor": "abc", "more": False}))
    options = WalkOptions(Cursor(has_more="/more"))

    assert list(Pages[int](sender, PageRequest("orders"), options=options)) == [1]


class OnlyOn:
    """Half a paginator."""

    def next_request(self, page: PageResponse) -> PageRequest | None:
        """End at once."""


class OnlyFirst:
    """The other half."""

    def first_request(self, request: PageRequest) -> PageRequest:
        """Begin as asked."""
        return request


class Wrong(OnlyFirst):
    """Names what is no request."""

    def __init__(self, first: Any = None, following: Any = None) -> None:
        self._first = first
        self._following = following

    def first_request(self, request: PageRequest) -> Any:
        """Begin with *first*, if any."""
        return request if self._first is None else self._first[0]

    def next_request(self, page: PageResponse) -> Any:
        """Go on to what is none."""
        return self._following

    def __repr__(self) -> str:
        return "Wrong()"


@pytest.mark.parametrize("first", ["?page=1&key=s3cret", None, 1])
def test_a_paginator_without_a_first_request_is_named(first: object) -> None:
    """A forgotten return shows as that, and not as a failure somewhere inside."""
    sender = in_turn()

    with pytest.raises(
        ConfigError, match=r"first_request of Wrong\(\) must return a PageRequest"
    ) as caught:
        list(Pages[int](sender, PageRequest("orders"), options=WalkOptions(Wrong([first]))))
    assert "s3cret" not in str(caught.value)
    assert sender.requests == []


@pytest.mark.parametrize("following", ["?page=2&key=s3cret", 2, False])
def test_a_paginator_that_names_no_step_is_named(following: object) -> None:
    """A URL instead of a request says what to return, and shows no key of it."""
    sender = in_turn(Paper([1]))

    with pytest.raises(
        ConfigError, match=r"next_request of Wrong\(\) must return a PageRequest"
    ) as caught:
        list(Pages[int](sender, PageRequest("orders"), options=WalkOptions(Wrong(None, following))))
    assert "s3cret" not in str(caught.value)
    assert "with_params" in caught.value.hint


@pytest.mark.parametrize(
    "settings",
    [
        {"paginator": LinkHeader},
        {"paginator": "page"},
        {"paginator": OnlyOn()},
        {"paginator": OnlyFirst()},
        {"paginator": None},
        {"items": 7},
        {"items": "/a~"},
        {"max_items": -1},
        {"max_items": "5"},
        {"max_pages": 0},
        {"max_pages": True},
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(settings: dict[str, Any]) -> None:
    """Wrong settings show at the call, before anything is sent."""
    with pytest.raises(ConfigError):
        WalkOptions(**settings)


def test_a_paginator_of_ones_own_needs_two_methods() -> None:
    """APIs that page in a way of their own are followed by a class of a few lines."""

    class Doubling:
        def first_request(self, request: PageRequest) -> PageRequest:
            return request.with_params({"n": 1})

        def next_request(self, page: PageResponse) -> PageRequest | None:
            number = int(page.request.param("n")) * 2
            return page.request.with_params({"n": number}) if number < 9 else None

    sender = Sender(lambda ask: Paper([int(ask.query["n"])]))

    assert list(Pages[int](sender, PageRequest("orders"), options=WalkOptions(Doubling()))) == [
        1,
        2,
        4,
        8,
    ]


def test_one_paginator_serves_many_walks() -> None:
    """Paginators keep nothing, so one constant does for a whole program."""
    paginator = PageNumber(page_size=2)

    def page(ask: Ask) -> Paper:
        first = 2 * int(ask.query["page"]) - 1
        return Paper([n for n in (first, first + 1) if n <= 5])

    walks = [
        iter(Pages[int](Sender(page), PageRequest(url), options=WalkOptions(paginator)))
        for url in "ab"
    ]

    assert list(zip(*walks, strict=True)) == [(n, n) for n in range(1, 6)]


def test_the_repr_shows_the_way_and_no_secret() -> None:
    """Pages can be logged."""
    pages: Pages[int] = Pages(listing(3), PageRequest("orders", {"key": "s3cret"}))
    page = next(pages_of(listing(9)).pages())

    assert repr(pages) == "<Pages of <PageRequest GET orders with key> by LinkHeader()>"
    assert "response" not in repr(page)


def test_a_page_of_plain_items_can_be_pickled() -> None:
    """A page can be handed to another process as it is."""
    page = next(pages_of(listing(9)).pages())
    copy = pickle.loads(pickle.dumps(page))

    assert isinstance(copy, Page)
    assert (copy.items, copy.request) == (page.items, page.request)
