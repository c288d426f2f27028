"""The budget of a call over real sockets: no slowness of a body or of a server outlasts it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import ClientCredentials
from sessionkit.errors import DeadlineExceeded, RenewalFailed, ServiceUnavailable
from sessionkit.handlers import RetryHandler, TimeoutHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

BUDGET = 0.2
#: Far less than the timeouts that a budget is to shorten, with room for a loaded machine.
SOON = 3.0


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over, so that no server thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


def exceeded(server: LoopbackServer, *further_in: RetryHandler) -> DeadlineExceeded:
    """Make a call with a budget on the machine's own clock, and return how it failed."""
    handlers = [TimeoutHandler(BUDGET), *further_in]
    with requests.Session() as session, pytest.raises(DeadlineExceeded) as caught:
        SessionStack(session, handlers, base_url=server.origin).get("tasks")
    return caught.value


def test_a_server_that_does_not_answer_is_left_in_time(over: threading.Event) -> None:
    """A silent server costs the budget, not the read timeout, and is not asked twice."""

    def respond(_: ServerRequest) -> ServerResponse:
        over.wait(5)
        return ServerResponse()

    with LoopbackServer(respond) as server:
        error = exceeded(server, RetryHandler())

    assert isinstance(error.__cause__, requests.ReadTimeout)
    assert BUDGET - 0.01 <= (error.duration or 0) < SOON
    assert (error.attempts, error.sent) == (1, "maybe")


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("further_in", [[], [RetryHandler()]], ids=["alone", "with retries"])
def test_a_body_that_trickles_is_left_in_time(
    over: threading.Event, further_in: list[RetryHandler], status: int
) -> None:
    """Every piece comes within the read timeout, yet the call ends when its time is up."""

    def trickle() -> Iterator[bytes]:
        for _ in range(200):
            if over.wait(0.02):
                return
            yield b"."

    with LoopbackServer(
        lambda _: ServerResponse(status, trickle(), {"Content-Length": "200"})
    ) as server:
        error = exceeded(server, *further_in)

    assert BUDGET - 0.01 <= (error.duration or 0) < SOON
    assert (error.status, error.sent) == (status, "yes")


@pytest.mark.parametrize("further_in", [[], [RetryHandler(0)]], ids=["alone", "with retries"])
def test_a_budget_lengthens_no_time_out(
    over: threading.Event, further_in: list[RetryHandler]
) -> None:
    """A body that stalls is noticed after the read timeout, however much time the call has."""

    def stall() -> Iterator[bytes]:
        yield b"."
        over.wait(5)

    handlers = [TimeoutHandler(60, read=0.1), *further_in]
    stalled = ServerResponse(200, stall(), {"Content-Length": "2"})
    began = SYSTEM_CLOCK.monotonic()
    with LoopbackServer(lambda _: stalled) as server, requests.Session() as session:
        stack = SessionStack(session, handlers, base_url=server.origin)
        with pytest.raises(requests.ConnectionError, match="timed out"):
            stack.get("tasks")

    assert SYSTEM_CLOCK.monotonic() - began < SOON


def test_a_renewal_counts_against_the_budget(over: threading.Event) -> None:
    """A token endpoint that is silent is left in time; the error says that it was that one."""

    def respond(_: ServerRequest) -> ServerResponse:
        over.wait(5)
        return ServerResponse()

    began = SYSTEM_CLOCK.monotonic()
    with LoopbackServer(respond) as server, requests.Session() as session:
        login = ClientCredentials(f"{server.origin}/token", client_id="a", client_secret="b")
        stack = SessionStack(session, recommended(login), base_url=server.origin)
        with pytest.raises(RenewalFailed, match="token endpoint gave no response") as caught:
            stack.get("tasks", total_timeout=BUDGET)

    assert isinstance(caught.value.__cause__, requests.ReadTimeout)
    assert SYSTEM_CLOCK.monotonic() - began < SOON


def test_one_budget_holds_for_attempts_waits_and_renewal_together() -> None:
    """The second wait would be the one too many, so the last answer stands, at once."""
    clock = FakeClock()
    tokens: list[str] = []

    def respond(seen: ServerRequest) -> ServerResponse:
        clock.advance(1)  # each request takes a second
        if seen.path == "/token":
            tokens.append(f"token-{len(tokens)}")
            return ServerResponse(200, {"access_token": tokens[-1]})
        if len(server.requests_to("/tasks")) == 2:
            return ServerResponse(401, headers={"WWW-Authenticate": "Bearer"})
        return ServerResponse(503, headers={"Retry-After": "20"})

    with LoopbackServer(respond) as server, requests.Session() as session:
        login = ClientCredentials(f"{server.origin}/token", client_id="a", client_secret="b")
        stack = SessionStack(session, recommended(login), base_url=server.origin, clock=clock)
        with pytest.raises(ServiceUnavailable) as caught:
            stack.get("tasks", total_timeout=44.5)

    # Token, 503, wait, 401, token, 503: the next wait would end at 45.
    assert (caught.value.attempts, caught.value.duration) == (3, 25.0)
    assert clock.sleeps == (20.0,)
