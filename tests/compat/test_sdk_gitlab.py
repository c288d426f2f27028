"""python-gitlab: personal access tokens end by a date; the SDK has no way to renew one."""

from __future__ import annotations

from typing import Any, ClassVar

import gitlab
import pytest
import requests

from sessionkit import SessionStack
from sessionkit.auth import Header, Scheme
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("python-gitlab", "sdk")


class TestGitlab(SdkContract):
    """The stack is handed over as ``session=``, with no token of the SDK's own."""

    scheme: ClassVar[Scheme] = Header("PRIVATE-TOKEN")
    refusal: ClassVar[ServerResponse] = ServerResponse(401, {"message": "401 Unauthorized"})
    missing = gitlab.GitlabGetError
    refused = gitlab.GitlabAuthenticationError
    #: Where the next page is said to be, if not here.
    elsewhere = ""

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for projects, three of them on two pages."""
        if seen.path == "/api/v4/projects/1":
            return ServerResponse(200, {"id": 1, "name": "one"})
        if seen.path == "/api/v4/projects/1/issues" and seen.method == "POST":
            return ServerResponse(201, {"iid": 7, "title": "Broken"})
        if seen.path == "/api/v4/projects/1/uploads":
            url = {"alt": "log", "url": "/uploads/log.txt", "markdown": "[log](/uploads/log.txt)"}
            return ServerResponse(201, url)
        if seen.path == "/api/v4/projects":
            return self._page(seen)
        return ServerResponse(404, {"message": "404 Project Not Found"})

    def _page(self, seen: ServerRequest) -> ServerResponse:
        if seen.query.get("page") == ["2"]:
            return ServerResponse(200, [{"id": 3}], {"X-Page": "2"})
        home = self.elsewhere or f"http://{seen.headers['host']}"
        link = f'<{home}/api/v4/projects?page=2&per_page=2>; rel="next"'
        return ServerResponse(200, [{"id": 1}, {"id": 2}], {"Link": link, "X-Next-Page": "2"})

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """Without a token the SDK passes ``auth=None``, which is no credential."""
        return gitlab.Gitlab(vendor.home, private_token=token or None, session=session)

    def read(self, client: Any) -> Any:
        """Get a project."""
        return client.projects.get(1).attributes

    def write(self, client: Any) -> Any:
        """Open an issue."""
        project = client.projects.get(1, lazy=True)
        return project.issues.create({"title": "Broken", "description": "x" * 5000}).attributes

    def listing(self, client: Any) -> list[Any]:
        """Walk over all projects."""
        return [project.id for project in client.projects.list(iterator=True, per_page=2)]

    def fail(self, client: Any) -> Any:
        """Get a project that is not there."""
        return client.projects.get(99)

    def test_the_next_page_elsewhere_gets_no_token(self, vendor: Vendor, client: Any) -> None:
        """A Link header leads the SDK to another host; it follows, without the token."""
        self.elsewhere = vendor.foreign.origin
        with pytest.warns(UserWarning, match="base URL"):
            assert self.listing(client) == [1, 2, 3]

        assert vendor.foreign.requests_to("/api/v4/projects")
        assert "access-" not in repr(vendor.foreign.requests)

    def test_an_upload_that_met_the_end_of_a_token_is_never_sent_empty(
        self, vendor: Vendor, client: Any
    ) -> None:
        """The SDK's multipart body can be read once: it sees the refusal; its next try works."""
        self.read(client)
        vendor.identity.expire()
        content = b"line\n" * 20_000
        project = client.projects.get(1, lazy=True)
        with pytest.raises(gitlab.GitlabAuthenticationError):
            project.upload("log.txt", filedata=content)

        assert project.upload("log.txt", filedata=content)["url"] == "/uploads/log.txt"
        uploads = [seen for seen in vendor.calls() if seen.path.endswith("/uploads")]
        assert [content in seen.body for seen in uploads] == [True, True]
        assert vendor.logins == 2

    def test_answers_tell_of_their_attempts(self, vendor: Vendor, stack: SessionStack) -> None:
        """Where the SDK hands out the response, the record of the call is on it."""
        vendor.busy = 1
        client = self.connect(vendor, stack)
        response: Any = client.http_request("get", "/projects/1")

        assert [attempt.status for attempt in response.record.attempts] == [503, 200]
        assert len(response.record.renewals) == 1
