"""Page numbers and offsets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sessionkit.errors import ConfigError, PageLoop
from sessionkit.paging import Offset, PageNumber, Step
from tests.paged import answer

ROWS = [{"id": 1}, {"id": 2}]


def test_numbers_start_at_the_first_and_ask_for_the_size() -> None:
    """The first request already says which page, and how long."""
    first = PageNumber("p", first=0, size=50, size_param="n").first_step(Step("orders", {"q": 1}))

    assert first == Step("orders", {"q": 1, "p": 0, "n": 50})
    assert PageNumber().first_step(Step("orders")) == Step("orders", {"page": 1})


def test_offsets_start_at_zero_and_ask_for_the_limit() -> None:
    """The first request already says from where, and how many."""
    first = Offset(50, offset_param="skip", limit_param="top").first_step(Step("orders"))

    assert first == Step("orders", {"skip": 0, "top": 50})
    assert Offset(start=20).first_step(Step("orders")) == Step("orders", {"offset": 20})


def test_parameters_of_the_caller_win() -> None:
    """A walk can begin on page 3, or use another size, without another paginator."""
    assert PageNumber(size=50).first_step(Step("orders", {"page": 3})) == Step(
        "orders", {"page": 3, "per_page": 50}
    )
    assert PageNumber(size=50).first_step(Step("orders?per_page=9&page=3")) == Step(
        "orders?per_page=9&page=3"
    )
    assert Offset(50).first_step(Step("orders", {"limit": 9, "offset": 7})) == Step(
        "orders", {"limit": 9, "offset": 7}
    )


def test_the_number_after_is_asked_for_next() -> None:
    """Page 4 follows page 3; everything else stays."""
    reply = answer(ROWS, step=Step("orders?q=x&page=3", {"per_page": 2}))

    assert PageNumber().next_step(reply) == Step("orders?q=x", {"per_page": 2, "page": 4})


def test_the_offset_grows_by_the_rows_that_came() -> None:
    """A server that gives fewer rows than asked for loses none of them."""
    reply = answer(ROWS, step=Step("orders", {"offset": "10", "limit": 50}))

    assert Offset(50).next_step(reply) == Step("orders", {"offset": 12, "limit": 50})


@pytest.mark.parametrize("paginator", [PageNumber(), Offset()])
def test_an_empty_page_ends_what_is_counted(paginator: PageNumber | Offset) -> None:
    """Counting on would go on for ever."""
    step = paginator.first_step(Step("orders"))

    assert paginator.next_step(answer([], step=step)) is None


def test_a_short_page_ends_nothing() -> None:
    """A server may cap the size; only an empty page is the end."""
    reply = answer(ROWS, step=Step("orders", {"page": 1, "per_page": 500}))

    assert PageNumber(size=500).next_step(reply) is not None


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
    paginator = PageNumber(first=first, total_pages="/pages")
    reply = answer({"pages": pages}, rows=ROWS, step=Step("orders", {"page": number}))

    assert (paginator.next_step(reply) is None) is ends


@pytest.mark.parametrize(("seen", "ends"), [(9, False), (10, True), (11, True)])
def test_the_total_ends_numbers_by_rows_received(seen: int, *, ends: bool) -> None:
    """Rows are counted, not sizes: a capped size does not end the walk early."""
    paginator = PageNumber(size=500, total="meta.total")
    step = Step("orders", {"page": 2, "per_page": 500})
    reply = answer({"meta": {"total": 10}}, rows=ROWS, step=step, seen=seen)

    assert (paginator.next_step(reply) is None) is ends


@pytest.mark.parametrize(("offset", "ends"), [(7, False), (8, True), (9, True)])
def test_the_total_ends_offsets_by_their_place(offset: int, *, ends: bool) -> None:
    """A walk that began in the middle ends where one from the start does."""
    reply = answer({"total": 10}, rows=ROWS, step=Step("orders", {"offset": offset}), seen=2)

    assert (Offset(total="total").next_step(reply) is None) is ends


@pytest.mark.parametrize("paginator", [PageNumber(), Offset()])
def test_the_same_rows_again_are_no_next_page(paginator: PageNumber | Offset) -> None:
    """A server that ignores the parameter, or repeats its last page, is found out."""
    reply = answer(ROWS, step=paginator.first_step(Step("orders")))

    with pytest.raises(PageLoop, match="very rows"):
        paginator.next_step(replace(reply, repeats=True))


def test_a_total_that_is_reached_ends_a_repeated_page_too() -> None:
    """The first stop wins."""
    reply = answer({"total": 2}, rows=ROWS, step=Step("orders", {"offset": 0}))

    assert Offset(total="total").next_step(replace(reply, repeats=True)) is None


@pytest.mark.parametrize("paginator", [PageNumber("x"), Offset(offset_param="x")])
def test_a_starting_point_that_is_no_number_is_refused(paginator: PageNumber | Offset) -> None:
    """There is no page after page "all"."""
    with pytest.raises(ConfigError, match="'x' must be a whole number"):
        paginator.next_step(answer(ROWS, step=Step("orders", {"x": "all"})))


@pytest.mark.parametrize(
    "settings",
    [
        {"param": ""},
        {"param": 3},
        {"first": -1},
        {"first": "1"},
        {"size": 0},
        {"size": True},
        {"size_param": "page"},
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
        {"limit": 0},
        {"limit": "9"},
        {"start": -1},
        {"offset_param": ""},
        {"limit_param": "offset"},
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
        "PageNumber('p', first=0, size=50, size_param='n', total_pages='/pages', total='n')",
        "Offset()",
        "Offset(50, offset_param='skip', limit_param='top', total=('a', 'b'), start=7)",
    ],
)
def test_reprs_of_counted_pages_are_code(code: str) -> None:
    """A paginator in a log can be pasted into a program, and equals what it was."""
    names = {"PageNumber": PageNumber, "Offset": Offset}
    value = eval(code, names)

    assert repr(value) == code
    assert value == eval(repr(value), names)
