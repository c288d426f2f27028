"""How a client proves that it is the one."""

from __future__ import annotations

from typing import Any

import pytest

from sessionkit import SessionStack
from sessionkit.auth import AuthHandler, ClientCredentials, Password, RefreshToken
from sessionkit.auth.oauth import (
    AuthorizationCode,
    Browser,
    DeviceCode,
    Endpoints,
    JwtBearer,
    TokenExchange,
)
from sessionkit.errors import ConfigError, RenewalFailed
from tests.support.servers.loopback import Loopback, Reply, Seen
from tests.unit.auth.authorization_server import Running
from tests.unit.auth.walking import TOKEN, asked, credentials, refreshing, walked


@pytest.mark.parametrize(("client_id", "secret"), [("", "word"), ("app", "")])
def test_an_empty_id_or_secret_is_refused(client_id: str, secret: str) -> None:
    """An environment variable that is not set is found when the grant is built."""
    with pytest.raises(ConfigError, match="must not be empty") as caught:
        ClientCredentials("http://id.example", client_id, client_secret=secret)

    assert "environment variable" in caught.value.hint


def test_an_unknown_way_to_authenticate_is_refused() -> None:
    """The two that there are, are named."""
    with pytest.raises(ConfigError, match="'client_secret_basic' or"):
        credentials("http://id.example", client_auth="jwt")


class Signed:
    """A proof of its own, made anew for each request."""

    def __init__(self) -> None:
        self.made = 0

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Sign."""
        self.made += 1
        return {"client_assertion": f"{client_id} for {token_url} #{self.made}"}


def test_a_proof_other_than_a_secret_goes_into_the_form() -> None:
    """A bank that wants signed assertions gets them, and no secret beside them."""
    proof = Signed()
    seen, _ = asked(lambda url: ClientCredentials(url, "app", client_auth=proof))

    assert seen.form["client_assertion"].startswith("app for http://127.0.0.1")
    assert seen.form["client_id"] == "app"
    assert "authorization" not in seen.headers
    assert proof.made == 1


def test_a_secret_beside_another_proof_is_refused() -> None:
    """It would be sent for nothing, or silently not."""
    with pytest.raises(ConfigError, match="not by both"):
        RefreshToken(
            "http://id.example", client_id="app", client_secret="word", client_auth=Signed()
        )


# -- Headers of a gateway

GATEWAY = {"X-Gateway-Key": "gateway-word"}


def test_headers_go_with_each_token_request_and_each_revocation() -> None:
    """A gateway before the identity server sees its key, whatever is asked there."""
    with Loopback(lambda _: Reply(200, {**TOKEN, "refresh_token": "second"})) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        for grant in (
            credentials(place, headers=GATEWAY),  # type: ignore[arg-type]  # takes both
            refreshing(place, headers=GATEWAY),  # type: ignore[arg-type]  # takes both
            Password(place, "ada", password="word", client_id="app", headers=GATEWAY),
            JwtBearer(place, lambda: "signed", headers=GATEWAY),
            TokenExchange(place, "subject", client_id="app", headers=GATEWAY),
        ):
            token = walked(grant)
            if not isinstance(grant, JwtBearer):
                auth = AuthHandler(grant)
                with SessionStack(handlers=[auth]) as stack:
                    auth.login(stack, token=token)
                    auth.logout(stack, revoke=True)
        keys = [seen.headers.get("x-gateway-key") for seen in server.seen]

    assert len(keys) >= 9
    assert set(keys) == {"gateway-word"}


def test_headers_go_with_the_requests_of_a_users_login() -> None:
    """For the code, for the token, and for each renewal after it."""
    with Running() as running:
        place, browser = running.server.endpoints(), Browser(running.browse, timeout=20)
        for grant in (
            AuthorizationCode(place, "app", browser=browser, headers=GATEWAY),
            DeviceCode(place, "app", prompt_callback=lambda code, url: None, headers=GATEWAY),
        ):
            stack, auth = running.stack(grant)
            with stack:
                auth.login(stack)
        asked_for = [seen for seen in running.loopback.seen if seen.method == "POST"]

    assert {seen.path for seen in asked_for} == {"/token", "/device"}
    assert {seen.headers.get("x-gateway-key") for seen in asked_for} == {"gateway-word"}


def test_headers_are_never_shown() -> None:
    """Neither by the grant nor where the server quotes them, nor where nothing came back."""

    def quote(seen: Seen) -> Reply:
        said = f"{seen.headers['x-gateway-key']} is unknown"
        return Reply(400, {"error": "invalid_request", "error_description": said})

    grant = credentials("http://id.example/token", headers=GATEWAY)
    with Loopback(quote) as server, pytest.raises(RenewalFailed, match="is unknown") as caught:
        walked(credentials(f"{server.origin}/token", headers=GATEWAY))

    assert "gateway-word" not in f"{grant!r} {caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Gateway-Key": ""},
        {"X-Gateway-Key": "s3cret\r\nX-Other: 1"},
        {"X-Gateway-Key": "s3cret €"},
        {"X-Gateway-Key": b"s3cret"},
        {"X-Gateway-Key": None},
        {"X Gateway:": "s3cret"},
        {"Content-Type": "s3cret"},
        {"authorization": "s3cret"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused_at_once(headers: dict[str, Any]) -> None:
    """And not shown: what is wrong with a key is often that it has a line break at its end."""
    with pytest.raises(ConfigError, match="header") as caught:
        credentials("http://id.example/token", headers=headers)

    assert "s3cret" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"


def test_a_gateway_may_have_the_authorization_header_where_the_secret_is_in_the_form() -> None:
    """There is one such header; the form leaves it free."""
    headers = {"Authorization": "Bearer gateway"}
    seen, _ = asked(credentials, client_auth="client_secret_post", headers=headers)

    assert seen.bearer == "gateway"
    assert seen.form["client_secret"] == "word"
