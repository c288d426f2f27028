"""pynetbox: a stack in the place of ``api.http_session``, also from the SDK's own threads."""

from __future__ import annotations

from typing import Any, ClassVar

import pynetbox
import pytest
import requests

from sessionkit import SessionStack
from sessionkit.auth import Bearer, RenewalPolicy, Scheme
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("pynetbox", "sdk")

SITES = "/api/dcim/sites/"
COUNT = 7


def ended(response: requests.Response) -> bool:
    """Tell a token that ended from a permission that is missing: both are 403 here."""
    return response.status_code == 403 and response.json()["detail"] == "Invalid token"


class TestPynetbox(SdkContract):
    """Without a token the SDK sends none; NetBox says ``Token`` where others say Bearer."""

    scheme: ClassVar[Scheme] = Bearer("Token")
    refusal: ClassVar[ServerResponse] = ServerResponse(403, {"detail": "Invalid token"})
    missing = pynetbox.RequestError
    refused = pynetbox.RequestError

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer for sites, pages of two."""
        if seen.path == f"{SITES}1/":
            return ServerResponse(200, {"id": 1, "name": "site 1"})
        if seen.path != SITES:
            return ServerResponse(404, {"detail": "Not found."})
        if seen.method == "POST":
            return ServerResponse(201, {"id": 8, "name": "site 8"})
        limit = int(seen.query.get("limit", ["2"])[0])
        offset = int(seen.query.get("offset", ["0"])[0])
        rows = [{"id": n, "name": f"site {n}"} for n in range(1, COUNT + 1)]
        after = offset + limit
        link = f"http://{seen.headers['host']}{SITES}?limit={limit}&offset={after}"
        page = {"count": COUNT, "next": link if after < COUNT else None, "previous": None}
        return ServerResponse(200, {**page, "results": rows[offset:after]})

    def policy(self) -> RenewalPolicy:
        """Renew at the 403 of an ended token too."""
        return RenewalPolicy(is_expired=ended)

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """Put the session in the place that the SDK documents for it."""
        client = pynetbox.api(vendor.home, token=token or None)
        client.http_session = session
        return client

    def read(self, client: Any) -> Any:
        """Get a site."""
        return dict(client.dcim.sites.get(1))

    def write(self, client: Any) -> Any:
        """Create a site."""
        return dict(client.dcim.sites.create(name="site 8", comments="x" * 5000))

    def listing(self, client: Any) -> list[Any]:
        """Walk over all sites."""
        return [site.id for site in client.dcim.sites.all(limit=2)]

    def fail(self, client: Any) -> Any:
        """List what is not there."""
        return list(client.dcim.racks.all())

    def test_the_threads_of_the_sdk_share_one_renewal(
        self, vendor: Vendor, stack: SessionStack
    ) -> None:
        """Its pages are fetched side by side; all meet the end of the token, one renews."""
        client = pynetbox.api(vendor.home, threading=True, max_workers=3)
        client.http_session = stack
        vendor.uses = 1
        rows = [site.id for site in client.dcim.sites.all(limit=2)]

        assert sorted(rows) == list(range(1, COUNT + 1))
        assert vendor.logins == 2

    def test_the_sdks_error_holds_the_answer_with_its_record(
        self, vendor: Vendor, client: Any
    ) -> None:
        """What was tried is seen where the failure is."""
        vendor.busy = 1
        with pytest.raises(pynetbox.RequestError) as caught:
            self.fail(client)

        assert [attempt.status for attempt in caught.value.req.record.attempts] == [503, 404]
