"""An adapter that answers from a list, so that handlers are tried through a real session."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.response import HTTPResponse

from sessionkit import SessionStack
from sessionkit.testing import FakeClock

Item: TypeAlias = "int | Exception | Reply | Callable[[], Reply]"


class Reply:
    """One answer of a script."""

    def __init__(
        self, status: int = 200, headers: Mapping[str, str] | None = None, body: bytes = b"{}"
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self.body = body


class Script(BaseAdapter):
    """Answers each request with the next item: a status, a reply, an exception, or a function."""

    def __init__(self, *items: Item) -> None:
        super().__init__()
        self._items = list(items)
        self.timeouts: list[object] = []
        self.bodies: list[object] = []
        self.headers: list[Mapping[str, Any]] = []

    @property
    def sent(self) -> int:
        """How many requests arrived."""
        return len(self.bodies)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # only the timeout matters here
        self.timeouts.append(kwargs["timeout"])
        self.headers.append(request.headers)
        body: Any = request.body
        self.bodies.append(body.read() if hasattr(body, "read") else body)
        item = self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        if isinstance(item, int):
            item = Reply(item)
        reply = item if isinstance(item, Reply) else item()
        raw = HTTPResponse(
            body=io.BytesIO(reply.body),
            headers=reply.headers,
            status=reply.status,
            preload_content=False,
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""


def stack_over(
    script: Script, *handlers: Any, clock: FakeClock | None = None
) -> tuple[SessionStack, FakeClock]:
    """Return a stack of *handlers* over *script*, and the clock that it goes by."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", script)
    clock = clock or FakeClock()
    return SessionStack(session, handlers, base_url="http://api.example/", clock=clock), clock
