"""Page numbers and offsets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sessionkit.errors import ConfigError, PageLoop
from sessionkit.paging import Offset, PageNumber, PageRequest
from tests.support.servers.paged import page_response

ROWS = [{"id": 1}, {"id": 2}]


def test_numbers_start_at_the_first_and_ask_for_the_size() -> None:
    """The first request already says which page, and how long."""
    first = PageNumber("p", start=0, page_size=50, page_size_param="n").first_request(
        PageRequest("orders", {"q": 1})
    )

    assert first == PageRequest("orders", {"q": 1, "p": 0, "n": 50})
    assert PageNumber().first_request(PageRequest("orders")) == PageRequest("orders", {"page": 1})


def test_offsets_start_at_zero_and_ask_for_the_limit() -> None:
    """The first request already says from where, and how many."""
    first = Offset(50, offset_param="skip", page_size_param="top").first_request(
        PageRequest("orders")
    )

    assert first == PageRequest("orders", {"skip": 0, "top": 50})
    assert Offset(start=20).first_request(PageRequest("orders")) == PageRequest(
        "orders", {"offset": 20}
    )


def test_parameters_of_the_caller_win() -> None:
    """A walk can begin on page 3, or use another size, without another paginator."""
    assert PageNumber(page_size=50).first_request(
        PageRequest("orders", {"page": 3})
    ) == PageRequest("orders", {"page": 3, "per_page": 50})
    assert PageNumber(page_size=50).first_request(
        PageRequest("orders?per_page=9&page=3")
    ) == PageRequest("orders?per_page=9&page=3")
    assert Offset(50).first_request(
        PageRequest("orders", {"limit": 9, "offset": 7})
    ) == PageRequest("orders", {"limit": 9, "offset": 7})


def test_the_number_after_is_asked_for_next() -> None:
    """Page 4 follows page 3; everything else stays."""
    page = page_response(ROWS, request=PageRequest("orders?q=x&page=3", {"per_page": 2}))

    assert PageNumber().next_request(page) == PageRequest("orders?q=x", {"per_page": 2, "page": 4})


def test_the_offset_grows_by_the_rows_that_came() -> None:
    """A server that gives fewer rows than asked for loses none of them."""
    page = page_response(ROWS, request=PageRequest("orders", {"offset": "10", "limit": 50}))

    assert Offset(50).next_request(page) == PageRequest("orders", {"offset": 12, "limit": 50})


@pytest.mark.parametrize("paginator", [PageNumber(), Offset()])
def test_an_empty_page_ends_what_is_counted(paginator: PageNumber | Offset) -> None:
    """Counting on would go on for ever."""
    request = paginator.first_request(PageRequest("orders"))

    assert paginator.next_request(page_response([], request=request)) is None


def test_a_short_page_ends_nothing() -> None:
    """A server may cap the size; only an empty page is the end."""
    page = page_response(ROWS, request=PageRequest("orders", {"page": 1, "per_page": 500}))

    assert PageNumber(page_size=500).next_request(page) is not None


@pytest.mark.parametrize(
    ("first", "number", "pages", "ends"),
    [
        (1, 1, 2, False),
        (1, 2, 2, True),
        (1, 3, 2, True),
        (0, 1, 2, True),
        (0, 0, 2, False),
        (1, 1, "2", False),
        (1, 2, "2", True),
        (1, 2, None, False),
        (1, 2, "many", False),
    ],
)
def test_the_number_of_pages_ends_the_walk(
    first: int, number: int, pages: object, *, ends: bool
) -> None:
    """No request is spent on a page that the server says is not there."""
    paginator = PageNumber(start=first, total_pages="/pages")
    page = page_response(
        {"pages": pages}, rows=ROWS, request=PageRequest("orders", {"page": number})
    )

    assert (paginator.next_request(page) is None) is ends


@pytest.mark.parametrize(("items_seen", "ends"), [(9, False), (10, True), (11, True)])
def test_the_total_ends_numbers_by_rows_received(items_seen: int, *, ends: bool) -> None:
    """Rows are counted, not sizes: a capped size does not end the walk early."""
    paginator = PageNumber(page_size=500, total="meta.total")
    request = PageRequest("orders", {"page": 2, "per_page": 500})
    page = page_response({"meta": {"total": 10}}, rows=ROWS, request=request, items_seen=items_seen)

    assert (paginator.next_request(page) is None) is ends


@pytest.mark.parametrize(("offset", "ends"), [(7, False), (8, True), (9, True)])
def test_the_total_ends_offsets_by_their_place(offset: int, *, ends: bool) -> None:
    """A walk that began in the middle ends where one from the start does."""
    page = page_response(
        {"total": 10}, rows=ROWS, request=PageRequest("orders", {"offset": offset}), items_seen=2
    )

    assert (Offset(total="total").next_request(page) is None) is ends


@pytest.mark.parametrize("paginator", [PageNumber(), Offset()])
def test_the_same_rows_again_are_no_next_page(paginator: PageNumber | Offset) -> None:
    """A server that ignores the parameter, or repeats its last page, is found out."""
    page = page_response(ROWS, request=paginator.first_request(PageRequest("orders")))

    with pytest.raises(PageLoop, match="very rows"):
        paginator.next_request(replace(page, is_repeat=True))


def test_a_total_that_is_reached_ends_a_repeated_page_too() -> None:
    """The first stop wins."""
    page = page_response({"total": 2}, rows=ROWS, request=PageRequest("orders", {"offset": 0}))

    assert Offset(total="total").next_request(replace(page, is_repeat=True)) is None


@pytest.mark.parametrize("paginator", [PageNumber("x"), Offset(offset_param="x")])
def test_a_starting_point_that_is_no_number_is_refused(paginator: PageNumber | Offset) -> None:
    """There is no page after page "all"."""
    with pytest.raises(ConfigError, match="'x' must be a whole number"):
        paginator.next_request(page_response(ROWS, request=PageRequest("orders", {"x": "all"})))


@pytest.mark.parametrize(
    "settings",
    [
        {"param": ""},
        {"param": 3},
        {"start": -1},
        {"start": "1"},
        {"page_size": 0},
        {"page_size": True},
        {"page_size_param": "page"},
        {"total": 3},
        {"total_pages": "/~"},
    ],
)
def test_bad_settings_of_numbers_are_refused(settings: dict[str, Any]) -> None:
    """A paginator that cannot work is never built."""
    with pytest.raises(ConfigError):
        PageNumber(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"page_size": 0},
        {"page_size": "9"},
        {"start": -1},
        {"offset_param": ""},
        {"page_size_param": "offset"},
        {"total": ["a"]},
    ],
)
def test_bad_settings_of_offsets_are_refused(settings: dict[str, Any]) -> None:
    """A paginator that cannot work is never built."""
    with pytest.raises(ConfigError):
        Offset(**settings)


@pytest.mark.parametrize(
    "code",
    [
        "PageNumber()",
        "PageNumber('p', start=0, page_size=50, page_size_param='n', total_pages='/p')",
        "Offset()",
        "Offset(50, offset_param='skip', page_size_param='top', total=('a', 'b'), start=7)",
    ],
)
def test_reprs_of_counted_pages_are_code(code: str) -> None:
    """A paginator in a log can be pasted into a program, and equals what it was."""
    names = {"PageNumber": PageNumber, "Offset": Offset}
    value = eval(code, names)

    assert repr(value) == code
    assert value == eval(repr(value), names)
