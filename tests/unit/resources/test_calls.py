"""One call: sent, and its status checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.errors import ConfigError, ServiceUnavailable, UnexpectedStatus
from sessionkit.resources._calls import send_checked, statuses
from tests.loopback import Loopback, Reply, Seen


@pytest.fixture
def server() -> Iterator[Loopback]:
    """Start a server that answers with the status in the path."""

    def answer(seen: Seen) -> Reply:
        return Reply(int(seen.path.rpartition("/")[2]), {"detail": "so it is"})

    with Loopback(answer) as server:
        yield server


@pytest.fixture
def stack(server: Loopback) -> Iterator[SessionStack]:
    """Return a stack without handlers."""
    with requests.Session() as session:
        yield SessionStack(session, base_url=server.origin)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
def test_any_success_is_a_success_by_default(stack: SessionStack, status: int) -> None:
    """Nobody has to list what every server may answer."""
    assert send_checked(stack, "GET", str(status)).status_code == status


@pytest.mark.parametrize("status", [304, 404, 500])
def test_any_other_status_is_an_error_that_says_which_call(
    stack: SessionStack, server: Loopback, status: int
) -> None:
    """The text starts with verb, path and status, and the evidence is all there."""
    with pytest.raises(UnexpectedStatus) as caught:
        send_checked(stack, "GET", f"a/{status}", options={"params": {"q": "1"}})

    error = caught.value
    assert str(error).startswith(f"GET /a/{status} {status}: expected 2xx")
    assert (error.method, error.url) == ("GET", f"{server.origin}/a/{status}?q=1")
    assert error.status == status
    assert error.response is not None
    assert error.response.status_code == status


def test_expected_statuses_hold_to_the_letter(stack: SessionStack) -> None:
    """An endpoint that says 201 is not content with 200, and one that expects 404 is."""
    assert send_checked(stack, "GET", "404", expect=frozenset({200, 404})).status_code == 404
    with pytest.raises(UnexpectedStatus, match="GET /200 200: expected 201 or 204"):
        send_checked(stack, "GET", "200", expect=frozenset({204, 201}))


def test_an_error_handler_on_the_stack_speaks_first(server: Loopback) -> None:
    """With recommended handlers a 503 is what it always is."""
    chain = recommended()
    del chain["retry"]
    with requests.Session() as session, pytest.raises(ServiceUnavailable):
        send_checked(SessionStack(session, chain, base_url=server.origin), "GET", "503")


@pytest.mark.parametrize(
    ("expect", "read"),
    [(None, None), (201, {201}), ((200, 204), {200, 204}), (range(200, 202), {200, 201})],
)
def test_expect_takes_one_status_or_several(expect: Any, read: set[int] | None) -> None:
    """The usual case is short, and the rest is any collection."""
    assert statuses(expect, "Api.user") == read


@pytest.mark.parametrize("expect", [20, 600, (), ("200",), True, [None]])
def test_what_is_no_status_is_refused_at_declaration(expect: Any) -> None:
    """A typing error does not wait for the first answer."""
    with pytest.raises(ConfigError, match=r"^Api\.user: expect="):
        statuses(expect, "Api.user")
