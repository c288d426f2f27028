"""Finding an identity server's endpoints by its name."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack
from sessionkit.auth.oauth import Endpoints, discover
from sessionkit.errors import ConfigError, RenewalFailed
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.unit.auth.authorization_server import Running

OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


def test_a_server_is_asked_for_its_endpoints_by_its_name() -> None:
    """One request, and no address is copied from a manual."""
    with Running() as running:
        server = discover(running.server.origin)

        assert server == running.server.endpoints(issuer=running.server.origin)
        assert [seen.path for seen in running.loopback.requests] == [OAUTH]


def test_what_a_server_does_not_offer_is_left_empty() -> None:
    """A grant that needs it says so when it is built."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(
            200, {"issuer": origin, "token_endpoint": f"{origin}/t", "jwks_uri": 7}
        )

    with LoopbackServer(answer) as server:
        origin = server.origin

        assert discover(origin) == Endpoints(f"{origin}/t", issuer=origin)


def test_a_server_may_promise_to_name_itself_in_redirects() -> None:
    """Then a redirect without its name is not taken (RFC 9207, section 2.4)."""
    with Running() as running:
        running.server.described["authorization_response_iss_parameter_supported"] = True

        assert discover(running.server.origin).require_iss


@pytest.mark.parametrize(
    "elsewhere",
    [
        ServerResponse(404),
        ServerResponse(200, b"<html>the application</html>", {"Content-Type": "text/html"}),
        ServerResponse(302, b"", {"Location": "/login"}),
        ServerResponse(200, []),
        ServerResponse(500, b""),
    ],
    ids=["404", "html", "redirect", "list", "500"],
)
def test_an_openid_provider_describes_itself_at_its_own_address(elsewhere: ServerResponse) -> None:
    """Behind the path of the issuer, where OAuth puts it before (RFC 8414, section 5)."""

    def answer(seen: ServerRequest) -> ServerResponse:
        issuer = f"{server.origin}/tenant"
        if seen.path == f"/tenant{OPENID}":
            return ServerResponse(200, {"issuer": issuer, "token_endpoint": f"{issuer}/token"})
        return elsewhere

    with LoopbackServer(answer) as server:
        found = discover(f"{server.origin}/tenant")

        assert found.token_url == f"{server.origin}/tenant/token"
        assert [seen.path for seen in server.requests] == [f"{OAUTH}/tenant", f"/tenant{OPENID}"]


@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example",
        "id.example",
        "",
        "https://id.example?tenant=1",
        "https://id.example#a",
        "file:///etc/passwd",
    ],
)
def test_an_issuer_that_is_no_https_url_is_refused_unasked(issuer: str) -> None:
    """Whoever could change the answer would be sent the tokens."""
    with pytest.raises(ConfigError, match="https URL"):
        discover(issuer)


def test_the_description_of_another_server_is_not_taken() -> None:
    """Neither a mix-up nor a slash too many passes; both names are shown."""
    with Running() as running:
        running.server.described["issuer"] = f"{running.server.origin}/"
        with pytest.raises(RenewalFailed, match="calls itself 'http://127") as caught:
            discover(running.server.origin)

    assert "to the letter" in caught.value.hint


@pytest.mark.parametrize(
    "endpoint", ["http://id.example/token", "/token", "ftp://id.example", 7, ["https://a"]]
)
def test_an_endpoint_that_others_could_listen_at_is_refused(endpoint: Any) -> None:
    """Even where the description itself came safely."""
    for field in ("token_endpoint", "revocation_endpoint", "authorization_endpoint"):
        with Running() as running:
            running.server.described[field] = endpoint
            with pytest.raises(RenewalFailed, match=f"{field} is no https URL"):
                discover(running.server.origin)


class OnLoopback(HTTPAdapter):
    """Takes what goes to a host of the standards to a server on this machine."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = origin

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        request.url = str(request.url).replace("https://id.example", self._origin)
        return super().send(request, *args, **options)


def test_a_server_elsewhere_has_no_business_on_this_machine() -> None:
    """Its description does not lead tokens to a port where anybody of this machine may listen."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(200, {"issuer": "https://id.example", "token_endpoint": endpoint})

    with LoopbackServer(answer) as server, requests.Session() as session:
        session.mount("https://id.example", OnLoopback(server.origin))
        endpoint = "https://other.example/token"
        assert discover("https://id.example", session=session).token_url == endpoint

        endpoint = "http://127.0.0.1:8080/token"
        with pytest.raises(RenewalFailed, match="no https URL"):
            discover("https://id.example", session=session)


def test_a_description_without_a_token_endpoint_serves_nothing() -> None:
    """It is said now, and not at the first call."""
    with Running() as running:
        running.server.described["token_endpoint"] = ""
        with pytest.raises(RenewalFailed, match="token_endpoint"):
            discover(running.server.origin)


def test_a_server_that_describes_nothing_is_told_from_one_that_is_down() -> None:
    """The one needs another issuer, the other another try."""
    with (
        LoopbackServer(lambda _: ServerResponse(404)) as server,
        pytest.raises(RenewalFailed) as caught,
    ):
        discover(server.origin)
    assert "does not describe itself" in str(caught.value)
    assert caught.value.status == 404

    with pytest.raises(RenewalFailed, match="no response") as down:
        discover("http://127.0.0.1:9")
    assert down.value.retryable


def test_the_credentials_of_a_session_do_not_go_along() -> None:
    """Its proxies and certificates serve; its headers, login and cookies stay at home."""
    with Running() as running, requests.Session() as session:
        session.auth = ("ada", "s3cret")
        session.headers["X-Api-Key"] = "s3cret"
        session.cookies.set("sid", "s3cret")
        discover(running.server.origin, session=session)
        with SessionStack(session) as stack:
            discover(running.server.origin, session=stack)

        assert len(running.loopback.requests) == 2
        for seen in running.loopback.requests:
            assert "s3cret" not in str(seen.headers)
            assert "authorization" not in seen.headers


def test_an_endless_description_is_not_read_to_its_end() -> None:
    """A wrong address may be a download."""
    piece = b"x" * 65_536

    def endless(_: ServerRequest) -> ServerResponse:
        return ServerResponse(200, (piece for _ in range(10_000)))

    with LoopbackServer(endless) as server, pytest.raises(RenewalFailed, match="BodyTooLarge"):
        discover(server.origin)
