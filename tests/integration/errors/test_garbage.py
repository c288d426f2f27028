"""What calls leave behind: nothing that only the collector of cycles could free.

A circle keeps responses, bodies and sockets until the collector comes by, which may be long.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sessionkit import SessionKitError, SessionStack, recommended
from sessionkit.auth import ClientCredentials, StaticToken
from sessionkit.handlers import CircuitBreakerHandler, RateLimitHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

CALLS = 40
CUT = {"Content-Length": "10", "Connection": "close"}
ANSWERS = {
    "/missing": ServerResponse(404, {"detail": "no such order"}),
    "/gzip": ServerResponse(200, b"not gzip", {"Content-Encoding": "gzip"}),
    "/cut": ServerResponse(200, b"abc", CUT),
    "/moved": ServerResponse(302, b"", {"Location": "/there"}),
    "/odd": ServerResponse(200, b"abc", {"Content-Type": "text/plain; charset=no-such"}),
    "/large": ServerResponse(200, b"x" * 100_000),
    "/broken/token": ServerResponse(200, b"abc", CUT),
    "/refusing/token": ServerResponse(503, {"error": "temporarily_unavailable"}),
}


class Api:
    """A server whose ``/once`` takes each token once; ``/flaky`` is busy every second time."""

    def __init__(self) -> None:
        self._identity = IdentityProvider()
        self._numbers = itertools.count()

    def __call__(self, seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            return self._identity.token(seen)
        if seen.path == "/flaky":
            return ServerResponse(503 if next(self._numbers) % 2 == 0 else 200)
        if seen.path == "/once":
            if not self._identity.admits(seen):
                return ServerResponse(401, {}, {"WWW-Authenticate": "Bearer"})
            self._identity.expire()
        return ANSWERS.get(seen.path, ServerResponse())


Call = Callable[[SessionStack], Any]
# Refused and stalled connections are missing: there urllib3 makes a circle of its own, under bare
# requests too.
CALLED: dict[str, Call] = {
    "read": lambda stack: stack.get("there").json(),
    "sent": lambda stack: stack.post("there", json={"id": 7}).json(),
    "sent prepared": lambda stack: stack.send(
        requests.Request("GET", f"{stack.base_url}there").prepare()
    ),
    "light stack": lambda stack: stack.with_options(timeout=5.0).get("there"),
    "redirected": lambda stack: stack.get("moved"),
    "missing": lambda stack: stack.get("missing"),
    "missing, streamed": lambda stack: stack.get("missing", stream=True),
    "undecodable": lambda stack: stack.get("gzip"),
    "cut": lambda stack: stack.get("cut", timeout=5.0),
    "cut, streamed": lambda stack: stack.get("cut", stream=True).content,
    "streamed": lambda stack: list(stack.get("large", stream=True).iter_content(1_000)),
    "stream dropped": lambda stack: stack.get("large", stream=True).close(),
    "in no charset, streamed": lambda stack: list(
        stack.get("odd", stream=True).iter_content(2, decode_unicode=True)
    ),
    "invalid": lambda stack: stack.get("http://[::1/"),
    "busy, then not": lambda stack: stack.get("flaky"),
}


def left_by(call: Callable[[], Any], calls: int = CALLS) -> Counter[str]:
    """Return what so many calls left to the collector of cycles, by type."""
    for _ in range(3):
        call()
    gc.disable()
    # What is there already, such as the server of another test, is none of the calls'.
    gc.freeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(calls):
            call()
        gc.collect()
        return Counter(type(left).__name__ for left in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


def ended(call: Call, stack: SessionStack) -> Callable[[], None]:
    """Return *call* made and its end forgotten, a failure too."""

    def end() -> None:
        with contextlib.suppress(requests.RequestException, ValueError, LookupError):
            call(stack)

    return end


@contextlib.contextmanager
def opened(handlers: Any, session: requests.Session | None = None) -> Iterator[SessionStack]:
    """Open a stack over the API; handlers made by a function are told its origin."""
    with LoopbackServer(Api()) as server, session or requests.Session() as inner:
        made = handlers(server.origin) if callable(handlers) else handlers
        yield SessionStack(inner, made, base_url=f"{server.origin}/", clock=FakeClock())


def all_handlers() -> dict[str, Any]:
    """Return the recommended chain with what else there is, each in its place."""
    chain: dict[str, Any] = recommended(StaticToken("s3cret-token"))
    auth = chain.pop("auth")
    return {
        **chain,
        "circuit_breaker": CircuitBreakerHandler(),
        "auth": auth,
        "ratelimit": RateLimitHandler(),
    }


CHAINS: dict[str, Callable[[], Any]] = {
    "transparent": lambda: (),
    "recommended": lambda: recommended(StaticToken("s3cret-token")),
    "all": all_handlers,
}


def assert_no_circle(left: Counter[str]) -> None:
    """Assert that calls left nothing to the collector.

    But for the circle that each body cut short makes in Python 3.13, by bare requests too: all that
    hangs on the answer is in it, so nothing can be said there.
    """
    if left["IncompleteRead"]:
        with opened(()) as stack, requests.Session() as bare:
            url = f"{stack.base_url}cut"
            theirs = left_by(ended(lambda _: bare.get(url, timeout=5.0), stack))
        assert theirs["IncompleteRead"], left
    else:
        assert left == {}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("name", CALLED)
def test_a_call_leaves_no_circle(name: str, chain: str) -> None:
    """However a call ends, all that it held is free when its caller lets go."""
    with opened(CHAINS[chain]()) as stack:
        left = left_by(ended(CALLED[name], stack))

    assert_no_circle(left)


def logging_in(path: str) -> Callable[[str], Any]:
    """Return what makes the recommended chain, with its token endpoint at *path*."""
    return lambda origin: recommended(
        ClientCredentials(f"{origin}{path}", client_id="app", client_secret="s3cret")
    )


def test_renewals_leave_no_circle() -> None:
    """A service that renews its token each minute runs for months."""
    with opened(logging_in("/token")) as stack:
        made = []

        def call() -> None:
            response: Any = stack.put("once", data=b"x" * 100)
            made.append(len(response.record.renewals))

        assert left_by(call) == {}
    assert sum(made) >= CALLS


@pytest.mark.parametrize("endpoint", ["/broken/token", "/refusing/token"])
def test_failed_renewals_leave_no_circle(endpoint: str) -> None:
    """An identity server that is down for a night fills no memory."""
    with opened(logging_in(endpoint)) as stack:
        with pytest.raises(SessionKitError):
            stack.get("there")

        assert_no_circle(left_by(ended(CALLED["read"], stack)))


def test_a_session_that_raises_for_a_status_leaves_no_circle() -> None:
    """The user's own way of failing costs no memory either."""

    class Raising(requests.Session):
        """Raises for each status of 400 and above."""

        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().request(*args, **kwargs)
            response.raise_for_status()
            return response

    for handlers in (recommended(errors=False), recommended()):
        with opened(handlers, Raising()) as stack:
            assert left_by(ended(CALLED["missing"], stack)) == {}
