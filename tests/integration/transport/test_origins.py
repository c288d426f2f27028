"""Secrets go to one place: no credential reaches another origin, by whatever way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import (
    AuthHandler,
    Bearer,
    CallableGrant,
    Cookie,
    Header,
    Query,
    Scheme,
    StaticToken,
)
from sessionkit.errors import ConfigError, CrossOriginPage
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

SECRET = "planted-secret-0815"
SCHEMES: list[Scheme] = [Bearer(), Header("X-Api-Key"), Cookie("sid"), Query("api_key")]


def named(scheme: Scheme) -> str:
    """Name a scheme in the output of pytest."""
    return type(scheme).__name__


def holds_secret(seen: ServerRequest) -> bool:
    """Tell whether a request carries the secret anywhere."""
    return SECRET in repr(seen)


@pytest.fixture
def thief() -> Iterator[LoopbackServer]:
    """Start a server of another origin, which keeps all that it is told."""
    with LoopbackServer(lambda seen: ServerResponse(200, {"by": "thief"})) as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Make the user's session."""
    with requests.Session() as made:
        yield made


def stacked(
    session: requests.Session, server: LoopbackServer, scheme: Scheme, **settings: Any
) -> SessionStack:
    """Wrap *session* with a static secret in the place that *scheme* names."""
    auth = AuthHandler(StaticToken(SECRET), scheme=scheme, **settings)
    return SessionStack(session, [auth], base_url=server.origin)


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_the_secret_arrives_where_it_belongs(session: requests.Session, scheme: Scheme) -> None:
    """Each scheme puts it on every request to the API."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        stacked(session, server, scheme).get("/x", params={"q": "1"})

        assert holds_secret(server.requests[0])
        assert server.requests[0].query["q"] == ["1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_no_redirect_takes_the_secret_to_another_origin(
    session: requests.Session, thief: LoopbackServer, scheme: Scheme, status: int
) -> None:
    """Whatever the status and wherever the secret rides."""
    away = ServerResponse(status, {}, {"Location": f"{thief.origin}/stolen?by=1"})
    with LoopbackServer(lambda _: away) as server:
        response = stacked(session, server, scheme).post("/x", data=b"body")

        assert response.json() == {"by": "thief"}
        assert [len(response.history), len(thief.requests)] == [1, 1]
        assert not holds_secret(thief.requests[0])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_redirect_that_echoes_the_query_does_not_take_a_key_along(
    session: requests.Session, thief: LoopbackServer, scheme: Scheme
) -> None:
    """Servers often copy the query into the Location; our own key is taken off it."""

    def answer(seen: ServerRequest) -> ServerResponse:
        query = "&".join(f"{k}={v[0]}" for k, v in seen.query.items())
        return ServerResponse(302, {}, {"Location": f"{thief.origin}/stolen?{query}"})

    with LoopbackServer(answer) as server:
        stacked(session, server, scheme).get("/x", params={"q": "1"})

        assert thief.requests[0].query == {"q": ["1"]}
        assert not holds_secret(thief.requests[0])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_way_back_gets_the_secret_again(session: requests.Session, scheme: Scheme) -> None:
    """API -> another host -> API: only the requests to the API carry it."""
    back: list[str] = []
    with LoopbackServer(lambda seen: ServerResponse(302, {}, {"Location": back[0]})) as thief:

        def answer(seen: ServerRequest) -> ServerResponse:
            if seen.path == "/start":
                return ServerResponse(302, {}, {"Location": f"{thief.origin}/between"})
            return ServerResponse()

        with LoopbackServer(answer) as server:
            back.append(f"{server.origin}/end")
            stacked(session, server, scheme).get("/start")

            assert holds_secret(server.requests_to("/end")[0])
            assert not holds_secret(thief.requests[0])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_foreign_absolute_url_gets_nothing(
    session: requests.Session, thief: LoopbackServer, scheme: Scheme
) -> None:
    """A URL that came out of a database or a document is not trusted with the token."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        stack = stacked(session, server, scheme)
        stack.get(f"{thief.origin}/x")
        stack.send(stack.prepare_request(requests.Request("GET", f"{thief.origin}/y")))

        assert len(thief.requests) == 2
        assert not any(map(holds_secret, thief.requests))


def test_a_host_that_only_looks_like_ours_gets_nothing(
    session: requests.Session, thief: LoopbackServer
) -> None:
    """``http://evil\\@good/`` goes to evil, whatever the standard library thinks."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        stack = stacked(session, server, Bearer())
        ours = server.origin.removeprefix("http://")
        stack.get(f"{thief.origin}\\@{ours}/x")

        assert server.requests == []
        assert not holds_secret(thief.requests[0])


def test_no_next_link_takes_the_secret_to_another_origin(
    session: requests.Session, thief: LoopbackServer
) -> None:
    """A page that points elsewhere is an error, and nothing is sent."""
    page = ServerResponse(200, [1, 2], {"Link": f'<{thief.origin}/items?page=2>; rel="next"'})
    with LoopbackServer(lambda _: page) as server:
        with pytest.raises(CrossOriginPage):
            list(stacked(session, server, Bearer()).paginate("/items"))

        assert thief.requests == []


def test_a_foreign_401_renews_nothing(session: requests.Session) -> None:
    """Another host's refusal says nothing about our token."""
    renewed: list[Any] = []

    def obtain(held: Any, _: Any) -> str:
        renewed.append(held)
        return SECRET

    with LoopbackServer(lambda _: ServerResponse(401)) as thief:
        away = ServerResponse(302, {}, {"Location": f"{thief.origin}/no"})
        with LoopbackServer(lambda _: away) as server:
            auth = AuthHandler(CallableGrant(obtain))
            stack = SessionStack(session, [auth], base_url=server.origin)

            assert stack.get("/x").status_code == 401
            assert stack.get(f"{thief.origin}/y").status_code == 401
            assert renewed == [None]
            assert not any(map(holds_secret, thief.requests))


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give 127.0.0.1 a login of its own, as curl users have it."""
    path = tmp_path / "netrc"
    path.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(path))


@pytest.mark.usefixtures("netrc")
def test_neither_netrc_nor_the_sessions_auth_displaces_the_token(
    session: requests.Session,
) -> None:
    """Not on the first request and not on a redirect within the origin."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return (
            ServerResponse(302, {}, {"Location": "/end"})
            if seen.path == "/start"
            else ServerResponse()
        )

    with LoopbackServer(answer) as server:
        stack = stacked(session, server, Bearer())
        stack.get("/start")
        session.auth = ("some", "body")
        stack.get("/start")
        prepared = stack.prepare_request(requests.Request("GET", f"{server.origin}/start"))
        stack.send(prepared)

        assert [seen.bearer for seen in server.requests] == [SECRET] * 6


@pytest.mark.usefixtures("netrc")
def test_a_token_request_does_not_ask_netrc(session: requests.Session) -> None:
    """The identity server is told the client's name, not a login that happens to lie around."""
    from sessionkit.auth import RefreshToken

    with LoopbackServer(lambda _: ServerResponse(200, {"access_token": "a"})) as server:
        grant = RefreshToken(f"{server.origin}/token", "r", client_id="app")
        SessionStack(session, recommended(grant), base_url=server.origin).get("/x")

        assert "authorization" not in server.requests_to("/token")[0].headers


def test_an_authorization_given_on_the_call_wins() -> None:
    """The caller's own choice is not overruled, and not renewed either."""
    with LoopbackServer(lambda _: ServerResponse(401)) as server, requests.Session() as session:
        stack = SessionStack(
            session, [AuthHandler(CallableGrant(lambda _h, _r: SECRET))], base_url=server.origin
        )
        stack.get("/a", auth=("some", "body"))
        stack.get("/b", headers={"authorization": "Own"})

        assert not any(map(holds_secret, server.requests))
        assert len(server.requests) == 2


def test_two_credentials_travel_together(session: requests.Session) -> None:
    """A gateway's key beside the API's token, as gateways want it."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        chain = {
            "gateway": AuthHandler(StaticToken("key-of-the-gateway"), scheme=Header("X-Gateway")),
            "auth": AuthHandler(StaticToken(SECRET)),
        }
        SessionStack(session, chain, base_url=server.origin).get("/x")

        assert server.requests[0].headers["x-gateway"] == "key-of-the-gateway"
        assert server.requests[0].bearer == SECRET


def test_a_token_is_never_sent_to_whatever_is_asked_for_first(session: requests.Session) -> None:
    """Without a base URL and origins the first call says what to give, and sends nothing."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        stack = SessionStack(session, [AuthHandler(StaticToken(SECRET))])
        with pytest.raises(ConfigError, match="origins") as caught:
            stack.get(f"{server.origin}/x")

        assert "base_url" in caught.value.hint
        assert "origins" in caught.value.hint
        assert server.requests == []
