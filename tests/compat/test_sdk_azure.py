"""azure-core, the transport below every Azure SDK, with a stack in the place of its session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from azure.core import PipelineClient
from azure.core.exceptions import (
    ClientAuthenticationError,
    ResourceNotFoundError,
    ServiceRequestError,
    map_error,
)
from azure.core.paging import ItemPaged
from azure.core.pipeline.policies import HeadersPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest

from sessionkit import SessionStack
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("azure-core", "sdk")

ERRORS = {401: ClientAuthenticationError, 404: ResourceNotFoundError}


class TestAzure(SdkContract):
    """The stack is handed over by ``RequestsTransport(session=..., session_owner=False)``."""

    missing = ResourceNotFoundError
    refused = ClientAuthenticationError

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for settings, three of them on two pages."""
        if seen.path == "/settings/a" and seen.method == "PUT":
            return ServerResponse(200, {"key": "a", "size": len(seen.body)})
        if seen.path == "/settings/a":
            return ServerResponse(200, {"key": "a"})
        if seen.path == "/settings":
            if "after" in seen.query:
                return ServerResponse(200, {"items": ["c"]})
            return ServerResponse(200, {"items": ["a", "b"], "next": "/settings?after=b"})
        return ServerResponse(404, {"error": {"code": "NotFound", "message": "no such setting"}})

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """A pipeline with no policy for a credential, or with a plain header for one."""
        transport = RequestsTransport(session=session, session_owner=False)
        own = {"Authorization": f"Bearer {token}"} if token else {}
        return PipelineClient(vendor.home, transport=transport, policies=[HeadersPolicy(own)])

    def read(self, client: Any) -> Any:
        """Get a setting, as the generated code of an SDK does."""
        return self.ask(client, HttpRequest("GET", "/settings/a"))

    def ask(self, client: Any, request: HttpRequest) -> Any:
        """Send a request, and map a status to the errors of azure-core."""
        request.url = client.format_url(request.url)
        response = client.send_request(request)
        if not 200 <= response.status_code < 300:
            map_error(response.status_code, response, ERRORS)
        return response.json()

    def write(self, client: Any) -> Any:
        """Put a setting."""
        return self.ask(client, HttpRequest("PUT", "/settings/a", json={"value": "x" * 5000}))

    def listing(self, client: Any) -> list[Any]:
        """Walk over all settings by the paging of azure-core."""

        def get_next(link: str | None) -> Any:
            return self.ask(client, HttpRequest("GET", link or "/settings"))

        def extract(page: Any) -> tuple[str | None, Iterator[str]]:
            return page.get("next"), iter(page["items"])

        return list(ItemPaged(get_next, extract))

    def fail(self, client: Any) -> Any:
        """Get a setting that is not there."""
        return self.ask(client, HttpRequest("GET", "/settings/z"))

    def stray(self, client: Any, vendor: Vendor) -> Any:
        """Ask for an absolute URL: the transport follows no redirects."""
        return self.ask(client, HttpRequest("GET", f"{vendor.foreign.origin}/settings/a"))

    def test_answers_tell_of_their_attempts(self, vendor: Vendor, client: Any) -> None:
        """Policies of the pipeline, and those who log, see the headers of the stack."""
        vendor.busy = 1
        response = client.send_request(HttpRequest("GET", f"{vendor.home}/settings/a"))

        assert response.headers["X-Client-Attempts"] == "2"

    def test_a_stream_is_read_piece_by_piece(self, vendor: Vendor, client: Any) -> None:
        """A download goes through all handlers unread, and the SDK reads it from the socket."""
        request = HttpRequest("GET", f"{vendor.home}/settings/a")
        response = client.send_request(request, stream=True)

        assert b"".join(response.iter_bytes()) == b'{"key": "a"}'

    def test_what_cannot_be_reached_is_the_sdks_own_error(
        self, vendor: Vendor, stack: SessionStack
    ) -> None:
        """The exception of requests is found where the transport looks for it."""
        vendor.home = "http://azure.invalid"
        with pytest.raises(ServiceRequestError):
            self.read(self.connect(vendor, stack))
