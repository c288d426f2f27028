"""One walk in progress."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import requests

from sessionkit.errors import (
    ClientError,
    CrossOriginPage,
    DecodeError,
    PageLoop,
    PagesStalled,
    PaginationNotDetected,
    ServerError,
    SessionKitError,
    StatusError,
    UnexpectedStatus,
)
from sessionkit.paging import NextUrl, PageNumber, PageRequest, Paginator
from sessionkit.paging._walk import MAX_EMPTY_PAGES, PageWalk, WalkOptions
from tests.support.servers.paged import Ask, Paper, Sender, in_turn

START = PageRequest("orders")


def walk_to(sender: Sender, paginator: Paginator | None = None, items: Any = None) -> PageWalk:
    return PageWalk(sender, START, WalkOptions(paginator or NextUrl(), items))


def go_on(walk: PageWalk) -> None:
    request: PageRequest | None = START
    while request is not None:
        request = walk.fetch(request).next


def test_a_stage_has_the_page_and_the_way_on() -> None:
    """One answer tells rows, their place, and the request after it."""
    walk = walk_to(in_turn(Paper({"items": [1, 2], "next": "?page=2"})))

    fetched = walk.fetch(START)

    assert fetched.page.rows == [1, 2]
    assert fetched.pointer == "/items"
    assert fetched.next == PageRequest("https://api.example/v1/orders?page=2")
    assert (walk.number, fetched.page.items_seen) == (1, 2)


def test_rows_are_counted_over_all_pages() -> None:
    """A paginator can stop at a total without keeping anything itself."""
    walk = walk_to(in_turn(Paper({"items": [1, 2], "next": "?2"}), Paper({"items": [3]})))
    first = walk.fetch(START)
    assert first.next is not None

    assert walk.fetch(first.next).page.items_seen == 3


@pytest.mark.parametrize(
    ("one", "other", "repeats"),
    [
        ([{"id": 1}], [{"id": 1}], True),
        ([{"id": 1}], [{"id": 2}], False),
        ([0, 0], [0, 0], False),
        ([], [], False),
    ],
)
def test_only_objects_that_all_come_again_repeat(
    one: list[Any], other: list[Any], *, repeats: bool
) -> None:
    """Plain values may well be equal on two pages."""
    walk = walk_to(in_turn(Paper({"items": one, "next": "?2"}), Paper({"items": other})))
    first = walk.fetch(START)
    assert first.next is not None

    assert walk.fetch(first.next).page.is_repeat is repeats


def test_a_server_that_ignores_the_page_number_is_found_out() -> None:
    """The same rows for ever are an error on page 2, with the response at hand."""
    sender = Sender(lambda _: Paper([{"id": 1}]))
    walk = walk_to(sender, PageNumber())
    second = walk.fetch(PageRequest("orders", {"page": 1})).next
    assert second is not None

    with pytest.raises(PageLoop, match="very rows") as caught:
        walk.fetch(second)
    assert caught.value.status == 200


def test_pages_without_end_and_items_are_given_up() -> None:
    """A server that promises more for ever is asked fifty times, not for ever."""
    numbers = itertools.count(2)
    sender = Sender(lambda _: Paper({"items": [], "next": f"?page={next(numbers)}"}))

    with pytest.raises(PagesStalled, match="50 pages in a row"):
        go_on(walk_to(sender))
    assert len(sender.requests) == MAX_EMPTY_PAGES == 50


def test_an_item_now_and_then_keeps_the_walk_alive() -> None:
    """Sparse filters over many pages are no stall."""

    def sparse(ask: Ask) -> Paper:
        page = int(ask.query.get("page", "1"))
        rows = [page] if page % 49 == 0 else []
        return Paper({"items": rows, "next": f"?page={page + 1}" if page < 150 else None})

    sender = Sender(sparse)

    go_on(walk_to(sender))

    assert len(sender.requests) == 150


@pytest.mark.parametrize(
    ("url", "error"),
    [("https://evil.example/", CrossOriginPage), ("https://api.example/v1/orders", PageLoop)],
)
def test_a_refused_step_is_never_sent(url: str, error: type[Exception]) -> None:
    """The guard speaks before the wire."""
    sender = in_turn(Paper({"items": [1], "next": url}))
    walk = walk_to(sender)
    request = walk.fetch(START).next
    assert request is not None

    with pytest.raises(error):
        walk.fetch(request)
    assert len(sender.requests) == 1


@pytest.mark.parametrize(
    "body", [b"<html>login</html>", b"", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": '], ids=repr
)
def test_a_page_that_is_no_json_is_a_decode_error(body: bytes) -> None:
    """A proxy's or login's page is named as what it is, with its number."""
    with pytest.raises(DecodeError, match="page 1 is no JSON") as caught:
        walk_to(in_turn(Paper(body))).fetch(START)

    assert caught.value.__cause__ is not None
    assert caught.value.status == 200


def test_an_error_of_the_stack_passes_unchanged() -> None:
    """What a handler below made of a broken body is not wrapped again."""

    class Broken(requests.Response):
        def json(self, **_: Any) -> Any:
            raise DecodeError("said below")

    response = Broken()
    response.status_code = 200
    response._content = b"x"

    with pytest.raises(DecodeError, match="said below"):
        PageWalk(lambda _: response, START, WalkOptions()).fetch(START)


@pytest.mark.parametrize("status", [204, 205])
def test_an_answer_without_a_body_is_an_empty_page(status: int) -> None:
    """204 says that there is nothing, and that is what comes."""
    fetched = walk_to(in_turn(Paper(b"", status=status))).fetch(START)

    assert fetched.page.rows == []
    assert fetched.next is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, ClientError), (503, ServerError), (302, UnexpectedStatus), (304, UnexpectedStatus)],
)
def test_an_error_that_no_handler_raised_is_no_page(status: int, kind: type[StatusError]) -> None:
    """On a stack without an error handler rows do not get lost in silence."""
    with pytest.raises(kind, match=rf"{status} Some Reason instead of page 1") as caught:
        walk_to(in_turn(Paper({"items": []}, status=status))).fetch(START)

    assert isinstance(caught.value, requests.HTTPError)
    assert caught.value.status == status


def test_errors_of_a_page_know_their_request() -> None:
    """Whoever reads the log finds the request that brought the odd document."""
    with pytest.raises(PaginationNotDetected) as caught:
        walk_to(in_turn(Paper({"orders": []}, headers={"X-Request-Id": "r-7"}))).fetch(START)

    error: SessionKitError = caught.value
    assert (error.method, error.url) == ("GET", "https://api.example/v1/orders")
    assert error.request_id == "r-7"
    assert error.bookmark is None
