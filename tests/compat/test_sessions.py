"""Sessions that others made, under handlers: keys renewed, errors mapped, settings left alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests_toolbelt.sessions import BaseUrlSession

from sessionkit import SessionStack, recommended
from sessionkit.auth import AuthHandler, CallableGrant, Header, SigningHandler, StaticToken
from sessionkit.errors import ConfigError, NotFound, StatusError
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.compat.kinds import (
    GOOGLE,
    KINDS,
    OWN_PREPARE,
    OWN_TOKEN,
    RAISING,
    Kind,
    Raising,
    WithRequest,
    every,
)

API_KEY = "key-of-the-gateway"


class Gateway(IdentityProvider):
    """An API behind a gateway: it wants the session's own token, and the gateway's key."""

    key = API_KEY

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Answer; 401 for a wrong key, 404 under /missing, else what was asked and how."""
        if request.headers.get("x-api-key") != self.key:
            return ServerResponse(401, {"detail": "no key"})
        if request.path == "/missing":
            return ServerResponse(404, {"detail": "not here"})
        return ServerResponse(
            200, {"bearer": request.bearer, "path": request.path, "query": request.query}
        )


@pytest.fixture(autouse=True)
def _loopback_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let oauthlib's sessions talk to this machine without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def gateway() -> Iterator[tuple[Gateway, LoopbackServer]]:
    """Start the gateway."""
    answering = Gateway()
    with LoopbackServer(answering.respond) as server:
        yield answering, server


def public(session: requests.Session) -> dict[str, Any]:
    """Return a session's settings, copied, so that a change shows."""
    names = [name for name in requests.Session.__attrs__ if name not in {"cookies", "adapters"}]
    kept = {name: copy.deepcopy(getattr(session, name)) for name in names if name != "auth"}
    adapters = {prefix: id(adapter) for prefix, adapter in session.adapters.items()}
    return {**kept, "auth": session.auth, "adapters": adapters, "names": set(vars(session))}


def by_get(stack: SessionStack, url: str) -> requests.Response:
    """``get``."""
    return stack.get(url)


def by_request(stack: SessionStack, url: str) -> requests.Response:
    """``request``, with a body."""
    return stack.request("POST", url, data=b"body")


def by_send(stack: SessionStack, url: str) -> requests.Response:
    """``send`` with what ``prepare_request`` made; no way in to a token added in ``request``."""
    return stack.send(stack.prepare_request(requests.Request("GET", url)))


def by_stream(stack: SessionStack, url: str) -> requests.Response:
    """``stream=True``."""
    with stack.get(url, stream=True) as streamed:
        assert streamed.content
        return streamed


WAYS = [by_get, by_request, by_send, by_stream]
Way = Callable[[SessionStack, str], requests.Response]


def over(session: requests.Session, server: LoopbackServer, **settings: Any) -> SessionStack:
    """Return the recommended stack with the gateway's key."""
    chain = recommended(StaticToken(API_KEY), scheme=Header("X-Api-Key"), **settings)
    return SessionStack(session, chain, base_url=server.origin)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@every()
def test_every_kind_works_wrapped_with_a_key_beside_its_own_token(
    kind: Kind, way: Way, gateway: tuple[Gateway, LoopbackServer]
) -> None:
    """A gateway's key travels with whatever the session does itself, by every way in."""
    _, server = gateway
    with kind.make(server.origin) as session:
        before = public(session)
        body = way(over(session, server), f"{server.origin}/one").json()

        assert body["path"] == "/one"
        if kind.token and way is not by_send:
            assert body["bearer"] == OWN_TOKEN
        if kind is OWN_PREPARE:
            assert body["query"] == {"tenant": ["blue"]}
        assert public(session) == before


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@every()
def test_every_kind_has_its_key_renewed_by_every_way_in(
    kind: Kind, way: Way, gateway: tuple[Gateway, LoopbackServer]
) -> None:
    """A 401 for the key is renewed and replayed, whatever the session adds itself."""
    answering, server = gateway
    renewals: list[str] = []

    def renew(*_: Any) -> str:
        renewals.append(answering.key)
        return answering.key

    with kind.make(server.origin) as session:
        auth = AuthHandler(CallableGrant(renew), scheme=Header("X-Api-Key"))
        stack = SessionStack(session, {"auth": auth}, base_url=server.origin)
        assert way(stack, f"{server.origin}/first").ok
        answering.key = "another key"

        assert way(stack, f"{server.origin}/second").ok
        # google-auth's request asks three times before it believes a 401.
        own_attempts = 3 if kind is GOOGLE and way is not by_send else 1
        assert len(server.requests_to("/second")) == own_attempts + 1
        assert renewals == [API_KEY, "another key"]


@every()
def test_every_kind_has_its_errors_mapped(
    kind: Kind, gateway: tuple[Gateway, LoopbackServer]
) -> None:
    """A 404 is NotFound, also where the session itself raises for it."""
    _, server = gateway
    with kind.make(server.origin) as session:
        with pytest.raises(NotFound, match="not here") as caught:
            over(session, server).get(f"{server.origin}/missing")

        assert caught.value.status == 404
        assert isinstance(caught.value.__cause__, requests.HTTPError) == (kind is RAISING)


@every()
def test_every_kind_is_transparent_without_handlers(
    kind: Kind, gateway: tuple[Gateway, LoopbackServer]
) -> None:
    """Nothing is added, not even an attribute on the answer."""
    _, server = gateway
    with kind.make(server.origin) as session:
        stack = SessionStack(session)
        response = stack.get(f"{server.origin}/x", headers={"X-Api-Key": API_KEY})

        assert response.ok
        assert not hasattr(response, "record")


@every(kind for kind in KINDS if kind.brings)
def test_a_second_authorization_over_a_session_that_brings_its_own_is_refused(
    kind: Kind, gateway: tuple[Gateway, LoopbackServer]
) -> None:
    """The clash is named at the first call, before anything is sent."""
    _, server = gateway
    with kind.make(server.origin) as session:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        with pytest.raises(ConfigError, match=type(session).__name__):
            stack.get("/x")

        assert server.requests == []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@every()
def test_a_key_follows_no_redirect_of_any_kind_to_another_host(kind: Kind, way: Way) -> None:
    """Whatever the session makes of its requests, the key comes off at the border."""
    with (
        LoopbackServer(lambda _: ServerResponse(200, [1])) as other,
        LoopbackServer(
            lambda _: ServerResponse(307, b"", {"Location": f"{other.origin}/end"})
        ) as server,
        kind.make(server.origin) as session,
    ):
        stack = over(session, server)
        assert way(stack, f"{server.origin}/one").ok
        following = stack.get(f"{server.origin}/two", allow_redirects=False).next

    assert following is not None
    assert [seen.headers["x-api-key"] for seen in server.requests] == [API_KEY] * 2
    assert API_KEY not in repr(other.requests)
    assert API_KEY not in repr(following.headers)


@every()
def test_a_signature_of_a_handler_leaves_the_sessions_own_login_alone(
    kind: Kind, gateway: tuple[Gateway, LoopbackServer]
) -> None:
    """What is signed is the request as the session made it, its own token included."""
    _, server = gateway
    given = {"X-Api-Key": API_KEY}
    signed: list[str] = []

    def sign(request: requests.PreparedRequest, _: float) -> None:
        login: Any = request.headers.get("Authorization", "")
        # requests-oauthlib writes bytes.
        signed.append(login.decode() if isinstance(login, bytes) else login)
        request.headers["X-Signature"] = "signed"

    with kind.make(server.origin) as session:
        stack = SessionStack(session, [SigningHandler(sign)], base_url=server.origin)
        session.get(f"{server.origin}/x", headers=given)
        assert stack.get(f"{server.origin}/x", params={"fresh": "1"}, headers=given).ok

    bare, seen = (seen.headers for seen in server.requests_to("/x"))
    assert seen["x-signature"] == "signed"
    assert signed == [seen.get("authorization", "")]
    assert bool(seen.get("authorization")) == kind.brings
    if kind.token:
        assert seen["authorization"] == bare["authorization"]


@pytest.mark.package("requests-toolbelt", "session")
def test_relative_urls_of_a_base_url_session_count_as_its_own_origin() -> None:
    """The session says where a relative URL leads, and the token goes there and nowhere else."""
    with (
        LoopbackServer(lambda seen: ServerResponse(200, {"bearer": seen.bearer})) as server,
        BaseUrlSession(f"{server.origin}/api/") as session,
    ):
        stack = SessionStack(session, recommended(StaticToken("t")))

        assert stack.get("orders").json() == {"bearer": "t"}
        assert server.requests[0].path == "/api/orders"
        assert stack.base_url == f"{server.origin}/api/"
        with pytest.raises(ConfigError):
            stack.get("http://127.0.0.1:9/x")


@pytest.mark.package("requests-toolbelt", "session")
def test_a_base_url_session_on_a_foreign_base_gets_no_secret() -> None:
    """Where the origins are given, a session that resolves a URL elsewhere is found out."""
    with (
        LoopbackServer(lambda seen: ServerResponse()) as server,
        BaseUrlSession(f"{server.origin}/") as session,
    ):
        auth = AuthHandler(
            StaticToken("planted"), scheme=Header("X-Key"), origins=["https://api.example"]
        )
        SessionStack(session, [auth]).get("orders")
        bearer = AuthHandler(StaticToken("planted"), origins=["https://api.example"])
        SessionStack(session, [bearer]).get("orders")

        assert len(server.requests) == 2
        assert "planted" not in repr(server.requests)


@pytest.mark.package("requests", "session")
def test_a_users_own_default_time_out_holds() -> None:
    """Only the arguments of the call reach the session; nothing is filled in without a handler."""
    with LoopbackServer(lambda _: ServerResponse()) as server, WithRequest() as session:
        WithRequest.seen_timeouts.clear()
        SessionStack(session, [AuthHandler(StaticToken("t"))], base_url=server.origin).get("/x")

        assert WithRequest.seen_timeouts == [3]


@pytest.mark.package("requests", "session")
def test_a_session_that_raises_does_so_where_no_handler_decides() -> None:
    """Its own exception, as without the stack."""
    with LoopbackServer(lambda _: ServerResponse(404)) as server, Raising() as session:
        stack = SessionStack(session, recommended(errors=False), base_url=server.origin)
        with pytest.raises(requests.HTTPError) as caught:
            stack.get("/x")

        assert not isinstance(caught.value, StatusError)
