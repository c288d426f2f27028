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
from tests.support.servers.loopback import Loopback, Reply, Seen

SECRET = "planted-secret-0815"
SCHEMES: list[Scheme] = [Bearer(), Header("X-Api-Key"), Cookie("sid"), Query("api_key")]


def named(scheme: Scheme) -> str:
    """Name a scheme in the output of pytest."""
    return type(scheme).__name__


def holds_secret(seen: Seen) -> bool:
    """Tell whether a request carries the secret anywhere."""
    return SECRET in repr(seen)


@pytest.fixture
def thief() -> Iterator[Loopback]:
    """Start a server of another origin, which keeps all that it is told."""
    with Loopback(lambda seen: Reply(200, {"by": "thief"})) as server:
        yield server


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Make the user's session."""
    with requests.Session() as made:
        yield made


def stacked(
    session: requests.Session, server: Loopback, scheme: Scheme, **settings: Any
) -> SessionStack:
    """Wrap *session* with a static secret in the place that *scheme* names."""
    auth = AuthHandler(StaticToken(SECRET), scheme=scheme, **settings)
    return SessionStack(session, [auth], base_url=server.origin)


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_the_secret_arrives_where_it_belongs(session: requests.Session, scheme: Scheme) -> None:
    """Each scheme puts it on every request to the API."""
    with Loopback(lambda _: Reply()) as server:
        stacked(session, server, scheme).get("/x", params={"q": "1"})

        assert holds_secret(server.seen[0])
        assert server.seen[0].query["q"] == ["1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_no_redirect_takes_the_secret_to_another_origin(
    session: requests.Session, thief: Loopback, scheme: Scheme, status: int
) -> None:
    """Whatever the status and wherever the secret rides."""
    away = Reply(status, {}, {"Location": f"{thief.origin}/stolen?by=1"})
    with Loopback(lambda _: away) as server:
        response = stacked(session, server, scheme).post("/x", data=b"body")

        assert response.json() == {"by": "thief"}
        assert [len(response.history), len(thief.seen)] == [1, 1]
        assert not holds_secret(thief.seen[0])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_redirect_that_echoes_the_query_does_not_take_a_key_along(
    session: requests.Session, thief: Loopback, scheme: Scheme
) -> None:
    """Servers often copy the query into the Location; our own key is taken off it."""

    def answer(seen: Seen) -> Reply:
        query = "&".join(f"{k}={v[0]}" for k, v in seen.query.items())
        return Reply(302, {}, {"Location": f"{thief.origin}/stolen?{query}"})

    with Loopback(answer) as server:
        stacked(session, server, scheme).get("/x", params={"q": "1"})

        assert thief.seen[0].query == {"q": ["1"]}
        assert not holds_secret(thief.seen[0])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_way_back_gets_the_secret_again(session: requests.Session, scheme: Scheme) -> None:
    """API -> another host -> API: only the requests to the API carry it."""
    back: list[str] = []
    with Loopback(lambda seen: Reply(302, {}, {"Location": back[0]})) as thief:

        def answer(seen: Seen) -> Reply:
            if seen.path == "/start":
                return Reply(302, {}, {"Location": f"{thief.origin}/between"})
            return Reply()

        with Loopback(answer) as server:
            back.append(f"{server.origin}/end")
            stacked(session, server, scheme).get("/start")

            assert holds_secret(server.at("/end")[0])
            assert not holds_secret(thief.seen[0])


@pytest.mark.parametrize("scheme", SCHEMES, ids=named)
def test_a_foreign_absolute_url_gets_nothing(
    session: requests.Session, thief: Loopback, scheme: Scheme
) -> None:
    """A URL that came out of a database or a document is not trusted with the token."""
    with Loopback(lambda _: Reply()) as server:
        stack = stacked(session, server, scheme)
        stack.get(f"{thief.origin}/x")
        stack.send(stack.prepare_request(requests.Request("GET", f"{thief.origin}/y")))

        assert len(thief.seen) == 2
        assert not any(map(holds_secret, thief.seen))


def test_a_host_that_only_looks_like_ours_gets_nothing(
    session: requests.Session, thief: Loopback
) -> None:
    """``http://evil\\@good/`` goes to evil, whatever the standard library thinks."""
    with Loopback(lambda _: Reply()) as server:
        stack = stacked(session, server, Bearer())
        ours = server.origin.removeprefix("http://")
        stack.get(f"{thief.origin}\\@{ours}/x")

        assert server.seen == []
        assert not holds_secret(thief.seen[0])


def test_no_next_link_takes_the_secret_to_another_origin(
    session: requests.Session, thief: Loopback
) -> None:
    """A page that points elsewhere is an error, and nothing is sent."""
    page = Reply(200, [1, 2], {"Link": f'<{thief.origin}/items?page=2>; rel="next"'})
    with Loopback(lambda _: page) as server:
        with pytest.raises(CrossOriginPage):
            list(stacked(session, server, Bearer()).paginate("/items"))

        assert thief.seen == []


def test_a_foreign_401_renews_nothing(session: requests.Session) -> None:
    """Another host's refusal says nothing about our token."""
    renewed: list[Any] = []

    def obtain(held: Any, _: Any) -> str:
        renewed.append(held)
        return SECRET

    with Loopback(lambda _: Reply(401)) as thief:
        away = Reply(302, {}, {"Location": f"{thief.origin}/no"})
        with Loopback(lambda _: away) as server:
            auth = AuthHandler(CallableGrant(obtain))
            stack = SessionStack(session, [auth], base_url=server.origin)

            assert stack.get("/x").status_code == 401
            assert stack.get(f"{thief.origin}/y").status_code == 401
            assert renewed == [None]
            assert not any(map(holds_secret, thief.seen))


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

    def answer(seen: Seen) -> Reply:
        return Reply(302, {}, {"Location": "/end"}) if seen.path == "/start" else Reply()

    with Loopback(answer) as server:
        stack = stacked(session, server, Bearer())
        stack.get("/start")
        session.auth = ("some", "body")
        stack.get("/start")
        prepared = stack.prepare_request(requests.Request("GET", f"{server.origin}/start"))
        stack.send(prepared)

        assert [seen.bearer for seen in server.seen] == [SECRET] * 6


@pytest.mark.usefixtures("netrc")
def test_a_token_request_does_not_ask_netrc(session: requests.Session) -> None:
    """The identity server is told the client's name, not a login that happens to lie around."""
    from sessionkit.auth import RefreshToken

    with Loopback(lambda _: Reply(200, {"access_token": "a"})) as server:
        grant = RefreshToken(f"{server.origin}/token", "r", client_id="app")
        SessionStack(session, recommended(grant), base_url=server.origin).get("/x")

        assert "authorization" not in server.at("/token")[0].headers


def test_an_authorization_given_on_the_call_wins() -> None:
    """The caller's own choice is not overruled, and not renewed either."""
    with Loopback(lambda _: Reply(401)) as server, requests.Session() as session:
        stack = SessionStack(
            session, [AuthHandler(CallableGrant(lambda _h, _r: SECRET))], base_url=server.origin
        )
        stack.get("/a", auth=("some", "body"))
        stack.get("/b", headers={"authorization": "Own"})

        assert not any(map(holds_secret, server.seen))
        assert len(server.seen) == 2


def test_two_credentials_travel_together(session: requests.Session) -> None:
    """A gateway's key beside the API's token, as gateways want it."""
    with Loopback(lambda _: Reply()) as server:
        chain = {
            "gateway": AuthHandler(StaticToken("key-of-the-gateway"), scheme=Header("X-Gateway")),
            "auth": AuthHandler(StaticToken(SECRET)),
        }
        SessionStack(session, chain, base_url=server.origin).get("/x")

        assert server.seen[0].headers["x-gateway"] == "key-of-the-gateway"
        assert server.seen[0].bearer == SECRET


def test_a_token_is_never_sent_to_whatever_is_asked_for_first(session: requests.Session) -> None:
    """Without a base URL and origins the first call says what to give, and sends nothing."""
    with Loopback(lambda _: Reply()) as server:
        stack = SessionStack(session, [AuthHandler(StaticToken(SECRET))])
        with pytest.raises(ConfigError, match="origins") as caught:
            stack.get(f"{server.origin}/x")

        assert "base_url" in caught.value.hint
        assert "origins" in caught.value.hint
        assert server.seen == []
