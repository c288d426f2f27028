"""What a page says about the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sessionkit.errors import PaginationNotDetected
from sessionkit.paging import Cursor, LinkHeader, Offset, PageNumber, PageRequest, Paginator
from sessionkit.paging._detect import (
    evidence_of_more,
    missing_rows,
    read_total,
    rows_of,
    starts_after_first,
)
from sessionkit.paging._paths import JsonPath
from tests.support.servers.paged import page_response

ROWS = [1, 2]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"total": 9, "offset": 0}, {}),
        ({"total": 9, "skip": 0, "limit": 2}, {}),
        ({"total": 9, "count": 2, "per_page": "2"}, {}),
        ({"total": 9, "meta": {"current_page": 1}}, {}),
        ({"meta": {"pagination": {"total": 9}}}, {}),
        ({"@odata.count": 9}, {}),
        ({"count": 9}, {}),
        ({"total_count": 9}, {}),
        ({"totalCount": 9}, {}),
        ({"meta": {"total": 9}}, {}),
        ({"page": {"totalElements": 9}}, {}),
        ({"count": 2, "meta": {"total": 9}}, {}),
        (None, {"X-Total-Count": "9"}),
        ({"count": 7}, {"x-total": "9"}),
    ],
)
def test_the_total_is_read_where_servers_tell_it(body: object, headers: Mapping[str, str]) -> None:
    """A progress bar needs no setting with most APIs."""
    assert read_total(page_response(body, rows=ROWS, headers=headers), None, is_last=False) == 9


@pytest.mark.parametrize(
    "body",
    [
        *({"total": 9}, {"total": 9, "count": 2}, {"total": 9, "size": "XL"}),
        *(None, [], {}, {"offset": 0, "total": "9"}, {"offset": 0, "total": True}),
        *({"offset": 0, "total": -1}, {"offset": 0, "total": {"value": 9}}),
    ],
)
def test_no_total_is_made_up(body: object) -> None:
    """What is no whole number is no total, nor is what may be a price."""
    assert read_total(page_response(body, rows=ROWS), None, is_last=False) is None


def test_a_count_of_this_page_is_no_total() -> None:
    """Some servers count the rows of the page; the walk itself disproves them."""
    page = page_response({"count": 2}, rows=ROWS)

    assert read_total(page, None, is_last=False) is None
    assert read_total(page, None, is_last=True) == 2


def test_a_named_place_alone_is_asked_for_the_total() -> None:
    """Who names the place is never given another number."""
    page = page_response({"total": 9, "n": "7", "m": 1}, rows=ROWS, headers={"X-Total": "8"})

    assert read_total(page, "/n", is_last=False) == 7
    assert read_total(page, "/m", is_last=False) == 1
    assert read_total(page, "/none", is_last=False) is None


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
        ({"total": 9, "offset": 0}, {}, "PageNumber() or Offset()"),
        ({"meta": {"current_page": 1, "last_page": 5}}, {}, "PageNumber()"),
        ({"page": 1, "total_pages": 5}, {}, "PageNumber()"),
        ({"number": 0, "totalPages": 5}, {}, "PageNumber()"),
        ({"last": False}, {}, "paginator="),
        ({"page": {"isLast": False}}, {}, "paginator="),
        ([], {"X-Total-Count": "9"}, "PageNumber() or Offset()"),
    ],
)
def test_evidence_of_more_names_its_cure(
    body: object, headers: Mapping[str, str], cure: str
) -> None:
    """A list that would be cut at one page says which paginator goes on."""
    page = page_response(body, rows=ROWS, headers=headers)
    evidence = evidence_of_more(page, None, total=read_total(page, None, is_last=True))

    assert evidence is not None
    assert cure in evidence.cure


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"next": None, "next_cursor": "", "count": 2, "next_page": None},
        {"next": "call us", "next_requests": "?a", "next_review": "2027-01-01"},
        {"next": {"title": "x"}, "links": {"next": None}},
        {"total": 1999},
        {"count": "9"},
        {"last": "Smith", "first": "Ann"},
        {"last": True, "totalPages": 5},
        {"current_page": 5, "last_page": 5},
        {"total_pages": 1},
        {"links": {"last": False}},
        {"next_cursor": "abc", "has_more": False},
        {"next_cursor": "abc", "count": 9, "meta": {"has_next": False}},
    ],
)
def test_no_sign_is_read_into_other_data(body: object) -> None:
    """Prices, dates and texts stop no walk, and a flag that says no is believed."""
    page = page_response(body, rows=ROWS)

    assert evidence_of_more(page, None, total=read_total(page, None, is_last=True)) is None


@pytest.mark.parametrize("link", ['<?1>; rel="prev"', '<?2>; rel="next"; anchor="/other"'])
def test_other_links_are_no_sign(link: str) -> None:
    """The way back, and the way on from something else, say nothing of further pages."""
    page = page_response([], rows=ROWS, headers={"Link": link})

    assert evidence_of_more(page, None, total=None) is None


def test_a_named_flag_decides() -> None:
    """Where the caller knows the flag, the usual names are not asked."""
    page = page_response({"next_cursor": "abc", "more": 0, "has_more": True}, rows=ROWS)

    assert evidence_of_more(page, "/more", total=None) is None
    assert evidence_of_more(page, "/none", total=None) is not None


@pytest.mark.parametrize(
    ("first", "paginator", "after_first"),
    [
        (PageRequest("orders"), LinkHeader(), False),
        (
            PageRequest("orders?per_page=2", {"page_size": 2, "q": "x", "limit": 2}),
            LinkHeader(),
            False,
        ),
        (PageRequest("orders", {"page": 1}), PageNumber(), False),
        (PageRequest("orders", {"page": 0}), PageNumber(start=0), False),
        (PageRequest("orders?offset=0"), Offset(), False),
        (PageRequest("orders", {"page": None, "cursor": ""}), LinkHeader(), False),
        (PageRequest("orders", {"page": 1}), PageNumber(start=0), True),
        (PageRequest("orders", {"page": 3}), LinkHeader(), True),
        (PageRequest("orders?offset=1"), LinkHeader(), True),
        (PageRequest("orders?page[number]=3"), LinkHeader(), True),
        (PageRequest("orders", {"startAt": 3}), LinkHeader(), True),
        (PageRequest("orders", {"after": "abc"}), LinkHeader(), True),
        (PageRequest("orders"), Offset(start=40), True),
        (PageRequest("orders"), Cursor(body="after", start="abc"), True),
    ],
)
def test_a_walk_from_the_middle_is_known(
    first: PageRequest, paginator: Paginator, *, after_first: bool
) -> None:
    """Who asks for page 3 alone is not told that pages 1 and 2 are missing."""
    assert starts_after_first(paginator.first_request(first), paginator) is after_first


def test_pages_that_are_counted_prove_nothing_to_a_walk_from_the_middle() -> None:
    """The last of five pages is one page, and all that was asked for."""
    page = page_response({"total_pages": 5}, rows=ROWS)

    assert evidence_of_more(page, None, total=None, after_first=True) is None
    assert evidence_of_more(page, None, total=None, after_first=False) is not None


def test_a_gap_at_the_end_is_a_sign() -> None:
    """Rows that never came are missed on the last page, too, whatever a flag says of the next."""
    gap = missing_rows(page_response({"has_more": False}, rows=ROWS), 9)

    assert gap is not None
    assert gap.what == "the server tells of 9 items and 2 came"
    assert missing_rows(page_response({}, rows=ROWS), 2) is None
    assert missing_rows(page_response({}, rows=ROWS), None) is None


ITEMS = [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (ITEMS, ""),
        ({"results": ITEMS, "count": 1}, "/results"),
        ({"items": ITEMS, "warnings": []}, "/items"),
        ({"data": ITEMS, "included": [{}], "errors": []}, "/data"),
        ({"objects": ITEMS}, "/objects"),
        ({"value": ITEMS}, "/value"),
        ({"records": ITEMS, "data": None}, "/records"),
        ({"entries": ITEMS, "items": 1}, "/entries"),
        ({"_embedded": {"orders": ITEMS, "size": 1}}, "/_embedded/orders"),
    ],
)
def test_the_only_list_under_a_usual_name_is_found(body: object, pointer: str) -> None:
    """Most APIs need no ``items=``."""
    assert rows_of(body, None) == (pointer, ITEMS)


@pytest.mark.parametrize(
    ("body", "items", "pointer"),
    [
        ({"data": {"orders": ITEMS}}, "/data/orders", "/data/orders"),
        ({"data": {"orders": ITEMS}}, "data.orders", "/data/orders"),
        ({"a/b": ITEMS}, ("a/b",), "/a~1b"),
        (ITEMS, "", ""),
        ({"results": [9], "items": ITEMS}, "items", "/items"),
    ],
)
def test_a_named_place_is_taken(body: object, items: JsonPath, pointer: str) -> None:
    """Any form of place will do, and nothing else is looked at."""
    assert rows_of(body, items) == (pointer, ITEMS)


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (None, None),
        (None, "/items"),
        ({"items": None}, "/items"),
        ({"items": None}, None),
        ({"items": []}, None),
        ([], None),
    ],
)
def test_null_and_no_document_are_empty_pages(body: object, items: JsonPath | None) -> None:
    """A server that writes an empty list as null, or answers 204, has no items."""
    assert rows_of(body, items).value == []


@pytest.mark.parametrize("items", ["/data", "items", ("rows", "x")])
def test_a_named_place_that_is_missing_is_asked_back(items: JsonPath) -> None:
    """A misspelt place is no empty result; the lists that are there are named."""
    with pytest.raises(PaginationNotDetected, match="'/orders', '/page/rows'") as caught:
        rows_of({"orders": ITEMS, "page": {"rows": []}, "n": 1}, items)

    assert "items=" in caught.value.hint


@pytest.mark.parametrize("value", [{"id": 1}, "text", 7, True])
def test_a_named_place_without_a_list_is_asked_back(value: object) -> None:
    """One object is no page."""
    with pytest.raises(PaginationNotDetected, match="no list"):
        rows_of({"data": value}, "/data")


@pytest.mark.parametrize(
    "body",
    [
        {"results": ITEMS, "items": ITEMS},
        {"data": ITEMS, "_embedded": {"a": ITEMS}},
        {"_embedded": {"a": ITEMS, "b": ITEMS}},
        {"orders": ITEMS},
        {"results": None, "items": None},
        {"data": {"id": 1}},
        {},
        "text",
        7,
    ],
)
def test_items_are_never_guessed(body: object) -> None:
    """Where more than one list could be meant, or none, the caller decides."""
    with pytest.raises(PaginationNotDetected, match="lists in the document"):
        rows_of(body, None)


def test_a_function_may_find_the_items() -> None:
    """APIs that leave an empty list out are one lambda away."""

    def items(body: Any) -> Any:
        return (row for row in body.get("items", ()))

    assert rows_of({"items": ITEMS}, items) == ("", ITEMS)
    assert rows_of({}, items) == ("", [])
