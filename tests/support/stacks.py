"""Stacks over real loopback servers for unit tests, closed with everything that they opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from sessionkit import CallNext, Exchange, SessionStack
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse


@contextmanager
def opened(
    answer: Callable[[ServerRequest], ServerResponse] = lambda _: ServerResponse(),
    handlers: Any = (),
    *,
    session: requests.Session | None = None,
    clock: Any = None,
    base: str = "/",
) -> Iterator[tuple[SessionStack, LoopbackServer]]:
    """Start a server, and a stack over *session* (by default a plain one) whose base it is.

    Args:
        answer: The server.
        handlers: Of the stack.
        session: Wrapped by the stack, and closed at the end.
        clock: Of the stack.
        base: Path of the stack's ``base_url``; None-like for a stack without one.
    """
    clocks = {} if clock is None else {"clock": clock}
    with LoopbackServer(answer) as server, session or requests.Session() as inner:
        base_url = server.origin + base if base else None
        yield SessionStack(inner, handlers, base_url=base_url, **clocks), server


class Recorder(requests.Session):
    """A session with a ``request`` and a ``send`` of its own, which keep what they were given."""

    def __init__(self) -> None:
        super().__init__()
        self.requested: list[dict[str, Any]] = []
        self.sent: list[requests.PreparedRequest] = []

    def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as users write it
        self.requested.append({"method": method, "url": url, **kwargs})
        return super().request(method, url, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        self.sent.append(request)
        return super().send(request, **kwargs)


def passing(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Hand a call on as it is: the smallest handler."""
    return call_next(exchange)


class Again:
    """Forwards a second time, or as often as told, whatever the first answer was."""

    def __init__(self, times: int = 2, *, unread: bool = True) -> None:
        self._times = times
        self._unread = unread

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        asked = exchange.streamed() if self._unread else exchange
        response = call_next(asked)
        for _ in range(self._times - 1):
            response = call_next(asked)
        return response


class Keeper:
    """Keeps the exchanges that pass, changed by a function where one is given."""

    def __init__(self, change: Callable[[Exchange], Exchange] = lambda exchange: exchange) -> None:
        self.exchanges: list[Exchange] = []
        self._change = change

    @property
    def only(self) -> Exchange:
        """The one exchange there was."""
        (exchange,) = self.exchanges
        return exchange

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        self.exchanges.append(exchange)
        return call_next(self._change(exchange))
