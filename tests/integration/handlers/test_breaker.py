"""A circuit breaker over real sockets and in many threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack, recommended
from sessionkit.errors import CircuitOpen, ConnectFailed, ServiceUnavailable
from sessionkit.handlers import CircuitBreakerHandler, RetryHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.threads import at_once


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session with a connection for each thread."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=16))
        yield session


def test_eight_calls_are_under_way_at_once(session: requests.Session) -> None:
    """Eight threads wait 0.1 s together, not 0.8 s one after another: no lock is held meanwhile."""
    together = threading.Barrier(8)

    def respond(_: ServerRequest) -> ServerResponse:
        together.wait(30)  # broken, and so a 500, unless all eight are here
        return ServerResponse(200)

    with LoopbackServer(respond) as server:
        breaker = CircuitBreakerHandler()
        stack = SessionStack(session, [breaker], base_url=server.origin)
        results = at_once(8, lambda _: stack.get("tasks").status_code)

    assert results == [200] * 8
    assert breaker.states == {}


def test_eight_failing_calls_are_under_way_at_once(session: requests.Session) -> None:
    """Not even where each of them has to be counted."""
    together = threading.Barrier(8)

    def respond(_: ServerRequest) -> ServerResponse:
        together.wait(30)
        return ServerResponse(503)

    with LoopbackServer(respond) as server:
        breaker = CircuitBreakerHandler(3)
        stack = SessionStack(session, [breaker], base_url=server.origin, clock=FakeClock())
        assert at_once(8, lambda _: stack.get("tasks").status_code) == [503] * 8
        assert at_once(8, lambda _: isinstance(_tried(stack), CircuitOpen)) == [True] * 8

    assert len(server.requests) == 8
    assert list(breaker.states.values()) == ["open"]


def _tried(stack: SessionStack) -> object:
    try:
        return stack.get("tasks").status_code
    except CircuitOpen as error:
        return error


def test_one_of_eight_waiting_threads_makes_the_trial(session: requests.Session) -> None:
    """A server that comes back is met by one call, and by all when that was well."""
    replies = iter([503] * 2)
    inside, others_done = threading.Event(), threading.Event()

    def respond(_: ServerRequest) -> ServerResponse:
        status = next(replies, 200)
        if status == 200 and not others_done.is_set():
            inside.set()
            others_done.wait(30)
        return ServerResponse(status)

    clock = FakeClock()
    with LoopbackServer(respond) as server:
        stack = SessionStack(
            session, [CircuitBreakerHandler(2)], base_url=server.origin, clock=clock
        )
        assert [_tried(stack), _tried(stack)] == [503, 503]
        clock.advance(30)
        trial = threading.Thread(target=_tried, args=(stack,))
        trial.start()
        inside.wait(30)
        refused = at_once(7, lambda _: isinstance(_tried(stack), CircuitOpen))
        others_done.set()
        trial.join(30)

        assert refused == [True] * 7
        assert len(server.requests) == 3
        assert at_once(8, lambda _: _tried(stack)) == [200] * 8


def test_a_server_that_is_gone_is_asked_no_more() -> None:
    """With the recommended handlers: retries end, the error says why, and a trial finds it back."""
    with LoopbackServer(lambda _: ServerResponse(200)) as server:
        origin = server.origin
    chain = recommended()
    chain["retry"] = RetryHandler(2)
    clock = FakeClock()
    with requests.Session() as session:
        stack = SessionStack(session, chain, base_url=origin, clock=clock)
        breaker = CircuitBreakerHandler()
        stack.handlers.add(breaker, after="retry")
        with pytest.raises(ConnectFailed):
            stack.get("tasks")
        with pytest.raises(CircuitOpen) as caught:
            stack.get("tasks")

        assert caught.value.attempts == 2
        assert caught.value.sent == "maybe"
        assert "the last of them ConnectFailed" in caught.value.message
        with pytest.raises(CircuitOpen) as caught:
            stack.get("tasks")
        assert caught.value.attempts == 0
        assert caught.value.sent == "no"


def test_a_post_that_is_refused_was_not_sent(session: requests.Session) -> None:
    """While a circuit is open, an order is not placed, and the caller may rely on it."""
    with LoopbackServer(lambda _: ServerResponse(503)) as server:
        stack = SessionStack(session, recommended(), base_url=server.origin, clock=FakeClock())
        stack.handlers.add(CircuitBreakerHandler(1), after="retry")
        with pytest.raises(ServiceUnavailable):
            stack.post("orders", json={"product": 7})
        with pytest.raises(CircuitOpen) as caught:
            stack.post("orders", json={"product": 7})

    assert caught.value.sent == "no"
    assert len(server.requests) == 1


def test_streams_pass_unread(session: requests.Session) -> None:
    """A large download is not pulled into memory to be counted."""
    with LoopbackServer(lambda _: ServerResponse(200, iter([b"x" * 1000] * 50))) as server:
        stack = SessionStack(session, [CircuitBreakerHandler()], base_url=server.origin)
        with stack.get("export", stream=True) as response:
            assert not response._content_consumed
            assert sum(map(len, response.iter_content(4096))) == 50_000


@pytest.mark.parametrize("gone", [False, True])
def test_a_redirect_to_a_failing_server_opens_no_circuit_of_ours(
    session: requests.Session, gone: bool
) -> None:
    """An API stays in use while the store of files that it points to is down."""
    breaker = CircuitBreakerHandler(2)
    with LoopbackServer(lambda _: ServerResponse(503)) as files:
        place = {"Location": f"{files.origin}/7"}

        def respond(seen: ServerRequest) -> ServerResponse:
            return ServerResponse(302, b"", place) if seen.path == "/file" else ServerResponse(200)

        with LoopbackServer(respond) as api:
            stack = SessionStack(session, [breaker], base_url=api.origin)
            if gone:
                files.__exit__(None, None, None)
            for _ in range(3):
                with suppress(requests.ConnectionError):
                    assert stack.get("file").status_code == 503

            assert stack.get("tasks").ok
    assert breaker.states == {}
