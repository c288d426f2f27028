"""Cursors."""

from __future__ import annotations

from typing import Any

import pytest

from sessionkit.errors import ConfigError, PaginationNotDetected
from sessionkit.paging import Cursor, PageRequest
from tests.support.servers.paged import page_response


def test_the_cursor_goes_back_as_a_parameter() -> None:
    """The mark of one answer asks for the next; the other parameters stay."""
    page = page_response(
        {"next_cursor": "abc"}, request=PageRequest("orders?cursor=old&q=x", {"n": 2})
    )

    assert Cursor().next_request(page) == PageRequest("orders?q=x", {"n": 2, "cursor": "abc"})


def test_place_and_parameter_can_be_named() -> None:
    """APIs that call them otherwise are a matter of two settings."""
    page = page_response({"meta": {"next_token": "abc"}})
    cursor = Cursor("/meta/next_token", param="pagination_token")

    assert cursor.next_request(page) == PageRequest("orders", {"pagination_token": "abc"})


def test_the_cursor_may_come_in_a_header() -> None:
    """Some servers keep the document free of paging."""
    cursor = Cursor(header="X-Next")

    assert cursor.next_request(page_response([], headers={"x-next": " abc "})) == PageRequest(
        "orders", {"cursor": "abc"}
    )
    assert cursor.next_request(page_response([], headers={"X-Next": ""})) is None
    assert cursor.next_request(page_response([])) is None


def test_a_cursor_in_the_body_is_posted() -> None:
    """Searches that page by their JSON body need no extra setting."""
    cursor = Cursor("next", body="page.after")

    first = cursor.first_request(PageRequest("search"))
    assert first == PageRequest("search", json={}, method="POST")
    assert cursor.next_request(page_response({"next": "abc"}, request=first)) == PageRequest(
        "search", json={"page": {"after": "abc"}}, method="POST"
    )


def test_a_body_and_method_of_the_callers_own_stay() -> None:
    """The filter in the body is sent with every page, and never changed."""
    request = PageRequest("search", json={"q": "x"}, method="PUT")
    cursor = Cursor("next", body="/after", start="s")

    first = cursor.first_request(request)
    assert first == PageRequest("search", json={"q": "x", "after": "s"}, method="PUT")
    assert request.json == {"q": "x"}


def test_a_cursor_that_is_an_object_goes_into_the_body() -> None:
    """Keys of several parts go back as they came."""
    page = page_response({"last": {"id": 7}}, request=PageRequest("q", json={}, method="POST"))

    assert Cursor("last", body="from").next_request(page) == PageRequest(
        "q", json={"from": {"id": 7}}, method="POST"
    )


@pytest.mark.parametrize("end", [None, "", False, [], {}])
def test_nothing_is_the_end_of_cursors(end: object) -> None:
    """Every way in which servers say "no more" is understood."""
    assert Cursor().next_request(page_response({"next_cursor": end})) is None
    assert Cursor().next_request(page_response({})) is None
    assert Cursor().next_request(page_response(None)) is None


@pytest.mark.parametrize("cursor", [0, 7, "0", 1.5])
def test_zero_is_a_cursor(cursor: object) -> None:
    """A mark that happens to be 0 loses no page."""
    assert Cursor().next_request(page_response({"next_cursor": cursor})) == PageRequest(
        "orders", {"cursor": cursor}
    )


@pytest.mark.parametrize("more", [False, None, 0, "false", ""])
def test_a_flag_that_says_no_ends_the_walk(more: object) -> None:
    """Some servers always give a cursor, for the next time."""
    body = {"next_cursor": "abc", "has_more": more}

    assert Cursor(has_more="/has_more").next_request(page_response(body)) is None


@pytest.mark.parametrize("body", [{"has_more": True}, {"has_more": "yes"}, {}])
def test_a_flag_that_does_not_say_no_leaves_it_to_the_cursor(body: dict[str, Any]) -> None:
    """A flag that is missing ends nothing."""
    cursor = Cursor(has_more="/has_more")

    assert cursor.next_request(page_response({"next_cursor": "abc", **body})) is not None
    assert cursor.next_request(page_response(body)) is None


def test_the_first_request_can_carry_a_cursor() -> None:
    """APIs that need a first mark get one."""
    assert Cursor(start="*").first_request(PageRequest("orders")) == PageRequest(
        "orders", {"cursor": "*"}
    )
    assert Cursor(start=0).first_request(PageRequest("orders")) == PageRequest(
        "orders", {"cursor": 0}
    )
    assert Cursor().first_request(PageRequest("orders")) == PageRequest("orders")


def test_a_cursor_of_the_caller_wins() -> None:
    """A walk goes on from a mark that was kept."""
    request = PageRequest("orders", {"cursor": "kept"})
    posted = PageRequest("orders", json={"after": "kept"}, method="POST")

    assert Cursor(start="*").first_request(request) == request
    assert Cursor(body="after", start="*").first_request(posted) == posted


def test_a_cursor_that_is_a_url_is_followed_as_one() -> None:
    """A whole URL is not sent as a parameter of another."""
    page = page_response(
        {"next_cursor": "https://api.example/v1/orders?c=2"}, request=PageRequest("o", {"q": 1})
    )

    assert Cursor().next_request(page) == PageRequest("https://api.example/v1/orders?c=2")


@pytest.mark.parametrize("value", [True, {"id": 7}, [1], "\ud800"])
def test_a_cursor_that_fits_no_parameter_is_asked_back(value: object) -> None:
    """Nobody gets page 1 again because an object was written as text."""
    with pytest.raises(PaginationNotDetected, match="neither text nor a number"):
        Cursor().next_request(page_response({"next_cursor": value}))


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "a", "header": "X-Next"},
        {"param": "a", "body": "b"},
        {"header": ""},
        {"param": ""},
        {"path": 7},
        {"body": "/~"},
        {"body": ""},
        {"has_more": []},
    ],
)
def test_bad_settings_of_cursors_are_refused(settings: dict[str, Any]) -> None:
    """A paginator that cannot work is never built."""
    with pytest.raises(ConfigError):
        Cursor(**settings)


@pytest.mark.parametrize(
    "code",
    [
        "Cursor()",
        "Cursor('/meta/next', param='after', has_more='/has_more', start='*')",
        "Cursor(header='X-Next', body='after')",
    ],
)
def test_reprs_of_cursors_are_code(code: str) -> None:
    """A paginator in a log can be pasted into a program, and equals what it was."""
    value = eval(code, {"Cursor": Cursor})

    assert repr(value) == code
    assert value == eval(repr(value), {"Cursor": Cursor})
