"""stripe: its requests client takes a session; its keys are rotated by whoever keeps them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import requests
import stripe

from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import PLACEHOLDER, SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("stripe", "sdk")


class TestStripe(SdkContract):
    """The stack is handed over by ``stripe.RequestsClient(session=...)``; a key must be given."""

    insists = True
    # A key of each call's own, and the times of the last one.
    unlike = frozenset({"idempotency-key", "x-stripe-client-telemetry"})
    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, {"error": {"message": "Invalid API Key provided"}}
    )
    missing = stripe.InvalidRequestError
    refused = stripe.AuthenticationError

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for customers, three of them on two pages."""
        if seen.path == "/v1/customers/cus_1":
            return ServerResponse(200, {"id": "cus_1", "object": "customer"})
        if seen.path != "/v1/customers":
            return ServerResponse(404, {"error": {"message": "No such customer", "param": "id"}})
        if seen.method == "POST":
            return ServerResponse(200, {"id": "cus_4", "object": "customer"})
        rest = seen.query.get("starting_after") == ["cus_2"]
        rows = [{"id": key, "object": "customer"} for key in ("cus_1", "cus_2", "cus_3")]
        page = {"object": "list", "url": "/v1/customers", "has_more": not rest}
        return ServerResponse(200, {**page, "data": rows[2:] if rest else rows[:2]})

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """One layer that retries is enough: the stack's knows the deadline."""
        return stripe.StripeClient(
            token or PLACEHOLDER,
            http_client=stripe.RequestsClient(session=session),
            base_addresses={"api": vendor.home},
            max_network_retries=0,
        )

    def read(self, client: Any) -> Any:
        """Get a customer."""
        return client.v1.customers.retrieve("cus_1").id

    def write(self, client: Any) -> Any:
        """Create a customer."""
        return client.v1.customers.create({"email": "ann@example.org", "name": "x" * 400}).id

    def listing(self, client: Any) -> list[Any]:
        """Walk over all customers."""
        page = client.v1.customers.list({"limit": 2})
        return [customer.id for customer in page.auto_paging_iter()]

    def fail(self, client: Any) -> Any:
        """Get a customer who is not there."""
        return client.v1.customers.retrieve("cus_99")

    def test_a_replay_has_the_same_idempotency_key(self, vendor: Vendor, client: Any) -> None:
        """A charge that is sent again after a renewal is the same charge to the vendor."""
        self.read(client)
        vendor.identity.expire()
        self.write(client)

        posts = [seen for seen in vendor.calls() if seen.method == "POST"]
        assert len(posts) == 2
        assert len({seen.headers["idempotency-key"] for seen in posts}) == 1

    def test_objects_tell_of_their_attempts(self, vendor: Vendor, client: Any) -> None:
        """The SDK keeps the headers of the answer beside each object."""
        vendor.busy = 1
        customer = client.v1.customers.retrieve("cus_1")

        assert customer.last_response.headers["X-Client-Attempts"] == "2"
