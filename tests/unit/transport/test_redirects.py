"""The bodies of redirects: read within bounds, and their hook leaves no trace."""

from __future__ import annotations

import gzip
import itertools
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from sessionkit import SessionStack
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import AuthHandler, Bearer, Header, StaticToken
from sessionkit.bodies._response import DRAIN_BYTES
from sessionkit.errors import DeadlineExceeded
from sessionkit.handlers import TimeoutHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import ServerRequest, ServerResponse
from sessionkit.transport._redirects import RedirectHook, detach_hook
from tests.support.stacks import Recorder, opened

AWAY = {"Location": "/there"}
BOMB = gzip.compress(bytes(50_000_000))
#: Far less than the time-outs, with room for a loaded machine.
SOON = 5.0


def carrying(scheme: Any) -> AuthHandler:
    """Return a handler that places a secret."""
    return AuthHandler(StaticToken("s3cret"), scheme=scheme)


#: What makes the wire follow redirects itself.
HANDLERS: dict[str, Callable[[], Any]] = {
    "token": lambda: carrying(Bearer()),
    "key": lambda: carrying(Header("X-Key")),
    "deadline": lambda: TimeoutHandler(20),
}


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over, so that no server thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


def call(stack: SessionStack, way: str, **options: Any) -> requests.Response:
    """Make a call, prepared or not."""
    if way == "request":
        return stack.get("here", **options)
    request = requests.Request("GET", f"{stack.base_url}here")
    return stack.send(stack.prepare_request(request), **options)


def redirecting(body: Any, headers: dict[str, str] | None = None) -> Any:
    """Return a server that redirects once, with this body."""

    def respond(seen: ServerRequest) -> ServerResponse:
        moved = {**AWAY, **(headers or {})}
        return (
            ServerResponse(200, {"at": seen.path})
            if seen.path == "/there"
            else ServerResponse(302, body(), moved)
        )

    return respond


def trickle(over: threading.Event) -> Iterator[bytes]:
    """Yield a byte now and then, for longer than any test may take."""
    while not over.wait(0.01):
        yield b"."


BODIES = ["endless", "trickle", "bomb", "cut", "no gzip", "stall", "stall, kept open"]


def redirect_with(name: str, over: threading.Event) -> Any:
    """Return a server that redirects with a body of this kind."""
    zipped = {"Content-Encoding": "gzip"}

    def stall() -> Iterator[bytes]:
        yield b"."
        over.wait(20)

    bodies: dict[str, tuple[Any, dict[str, str]]] = {
        "endless": (lambda: itertools.repeat(b"x" * 65_536), {}),
        "trickle": (lambda: trickle(over), {}),
        "bomb": (lambda: BOMB, zipped),
        "cut": (lambda: iter([b"abc"]), {"Content-Length": "9"}),
        "no gzip": (lambda: b"no gzip", zipped),
        # With its connection, and with one that the server says it keeps.
        "stall": (stall, {"Content-Length": "9"}),
        "stall, kept open": (stall, {"Content-Length": "9", "Connection": "keep-alive"}),
    }
    return redirecting(*bodies[name])


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", ["request", "send"])
@pytest.mark.parametrize("body", BODIES)
def test_no_body_of_a_redirect_holds_up_who_follows_it(
    body: str, way: str, handler: str, over: threading.Event
) -> None:
    """Nobody reads it, so it may be endless, a trickle, a bomb or broken: the call goes on."""
    began = SYSTEM_CLOCK.monotonic()
    with opened(redirect_with(body, over), [HANDLERS[handler]()]) as (stack, _):
        response = call(stack, way)

    assert response.json() == {"at": "/there"}
    assert len(response.history[0].content) <= 2 * DRAIN_BYTES
    assert SYSTEM_CLOCK.monotonic() - began < SOON


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", ["request", "send"])
def test_the_body_of_a_usual_redirect_is_there_and_its_connection_serves_on(
    way: str, handler: str
) -> None:
    """``response.history`` is what a bare session would show."""
    server = redirecting(lambda: b"<a href='/there'>", {"Content-Type": "text/html"})
    with opened(server, [HANDLERS[handler]()]) as (stack, loopback):
        response = call(stack, way)

        assert response.history[0].content == b"<a href='/there'>"
        assert loopback.connections == 1


@pytest.mark.parametrize("way", ["request", "send"])
def test_a_redirect_that_the_caller_wants_to_see_is_left_at_the_deadline(
    way: str, over: threading.Event
) -> None:
    """A trickle costs the budget of the call, and not a moment more."""
    began = SYSTEM_CLOCK.monotonic()
    with (
        opened(redirect_with("trickle", over), [TimeoutHandler(0.2)]) as (stack, _),
        pytest.raises(DeadlineExceeded),
    ):
        call(stack, way, allow_redirects=False)

    assert SYSTEM_CLOCK.monotonic() - began < SOON


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", ["request", "send"])
def test_a_redirect_that_the_caller_wants_to_see_is_whole(way: str, handler: str) -> None:
    """However large it is: its body is theirs to read."""
    body = b"x" * 1_000_000
    with opened(redirecting(lambda: body), [HANDLERS[handler]()]) as (stack, _):
        response = call(stack, way, allow_redirects=False)

    assert (response.status_code, response.content) == (302, body)
    assert response.next is not None


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", ["request", "send"])
@pytest.mark.parametrize("follow", [True, False])
def test_no_hook_of_ours_stays_on_a_request(way: str, handler: str, follow: bool) -> None:
    """Requests and answers can be kept, pickled and sent again as ever."""
    with opened(redirecting(lambda: b""), [HANDLERS[handler]()]) as (stack, _):
        response = call(stack, way, allow_redirects=follow)
        nexts = [] if response.next is None else [response.next]

        assert pickle.loads(pickle.dumps(response)).status_code == response.status_code
        seen = [response.request, *(past.request for past in response.history), *nexts]
        assert [request.hooks for request in seen] == [{"response": []}] * 2


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", ["request", "send"])
def test_no_hook_of_ours_stays_on_the_request_of_an_error(way: str, handler: str) -> None:
    """An exception of requests can be kept and looked at."""

    class Away(HTTPAdapter):
        """A server that is not there."""

        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> Any:
            raise requests.ConnectionError(HTTPError("gone"), request=request)

    session = requests.Session()
    session.mount("http://", Away())
    with (
        opened(handlers=[HANDLERS[handler]()], session=session) as (stack, _),
        pytest.raises(requests.ConnectionError) as caught,
    ):
        call(stack, way)

    assert caught.value.request is not None
    hooks: Any = caught.value.request.hooks
    assert not any(isinstance(hook, RedirectHook) for hook in hooks.get("response", ()))


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("way", ["request", "send"])
def test_the_hooks_of_the_session_run_at_each_hop_and_see_the_body(way: str, handler: str) -> None:
    """As they would without a stack."""
    seen: list[tuple[int, bytes]] = []
    session = requests.Session()
    session.hooks["response"] = [lambda r, **_: seen.append((r.status_code, r.content))]
    with opened(redirecting(lambda: b"moved"), [HANDLERS[handler]()], session=session) as opening:
        call(opening[0], way)

    assert seen == [(302, b"moved"), (200, b'{"at": "/there"}')]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("listed", [False, True])
def test_hooks_of_the_call_stand_in_place_of_those_of_the_session(
    handler: str, listed: bool
) -> None:
    """Which is what requests does with them."""
    seen: list[str] = []

    def own(response: requests.Response, **_: Any) -> None:
        seen.append(f"call {response.status_code}")

    session = requests.Session()
    hooks: Any = session.hooks
    hooks["response"] = lambda *_, **__: seen.append("session")
    with opened(redirecting(lambda: b""), [HANDLERS[handler]()], session=session) as (stack, _):
        stack.get("here", hooks={"response": [own] if listed else own})
        stack.get("there", hooks={})

    assert seen == ["call 302", "call 200", "session"]


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_prepared_request_is_given_back_as_it_was(handler: str) -> None:
    """It may be sent again, by any session, and by several threads at once."""
    recorder = Recorder()
    chain = [HANDLERS[handler]()]
    with opened(redirecting(lambda: b""), chain, session=recorder) as (stack, _):
        mine: list[Any] = [lambda *_, **__: None]
        prepared = requests.Request("GET", f"{stack.base_url}here").prepare()
        prepared.hooks = {"response": mine}
        stack.send(prepared)

        assert all(sent is not prepared for sent in recorder.sent)
        assert prepared.hooks == {"response": mine}
        assert len(mine) == 1


def test_an_answer_without_a_request_is_taken_too() -> None:
    """Some stand-ins for adapters do not set it; others hand out one without hooks."""
    response = requests.Response()
    response.status_code = 200
    RedirectHook(FakeClock())(response)
    detach_hook(None)
    bare = requests.PreparedRequest()
    bare.hooks = None  # type: ignore[assignment]  # as one that was put together by hand
    hook = RedirectHook(FakeClock())
    hook.attach(bare)

    assert bare.hooks == {"response": [hook]}
