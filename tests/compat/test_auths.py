"""Authentication in several rounds: its 401 is part of the conversation, not an ended token."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth
from requests_ntlm import HttpNtlmAuth
from requests_toolbelt import GuessAuth
from requests_toolbelt.auth.guess import GuessProxyAuth
from requests_toolbelt.auth.http_proxy_digest import HTTPProxyDigestAuth

from sessionkit import SessionStack, recommended
from sessionkit.auth import CallableGrant, Header
from sessionkit.errors import AuthenticationFailed
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.compat.entry_points import (
    PASSWORD,
    USER,
    BasicDoor,
    DigestDoor,
    Door,
    NtlmDoor,
    TicketAuth,
    TicketDoor,
    is_digest,
)


@pytest.fixture(autouse=True)
def _accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell pyspnego's server whom it knows."""
    file = tmp_path / "accounts"
    file.write_text(f"DOMAIN:{USER}:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(file))


def _scheme(door: type[Door], auth: Callable[..., Any], *, name: str, of: str) -> Any:
    return pytest.param(door, auth, id=name, marks=pytest.mark.package(of, "authentication"))


SCHEMES = [
    _scheme(DigestDoor, HTTPDigestAuth, name="digest", of="requests"),
    _scheme(BasicDoor, GuessAuth, name="guessed basic", of="requests-toolbelt"),
    _scheme(DigestDoor, GuessAuth, name="guessed digest", of="requests-toolbelt"),
    _scheme(NtlmDoor, HttpNtlmAuth, name="NTLM", of="requests-ntlm"),
    pytest.param(TicketDoor, lambda _, password: TicketAuth(password), id="three rounds"),
]
every_scheme = pytest.mark.parametrize(("door", "auth"), SCHEMES)


def by_get(session: Any, url: str, **given: Any) -> Any:
    """``get``."""
    return session.get(url, **given)


def by_post(session: Any, url: str, **given: Any) -> Any:
    """``post`` with a file, which the rounds must send again from where it stood."""
    return session.post(url, data=wanted(given.get("auth") or session.auth), **given)


def wanted(auth: Any) -> Any:
    """Return a body; no file for those that do not rewind it at every round, not bare either."""
    if isinstance(auth, (GuessAuth, HttpNtlmAuth)):
        return b"wanted"
    body = io.BytesIO(b"unwanted:wanted")
    body.seek(9)
    return body


def by_stream(session: Any, url: str, **given: Any) -> Any:
    """``stream=True``."""
    return session.get(url, stream=True, **given)


def by_send(session: Any, url: str, **given: Any) -> Any:
    """``prepare_request`` and ``send``."""
    return session.send(session.prepare_request(requests.Request("PUT", url, data=b"b", **given)))


def by_redirect(session: Any, url: str, **given: Any) -> Any:
    """Over a redirect; the login is for both."""
    return session.get(url.replace("/x", "/moved"), **given)


WAYS = [by_get, by_post, by_stream, by_send, by_redirect]


def recommended_with_key(door: Door) -> Any:
    """Return a chain that has the gateway's key from *door*."""
    return recommended(CallableGrant(door.renewed), scheme=Header("X-Key"), errors=False)


def told(way: Any, session: Any, server: LoopbackServer, **given: Any) -> tuple[Any, ...]:
    """Call twice, and return what the caller and the server see of it."""
    begun = len(server.requests)
    seen: list[Any] = []
    headers: Any = ()
    for _ in range(2):
        with way(session, f"{server.origin}/x", **given) as response:
            past = [(answer.status_code, answer.url) for answer in response.history]
            seen.append((response.status_code, response.content, response.url, past))
            headers = response.request.headers.keys() - {"X-Key"}
    requests_seen = [
        (r.method, r.path, r.body, r.headers.get("authorization", "").partition(" ")[0])
        for r in server.requests[begun:]
    ]
    return (*seen, requests_seen, headers)


@pytest.mark.parametrize("on_session", [False, True], ids=["on the call", "on the session"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@every_scheme
def test_rounds_of_a_login_are_no_ended_token(
    door: type[Door], auth: Callable[..., Any], way: Any, on_session: bool
) -> None:
    """As many rounds as bare, the final answer, and not one renewal of the key besides."""
    seen = []
    answering = door()
    with LoopbackServer(answering.answer) as server:
        chains: tuple[Any, ...] = (None, {}, recommended_with_key(answering))
        for chain in chains:
            login = auth(f"DOMAIN\\{USER}" if door is NtlmDoor else USER, PASSWORD)
            with requests.Session() as session:
                stack = session if chain is None else SessionStack(session, chain)
                if chain:
                    stack.base_url = server.origin  # type: ignore[attr-defined]  # the stack's
                if on_session:
                    session.auth = login
                seen.append(told(way, stack, server, **({} if on_session else {"auth": login})))

    assert seen[0][0][0] == 200
    assert seen[1:] == [seen[0]] * 2
    assert answering.renewals == 1  # the first login, as there was no key yet


@every_scheme
def test_a_key_that_ends_is_renewed_beside_a_login_in_rounds(
    door: type[Door], auth: Callable[..., Any]
) -> None:
    """The one 401 that means the key is told from those that belong to the login."""
    answering = door()
    with LoopbackServer(answering.answer) as server, requests.Session() as session:
        session.auth = auth(f"DOMAIN\\{USER}" if door is NtlmDoor else USER, PASSWORD)
        stack = SessionStack(session, recommended_with_key(answering), base_url=server.origin)
        assert stack.post("/one", data=wanted(session.auth)).json()["body"] == "wanted"
        answering.key = "k-2"

        assert stack.post("/two", data=wanted(session.auth)).json()["body"] == "wanted"
        assert answering.renewals == 2
        assert stack.get("/three").ok
        assert answering.renewals == 2


@every_scheme
def test_a_wrong_password_is_an_error_and_never_a_storm(
    door: type[Door], auth: Callable[..., Any]
) -> None:
    """The server's last 401 is what the caller learns; a key is renewed once at most, not on."""
    answering = door()
    with LoopbackServer(answering.answer) as server, requests.Session() as session:
        session.auth = auth(f"DOMAIN\\{USER}" if door is NtlmDoor else USER, "wrong")
        chain = recommended(CallableGrant(answering.renewed), scheme=Header("X-Key"))
        stack = SessionStack(session, chain, base_url=server.origin)
        for _ in range(3):
            with pytest.raises(AuthenticationFailed):
                stack.get("/x")

        assert answering.renewals <= 2


@every_scheme
def test_a_login_given_on_the_call_takes_the_place_of_the_stacks_own(
    door: type[Door], auth: Callable[..., Any]
) -> None:
    """The handler steps aside for ``auth=``: no token is sent, and none is renewed."""
    answering = door()
    login = auth(f"DOMAIN\\{USER}" if door is NtlmDoor else USER, PASSWORD)
    with LoopbackServer(answering.answer) as server, requests.Session() as session:
        stack = SessionStack(
            session, recommended(CallableGrant(answering.renewed)), base_url=server.origin
        )
        assert stack.get("/x", auth=login).ok
        assert stack.post("/x", data=b"body", auth=login).json()["body"] == "body"
        assert answering.renewals == 0
        assert not any(seen.bearer == answering.key for seen in server.requests)


def test_a_mutual_login_is_finished_at_every_call() -> None:
    """The hook sees the server's own proof on the final answer."""
    answering = TicketDoor()
    login = TicketAuth()
    with LoopbackServer(answering.answer) as server, requests.Session() as session:
        session.auth = login
        stack = SessionStack(session, recommended_with_key(answering), base_url=server.origin)
        assert [stack.get("/x").status_code for _ in range(3)] == [200] * 3
        assert login.proven == 3
        assert server.connections == 1


# -- Proxies that ask


@pytest.fixture
def proxy() -> Iterator[LoopbackServer]:
    """Start a proxy that wants Digest or, under /basic, Basic; it answers for the API itself."""
    pair = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def answer(seen: ServerRequest) -> ServerResponse:
        given = seen.headers.get("proxy-authorization", "")
        if seen.path == "/basic":
            challenge, let_in = BasicDoor.challenge, given == pair
        else:
            challenge, let_in = DigestDoor.challenge, is_digest(seen, given)
        if not let_in:
            return ServerResponse(407, b"who are you?", {"Proxy-Authenticate": challenge})
        if seen.bearer != "k-1":
            return ServerResponse(401)
        return ServerResponse(200, {"path": seen.path})

    with LoopbackServer(answer) as server:
        yield server


@pytest.mark.package("requests-toolbelt", "authentication")
@pytest.mark.parametrize(
    ("auth", "path"),
    [
        (HTTPProxyDigestAuth(USER, PASSWORD), "/digest"),
        (GuessProxyAuth(None, None, USER, PASSWORD), "/basic"),
    ],
    ids=["digest", "guessed basic"],
)
def test_a_proxy_that_asks_for_a_login_gets_it(proxy: LoopbackServer, auth: Any, path: str) -> None:
    """Its 407 is answered by the hook; the API behind it gets the token of the session."""
    with requests.Session() as session:
        session.proxies = {"http": proxy.origin}
        session.headers["Authorization"] = "Bearer k-1"
        session.auth = auth
        stack = SessionStack(session, recommended(), base_url="http://api.example")
        assert [stack.get(path).json() for _ in range(2)] == [{"path": path}] * 2
        assert stack.get(path, stream=True).json() == {"path": path}
