"""What one call wants of the renewal."""

from __future__ import annotations

from collections.abc import Generator

import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit.auth._ask import TokenAsk
from sessionkit.errors import RenewalFailed
from sessionkit.testing import FakeClock
from tests.loopback import Loopback, Reply


class TwoSteps:
    """A grant that asks twice."""

    key = "two"
    renewable = True

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def steps(
        self, held: Token | None, refused: requests.Response | None
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
        Loopback(
            lambda seen: Reply(200, {"code": "c", "token": f"t-{seen.form or ''}"[:2]})
        ) as api,
        requests.Session() as session,
    ):
        stack = SessionStack(session, clock=clock)
        ask = TokenAsk(TwoSteps(api.origin), stack, clock, ticket=0, deadline=None)
        token = ask.obtain(None)

    assert token == Token("t-", expires_in=60, expires_at=1060.0)
    assert [seen.path for seen in api.seen] == ["/code", "/token"]


def test_a_request_that_gets_no_answer_fails_without_its_secrets() -> None:
    """Neither the form nor a key in the URL is shown by the error or its cause."""
    import traceback

    clock = FakeClock()
    with requests.Session() as session:
        ask = TokenAsk(
            TwoSteps("http://127.0.0.1:9/?key=pass-word-0815"),
            SessionStack(session, clock=clock),
            clock,
            ticket=0,
            deadline=None,
        )
        with pytest.raises(RenewalFailed, match="gave no answer") as caught:
            ask.obtain(None)

    assert "pass-word-0815" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.retryable
