"""What one call wants of the renewal."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import StaticToken
from sessionkit.auth.grants._runner import DelayedRequest, TokenRequestRunner, UserRequest, clock_of
from sessionkit.errors import ConfigError, RenewalFailed
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerResponse


class TwoSteps:
    """A grant that asks twice."""

    store_key = "two"
    renewable = True

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def steps(
        self, token: Token | None, rejected: requests.Response | None
    ) -> Generator[requests.Request, requests.Response, Token]:
        """Ask for a code, then for the token."""
        code = yield requests.Request("GET", f"{self._origin}/code")
        form = {"code": code.json()["code"], "password": "pass-word-0815"}
        answer = yield requests.Request("POST", f"{self._origin}/token", data=form)
        return Token(answer.json()["token"], expires_in=60)


def test_a_grant_is_walked_step_by_step_and_its_token_stamped() -> None:
    """Each answer leads to the next request; the token's life counts from the last one."""
    clock = FakeClock(epoch=1000.0)
    with (
        LoopbackServer(
            lambda seen: ServerResponse(200, {"code": "c", "token": f"t-{seen.form or ''}"[:2]})
        ) as api,
        requests.Session() as session,
    ):
        stack = SessionStack(session, clock=clock)
        ask = TokenRequestRunner(TwoSteps(api.origin), stack, clock, entered_after=0, deadline=None)
        token = ask.obtain(None)

    assert token == Token("t-", expires_in=60, expires_at=1060.0)
    assert [seen.path for seen in api.requests] == ["/code", "/token"]


def test_a_request_that_gets_no_answer_fails_without_its_secrets() -> None:
    """Neither the form nor a key in the URL is shown by the error or its cause."""
    import traceback

    clock = FakeClock()
    with requests.Session() as session:
        ask = TokenRequestRunner(
            TwoSteps("http://127.0.0.1:9/?key=pass-word-0815"),
            SessionStack(session, clock=clock),
            clock,
            entered_after=0,
            deadline=None,
        )
        with pytest.raises(RenewalFailed, match="gave no response") as caught:
            ask.obtain(None)

    assert "pass-word-0815" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.retryable


class Stubborn(TwoSteps):
    """A grant that goes on where a request gets no answer."""

    def steps(
        self, token: Token | None, rejected: requests.Response | None
    ) -> Generator[requests.Request, requests.Response, Token]:
        """Ask once more, elsewhere."""
        try:
            yield requests.Request("GET", "http://127.0.0.1:9/")
        except RenewalFailed:
            return (yield from super().steps(token, rejected))
        raise AssertionError("there was an answer")


def test_a_grant_may_go_on_without_an_answer() -> None:
    """It is told of the failure where it waits for the answer."""
    clock = FakeClock()
    with (
        LoopbackServer(lambda _: ServerResponse(200, {"code": "c", "token": "t"})) as api,
        requests.Session() as session,
    ):
        stack = SessionStack(session, clock=clock)
        token = TokenRequestRunner(
            Stubborn(api.origin), stack, clock, entered_after=0, deadline=None
        ).obtain(None)

    assert token.value == "t"


def test_the_time_is_that_of_the_stack() -> None:
    """A login waits by the clock that the calls go by; a stand-in for a stack may have none."""
    clock = FakeClock()
    stand_in: Any = object()
    with SessionStack(clock=clock) as stack, stack.with_options(timeout=1) as light:
        assert clock_of(stack) is clock
        assert clock_of(light) is clock
    assert clock_of(stand_in) is SYSTEM_CLOCK


def test_a_grant_that_asks_nobody_and_revokes_nothing_says_so() -> None:
    """An API key is neither logged in nor out at a server."""
    with SessionStack() as stack:
        ask = TokenRequestRunner(
            StaticToken("key"), stack, FakeClock(), entered_after=0, deadline=None
        )

        assert ask.ask_user() is None
        with pytest.raises(ConfigError, match="StaticToken cannot be revoked"):
            ask.revoke([Token("key")])


# -- Requests that take more than sending


class OneRequest:
    """A grant with one request."""

    store_key = "one"
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
    """Walk through a grant of one request."""
    with requests.Session() as session:
        stack = SessionStack(session, clock=clock)
        ask = TokenRequestRunner(
            OneRequest(request), stack, clock, entered_after=0, deadline=deadline
        )
        return ask.obtain(None)


def question(origin: str) -> requests.Request:
    """Return a plain token request."""
    return requests.Request("POST", f"{origin}/token", data={"a": "b"})


def test_a_request_is_sent_after_its_wait_by_the_clock_of_the_stack() -> None:
    """The wait is the clock's, and the life of the token counts from after it."""
    clock = FakeClock(epoch=1000.0)
    with LoopbackServer(lambda _: ServerResponse(200, {"token": "new"})) as server:
        token = obtained(DelayedRequest(question(server.origin), 7.5), clock)

        assert [seen.form for seen in server.requests] == [{"a": "b"}]
    assert clock.sleeps == (7.5,)
    assert token.expires_at == 1067.5


def test_a_wait_beyond_the_deadline_ends_there_and_sends_nothing() -> None:
    """The caller has its answer when it was promised."""
    clock = FakeClock()
    with (
        LoopbackServer(lambda _: ServerResponse(200, {"token": "new"})) as server,
        pytest.raises(RenewalFailed, match="before the user had logged in") as caught,
    ):
        obtained(DelayedRequest(question(server.origin), 7.5), clock, clock.monotonic() + 5)

    assert server.requests == []
    assert clock.sleeps == (5.0,)
    assert "login(stack)" in caught.value.hint


def test_a_user_is_asked_only_where_there_is_time_to_answer() -> None:
    """An early renewal within a call opens no browser for five seconds."""
    clock = FakeClock()
    with LoopbackServer(lambda _: ServerResponse(200, {"token": "new"})) as server:
        asking = UserRequest.of(question(server.origin))
        with pytest.raises(RenewalFailed, match="too little time"):
            obtained(asking, clock, clock.monotonic() + 9)
        assert server.requests == []

        assert obtained(asking, clock, clock.monotonic() + 11) == Token(
            "new", expires_in=60, expires_at=clock.time() + 60
        )
        assert server.requests[0].form == {"a": "b"}
