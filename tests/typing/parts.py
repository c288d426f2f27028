"""Parts that users write, in public types alone. Checked by mypy, never run."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from requests import Request, Response

from sessionkit import (
    Attempt,
    CallNext,
    CallRecord,
    Clock,
    Credential,
    Exchange,
    Handler,
    Handlers,
    SessionStack,
    Token,
    recommended,
)
from sessionkit.auth import AuthHandler, Grant, Scheme, Steps
from sessionkit.handlers import Limiter, Metric, RateLimitHandler, ServerTiming
from sessionkit.paging import PageRequest, PageResponse, Paginator
from sessionkit.stores import ListableTokenStore, TokenStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sessionkit.events import Event


class Stamp:
    """A handler."""

    options = frozenset({"desk"})

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Add a header and a credential; look at what the server said of its time."""
        secret = Credential("header", "X-Key", "k", frozenset({"https://api.example:443"}))
        response = call_next(exchange.with_headers({"X-Desk": "7"}).with_credential(secret))
        assert_type(exchange.record, CallRecord)
        assert_type(exchange.record.attempts, list[Attempt])
        assert_type(exchange.clock, Clock)
        server = exchange.record.server_timing
        if isinstance(server, ServerTiming):
            assert_type(server.entries, tuple[Metric, ...])
        return response


class Vendor:
    """A grant."""

    store_key = "vendor"
    renewable = True

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        """Ask once."""
        response = yield Request("POST", "https://id.example/token")
        return Token(response.text)


class Twice:
    """A scheme."""

    location = "header"
    name = "X-Key"

    def credentials(
        self, token: Token, method: str, *, origins: frozenset[str]
    ) -> tuple[Credential, ...]:
        """Place the token in two headers."""
        return tuple(Credential("header", name, token.value, origins) for name in ("X-Key", "X-Id"))


class Shelf:
    """A store."""

    def load(self, key: str) -> Token | None:
        """Return the token."""

    def save(self, key: str, token: Token) -> None:
        """Keep it."""

    def delete(self, key: str) -> None:
        """Drop it."""

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        """Hold the lock."""

    def keys(self) -> list[str]:
        """Tell whose there are."""


class Slowly:
    """A limiter."""

    def waits(self, key: str, clock: Clock) -> Iterator[float]:
        """Wait a second each time."""
        yield 1.0


class Onward:
    """A paginator."""

    def first_request(self, request: PageRequest) -> PageRequest:
        """Begin as asked."""
        return request

    def next_request(self, page: PageResponse) -> PageRequest | None:
        """Go on with the next mark."""
        return page.request.with_params({"after": "1"})


class Noon:
    """A clock."""

    def monotonic(self) -> float:
        """Stand still."""

    def time(self) -> float:
        """Stand still."""

    def sleep(self, seconds: float) -> None:
        """Wait for nothing."""


def hear(event: Event) -> None:
    """Listen to renewals."""
    print(event.store_key)


def check_parts() -> None:
    """Each part is what the library takes, and nothing private had to be imported for it."""
    grant: Grant = Vendor()
    scheme: Scheme = Twice()
    store: TokenStore = Shelf()
    listable: ListableTokenStore = Shelf()
    limiter: Limiter = Slowly()
    paginator: Paginator = Onward()
    handler: Handler = Stamp()
    auth = AuthHandler(grant, store=store, scheme=scheme)
    auth.add_listener(hear)
    chain = {**recommended(), "auth": auth, "stamp": handler, "rate": RateLimitHandler(limiter)}
    stack = SessionStack(None, chain, base_url="https://api.example/", clock=Noon())
    assert_type(stack.handlers, Handlers)
    stack.paginate("a", paginator=paginator)
    print(listable.keys())
