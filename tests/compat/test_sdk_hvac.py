"""hvac, the SDK of Vault: it sends a token for as long as it is told to, and renews none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import hvac
import hvac.exceptions
import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit.auth import AuthHandler, CallableGrant, Grant, Header, RenewalPolicy, Scheme
from sessionkit.testing.server import IdentityProvider, ServerRequest, ServerResponse
from tests.compat.sdk_contract import SdkContract
from tests.compat.vendor import Vendor

pytestmark = pytest.mark.package("hvac", "sdk")


def ended(response: requests.Response) -> bool:
    """Tell a token that ended from a policy that forbids: Vault answers 403 to both."""
    return response.status_code == 403 and "invalid token" in response.text


class TestHvac(SdkContract):
    """A stack gives Vault's tokens an end and a renewal; hvac itself holds none."""

    scheme: ClassVar[Scheme] = Header("X-Vault-Token")
    login: ClassVar[str] = "/v1/auth/approle/login"
    refusal: ClassVar[ServerResponse] = ServerResponse(
        403, {"errors": ["permission denied", "invalid token"]}
    )
    missing = hvac.exceptions.InvalidPath
    refused = hvac.exceptions.Forbidden

    def log_in(self, seen: ServerRequest, identity: IdentityProvider) -> ServerResponse:
        """Log in by a role, with no token on the request."""
        if seen.body != b'{"role_id": "role", "secret_id": "secret"}':
            return ServerResponse(400, {"errors": ["invalid role or secret ID"]})
        issued = identity.token(seen).body
        auth = {"client_token": issued["access_token"], "lease_duration": issued["expires_in"]}
        return ServerResponse(200, {"auth": auth})

    def api(self, seen: ServerRequest) -> ServerResponse:
        """Answer as the key-value engine, version 2."""
        if (seen.method, seen.path) == ("POST", "/v1/secret/data/app"):
            return ServerResponse(200, {"data": {"version": 2}})
        if seen.method == "LIST":
            return ServerResponse(200, {"data": {"keys": [f"{seen.path}/a", f"{seen.path}/b"]}})
        if seen.path == "/v1/secret/data/app":
            return ServerResponse(200, {"data": {"data": {"password": "hunter2"}}})
        if seen.path == "/v1/secret/data/theirs":
            return ServerResponse(403, {"errors": ["permission denied"]})
        return ServerResponse(404, {"errors": []})

    def policy(self) -> RenewalPolicy:
        """Renew at the 403 of an ended token too."""
        return RenewalPolicy(is_expired=ended)

    def grant(self, vendor: Vendor) -> Grant:
        """Log in by hvac itself, over the bare session."""

        def log_in(token: Token | None, rejected: requests.Response | None) -> Token:
            vault = hvac.Client(vendor.home, token="", session=vendor.session)
            auth = vault.auth.approle.login("role", "secret", use_token=False)["auth"]
            return Token(auth["client_token"], expires_in=auth["lease_duration"])

        return CallableGrant(log_in, store_key="role@vault")

    def connect(self, vendor: Vendor, session: requests.Session, token: str = "") -> Any:
        """An empty token: hvac then sends none, and looks for none in the environment."""
        return hvac.Client(vendor.home, token=token, session=session)

    def read(self, client: Any) -> Any:
        """Read a secret."""
        return client.secrets.kv.v2.read_secret("app", raise_on_deleted_version=True)["data"]

    def write(self, client: Any) -> Any:
        """Write a secret."""
        return client.secrets.kv.v2.create_or_update_secret("app", {"password": "hunter3"})

    def listing(self, client: Any) -> list[Any]:
        """List two folders: Vault has no pages."""
        listed = [client.secrets.kv.v2.list_secrets(path) for path in ("one", "two")]
        return [key for answer in listed for key in answer["data"]["keys"]]

    def fail(self, client: Any) -> Any:
        """Read what is not there."""
        return client.secrets.kv.v2.read_secret("nothing", raise_on_deleted_version=True)

    def test_a_policy_that_forbids_costs_no_login(self, vendor: Vendor, client: Any) -> None:
        """Forbidden comes out at once: the token is good, and another would be refused too."""
        self.read(client)
        with pytest.raises(hvac.exceptions.Forbidden):
            client.secrets.kv.v2.read_secret("theirs", raise_on_deleted_version=True)

        assert vendor.logins == 1

    def test_many_threads_that_meet_the_end_log_in_once(self, vendor: Vendor, client: Any) -> None:
        """A Vault that is asked by a whole service sees one login, not one for each thread."""
        self.read(client)
        vendor.identity.expire()
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: self.read(client), range(8)))

        assert len(found) == 8
        assert vendor.logins == 2

    def test_a_login_that_is_refused_is_hvacs_own_error(
        self, vendor: Vendor, stack: SessionStack
    ) -> None:
        """What the login raises comes out of the call that needed it."""

        def wrong(token: Token | None, rejected: requests.Response | None) -> str:
            vault = hvac.Client(vendor.home, token="", session=vendor.session)
            vault.auth.approle.login("role", "wrong", use_token=False)
            return "never"

        stack.handlers.replace("auth", AuthHandler(CallableGrant(wrong), scheme=self.scheme))
        with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid role or secret ID"):
            self.read(self.connect(vendor, stack))

        assert vendor.calls() == []

    def test_answers_tell_of_their_attempts(self, vendor: Vendor, stack: SessionStack) -> None:
        """With hvac's raw adapter the record of a call is at the response, as everywhere."""
        raw = hvac.Client(vendor.home, token="", session=stack, adapter=hvac.adapters.RawAdapter)
        vendor.busy = 1
        response: Any = raw.read("secret/data/app")

        assert [attempt.status for attempt in response.record.attempts] == [503, 200]
        assert response.headers["X-Client-Attempts"] == "2"

    def test_closing_hvac_leaves_the_session_open(self, vendor: Vendor, client: Any) -> None:
        """Who made the session closes it: its connection goes on serving."""
        self.read(client)
        client.adapter.close()
        self.read(client)

        assert vendor.server.connections == 1
