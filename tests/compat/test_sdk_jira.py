"""jira takes no session; a stack around the one that it makes does what it does elsewhere.

Its session is of a kind that raises the SDK's own error for a status, retries, and gives its own
time-out, so that it bears no other.
"""

from __future__ import annotations

from typing import Any, ClassVar

import jira
import pytest
import requests

from sessionkit import SessionStack
from sessionkit.handlers import TimeoutHandler
from sessionkit.stores import SqliteTokenStore
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("jira", "sdk")

ISSUES = [{"key": f"T-{n}"} for n in range(1, 4)]


class TestJira(SdkContract):
    """A session that raises for a status: the handlers see the answer first."""

    refusal: ClassVar[ServerResponse] = ServerResponse(401, {"errorMessages": ["Not logged in"]})
    missing = jira.JIRAError
    refused = jira.JIRAError

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for issues, three of them on two pages."""
        if seen.path == "/rest/api/2/issue/T-1":
            return ServerResponse(200, {"key": "T-1"})
        if (seen.method, seen.path) == ("POST", "/rest/api/2/issue"):
            return ServerResponse(201, {"key": "T-4"})
        if seen.path == "/rest/api/2/field":
            return ServerResponse(200, [{"id": "summary", "clauseNames": ["summary"]}])
        if seen.path == "/rest/api/2/search":
            start = int(seen.query.get("startAt", ["0"])[0])
            return ServerResponse(
                200, {"issues": ISSUES[start : start + 2], "total": 3, "maxResults": 2}
            )
        return ServerResponse(404, {"errorMessages": ["Issue Does Not Exist"]})

    def chain(self, vendor: Vendor, store: SqliteTokenStore) -> dict[str, Any]:
        """Leave time-outs to the SDK: its session gives ``timeout`` itself."""
        return {
            **super().chain(vendor, store),
            "timeout": TimeoutHandler(connect=None, read=None),
        }

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """Wrap the session that the SDK made."""
        client: Any = jira.JIRA(
            vendor.home, token_auth=token or None, get_server_info=False, max_retries=0
        )
        vendor.keep(client._session)
        if isinstance(session, SessionStack):
            chain = {name: session.handlers[name] for name in session.handlers.names}
            client._session = SessionStack(
                client._session, chain, base_url=vendor.home, clock=vendor.clock
            )
        return client

    def read(self, client: Any) -> Any:
        """Get an issue."""
        return client.issue("T-1").key

    def write(self, client: Any) -> Any:
        """Create an issue."""
        place: dict[str, Any] = {"project": {"key": "T"}, "issuetype": {"id": "1"}}
        fields = {**place, "summary": "Broken", "description": "x" * 5000}
        return client.create_issue(fields=fields, prefetch=False).key

    def listing(self, client: Any) -> list[Any]:
        """Walk over a search."""
        return [issue.key for issue in client.search_issues("project = T", maxResults=False)]

    def fail(self, client: Any) -> Any:
        """Get an issue that is not there."""
        return client.issue("T-99")

    def test_the_sdks_error_is_the_one_that_its_session_raised(self, client: Any) -> None:
        """Its text, its status and its response are those of the SDK."""
        with pytest.raises(jira.JIRAError) as caught:
            self.fail(client)

        assert caught.value.text == "Issue Does Not Exist"
        response: Any = caught.value.response
        assert response.record.attempts[-1].status == 404
