"""Paging through a stack, over real sockets: renewal on the way, and no token to anybody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken, StaticToken
from sessionkit.errors import (
    CrossOriginPage,
    MappingError,
    NotFound,
    PageLoop,
    PaginationNotDetected,
    StatusError,
)
from sessionkit.handlers import RetryHandler
from sessionkit.paging import Cursor, NextUrl, Offset, PageNumber, Paginator
from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.threads import at_once

ROWS: list[dict[str, Any]] = [
    {"id": number, "day": f"2026-11-{number:02}"} for number in range(1, 8)
]
SIZE = 3


@dataclass(frozen=True)
class Order:
    """What a user would declare."""

    id: int
    day: date


def orders(seen: ServerRequest) -> ServerResponse:
    """Serve seven orders, three on a page, in five styles."""
    at = int(seen.query.get("at", seen.query.get("offset", ["0"]))[0])
    if "page" in seen.query:
        at = (int(seen.query["page"][0]) - 1) * SIZE
    rows, more = ROWS[at : at + SIZE], at + SIZE < len(ROWS)
    if seen.path == "/api/links":
        link = {"Link": f'</api/links?at={at + SIZE}>; rel="next"'} if more else {}
        return ServerResponse(200, rows, {"X-Total-Count": str(len(ROWS)), **link})
    ways: dict[str, dict[str, Any]] = {
        "/api/urls": {"next": f"?at={at + SIZE}" if more else None},
        "/api/cursors": {"cursor": at + SIZE if more else None},
        "/api/pages": {"pages": 3},
        "/api/offsets": {"total": len(ROWS)},
    }
    return ServerResponse(200, {"data": {"orders": rows}, **ways[seen.path]})


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session of the user's own."""
    with requests.Session() as session:
        yield session


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """An API without a lock."""
    with LoopbackServer(orders) as server:
        yield server


def stack_on(session: requests.Session, server: LoopbackServer) -> SessionStack:
    return SessionStack(session, recommended(), base_url=f"{server.origin}/api/")


@pytest.mark.parametrize(
    ("url", "paginator", "requests_sent"),
    [
        ("urls", NextUrl(), 3),
        ("cursors", Cursor("cursor", param="at"), 3),
        ("pages", PageNumber(), 4),
        ("pages", PageNumber(total_pages="/pages"), 3),
        ("offsets", Offset(), 4),
        ("offsets", Offset(total="/total"), 3),
    ],
)
def test_every_kind_of_pages_gives_the_whole_list(
    session: requests.Session,
    server: LoopbackServer,
    *,
    url: str,
    paginator: Paginator,
    requests_sent: int,
) -> None:
    """One call, the user's own objects, and no more requests than there must be."""
    stack = stack_on(session, server)

    pages = stack.paginate(url, paginator=paginator, items="data.orders", into=Order)

    assert server.requests == []
    assert list(pages) == [Order(row["id"], date.fromisoformat(row["day"])) for row in ROWS]
    assert len(server.requests) == requests_sent


def test_links_are_followed_without_any_setting(
    session: requests.Session, server: LoopbackServer
) -> None:
    """An API that pages as RFC 8288 says needs the URL and nothing else."""
    pages = stack_on(session, server).paginate("links", params={"q": "x"})

    assert list(pages) == ROWS
    assert (pages.total, pages.stop_reason) == (7, "end")
    assert [seen.query for seen in server.requests] == [{"q": ["x"]}, {"at": ["3"]}, {"at": ["6"]}]


def test_a_transparent_stack_pages_too(session: requests.Session, server: LoopbackServer) -> None:
    """Paging needs no handler; relative links meet no base URL of the stack."""
    stack = SessionStack(session)

    assert list(stack.paginate(f"{server.origin}/api/links")) == ROWS


def test_limits_are_ceilings_of_requests(session: requests.Session, server: LoopbackServer) -> None:
    """A sample of a long list costs one page."""
    stack = stack_on(session, server)

    assert [row["id"] for row in stack.paginate("links", max_items=2)] == [1, 2]
    assert len(server.requests) == 1
    assert len(list(stack.paginate("links", max_pages=2))) == 6
    assert len(server.requests) == 3


def test_a_bad_row_is_named_by_page_and_place(session: requests.Session) -> None:
    """The error says which item of which request does not fit."""
    body = {"items": [{"id": 1, "day": "2026-11-01"}, {"id": 2, "day": "soon"}]}
    with LoopbackServer(lambda _: ServerResponse(200, body)) as server:
        pages = stack_on(session, server).paginate("orders", into=Order)
        with pytest.raises(MappingError) as caught:
            list(pages)

    assert [problem.pointer for problem in caught.value.problems] == ["/items/1/day"]
    assert caught.value.index == 1
    assert caught.value.url == f"{server.origin}/api/orders"


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("errors", [True, False])
def test_an_error_in_the_middle_is_an_error(
    session: requests.Session, status: int, *, errors: bool
) -> None:
    """Half a list is never taken for the whole, with an error handler or without."""

    def failing(seen: ServerRequest) -> ServerResponse:
        return (
            ServerResponse(200, {"items": [1], "next": "?page=2"})
            if not seen.query
            else ServerResponse(status)
        )

    with LoopbackServer(failing) as server:
        stack = SessionStack(
            session, recommended(errors=errors), base_url=server.origin, clock=FakeClock()
        )
        items = iter(stack.paginate("orders", paginator=NextUrl()))
        assert next(items) == 1
        with pytest.raises(StatusError) as caught:
            next(items)

    assert caught.value.status == status
    assert isinstance(caught.value, NotFound) is (errors and status == 404)


def test_a_busy_page_is_retried_in_its_place(session: requests.Session) -> None:
    """A 503 in the middle of a walk costs no page and repeats none."""
    left = iter([503, 200, 503, 503, 200])
    statuses: list[int] = []

    def busy(seen: ServerRequest) -> ServerResponse:
        statuses.append(next(left))
        last = bool(seen.query)
        body = {"items": [2 if last else 1], "next": None if last else "?page=2"}
        return ServerResponse(statuses[-1], body)

    with LoopbackServer(busy) as server:
        stack = SessionStack(session, [RetryHandler()], base_url=server.origin, clock=FakeClock())
        assert list(stack.paginate("orders", paginator=NextUrl())) == [1, 2]


def test_a_token_that_ends_between_pages_is_renewed(session: requests.Session) -> None:
    """A long walk outlives its token, and goes on at the very page that was refused."""
    identity = IdentityProvider()

    def api(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            return identity.token(seen)
        if not identity.admits(seen):
            return ServerResponse(401)
        reply = orders(seen)
        identity.expire()
        return reply

    with LoopbackServer(api) as server:
        login = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(login), base_url=f"{server.origin}/api/")
        assert list(stack.paginate("links")) == ROWS

    assert identity.reuse_detected == 0
    assert identity.renewals == 3


@pytest.fixture
def thief() -> Iterator[LoopbackServer]:
    """Start a server of another origin, which keeps all that it is told."""
    with LoopbackServer(lambda _: ServerResponse(200, [1])) as server:
        yield server


def secret_stack(session: requests.Session, server: LoopbackServer) -> SessionStack:
    return SessionStack(session, recommended(StaticToken("planted")), base_url=server.origin)


@pytest.mark.parametrize("link", ["{0}/orders?page=2", "//{1}/orders?page=2", "http://u@{1}/"])
def test_no_link_leads_to_a_thief(
    session: requests.Session, thief: LoopbackServer, link: str
) -> None:
    """Another port is another origin: nothing is sent there, and the items so far are kept."""
    target = link.format(thief.origin, thief.origin.removeprefix("http://"))
    body = {"items": [1, 2], "next": target}
    with LoopbackServer(lambda _: ServerResponse(200, body)) as server:
        items = iter(secret_stack(session, server).paginate("orders", paginator=NextUrl()))
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(CrossOriginPage) as caught:
            next(items)

    assert thief.requests == []
    assert "planted" not in f"{caught.value!r}{vars(caught.value)}"


def test_a_redirected_page_moves_no_token(session: requests.Session) -> None:
    """Links of a page that a redirect took elsewhere lead elsewhere, and are not followed."""
    with (
        LoopbackServer(
            lambda _: ServerResponse(200, [1], {"Link": '<?page=2>; rel="next"'})
        ) as other,
        LoopbackServer(
            lambda _: ServerResponse(302, {}, {"Location": f"{other.origin}/orders"})
        ) as server,
    ):
        items = iter(secret_stack(session, server).paginate("orders"))
        assert next(items) == 1
        with pytest.raises(CrossOriginPage):
            next(items)

    assert len(other.requests) == 1
    assert "authorization" not in other.requests[0].headers


def test_a_redirect_within_the_house_moves_the_links(session: requests.Session) -> None:
    """Relative links go on where the resource is now."""

    def moving(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/old/orders":
            return ServerResponse(302, {}, {"Location": "/new/orders"})
        more = {} if seen.query else {"Link": '<?page=2>; rel="next"'}
        return ServerResponse(200, [len(seen.query) + 1], more)

    with LoopbackServer(moving) as server:
        pages = secret_stack(session, server).paginate("old/orders")
        assert list(pages) == [1, 2]

    assert [seen.path for seen in server.requests] == ["/old/orders", "/new/orders", "/new/orders"]
    assert {seen.bearer for seen in server.requests} == {"planted"}


def test_a_link_back_to_the_first_page_is_a_loop(session: requests.Session) -> None:
    """A server that goes round in a circle is asked once for each page."""
    ring = {"1": "2", "2": "3", "3": "1"}

    def circle(seen: ServerRequest) -> ServerResponse:
        number = seen.query["p"][0]
        return ServerResponse(
            200, [int(number)], {"Link": f'</orders?p={ring[number]}>; rel="next"'}
        )

    with LoopbackServer(circle) as server:
        items = stack_on(session, server).paginate(f"{server.origin}/orders", params={"p": 1})
        got: list[int] = []
        with pytest.raises(PageLoop, match="page 1"):
            got.extend(items)

    assert len(server.requests) == 3


def test_paging_of_another_kind_is_not_taken_for_the_whole(
    session: requests.Session, server: LoopbackServer
) -> None:
    """The default paginator on another API says which one goes on, instead of stopping short."""
    with pytest.raises(PaginationNotDetected) as caught:
        list(stack_on(session, server).paginate("urls", items="/data/orders"))

    assert "NextUrl('/next')" in caught.value.hint
    assert len(server.requests) == 1


def test_one_pages_object_serves_many_threads(
    session: requests.Session, server: LoopbackServer
) -> None:
    """Each thread that iterates walks by itself and gets the whole list."""
    pages = stack_on(session, server).paginate("links")

    assert at_once(8, lambda _: list(pages)) == [ROWS] * 8
