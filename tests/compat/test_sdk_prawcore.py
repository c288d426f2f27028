"""prawcore, the transport of PRAW, with an implicit login: it ends, and nothing renews it."""

from __future__ import annotations

from typing import Any, ClassVar

import prawcore
import pytest
import requests

from sessionkit import SessionStack
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import PLACEHOLDER, SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("prawcore", "sdk")


class TestPrawcore(SdkContract):
    """The stack is handed over as ``session=`` of the requestor; a token must be given."""

    insists = True
    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, {}, {"WWW-Authenticate": 'Bearer realm="reddit", error="invalid_token"'}
    )
    missing = prawcore.NotFound
    refused = prawcore.InvalidToken

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for a listing of three things, on two pages."""
        if seen.path == "/r/python/about":
            return ServerResponse(200, {"data": {"name": "python"}})
        if seen.path == "/api/comment":
            return ServerResponse(200, {"json": {"errors": []}})
        if seen.path == "/r/python/new":
            if seen.query.get("after") == ["t3_2"]:
                return ServerResponse(200, {"data": {"children": ["t3_3"], "after": None}})
            return ServerResponse(200, {"data": {"children": ["t3_1", "t3_2"], "after": "t3_2"}})
        return ServerResponse(404, {"message": "Not Found"})

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """An authorizer whose token is taken off by the stack, and never looked at."""
        requestor = prawcore.Requestor(
            session=session, oauth_url=vendor.home, user_agent="compatibility tests"
        )
        authenticator = prawcore.UntrustedAuthenticator(requestor=requestor, client_id="app")
        return prawcore.session(
            authorizer=prawcore.ImplicitAuthorizer(
                authenticator=authenticator,
                access_token=token or PLACEHOLDER,
                expires_in=10**9,
                scope="read",
            )
        )

    def read(self, client: Any) -> Any:
        """Get a subreddit."""
        return client.request(method="GET", path="/r/python/about")

    def write(self, client: Any) -> Any:
        """Write a comment."""
        comment = {"thing_id": "t3_1", "text": "x" * 5000}
        return client.request(method="POST", path="/api/comment", data=comment)

    def listing(self, client: Any) -> list[Any]:
        """Walk over what is new, as PRAW does."""
        rows: list[Any] = []
        params: dict[str, Any] = {"limit": 2}
        while True:
            page = client.request(method="GET", path="/r/python/new", params=params)["data"]
            rows += page["children"]
            if page["after"] is None:
                return rows
            params["after"] = page["after"]

    def fail(self, client: Any) -> Any:
        """Get a subreddit that is not there."""
        return client.request(method="GET", path="/r/nothing/about")

    def stray(self, client: Any, vendor: Vendor) -> Any:
        """Ask for an absolute URL: the SDK follows no redirects."""
        return client.request(method="GET", path=vendor.foreign.origin + "/r/python/about")

    def test_a_redirect_is_the_sdks_own_error(self, vendor: Vendor, client: Any) -> None:
        """prawcore asked not to be redirected, and is not."""
        vendor.moved = True
        with pytest.raises(prawcore.exceptions.ResponseException) as caught:
            self.read(client)

        assert caught.value.response.status_code == 307
        assert vendor.foreign.requests == []

    def test_what_cannot_be_reached_is_the_sdks_own_error(self, stack: SessionStack) -> None:
        """It finds the exception of requests in its place, and retries as it always did."""
        requestor = prawcore.Requestor(session=stack, user_agent="compatibility tests")
        with pytest.raises(prawcore.RequestException) as caught:
            requestor.request("GET", "http://reddit.invalid/")

        assert type(caught.value.original_exception) is requests.ConnectionError
