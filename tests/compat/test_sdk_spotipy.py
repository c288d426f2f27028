"""spotipy over a stack: its own login managers are not needed."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import requests
import spotipy

from sessionkit import SessionStack
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("spotipy", "sdk")


class TestSpotipy(SdkContract):
    """The stack is handed over as ``requests_session=``."""

    refusal: ClassVar[ServerResponse] = ServerResponse(
        401, {"error": {"message": "The access token expired"}}
    )
    missing = spotipy.SpotifyException
    refused = spotipy.SpotifyException
    #: Where the next page is said to be, if not here.
    elsewhere = ""

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for a track and a list of three, on two pages."""
        if seen.path == "/v1/tracks/1":
            return ServerResponse(200, {"id": "1", "name": "One"})
        if seen.path in {"/v1/playlists/9/items", "/v1/playlists/9/tracks"}:
            if seen.method == "POST":
                return ServerResponse(201, {"snapshot_id": "s"})
            if "offset" in seen.query and seen.query["offset"] != ["0"]:
                return ServerResponse(200, {"items": [3], "next": None})
            home = self.elsewhere or f"http://{seen.headers['host']}"
            return ServerResponse(
                200, {"items": [1, 2], "next": f"{home}{seen.path}?offset=2&limit=2"}
            )
        return ServerResponse(404, {"error": {"message": "Resource not found"}})

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """Without a token and a manager the SDK sends no credential."""
        client = spotipy.Spotify(auth=token or None, requests_session=session)
        client.prefix = vendor.home + "/v1/"
        return client

    def read(self, client: Any) -> Any:
        """Get a track."""
        return client.track("1")

    def write(self, client: Any) -> Any:
        """Add to a playlist."""
        return client.playlist_add_items("9", [f"spotify:track:{n}" for n in range(50)])

    def listing(self, client: Any) -> list[Any]:
        """Walk over a playlist."""
        page = client.playlist_items("9", limit=2)
        rows = list(page["items"])
        while page["next"]:
            page = client.next(page)
            rows += page["items"]
        return rows

    def fail(self, client: Any) -> Any:
        """Get a track that is not there."""
        return client.track("2")

    def stray(self, client: Any, vendor: Vendor) -> Any:
        """Follow a next link that leads elsewhere: the SDK would take its token along."""
        self.elsewhere = vendor.foreign.origin
        return self.listing(client)

    def test_the_sdks_error_tells_of_the_attempts(self, vendor: Vendor, client: Any) -> None:
        """The headers on the SDK's own exception hold the time that the call took."""
        vendor.busy = 1
        with pytest.raises(spotipy.SpotifyException) as caught:
            self.fail(client)

        assert caught.value.http_status == 404
        assert caught.value.headers["X-Client-Attempts"] == "2"
        assert "X-Client-Time" in caught.value.headers

    def test_a_client_that_is_gone_leaves_the_session_open(
        self, vendor: Vendor, stack: SessionStack
    ) -> None:
        """spotipy closes its session when it is collected; the stack closes only its own."""
        client = self.connect(vendor, stack)
        self.read(client)
        del client
        self.read(self.connect(vendor, stack))

        assert vendor.server.connections == 1
