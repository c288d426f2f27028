"""A vendor's API on loopback, for SDKs that others wrote: its logins, its refusals, its moods."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter

from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

#: The token of an SDK without a stack; it never ends.
OWN = "own-token"


@dataclass
class Vendor:
    """A vendor's API, another server that has no business with its tokens, and a stack.

    Args:
        api: Answers a request that carries a live token.
        log_in: Answers a login.
        login: Path of logins.
        header: Name of the header that carries a token.
        refusal: The answer to a request without a live one.
        home: The address that the SDK has built in, if it has one.
    """

    api: Callable[[ServerRequest], ServerResponse]
    log_in: Callable[[ServerRequest, IdentityProvider], ServerResponse]
    login: str
    header: str
    refusal: ServerResponse
    home: str = ""
    identity: IdentityProvider = field(default_factory=lambda: IdentityProvider(expires_in=3600))
    clock: FakeClock = field(default_factory=FakeClock)
    #: How many of the next answers are 503.
    busy: int = 0
    #: After how many more answers all tokens end.
    uses: int | None = None
    #: Whether no token is good enough.
    closed: bool = False
    #: Whether the next request is sent on to the foreign server.
    moved: bool = False

    def __enter__(self) -> Self:
        self._open = ExitStack()
        self.server = self._open.enter_context(LoopbackServer(self._answer))
        self.foreign = self._open.enter_context(LoopbackServer(self.api))
        self.home = self.home or self.server.origin
        self.bare = self._session()
        self.session = self._session()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    @property
    def logins(self) -> int:
        """How often a token was asked for."""
        return self.identity.token_requests

    def calls(self) -> list[ServerRequest]:
        """Return the requests to the API, logins left out."""
        return [seen for seen in self.server.requests if seen.path != self.login]

    def watch(self, work: Callable[[], Any], unlike: frozenset[str]) -> tuple[Any, list[Any]]:
        """Return what *work* comes to, and what the API saw of it, all credentials left out."""
        before = len(self.calls())
        result = work()
        hidden = unlike | {self.header.lower()}
        return result, [
            (
                *(seen.method, seen.path, seen.query, seen.body),
                {name: value for name, value in seen.headers.items() if name not in hidden},
            )
            for seen in self.calls()[before:]
        ]

    def keep(self, session: requests.Session) -> None:
        """Close *session* at the end, whatever its SDK does."""
        self._open.enter_context(session)

    def _session(self) -> requests.Session:
        session = self._open.enter_context(requests.Session())
        if self.home != self.server.origin:
            session.mount(self.home, Doorway(self.home, self.server.origin))
        return session

    def _answer(self, seen: ServerRequest) -> ServerResponse:
        if seen.path == self.login:
            return self.log_in(seen, self.identity)
        if self.closed or not self._admits(seen):
            return self.refusal
        if self.busy:
            self.busy -= 1
            return ServerResponse(503, headers={"Retry-After": "1"})
        if self.moved:
            self.moved = False
            return ServerResponse(307, headers={"Location": self.foreign.origin + seen.path})
        if self.uses is not None:
            self.uses -= 1
            if self.uses == 0:
                self.identity.expire()
        return self.api(seen)

    def _admits(self, seen: ServerRequest) -> bool:
        token = seen.headers.get(self.header.lower(), "").rpartition(" ")[2]
        return token == OWN or self.identity.use(token) is not None


class Doorway(HTTPAdapter):
    """Leads requests for an address that an SDK has built in to a server on loopback."""

    def __init__(self, home: str, origin: str) -> None:
        super().__init__()
        self._home = home
        self._origin = origin

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send a copy that goes elsewhere; the answer is that of the request itself."""
        copy = request.copy()
        copy.url = (request.url or "").replace(self._home, self._origin, 1)
        response = super().send(copy, *args, **kwargs)
        response.url, response.request = request.url or "", request
        return response
