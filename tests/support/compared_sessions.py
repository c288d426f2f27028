"""The same call by a bare session and by stacks over sessions like it, compared to the letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import Header, StaticToken
from sessionkit.handlers import TimeoutHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest

TOKEN = "planted-token-4711"
Call = Callable[[Any], requests.Response]
Wrap = Callable[[requests.Session, Iterable[str]], requests.Session]


def _transparent(session: requests.Session, origins: Iterable[str]) -> requests.Session:
    return SessionStack(session)


def _with_token(session: requests.Session, origins: Iterable[str]) -> requests.Session:
    chain = recommended(StaticToken(TOKEN), origins=origins, errors=False)
    return SessionStack(session, chain, clock=FakeClock())


def _with_key(session: requests.Session, origins: Iterable[str]) -> requests.Session:
    chain = recommended(StaticToken(TOKEN), scheme=Header("X-Key"), origins=origins, errors=False)
    return SessionStack(session, chain, clock=FakeClock())


def _with_budget(session: requests.Session, origins: Iterable[str]) -> requests.Session:
    chain = recommended(errors=False)
    chain["timeout"] = TimeoutHandler(total=60)
    return SessionStack(session, chain, clock=FakeClock())


#: Without handlers; with a token, which the wire keeps from ``.netrc`` at every hop; with a key,
#: which requests knows nothing of; without a secret, but with a budget over all hops.
WAYS: Mapping[str, Wrap] = {
    "transparent": _transparent,
    "token": _with_token,
    "key": _with_key,
    "budget": _with_budget,
}
#: The ways that have handlers.
HANDLED = {name: wrap for name, wrap in WAYS.items() if name != "transparent"}
#: The ways that put nothing into ``Authorization``, where the call has its own way to log in.
TOKENLESS = {name: wrap for name, wrap in WAYS.items() if name != "token"}

#: What is made by chance: the boundary of a form, and what a digest is salted with.
_CHANCE = re.compile(r'(?<=boundary=)\w+|(?<=cnonce=")\w+|(?<=response=")\w+')
_BOUNDARY = re.compile(rb"--[0-9a-f]{32}")


@dataclass(frozen=True)
class Told:
    """What a caller learns of one call, and what the servers saw of it."""

    error: str
    status: int | None
    reason: str | None
    method: str | None
    url: str | None
    body: bytes
    headers: tuple[tuple[str, str], ...]
    history: tuple[tuple[int, str, str], ...]
    next: tuple[str, str] | None
    cookies: tuple[str, ...]
    jar: tuple[str, ...]
    requests: tuple[tuple[Any, ...], ...]
    connections: int

    @property
    def methods(self) -> list[str]:
        """The methods that the servers saw."""
        return [request[0] for request in self.requests]

    @property
    def bodies(self) -> list[bytes]:
        """The bodies that the servers saw."""
        return [request[-1] for request in self.requests]


def told_the_same(
    call: Call,
    *servers: LoopbackServer,
    ways: Mapping[str, Wrap] = WAYS,
    session: Callable[[], requests.Session] = requests.Session,
    origins: Iterable[str] = (),
) -> Told:
    """Make *call* by a bare session, then by a stack in each of *ways*; return what the bare saw.

    Args:
        call: Given a session, as code would be that was written for one.
        servers: What is asked.
        ways: How the session is wrapped.
        session: Makes the session, a new one each time.
        origins: Where the token may go; by default to all the servers.
    """
    ours = [*origins] or [server.origin for server in servers]
    with session() as made:
        bare = told(call, made, *servers)
    for name, wrap in ways.items():
        with session() as made:
            assert told(call, wrap(made, ours), *servers) == bare, name
    return bare


def told(call: Call, by: requests.Session, *servers: LoopbackServer) -> Told:
    """Make *call* by one session, and tell what came of it."""
    begun = [(len(server.requests), server.connections) for server in servers]
    response: Any = None
    past: Iterable[Any]
    error, body = "", b""
    try:
        with call(by) as response:
            body = response.content
    except (requests.RequestException, ValueError, TypeError, AssertionError) as caught:
        # The last ones are what requests and http.client let out where they are given nonsense.
        error, response = type(caught).__qualname__, getattr(caught, "response", response)
        # An error that may tell a secret holds a copy of its answer: what it said, and no more.
        past, found, following = [], [], None
    else:
        past, found, following = response.history, response.cookies, response.next
    seen = [r for s, (at, _) in zip(servers, begun, strict=True) for r in s.requests[at:]]
    opened = sum(s.connections - at for s, (_, at) in zip(servers, begun, strict=True))
    return Told(
        error,
        getattr(response, "status_code", None),
        getattr(response, "reason", None),
        response.request.method if response is not None else None,
        getattr(response, "url", None),
        body,
        tuple(_shown(response)),
        tuple((r.status_code, r.request.method, r.url) for r in past),
        None if following is None else (following.method, following.url),
        tuple(map(repr, found)),
        tuple(map(repr, by.cookies)),
        tuple(_seen(request) for request in seen),
        opened,
    )


def _shown(response: Any) -> list[tuple[str, str]]:
    """Return the headers of an answer, but for those that the handlers wrote or that tell time."""
    headers = getattr(response, "headers", {}).items()
    return [(name, value) for name, value in headers if not name.startswith(("X-Client-", "Date"))]


def _seen(request: ServerRequest) -> tuple[Any, ...]:
    """Return what a server saw of a request, but for the secret that a way adds and for chance."""
    lines = [(name, _CHANCE.sub("*", value)) for name, value in request.lines if value != TOKEN]
    kept = tuple(line for line in lines if line[1] != f"Bearer {TOKEN}")
    query = tuple(request.query.items())
    return request.method, request.path, query, kept, _BOUNDARY.sub(b"--*", request.body)
