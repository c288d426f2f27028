"""atlassian-python-api: Jira, by a session of the user's own."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import requests
from atlassian import Jira

from sessionkit import SessionStack
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("atlassian-python-api", "sdk")

ISSUES = [{"key": f"T-{n}"} for n in range(1, 4)]


class TestAtlassian(SdkContract):
    """The stack is handed over as ``session=``, with no login of the SDK's own."""

    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, b"Unauthorized", {"Content-Type": "text/plain"}
    )
    missing = requests.HTTPError
    refused = requests.HTTPError

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for issues, three of them on two pages."""
        if seen.path == "/rest/api/2/issue/T-1":
            return ServerResponse(200, {"key": "T-1"})
        if (seen.method, seen.path) == ("POST", "/rest/api/2/issue"):
            return ServerResponse(201, {"key": "T-4"})
        if seen.path == "/rest/api/2/search":
            start = int(seen.query["startAt"][0])
            return ServerResponse(
                200, {"issues": ISSUES[start : start + 2], "total": 3, "maxResults": 2}
            )
        return ServerResponse(404, {"errorMessages": ["Issue Does Not Exist"], "errors": {}})

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """With a token the SDK would write it on the session; so none is given."""
        return Jira(vendor.home, token=token or None, session=session, cloud=False)

    def read(self, client: Any) -> Any:
        """Get an issue."""
        return client.issue("T-1")

    def write(self, client: Any) -> Any:
        """Create an issue."""
        return client.create_issue({"summary": "Broken", "description": "x" * 5000})

    def listing(self, client: Any) -> list[Any]:
        """Walk over a search."""
        return [issue["key"] for issue in client.jql_get_list_of_tickets("project = T")]

    def fail(self, client: Any) -> Any:
        """Get an issue that is not there."""
        return client.issue("T-99")

    def test_the_sdk_says_what_the_vendor_said(self, client: Any) -> None:
        """Its error has its own text, read from the body, not ours."""
        with pytest.raises(requests.HTTPError, match=r"^Issue Does Not Exist$"):
            self.fail(client)

    def test_answers_tell_of_their_attempts(self, vendor: Vendor, stack: SessionStack) -> None:
        """In the SDK's advanced mode the response is handed out, with its record."""
        client = Jira(vendor.home, session=stack, cloud=False, advanced_mode=True)
        vendor.busy = 1
        response: Any = client.get("rest/api/2/issue/T-1")

        assert [attempt.status for attempt in response.record.attempts] == [503, 200]
        assert response.headers["X-Client-Attempts"] == "2"

    def test_the_session_is_as_it_was(self, vendor: Vendor, stack: SessionStack) -> None:
        """Without a login of its own the SDK writes nothing on the session."""
        before = dict(vendor.session.headers), vendor.session.auth, dict(vendor.session.adapters)
        with self.connect(vendor, stack) as client:
            self.read(client)

        after = dict(vendor.session.headers), vendor.session.auth, dict(vendor.session.adapters)
        assert after == before
