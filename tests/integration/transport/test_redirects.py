"""Redirects of a call that carries a secret: hop by hop, and otherwise as requests follows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack
from sessionkit.auth import AuthHandler, Bearer, Header, StaticToken
from sessionkit.chain._exchange import DEFAULT_TIMEOUT
from sessionkit.errors import RedirectFailed
from sessionkit.handlers import ErrorHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import Keeper, opened

#: What a hop must not depend on: where the secret rides, and how the call came in.
WAYS = [(scheme, way) for scheme in (Bearer(), Header("X-Key")) for way in ("request", "send")]


def chain_of(hops: int, status: int = 302) -> Any:
    """Return a server that redirects from /0 to /1 and so on, and answers at the last."""

    def answer(seen: ServerRequest) -> ServerResponse:
        number = int(seen.path.strip("/"))
        if number >= hops:
            return ServerResponse(200, {"method": seen.method, "hops": number})
        return ServerResponse(
            status, b"body", {"Location": f"/{number + 1}", "Set-Cookie": f"c{number}=1"}
        )

    return answer


@contextmanager
def secretive(
    answer: Any, scheme: Any = None, **settings: Any
) -> Iterator[tuple[SessionStack, LoopbackServer]]:
    """Open a stack whose calls carry a secret."""
    with opened(answer, **settings) as (stack, server):
        stack.handlers.add(AuthHandler(StaticToken("s3cret"), scheme=scheme or Bearer()))
        yield stack, server


def call(stack: SessionStack, way: str, method: str = "GET", **options: Any) -> requests.Response:
    """Make a call to the start of the chain, prepared or not."""
    if way == "request":
        return stack.request(method, "0", **options)
    data = options.pop("data", None)
    url = f"{stack.base_url}0"
    return stack.send(stack.prepare_request(requests.Request(method, url, data=data)), **options)


@pytest.mark.parametrize(("scheme", "way"), WAYS)
def test_a_chain_of_redirects_is_followed_with_the_secret_at_each_hop(
    scheme: Any, way: str
) -> None:
    """The answer is the last one, and its history is what requests would have written."""
    with secretive(chain_of(3), scheme) as (stack, server):
        response = call(stack, way)

        assert response.json() == {"method": "GET", "hops": 3}
        assert [past.status_code for past in response.history] == [302, 302, 302]
        assert ["s3cret" in repr(seen) for seen in server.requests] == [True] * 4
    assert len(response.record.attempts) == 1  # type: ignore[attr-defined]  # set by the stack


@pytest.mark.parametrize(("scheme", "way"), WAYS)
@pytest.mark.parametrize(
    ("status", "method", "final"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (307, "POST", "POST")],
)
def test_the_session_decides_which_method_a_hop_has(
    scheme: Any, way: str, status: int, method: str, final: str
) -> None:
    """A form that is answered by "see other" is not sent a second time."""
    with secretive(chain_of(1, status), scheme) as (stack, server):
        response = call(stack, way, method, data=b"body")

        assert response.json()["method"] == final
        assert server.requests[1].body == (b"body" if final == method else b"")


@pytest.mark.parametrize(("scheme", "way"), WAYS)
def test_cookies_that_a_redirect_sets_are_sent_on_the_next_hop(scheme: Any, way: str) -> None:
    """A login page that hands out its cookie on the way works."""
    with secretive(chain_of(2), scheme) as (stack, server):
        call(stack, way)

        assert server.requests[2].headers["cookie"] == "c0=1; c1=1"
        assert dict(stack.cookies) == {"c0": "1", "c1": "1"}


@pytest.mark.parametrize(("scheme", "way"), WAYS)
def test_a_caller_who_wants_to_see_the_redirect_sees_it(scheme: Any, way: str) -> None:
    """``allow_redirects=False`` is one request."""
    with secretive(chain_of(3), scheme) as (stack, server):
        response = call(stack, way, allow_redirects=False)

        assert response.status_code == 302
        assert response.next is not None
        assert len(server.requests) == 1


@pytest.mark.parametrize(("scheme", "way"), WAYS)
@pytest.mark.parametrize("limit", [0, 2])
def test_the_sessions_limit_holds(scheme: Any, way: str, limit: int) -> None:
    """A loop ends where the session says, with the error that requests has for it."""
    with secretive(chain_of(100), scheme) as (stack, server):
        stack.max_redirects = limit
        with pytest.raises(requests.TooManyRedirects, match=f"Exceeded {limit} redirects"):
            call(stack, way)

        assert len(server.requests) == 1 + limit


def test_a_loop_is_an_error_of_ours_where_errors_are_mapped() -> None:
    """It names the limit, and code that catches requests' own class goes on to catch it."""
    with secretive(chain_of(100), handlers=[ErrorHandler()]) as (stack, _):
        stack.max_redirects = 2
        with pytest.raises(RedirectFailed) as caught:
            stack.get("0")

    assert isinstance(caught.value, requests.TooManyRedirects)


@pytest.mark.parametrize("way", ["request", "send"])
def test_the_hooks_of_a_session_see_every_hop(way: str) -> None:
    """What a hook counts or logs is not lost."""
    seen: list[int] = []
    session = requests.Session()
    session.hooks["response"].append(lambda r, *a, **k: seen.append(r.status_code))
    with secretive(chain_of(2), session=session) as (stack, _):
        call(stack, way)

    assert seen == [302, 302, 200]


class Timed(HTTPAdapter):
    """An adapter that keeps the time-outs it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[object] = []

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        self.timeouts.append(kwargs.get("timeout"))
        return super().send(*args, **kwargs)


@pytest.mark.parametrize(("scheme", "way"), WAYS)
def test_the_time_out_of_a_call_holds_for_each_hop(scheme: Any, way: str) -> None:
    """No hop waits for ever because the first one was redirected."""
    adapter = Timed()
    with secretive(chain_of(2), scheme) as (stack, _):
        stack.mount("http://", adapter)
        call(stack, way, timeout=7)

    assert adapter.timeouts == [7, 7, 7]


def test_no_hop_of_a_session_with_a_default_time_out_waits_for_ever() -> None:
    """Its own default is for the first request; the hops behind it have one of ours."""

    class Patient(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            kwargs.setdefault("timeout", 3.5)
            return super().request(*args, **kwargs)

    adapter = Timed()
    with secretive(chain_of(2), session=Patient()) as (stack, _):
        stack.mount("http://", adapter)
        stack.get("0")

    assert adapter.timeouts == [3.5, DEFAULT_TIMEOUT, DEFAULT_TIMEOUT]


@pytest.mark.parametrize("secret", [True, False])
@pytest.mark.parametrize("way", ["request", "send"])
def test_each_hop_has_the_time_that_is_left(way: str, secret: bool) -> None:
    """A chain of slow redirects does not take its deadline several times over."""
    adapter, clock = Timed(), FakeClock()
    redirecting = chain_of(2)

    def slow(seen: ServerRequest) -> ServerResponse:
        clock.advance(3)
        reply: ServerResponse = redirecting(seen)
        return reply

    limited = Keeper(lambda exchange: exchange.with_deadline(10.0))
    with opened(slow, [limited], clock=clock) as (stack, _):
        if secret:
            stack.handlers.add(AuthHandler(StaticToken("s3cret")))
        stack.mount("http://", adapter)
        call(stack, way)

    assert adapter.timeouts == [10.0, 7.0, 4.0]


def test_a_redirected_answer_is_streamed_where_it_was_asked_for() -> None:
    """The last answer is left unread, and the connection of the others is used again."""
    with secretive(chain_of(2)) as (stack, server):
        with stack.get("0", stream=True) as response:
            assert not vars(response)["_content_consumed"]
            assert response.json()["hops"] == 2

        assert server.connections == 1
