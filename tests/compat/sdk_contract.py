"""What is promised to every SDK that is handed a stack in the place of its session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests

from sessionkit import CallNext, Exchange, SessionKitError, SessionStack, recommended
from sessionkit.auth import (
    AuthHandler,
    Bearer,
    ClientCredentials,
    Grant,
    RenewalPolicy,
    Scheme,
)
from sessionkit.stores import SqliteTokenStore
from sessionkit.testing.server import IdentityProvider, ServerRequest, ServerResponse
from tests.compat.vendor import OWN, Vendor

#: For SDKs that insist on a credential: worth nothing anywhere.
PLACEHOLDER = "placeholder"


def without_own(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Take off the credential that an SDK insists on; the stack's own goes in its place."""
    given = exchange.option("headers") or {}
    kept = {name: text for name, text in given.items() if name.lower() != "authorization"}
    return call_next(exchange.with_options({"headers": kept}))


class SdkContract:
    """What holds for every SDK over a stack. A subclass says how its SDK is used.

    Attributes:
        scheme: Where the vendor wants the token.
        refusal: How the vendor refuses one.
        home: The address that the SDK has built in, if it has one.
        login: Path of the vendor's logins.
        insists: Whether the SDK sends a credential even where it was given none worth sending.
        unlike: Headers of the SDK that differ from call to call, in lower case.
        missing: The SDK's own error for what is not there.
        refused: The SDK's own error for a token that is not accepted.
    """

    scheme: ClassVar[Scheme] = Bearer()
    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, {"error": "token ended"}, {"WWW-Authenticate": "Bearer"}
    )
    home: ClassVar[str] = ""
    login: ClassVar[str] = "/token"
    insists: ClassVar[bool] = False
    unlike: ClassVar[frozenset[str]] = frozenset()
    missing: ClassVar[type[Exception]]
    refused: ClassVar[type[Exception]]

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer a request whose token is good."""
        raise NotImplementedError

    def log_in(self, seen: ServerRequest, identity: IdentityProvider) -> ServerResponse:
        """Answer a login."""
        return identity.token(seen)

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """Return the SDK's client over *session*, with a *token* of its own or without any."""
        raise NotImplementedError

    def read(self, client: Any) -> Any:
        """Get one thing by the SDK."""
        raise NotImplementedError

    def write(self, client: Any) -> Any:
        """Send one thing with a body by the SDK."""
        raise NotImplementedError

    def listing(self, client: Any) -> list[Any]:
        """Walk over at least two pages by the SDK."""
        raise NotImplementedError

    def fail(self, client: Any) -> Any:
        """Ask the SDK for what is not there."""
        raise NotImplementedError

    def stray(self, client: Any, vendor: Vendor) -> Any:
        """Have the SDK led to the foreign server."""
        vendor.moved = True
        return self.read(client)

    def grant(self, vendor: Vendor) -> Grant:
        """Return how a token is obtained."""
        return ClientCredentials(
            vendor.server.origin + self.login, "app", client_secret="app-secret"
        )

    def policy(self) -> RenewalPolicy | None:
        """Return at which answers to renew, where a 401 alone will not do."""
        return None

    def chain(self, vendor: Vendor, store: SqliteTokenStore) -> dict[str, Any]:
        """Return the handlers."""
        grant, policy = self.grant(vendor), self.policy()
        chain: dict[str, Any] = recommended(grant, store=store, scheme=self.scheme, errors=False)
        if policy is not None:
            chain["auth"] = AuthHandler(grant, store=store, scheme=self.scheme, policy=policy)
        return chain

    @pytest.fixture
    def vendor(self) -> Iterator[Vendor]:
        """Start the API."""
        with Vendor(
            *(self.api, self.log_in, self.login, self.scheme.name, self.refusal), home=self.home
        ) as vendor:
            yield vendor

    def build(self, vendor: Vendor, folder: Path) -> SessionStack:
        """Return a stack with a login, and a store in *folder*."""
        store = SqliteTokenStore(folder / "tokens.db")
        chain = self.chain(vendor, store)
        stack = SessionStack(vendor.session, chain, base_url=vendor.home, clock=vendor.clock)
        if self.insists:
            stack.handlers.add(without_own, before="auth")
        return stack

    @pytest.fixture
    def stack(self, vendor: Vendor, tmp_path: Path) -> SessionStack:
        """Return the stack that the SDK is given."""
        return self.build(vendor, tmp_path)

    @pytest.fixture
    def client(self, vendor: Vendor, stack: SessionStack) -> Any:
        """Return the SDK's client over the stack, with no token of its own."""
        return self.connect(vendor, stack)

    def test_the_api_sees_what_it_sees_from_a_bare_session(
        self, vendor: Vendor, client: Any
    ) -> None:
        """Method, path, query, body and headers are the SDK's; so are the results."""

        def tour(client: Any) -> Any:
            return self.read(client), self.write(client), self.listing(client)

        own = self.connect(vendor, vendor.bare, OWN)
        expected, from_bare = vendor.watch(lambda: tour(own), self.unlike)
        result, from_stack = vendor.watch(lambda: tour(client), self.unlike)

        assert result == expected
        assert from_stack == from_bare
        assert len(from_bare) >= 4
        assert vendor.logins == 1

    def test_a_token_that_ends_in_the_middle_is_renewed_below_the_sdk(
        self, vendor: Vendor, client: Any
    ) -> None:
        """The call that met the end succeeds; one renewal, and its body arrives whole again."""
        own = self.connect(vendor, vendor.bare, OWN)
        expected = self.write(own)
        ((_, _, _, body, _),) = vendor.watch(lambda: self.write(own), self.unlike)[1]
        self.read(client)
        vendor.identity.expire()

        result, seen = vendor.watch(lambda: self.write(client), self.unlike)
        assert result == expected
        assert [sent for _, _, _, sent, _ in seen] == [body, body]
        assert body
        assert vendor.logins == 2

    def test_a_listing_goes_on_where_its_token_ended_between_two_pages(
        self, vendor: Vendor, client: Any
    ) -> None:
        """No row is missing, and the SDK starts nothing over."""
        expected = self.listing(self.connect(vendor, vendor.bare, OWN))
        pages = len(vendor.calls())
        vendor.uses = 1

        assert self.listing(client) == expected
        assert len(expected) >= 2
        assert len(vendor.calls()) == 2 * pages + 1
        assert vendor.logins == 2

    def test_a_token_is_renewed_ahead_of_its_end(self, vendor: Vendor, client: Any) -> None:
        """The stack knows how long a token lives, so no call of the SDK meets a refusal."""
        self.read(client)
        vendor.clock.advance(3590)
        before = len(vendor.calls())
        self.read(client)

        assert len(vendor.calls()) == before + 1
        assert vendor.logins == 2

    def test_a_second_process_finds_the_token_in_the_store(
        self, vendor: Vendor, client: Any, tmp_path: Path
    ) -> None:
        """Two programs with the SDK, or one that is started again, share a login."""
        self.read(client)
        self.read(self.connect(vendor, self.build(vendor, tmp_path)))

        assert vendor.logins == 1

    def test_a_busy_server_is_asked_again_below_the_sdk(self, vendor: Vendor, client: Any) -> None:
        """The SDK gets the answer of the third attempt, and waited as long as the server asked."""
        expected = self.read(client)
        vendor.busy = 2
        before = len(vendor.calls())

        assert self.read(client) == expected
        assert len(vendor.calls()) == before + 3
        assert vendor.clock.sleeps == (1.0, 1.0)

    def test_the_sdk_raises_its_own_errors(self, vendor: Vendor, client: Any) -> None:
        """Code that catches the SDK's errors goes on catching them."""
        with pytest.raises(self.missing) as caught:
            self.fail(client)

        assert not isinstance(caught.value, SessionKitError)
        assert vendor.logins == 1

    def test_a_refusal_that_no_renewal_cures_is_the_sdks_own_error(
        self, vendor: Vendor, client: Any
    ) -> None:
        """It is the vendor's answer that the SDK reads, and nobody logs in over and over."""
        vendor.closed = True
        with pytest.raises(self.refused) as caught:
            self.read(client)

        assert not isinstance(caught.value, SessionKitError)
        assert vendor.logins == 1

    def test_no_token_leaves_for_another_origin(self, vendor: Vendor, client: Any) -> None:
        """Wherever the SDK is led, the token stays with the vendor."""
        self.read(client)
        self.stray(client, vendor)

        assert vendor.foreign.requests
        assert "access-" in repr(vendor.calls())
        assert "access-" not in repr(vendor.foreign.requests)
