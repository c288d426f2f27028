"""Sessions with a login of their own, under a stack: they renew it, refresh it, sign with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from authlib.integrations.requests_client import OAuth2Session as AuthlibOAuth2
from google.auth.transport.requests import AuthorizedSession
from oauthlib.oauth1.rfc5849 import signature
from requests_oauthlib import OAuth2Session

from sessionkit import SessionStack, recommended
from sessionkit.auth import CallableGrant, Header, Query, StaticToken
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.compat.kinds import OAUTH1, OwnCredentials, authlib1, oauthlib1


@pytest.fixture(autouse=True)
def _loopback_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let oauthlib's sessions talk to this machine without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


class TwoDoors(IdentityProvider):
    """An API with tokens of its own that end, behind a gateway with a key."""

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Ask for the key first."""
        if request.path != "/token" and request.headers.get("x-key") != "k-1":
            return ServerResponse(401, {"detail": "no key"})
        return super().respond(request)


def ended() -> dict[str, Any]:
    """Return a token that has ended, and can be renewed."""
    return {
        "access_token": "old",
        "token_type": "bearer",
        "refresh_token": "refresh-0",
        "expires_in": -30,
        "expires_at": time.time() - 30,
    }


def by_oauthlib(server: LoopbackServer, updated: Callable[..., None]) -> Any:
    """requests-oauthlib's, which renews by itself."""
    url = f"{server.origin}/token"
    return OAuth2Session("app", token=ended(), auto_refresh_url=url, token_updater=updated)


def by_authlib(server: LoopbackServer, updated: Callable[..., None]) -> Any:
    """Authlib's, which renews by itself."""
    url = f"{server.origin}/token"
    return AuthlibOAuth2("app", "secret", token=ended(), token_endpoint=url, update_token=updated)


OAUTH2 = [
    pytest.param(by_oauthlib, marks=pytest.mark.package("requests-oauthlib", "session")),
    pytest.param(by_authlib, marks=pytest.mark.package("authlib", "session")),
]


@pytest.mark.parametrize("make", OAUTH2)
def test_a_session_that_renews_its_own_token_goes_on_doing_so(
    make: Callable[..., Any],
) -> None:
    """By itself, once, and its callback is told; the gateway's key rides beside."""
    identity = TwoDoors(expires_in=3600)
    updates: list[Any] = []
    with (
        LoopbackServer(identity.respond) as server,
        make(server, lambda token, **_: updates.append(token)) as session,
    ):
        chain = recommended(StaticToken("k-1"), scheme=Header("X-Key"))
        stack = SessionStack(session, chain, base_url=server.origin)
        paths = [stack.get(f"{server.origin}/{n}").json()["path"] for n in range(3)]

        assert paths == ["/0", "/1", "/2"]
        assert identity.renewals == 1
        assert [token["access_token"] for token in updates] == ["access-1"]
        assert session.token["refresh_token"] == "refresh-1"


@pytest.mark.parametrize("make", OAUTH2)
def test_a_token_is_fetched_through_the_stack(make: Callable[..., Any]) -> None:
    """``stack.fetch_token(...)`` is the session's, and so is what it then knows."""
    identity = TwoDoors(expires_in=3600)
    with LoopbackServer(identity.respond) as server, make(server, lambda *_: None) as session:
        chain = recommended(StaticToken("k-1"), scheme=Header("X-Key"))
        stack: Any = SessionStack(session, chain, base_url=server.origin)
        stack.fetch_token(f"{server.origin}/token", code="from the browser")

        assert stack.token["access_token"] == session.token["access_token"] == "access-1"
        assert stack.get(f"{server.origin}/x").ok
        assert "k-1" not in repr(server.requests_to("/token"))


@pytest.mark.package("google-auth", "session")
def test_google_auth_refreshes_its_credentials_on_a_401() -> None:
    """It sees the refusal itself, below all handlers, and asks again by its own rules."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(
            200 if seen.bearer == "new" else 401, {"key": seen.headers.get("x-key")}
        )

    credentials = OwnCredentials("old", refreshed="new")
    with (
        LoopbackServer(answer) as server,
        AuthorizedSession(credentials) as session,  # type: ignore[no-untyped-call]  # it ships no types
    ):
        chain = recommended(StaticToken("k-1"), scheme=Header("X-Key"))
        stack = SessionStack(session, chain, base_url=server.origin)
        response: Any = stack.post(f"{server.origin}/x", data=b"body", max_allowed_time=30)

        assert response.json() == {"key": "k-1"}
        assert credentials.refreshes == 1
        assert [seen.body for seen in server.requests] == [b"body", b"body"]
        assert len(response.record.attempts) == 1
        assert stack.credentials is credentials


# -- Signatures


def is_signed(seen: ServerRequest) -> bool:
    """Verify the signature as oauthlib's servers do (RFC 5849, section 3.2)."""
    origin = f"http://{seen.headers['host']}"
    query = urlencode(seen.query, doseq=True)
    form = seen.body.decode() if "form" in seen.headers.get("content-type", "") else ""
    given = signature.collect_parameters(
        uri_query=query,
        body=form,
        headers={"Authorization": seen.headers["authorization"]},
        exclude_oauth_signature=False,
    )
    named = dict(given)
    request = SimpleNamespace(
        http_method=seen.method,
        uri=f"{origin}{seen.path}",
        params=[pair for pair in given if pair[0] != "oauth_signature"],
        signature=named["oauth_signature"],
        signature_method=named["oauth_signature_method"],
    )
    return bool(signature.verify_hmac_sha1(request, OAUTH1[1], OAUTH1[3]))


@pytest.mark.parametrize("scheme", [Header("X-Key"), Query("key")], ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(oauthlib1, marks=pytest.mark.package("requests-oauthlib", "session")),
        pytest.param(authlib1, marks=pytest.mark.package("authlib", "session")),
    ],
)
def test_a_signature_of_oauth_1_covers_what_is_sent_also_at_a_replay(
    make: Callable[[str], requests.Session], scheme: Any
) -> None:
    """Query, form, and a key in the URL are all under the signature; a replay is signed anew."""
    key = "k-1"

    def answer(seen: ServerRequest) -> ServerResponse:
        if not is_signed(seen):
            return ServerResponse(403, {"detail": "wrong signature"})
        given = seen.headers.get("x-key") or seen.query.get("key", [""])[0]
        return ServerResponse(200 if given == key else 401)

    with LoopbackServer(answer) as server, make(server.origin) as session:
        chain = recommended(CallableGrant(lambda *_: key), scheme=scheme)
        stack = SessionStack(session, chain, base_url=server.origin)
        assert stack.get("/x", params={"q": "ä b"}).ok
        assert stack.post("/x", params={"q": "1"}, data={"a": "b c"}).ok
        key = "k-2"

        assert stack.post("/y?z=1", data={"a": "b c"}).ok
        assert len(server.requests_to("/y")) == 2
        with stack.get("/z", stream=True) as streamed:
            assert streamed.ok


@pytest.mark.package("requests-oauthlib", "session")
def test_a_key_among_the_sessions_headers_gives_way_to_the_stacks_own() -> None:
    """Also in a prepared request, all of whose headers the signer has made bytes."""
    with LoopbackServer(lambda _: ServerResponse()) as server, oauthlib1(server.origin) as session:
        session.headers["X-Key"] = "of the session"
        chain = recommended(StaticToken("k-1"), scheme=Header("X-Key"))
        stack = SessionStack(session, chain, base_url=server.origin)
        stack.get("/x")
        stack.send(stack.prepare_request(requests.Request("GET", f"{server.origin}/x")))

    assert [seen.headers["x-key"] for seen in server.requests] == ["k-1", "k-1"]
