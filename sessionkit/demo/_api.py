"""The demo's API as one function from request to answer; it knows no sockets."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.demo._faults import Faults
from sessionkit.demo._messages import Ask, Refused, Reply, json_reply, problem
from sessionkit.demo._orders import Orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit._clock import Clock
    from sessionkit.demo._identity import Identity
    from sessionkit.demo._listing import Listing


class Api:
    """Route requests to identity, listings, orders and faults. Thread-safe.

    All paths under ``/api/`` need a living bearer token; ``/oauth/token`` gives one;
    ``/_figures`` tells the counters.

    Args:
        identity: Gives and takes tokens.
        listings: What ``/api/NAME`` and its siblings show, by name.
        clock: Where the time comes from.
    """

    def __init__(
        self, identity: Identity, listings: dict[str, Listing], *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._identity = identity
        self._listings = listings
        self._orders = Orders()
        self._clock = clock
        self._lock = Lock()
        self._requests = 0
        faults = Faults(clock=clock)
        self._open: dict[tuple[str, str], Callable[[Ask], Reply]] = {
            ("POST", "/oauth/token"): identity.answer,
            ("GET", "/_figures"): lambda _: json_reply(200, self.figures()),
        }
        self._guarded: dict[tuple[str, str], Callable[[Ask], Reply]] = {
            ("POST", "/api/orders"): self._orders.take,
            ("GET", "/api/busy"): faults.busy,
            ("POST", "/api/busy"): faults.busy,
            ("GET", "/api/flaky"): faults.flaky,
            ("GET", "/api/slow"): faults.slow,
        }
        for name, listing in listings.items():
            self._guarded["GET", f"/api/{name}"] = listing.by_link
            self._guarded["GET", f"/api/next/{name}"] = listing.by_next
            self._guarded["GET", f"/api/cursor/{name}"] = listing.by_cursor
            self._guarded["GET", f"/api/offset/{name}"] = listing.by_offset

    def answer(self, ask: Ask) -> Reply:
        """Answer *ask*; whatever is wrong with it is an answer too."""
        started = self._clock.monotonic()
        with self._lock:
            self._requests += 1
        try:
            reply = self._route(ask)
        except Refused as refused:
            reply = refused.reply
        seconds = f"{self._clock.monotonic() - started:.3f}s"
        return reply.with_headers({"X-API-Node": "demo-1", "X-API-Time": seconds})

    def figures(self) -> dict[str, int]:
        """Return all counters of the server as one flat document."""
        with self._lock:
            requests = self._requests
        return {"requests": requests, **self._identity.figures(), **self._orders.figures()}

    def _route(self, ask: Ask) -> Reply:
        if not ask.path.startswith("/api/"):
            return _find(self._open, ask)(ask)
        try:
            left = self._identity.spend(ask.headers.get("authorization", ""))
        except Refused:
            self._orders.refused(ask)
            raise
        return self._resource(ask).with_headers({"X-Token-Uses-Left": str(left)})

    def _resource(self, ask: Ask) -> Reply:
        name, _, number = ask.path.removeprefix("/api/").rpartition("/")
        if name in self._listings and ask.method in {"GET", "HEAD"}:
            return self._listings[name].one(number)
        return _find(self._guarded, ask)(ask)


def _find(
    routes: dict[tuple[str, str], Callable[[Ask], Reply]], ask: Ask
) -> Callable[[Ask], Reply]:
    method = "GET" if ask.method == "HEAD" else ask.method
    if route := routes.get((method, ask.path)):
        return route
    allowed = ", ".join(method for method, path in routes if path == ask.path)
    if allowed:
        raise Refused(problem(405, f"this takes {allowed}", {"Allow": allowed}))
    raise Refused(problem(404, "there is nothing here"))
