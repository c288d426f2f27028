"""Requests that take more than sending."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit.auth.grants._errands import DelayedRequest, UserRequest
from sessionkit.auth.grants._runner import TokenRequestRunner
from sessionkit.errors import RenewalFailed
from sessionkit.testing import FakeClock
from tests.support.servers.loopback import Loopback, Reply


class OneErrand:
    """A grant whose only request is an errand."""

    store_key = "errand"
    renewable = True

    def __init__(self, request: requests.Request) -> None:
        self._request = request

    def steps(
        self, token: Token | None, rejected: requests.Response | None
    ) -> Generator[requests.Request, requests.Response, Token]:
        """Have it performed."""
        answer = yield self._request
        return Token(answer.json()["token"], expires_in=60)


def obtained(request: requests.Request, clock: FakeClock, deadline: float | None = None) -> Token:
    """Walk through a grant of one errand."""
    with requests.Session() as session:
        stack = SessionStack(session, clock=clock)
        ask = TokenRequestRunner(OneErrand(request), stack, clock, ticket=0, deadline=deadline)
        return ask.obtain(None)


def question(origin: str) -> requests.Request:
    """Return a plain token request."""
    return requests.Request("POST", f"{origin}/token", data={"a": "b"})


def test_a_request_is_sent_after_its_wait_by_the_clock_of_the_stack() -> None:
    """The wait is the clock's, and the life of the token counts from after it."""
    clock = FakeClock(epoch=1000.0)
    with Loopback(lambda _: Reply(200, {"token": "new"})) as server:
        token = obtained(DelayedRequest(question(server.origin), 7.5), clock)

        assert [seen.form for seen in server.seen] == [{"a": "b"}]
    assert clock.sleeps == (7.5,)
    assert token.expires_at == 1067.5


def test_a_wait_beyond_the_deadline_ends_there_and_sends_nothing() -> None:
    """The caller has its answer when it was promised."""
    clock = FakeClock()
    with (
        Loopback(lambda _: Reply(200, {"token": "new"})) as server,
        pytest.raises(RenewalFailed, match="before the user had logged in") as caught,
    ):
        obtained(DelayedRequest(question(server.origin), 7.5), clock, clock.monotonic() + 5)

    assert server.seen == []
    assert clock.sleeps == (5.0,)
    assert "login(stack)" in caught.value.hint


def test_a_user_is_asked_only_where_there_is_time_to_answer() -> None:
    """An early renewal within a call opens no browser for five seconds."""
    clock = FakeClock()
    with Loopback(lambda _: Reply(200, {"token": "new"})) as server:
        asking = UserRequest.of(question(server.origin))
        with pytest.raises(RenewalFailed, match="too little time"):
            obtained(asking, clock, clock.monotonic() + 9)
        assert server.seen == []

        assert obtained(asking, clock, clock.monotonic() + 11) == Token(
            "new", expires_in=60, expires_at=clock.time() + 60
        )
        assert server.seen[0].form == {"a": "b"}
