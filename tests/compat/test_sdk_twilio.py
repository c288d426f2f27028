"""twilio: its HTTP client prepares each request by the session, and then sends it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.credential.credential_provider import CredentialProvider
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("twilio", "sdk")

MESSAGES = "/2010-04-01/Accounts/AC1/Messages"


class OwnToken(CredentialProvider):  # type: ignore[misc]  # twilio ships no types
    """A token that the SDK puts on its requests itself."""

    def __init__(self, token: str) -> None:
        self._token = token

    def to_auth_strategy(self) -> OwnToken:
        """Return what knows the text of the header."""
        return self

    def get_auth_string(self) -> str:
        """Return the text of the header."""
        return f"Bearer {self._token}"


class TestTwilio(SdkContract):
    """The stack is put in the place of ``TwilioHttpClient.session``."""

    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, {"code": 20003, "message": "Authenticate"}
    )
    missing = TwilioRestException
    refused = TwilioRestException

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for messages, three of them on two pages."""
        if seen.path == f"{MESSAGES}/SM1.json":
            return ServerResponse(200, {"sid": "SM1", "body": "one"})
        if seen.path != f"{MESSAGES}.json":
            return ServerResponse(404, {"code": 20404, "message": "not found", "status": 404})
        if seen.method == "POST":
            return ServerResponse(201, {"sid": "SM4", "body": seen.form["Body"]})
        rest = seen.query.get("Page") == ["1"]
        rows = [{"sid": sid} for sid in ("SM1", "SM2", "SM3")]
        link = None if rest else f"{MESSAGES}.json?PageSize=2&Page=1"
        return ServerResponse(
            200, {"messages": rows[2:] if rest else rows[:2], "next_page_uri": link}
        )

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """With an account but no credential the SDK sends none."""
        transport = TwilioHttpClient(pool_connections=False)
        transport.session = session
        own = OwnToken(token) if token else None
        client = Client(account_sid="AC1", http_client=transport, credential_provider=own)
        client.api.base_url = vendor.home
        return client

    def read(self, client: Any) -> Any:
        """Get a message."""
        return client.messages("SM1").fetch().body

    def write(self, client: Any) -> Any:
        """Send a message."""
        message = client.messages.create(to="+15550001", from_="+15550002", body="x" * 1000)
        return message.sid, message.body

    def listing(self, client: Any) -> list[Any]:
        """Walk over all messages."""
        return [message.sid for message in client.messages.list(page_size=2)]

    def fail(self, client: Any) -> Any:
        """Get a message that is not there."""
        return client.messages("SM99").fetch()

    def stray(self, client: Any, vendor: Vendor) -> Any:
        """Ask for an absolute URL: the SDK follows no redirects."""
        return client.http_client.request("GET", f"{vendor.foreign.origin}{MESSAGES}/SM1.json")

    def test_the_sdks_error_has_the_vendors_code(self, client: Any) -> None:
        """What the vendor said is read by the SDK, from a body that is whole."""
        with pytest.raises(TwilioRestException) as caught:
            self.fail(client)

        assert (caught.value.status, caught.value.code) == (404, 20404)

    def test_answers_tell_of_their_attempts(self, vendor: Vendor, client: Any) -> None:
        """The SDK's own response has the headers of the stack."""
        vendor.busy = 1
        response = client.http_client.request("GET", f"{vendor.home}{MESSAGES}/SM1.json")

        assert response.headers["X-Client-Attempts"] == "2"
