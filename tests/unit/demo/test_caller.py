"""The calls of a tour, each over a stack and counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import RefreshToken
from sessionkit.demo import DemoServer
from sessionkit.demo._caller import BODY_BYTES, Caller
from sessionkit.demo._tally import Tally, record_of
from sessionkit.testing import FakeClock


class Desk:
    """A caller, its tally and its server."""

    def __init__(self, server: DemoServer, stack: SessionStack) -> None:
        self.server = server
        self.tally = Tally()
        self.caller = Caller(stack, self.tally)


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A caller who is logged in."""
    clock = FakeClock()
    with DemoServer(clock=clock) as server:
        grant = RefreshToken(server.token_url, client_id="app")
        with SessionStack(None, recommended(grant), base_url=server.base_url, clock=clock) as stack:
            pair = server.login()
            token = Token(pair["access_token"], refresh_token=pair["refresh_token"])
            stack.handlers["auth"].login(token=token)
            yield Desk(server, stack)


@pytest.mark.parametrize("offset", [None, 0, 1_000])
def test_an_order_that_meets_an_ended_token_arrives_whole(desk: Desk, offset: int | None) -> None:
    """Bytes and files are sent again from where they stood."""
    desk.caller.use_up()
    response = desk.caller.order("one", offset=offset)

    assert response is not None
    assert response.json()["size"] == BODY_BYTES
    assert [attempt.status for attempt in record_of(response).attempts] == [401, 201]
    assert desk.server.figures() == {
        "requests": 43,
        "expiries": 1,
        "renewals": 1,
        "reuse_detected": 0,
        "replayed_posts": 1,
        "replayed_posts_intact": 1,
    }
    assert desk.tally.calls == desk.tally.calls_ok == 41


def test_using_up_ends_where_calls_fail(desk: Desk) -> None:
    """A broken server makes the tour fail, not hang."""
    desk.server._identity._refresh.clear()
    desk.server._identity._access.clear()
    desk.caller.use_up()

    assert (desk.tally.calls, desk.tally.calls_ok) == (1, 0)
