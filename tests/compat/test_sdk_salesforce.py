"""simple-salesforce with a session id: it ends after some hours, and the SDK cannot renew it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceResourceNotFound

from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import PLACEHOLDER, SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("simple-salesforce", "sdk")

HOST = "na1.salesforce.example"
DATA = "/services/data/v59.0"


class TestSalesforce(SdkContract):
    """The stack is handed over as ``session=``; the SDK insists on a session id."""

    home = f"https://{HOST}"
    insists = True
    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, [{"errorCode": "INVALID_SESSION_ID", "message": "ended"}]
    )
    missing = SalesforceResourceNotFound
    refused = SalesforceExpiredSession

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for accounts, three of them on two pages."""
        path = seen.path.removeprefix(DATA)
        if (seen.method, path) == ("POST", "/sobjects/Account/"):
            return ServerResponse(201, {"id": "2", "success": True})
        if path == "/sobjects/Account/1":
            return ServerResponse(200, {"Id": "1"}, {"Sforce-Limit-Info": "api-usage=18/5000"})
        if path == "/query/":
            more = {"done": False, "nextRecordsUrl": f"{DATA}/query/01g-2000"}
            return ServerResponse(200, {"records": [{"Id": "1"}, {"Id": "2"}], **more})
        if path == "/query/01g-2000":
            return ServerResponse(200, {"records": [{"Id": "3"}], "done": True})
        return ServerResponse(404, [{"errorCode": "NOT_FOUND", "message": "not here"}])

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """A session id must be given; what the stack takes off need not be worth anything."""
        return Salesforce(
            session_id=token or PLACEHOLDER, instance=HOST, session=session, version="59.0"
        )

    def read(self, client: Any) -> Any:
        """Get an account."""
        return client.Account.get("1")

    def write(self, client: Any) -> Any:
        """Create an account."""
        return client.Account.create({"Name": "Ann's", "Description": "x" * 5000})

    def listing(self, client: Any) -> list[Any]:
        """Walk over a query."""
        return [row["Id"] for row in client.query_all_iter("SELECT Id FROM Account")]

    def fail(self, client: Any) -> Any:
        """Get an account that is not there."""
        return client.Account.get("99")

    def test_the_placeholder_is_sent_nowhere(self, vendor: Vendor, client: Any) -> None:
        """What stands in for a session id never leaves, to the vendor or to anybody."""
        self.listing(client)
        self.stray(client, vendor)

        assert PLACEHOLDER not in repr(vendor.server.requests)
        assert PLACEHOLDER not in repr(vendor.foreign.requests)

    def test_the_sdk_reads_the_vendors_headers(self, vendor: Vendor, client: Any) -> None:
        """What the SDK keeps from an answer's headers it finds there as ever."""
        account = client.Account
        account.get("1")

        assert account.api_usage["api-usage"].used == 18
