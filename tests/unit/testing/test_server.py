"""The loopback server, and the identity provider."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
    refusal,
)

SECRETS = {"app": "s3cret", "ann": "pa55"}


def echo(request: ServerRequest) -> ServerResponse:
    """Respond with what arrived."""
    return ServerResponse(200, {"method": request.method, "size": len(request.body)})


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    """Start a server that echoes."""
    with LoopbackServer(echo) as server:
        yield server


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "LIST"])
def test_any_method_is_served_and_kept(server: LoopbackServer, method: str) -> None:
    """A test sees what was sent, in the order in which it came."""
    response = requests.request(method, f"{server.origin}/a?x=1&x=2", data=b"abc", timeout=5)

    assert response.json() == {"method": method, "size": 3}
    (request,) = server.requests_to("/a")
    assert (request.query, request.body) == ({"x": ["1", "2"]}, b"abc")
    assert server.requests == [request]
    assert server.connections == 1


def test_a_chunked_body_arrives_whole(server: LoopbackServer) -> None:
    """Bodies without a length are read to their end."""
    response = requests.post(server.origin, data=iter([b"ab", b"cde"]), timeout=5)

    assert response.json()["size"] == 5


def test_a_client_that_waits_for_the_go_ahead_gets_it(server: LoopbackServer) -> None:
    """``Expect: 100-continue`` costs no timeout of the client."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw:
        raw.sendall(
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert raw.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n")
        raw.sendall(b"ab")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("response", "status", "content"),
    [
        (ServerResponse(201, [1]), 201, b"[1]"),
        (ServerResponse(200, b"as it is"), 200, b"as it is"),
        (ServerResponse(200, iter([b"a", b"b"])), 200, b"ab"),
        (ServerResponse(204), 204, b""),
        (b"HTTP/1.1 202 So\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", 202, b"x"),
    ],
)
def test_responses_are_json_bytes_pieces_or_raw(
    response: ServerResponse | bytes, status: int, content: bytes
) -> None:
    """Whatever a server may say can be said."""
    with LoopbackServer(lambda _: response) as server:
        got = requests.get(server.origin, timeout=5)

    assert (got.status_code, got.content) == (status, content)


def test_of_a_large_body_only_size_and_check_are_kept() -> None:
    """An upload that fits into no memory can be compared with what was sent."""
    with LoopbackServer(echo, digest_bodies=True) as server:
        requests.post(server.origin, data=b"x" * 1000, timeout=5)
        requests.post(server.origin, data=b"x" * 1000, timeout=5)

    first, second = server.requests
    assert first.body == second.body
    assert first.body.startswith(b"1000 bytes, CRC ")


def test_a_server_that_keeps_no_requests_grows_not() -> None:
    """A long run does not fill the memory."""
    with LoopbackServer(echo, keep_requests=False) as server:
        requests.get(server.origin, timeout=5)

    assert server.requests == []


def test_connections_end_with_the_server(server: LoopbackServer) -> None:
    """A client that keeps its connection open holds up nothing."""
    with requests.Session() as session:
        session.get(server.origin, timeout=5)
        server.__exit__(None, None, None)
        with pytest.raises(requests.ConnectionError):
            session.get(server.origin, timeout=5)
        server._loop.join(0)


# -- The identity provider


def token_request(authorization: str = "", **form: str) -> ServerRequest:
    """Make a token request."""
    headers = {"authorization": authorization} if authorization else {}
    return ServerRequest("POST", "/token", headers=headers, body=urlencode(form).encode())


def renewed(identity: IdentityProvider, refresh_token: str) -> ServerResponse:
    """Ask for a renewal."""
    return identity.token(
        token_request(grant_type="refresh_token", refresh_token=refresh_token, client_id="app")
    )


def test_a_refresh_token_works_once_and_reuse_ends_the_login() -> None:
    """RFC 9700, section 4.14.2: a stolen refresh token ends what was stolen with it."""
    identity = IdentityProvider(keep_earlier=True)
    login, other = identity.login(), identity.login()

    fresh = renewed(identity, login["refresh_token"]).body
    assert identity.use(fresh["access_token"]) is not None
    assert renewed(identity, login["refresh_token"]).body == {"error": "invalid_grant"}
    assert identity.use(fresh["access_token"]) is None
    assert renewed(identity, fresh["refresh_token"]).status == 400
    assert identity.use(other["access_token"]) is not None
    assert identity.renewals == 1
    assert identity.refused == {fresh["access_token"]}


@pytest.mark.parametrize("keeps", [False, True])
def test_a_new_token_may_end_the_earlier_ones(keeps: bool) -> None:  # a parameter
    """Both kinds of servers are met."""
    identity = IdentityProvider(keep_earlier=keeps, expires_in=60)
    first = identity.login()

    assert first["expires_in"] == 60
    assert renewed(identity, "refresh-0").status == 200
    assert (identity.use(first["access_token"]) is not None) is keeps


def test_a_token_ends_by_time_and_by_use() -> None:
    """A client finds out by being refused."""
    clock = FakeClock()
    identity = IdentityProvider(lifetime=2.0, max_uses=2, clock=clock)
    used, timed = identity.login()["access_token"], "by-hand"
    identity.add_token(timed)

    assert [identity.use(used) for _ in range(3)] == [1, 0, None]
    clock.advance(2.0)
    assert identity.use(timed) is None


def basic(secret: str) -> str:
    """Return the authorization of a client."""
    return f"Basic {base64.b64encode(f'app:{secret}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (token_request(basic("s3cret"), grant_type="client_credentials"), 200),
        (token_request(basic("wrong"), grant_type="client_credentials"), 401),
        (token_request("Basic %", grant_type="client_credentials"), 401),
        (
            token_request(grant_type="client_credentials", client_id="app", client_secret="s3cret"),
            200,
        ),
        (token_request(grant_type="client_credentials"), 401),
        (token_request(grant_type="password", username="ann", password="pa55"), 200),
        (token_request(grant_type="password", username="ann", password="no"), 400),
        (token_request(grant_type="magic"), 400),
        (token_request(), 400),
    ],
)
def test_credentials_are_checked_where_there_are_secrets(
    request_: ServerRequest, status: int
) -> None:
    """RFC 6749, section 5.2."""
    assert IdentityProvider(secrets=SECRETS).token(request_).status == status


def test_a_server_that_is_down_gives_no_token() -> None:
    """A renewal meets a 500, and the refresh token is still good."""
    identity = IdentityProvider()
    identity.is_down = True
    assert renewed(identity, "refresh-0").status == 500
    identity.is_down = False

    assert renewed(identity, "refresh-0").status == 200
    assert identity.token_requests == 2


def test_an_api_and_its_token_endpoint_stand_on_one_host() -> None:
    """The shortest server there is for a login."""
    identity = IdentityProvider()
    token = identity.login()["access_token"]

    def get(value: str) -> Any:
        headers = {"authorization": f"Bearer {value}"} if value else {}
        return identity.respond(ServerRequest("GET", "/a", headers=headers))

    assert get(token).body["path"] == "/a"
    identity.expire()
    challenge = get(token).headers["WWW-Authenticate"]
    assert challenge == 'Bearer realm="loopback", error="invalid_token"'
    assert get("").headers["WWW-Authenticate"] == 'Bearer realm="loopback"'
    identity.revoke()
    assert renewed(identity, identity.refresh_token).status == 400
    identity.refresh_token = "again"
    assert renewed(identity, "again").status == 200
    assert refusal(ServerRequest("GET", "/")).status == 401
