"""Answers of every status, also odd ones, and what they leave on the connection."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import StaticToken
from sessionkit.errors import NotFound
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.compared_sessions import TOKEN, told_the_same

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "status",
    [
        *(200, 201, 202, 203, 204, 205, 206, 226, 300, 304, 399, 400, 401, 402, 403, 404, 405, 407),
        *(408, 409, 410, 412, 413, 416, 417, 418, 421, 422, 423, 425, 426, 428, 431, 451, 499, 500),
        *(501, 505, 507, 511, 599, 600, 777, 999),
    ],
)
def test_an_answer_of_any_status_is_the_answer_that_it_is_bare(status: int) -> None:
    """Where no errors are raised; those that a retry is for are in test_retry."""
    reply = ServerResponse(status, {"detail": "so it is"}, {"X-Detail": "this"})
    with LoopbackServer(lambda _: reply) as server:
        for method in ("POST", "HEAD") if status % 2 else ("POST", "OPTIONS"):
            ask = methodcaller("request", method, server.origin)
            bare = told_the_same(ask, server)
            assert bare.status == status


@pytest.mark.parametrize("status", [204, 300, 304, 399])
@pytest.mark.parametrize("stream", [False, True])
def test_no_status_below_400_is_an_error(status: int, stream: bool) -> None:
    """Also with an error handler: a 304 is what a conditional request hopes for."""
    with LoopbackServer(lambda _: ServerResponse(status, b"")) as server:
        stack = SessionStack(None, recommended(StaticToken(TOKEN)), base_url=server.origin)
        with stack, stack.get("/x", headers={"If-None-Match": '"1"'}, stream=stream) as response:
            assert response.status_code == status


def test_head_of_what_is_not_there_is_not_found() -> None:
    """It has no body to read, whatever length it announces, and its connection is used again."""
    with LoopbackServer(lambda _: ServerResponse(404, b"x" * 5000)) as server:
        stack = SessionStack(None, recommended(StaticToken(TOKEN)), base_url=server.origin)
        with stack:
            for _ in range(3):
                with pytest.raises(NotFound) as caught:
                    stack.head("/x")
                assert caught.value.response is not None
                assert caught.value.response.headers["Content-Length"] == "5000"

        assert server.connections == 1


#: What goes over the connection, to the letter; the next request of the same session gets ``ok``.
ODD: dict[str, bytes] = {
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nwrong",
    "204 in chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "304 with a length": b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 5000\r\n\r\n',
    "304 with a body": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nwrong",
    "205 with a length": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "100 first": b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    "100 twice": b"HTTP/1.1 100 Continue\r\nX-First: 1\r\n\r\n" * 2 + OK,
    "102 first": b"HTTP/1.1 102 Processing\r\n\r\n" + OK,
    "103 first": b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n" + OK,
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "of 1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "of 1.0, kept": b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "closed": CLOSING + b"Content-Length: 2\r\n\r\nok",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "reason in UTF-8": "HTTP/1.1 200 gr\u00fcn\r\nContent-Length: 2\r\n\r\nok".encode(),
    "reason in Latin-1": "HTTP/1.1 404 gr\u00fcn\r\nContent-Length: 2\r\n\r\nok".encode("latin-1"),
    "length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "length of nonsense": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nConnection: close\r\n\r\nok",
    "bare newlines": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "trailer": CLOSING + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
    "no coding by that name": CLOSING + b"Content-Encoding: x-own\r\nContent-Length: 2\r\n\r\nok",
    "empty but zipped": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
    "not zipped": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("method", ["POST", "HEAD"])
def test_an_odd_answer_is_taken_as_it_is_bare_and_so_is_the_next(name: str, method: str) -> None:
    """What http.client makes of it, body and error; and how many connections that costs."""
    raw = ODD[name]
    if method == "HEAD":
        raw = raw.removesuffix(b"ok").removesuffix(b"wrong")

    def answer(seen: ServerRequest) -> bytes:
        return raw if seen.path == "/odd" else OK

    def call(session: Any) -> requests.Response:
        with_odd: list[Callable[[], requests.Response]] = [
            lambda: session.request(method, f"{server.origin}/odd"),
            lambda: session.request(method, f"{server.origin}/odd", stream=True),
        ]
        told: list[Any] = []
        for ask in with_odd:
            try:
                with ask() as response:
                    told.append((response.status_code, response.reason, response.content))
                    told.append(dict(response.raw.headers))
            except requests.RequestException as error:
                told.append(type(error))
        results.append(told)
        next_one: requests.Response = session.post(f"{server.origin}/next")
        return next_one

    results: list[Any] = []
    with LoopbackServer(answer) as server:
        bare = told_the_same(call, server)

    assert (bare.status, bare.body) == (200, b"ok")
    assert all(result == results[0] for result in results), results


def test_a_request_that_expects_100_is_sent_as_it_is_bare() -> None:
    """http.client does not wait for the 100; what it sends and takes is the same."""

    def answer(seen: ServerRequest) -> bytes:
        return b"HTTP/1.1 100 Continue\r\n\r\n" + OK

    with LoopbackServer(answer) as server:
        headers = {"Expect": "100-continue"}
        bare = told_the_same(lambda s: s.put(server.origin, data=b"x", headers=headers), server)

    assert (bare.status, bare.bodies) == (200, [b"x"])


def test_as_many_connections_are_opened_as_bare() -> None:
    """Over all that a session meets in a day: errors, redirects, streams, empty answers."""
    replies = {
        "/page": ServerResponse(200, b"x" * 10_000),
        "/none": ServerResponse(204),
        "/lost": ServerResponse(404, b"x" * 10_000),
        "/down": ServerResponse(500, b"x" * 200_000),
        "/away": ServerResponse(302, b"x" * 10_000, {"Location": "/page"}),
        "/last": ServerResponse(200, b"x", {"Connection": "close"}),
    }
    with LoopbackServer(lambda seen: replies[seen.path]) as server:

        def call(session: Any) -> requests.Response:
            for path in replies:
                url = server.origin + path
                session.get(url)
                session.post(url, data=b"y" * 100_000)
                session.head(url)
                with session.get(url, stream=True) as response:
                    response.content  # noqa: B018  # read
                with session.get(url, stream=True) as response:
                    next(response.iter_content(10), None)
            final: requests.Response = session.options(f"{server.origin}/page")
            return final

        bare = told_the_same(call, server)

    assert 5 < bare.connections < len(bare.requests) / 2
