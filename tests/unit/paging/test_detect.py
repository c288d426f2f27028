"""What a page says about the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sessionkit.paging import Step
from sessionkit.paging._detect import sign_of_more, told_total
from tests.paged import answer

ROWS = [1, 2]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"total": 9}, {}),
        ({"count": 9}, {}),
        ({"total_count": 9}, {}),
        ({"totalCount": 9}, {}),
        ({"meta": {"total": 9}}, {}),
        ({"page": {"totalElements": 9}}, {}),
        ({"total": 9, "count": 2}, {}),
        ({"count": 2, "meta": {"total": 9}}, {}),
        (None, {"X-Total-Count": "9"}),
        ({"count": 7}, {"x-total": "9"}),
    ],
)
def test_the_total_is_read_where_servers_tell_it(body: object, headers: Mapping[str, str]) -> None:
    """A progress bar needs no setting with most APIs."""
    assert told_total(answer(body, rows=ROWS, headers=headers), None, last=False) == 9


@pytest.mark.parametrize(
    "body", [None, [], {}, {"total": "9"}, {"total": True}, {"total": -1}, {"total": {"value": 9}}]
)
def test_no_total_is_made_up(body: object) -> None:
    """What is no whole number is no total."""
    assert told_total(answer(body, rows=ROWS), None, last=False) is None


def test_a_count_of_this_page_is_no_total() -> None:
    """Some servers count the rows of the page; the walk itself disproves them."""
    reply = answer({"count": 2}, rows=ROWS)

    assert told_total(reply, None, last=False) is None
    assert told_total(reply, None, last=True) == 2


def test_a_named_place_alone_is_asked_for_the_total() -> None:
    """Who names the place is never given another number."""
    reply = answer({"total": 9, "n": "7", "m": 1}, rows=ROWS, headers={"X-Total": "8"})

    assert told_total(reply, "/n", last=False) == 7
    assert told_total(reply, "/m", last=False) == 1
    assert told_total(reply, "/none", last=False) is None


@pytest.mark.parametrize(
    ("body", "headers", "cure"),
    [
        (None, {"Link": '<?2>; rel="next"'}, "LinkHeader()"),
        ({"next": "https://api.example/?page=2"}, {}, "NextUrl('/next')"),
        ({"links": {"next": {"href": "/?page=2"}}}, {}, "NextUrl('/links/next')"),
        ({"@odata.nextLink": "?skip=2"}, {}, "NextUrl('/@odata.nextLink')"),
        ({"next_cursor": "abc"}, {}, "Cursor('/next_cursor'"),
        ({"meta": {"nextPageToken": "abc"}}, {}, "Cursor('/meta/nextPageToken'"),
        ({"next_page": 2}, {}, "PageNumber()"),
        ({"has_more": True}, {}, "paginator="),
        ({"page_info": {"hasNextPage": "true"}}, {}, "paginator="),
        ({"count": 9}, {}, "PageNumber() or Offset()"),
        ([], {"X-Total-Count": "9"}, "PageNumber() or Offset()"),
    ],
)
def test_a_sign_of_more_names_its_cure(body: object, headers: Mapping[str, str], cure: str) -> None:
    """A list that would be cut at one page says which paginator goes on."""
    sign = sign_of_more(answer(body, rows=ROWS, headers=headers), None, counts=True)

    assert sign is not None
    assert cure in sign.cure


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"next": None, "next_cursor": "", "count": 2, "next_page": None},
        {"next": "call us", "next_steps": "?a", "next_review": "2027-01-01"},
        {"next": {"title": "x"}, "links": {"next": None}},
        {"total": 1999},
        {"count": "9"},
        {"next_cursor": "abc", "has_more": False},
        {"next_cursor": "abc", "count": 9, "meta": {"has_next": False}},
    ],
)
def test_no_sign_is_read_into_other_data(body: object) -> None:
    """Prices, dates and texts stop no walk, and a flag that says no is believed."""
    assert sign_of_more(answer(body, rows=ROWS), None, counts=True) is None


@pytest.mark.parametrize("link", ['<?1>; rel="prev"', '<?2>; rel="next"; anchor="/other"'])
def test_other_links_are_no_sign(link: str) -> None:
    """The way back, and the way on from something else, say nothing of further pages."""
    reply = answer([], rows=ROWS, headers={"Link": link})

    assert sign_of_more(reply, None, counts=True) is None


def test_a_named_flag_decides() -> None:
    """Where the caller knows the flag, the usual names are not asked."""
    reply = answer({"next_cursor": "abc", "more": 0, "has_more": True}, rows=ROWS)

    assert sign_of_more(reply, "/more", counts=True) is None
    assert sign_of_more(reply, "/none", counts=True) is not None


@pytest.mark.parametrize(
    ("step", "sure"),
    [
        (Step("orders"), True),
        (Step("orders?per_page=2", {"page_size": 2, "q": "x", "limit": 2}), True),
        (Step("orders", {"page": 3}), False),
        (Step("orders?offset=20"), False),
        (Step("orders?page[number]=3"), False),
        (Step("orders", {"startAt": 3}), False),
    ],
)
def test_a_total_proves_nothing_to_a_walk_from_the_middle(step: Step, *, sure: bool) -> None:
    """Who asks for page 3 alone is not told that pages 1 and 2 are missing."""
    reply = answer({"count": 9}, rows=ROWS, step=step)

    assert (sign_of_more(reply, None, counts=True) is not None) is sure


def test_a_total_proves_nothing_where_rows_were_picked() -> None:
    """A function that finds the items may leave some out."""
    reply = answer({"count": 9}, rows=ROWS)
    bodies: Any = {"count": 9, "next": "?page=2"}

    assert sign_of_more(reply, None, counts=False) is None
    assert sign_of_more(answer(bodies, rows=ROWS), None, counts=False) is not None
