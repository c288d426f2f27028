"""Sessions that others made: each goes on doing what it is for, and is left as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import google.auth.credentials
import pytest
import requests
import requests_cache
import requests_oauthlib
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from google.auth.transport.requests import AuthorizedSession
from requests_toolbelt.sessions import BaseUrlSession

from sessionkit import SessionStack, recommended
from sessionkit.auth import AuthHandler, CallableGrant, Header, StaticToken
from sessionkit.errors import ConfigError, NotFound, StatusError
from tests.loopback import Identity, Loopback, Reply, Seen

API_KEY = "key-of-the-gateway"


class Gateway(Identity):
    """An API behind a gateway: it wants the session's own token, and the gateway's key."""

    key = API_KEY

    def answer(self, seen: Seen) -> Reply:
        """Answer; 401 for a wrong key, 404 under /missing, else what was asked and how."""
        if seen.headers.get("x-api-key") != self.key:
            return Reply(401, {"detail": "no key"})
        if seen.path == "/missing":
            return Reply(404, {"detail": "not here"})
        return Reply(200, {"bearer": seen.bearer, "path": seen.path, "query": seen.query})


@pytest.fixture(autouse=True)
def _loopback_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let oauthlib's sessions talk to this machine without TLS."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


@pytest.fixture
def gateway() -> Iterator[tuple[Gateway, Loopback]]:
    """Start the gateway."""
    answering = Gateway()
    with Loopback(answering.answer) as server:
        yield answering, server


class OwnToken(google.auth.credentials.Credentials):
    """Credentials that need no network."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth is half typed
        self.token = "own-token"

    def refresh(self, request: Any) -> None:
        """Nothing to do."""


def plain(_: str) -> requests.Session:
    """The stock session."""
    return requests.Session()


def base_url(origin: str) -> requests.Session:
    """requests-toolbelt's, which resolves relative URLs itself."""
    session: requests.Session = BaseUrlSession(origin + "/")
    return session


def cached(_: str) -> requests.Session:
    """requests-cache's, in memory."""
    return requests_cache.CachedSession(backend="memory")


def oauthlib(_: str) -> requests.Session:
    """requests-oauthlib's, with a token of its own."""
    session: requests.Session = requests_oauthlib.OAuth2Session(token={"access_token": "own-token"})
    return session


def authlib(_: str) -> requests.Session:
    """Authlib's, with a token of its own."""
    token = {"access_token": "own-token", "token_type": "bearer"}
    session: requests.Session = AuthlibSession(token=token)
    return session


def google_auth(_: str) -> requests.Session:
    """google-auth's, with credentials of its own."""
    session: requests.Session = AuthorizedSession(OwnToken())  # type: ignore[no-untyped-call]
    return session


class WithSend(requests.Session):
    """A session that overrides send."""

    sent: ClassVar[list[str]] = []

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Note the URL."""
        self.sent.append(request.url or "")
        return super().send(request, **kwargs)


class WithPrepareRequest(requests.Session):
    """A session that overrides prepare_request."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Add a query parameter."""
        prepared = super().prepare_request(request)
        prepared.prepare_url(prepared.url or "", {"tenant": "blue"})
        return prepared


class WithRequest(requests.Session):
    """A session that overrides request, as those with a default time-out do."""

    seen_timeouts: ClassVar[list[Any]] = []

    def request(self, method: str, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Give a time-out where there is none."""
        kwargs.setdefault("timeout", 3)
        self.seen_timeouts.append(kwargs["timeout"])
        return super().request(method, url, *args, **kwargs)


class Raising(requests.Session):
    """A session that raises for a status."""

    def request(self, method: str, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Raise where the answer is an error."""
        response = super().request(method, url, *args, **kwargs)
        response.raise_for_status()
        return response


Make = Callable[[str], requests.Session]
KINDS: list[Make] = [
    *(plain, base_url, cached, oauthlib, authlib, google_auth),
    *(lambda _, kind=kind: kind() for kind in (WithSend, WithPrepareRequest, WithRequest, Raising)),
]
NAMES = [
    *("plain", "BaseUrlSession", "CachedSession", "OAuth2Session", "authlib", "google-auth"),
    *("own send", "own prepare_request", "own request", "raises for status"),
]
BRING_A_TOKEN = {"OAuth2Session", "authlib", "google-auth"}


def public(session: requests.Session) -> dict[str, Any]:
    """Return a session's settings, copied, so that a change shows."""
    names = [name for name in requests.Session.__attrs__ if name not in {"cookies", "adapters"}]
    kept = {name: copy.deepcopy(getattr(session, name)) for name in names if name != "auth"}
    adapters = {prefix: id(adapter) for prefix, adapter in session.adapters.items()}
    return {**kept, "auth": id(session.auth), "adapters": adapters, "dict": sorted(vars(session))}


@pytest.fixture(params=list(zip(NAMES, KINDS, strict=True)), ids=NAMES)
def kind(request: pytest.FixtureRequest) -> tuple[str, Make]:
    """Name a kind of session, and how one is made."""
    named: tuple[str, Make] = request.param
    return named


def ways(stack: SessionStack, origin: str) -> Iterator[requests.Response]:
    """Make a call by every way in."""
    yield stack.get(f"{origin}/one")
    yield stack.request("GET", f"{origin}/two")
    yield stack.send(stack.prepare_request(requests.Request("GET", f"{origin}/three")))
    with stack.get(f"{origin}/four", stream=True) as streamed:
        yield streamed


def test_every_kind_works_wrapped_with_a_key_beside_its_own_token(
    kind: tuple[str, Make], gateway: tuple[Gateway, Loopback]
) -> None:
    """A gateway's key travels with whatever the session does itself, by every way in."""
    name, make = kind
    _, server = gateway
    with make(server.origin) as session:
        before = public(session)
        chain = recommended(StaticToken(API_KEY), scheme=Header("X-Api-Key"))
        stack = SessionStack(session, chain, base_url=server.origin)

        for response in ways(stack, server.origin):
            body = response.json()
            prepared = body["path"] == "/three"
            # prepare_request and send are no way in to a token that is added inside request.
            if name in BRING_A_TOKEN and not prepared:
                assert body["bearer"] == "own-token"
            if name == "own prepare_request":
                assert body["query"] == {"tenant": ["blue"]}
        assert public(session) == before


def test_every_kind_has_its_key_renewed(
    kind: tuple[str, Make], gateway: tuple[Gateway, Loopback]
) -> None:
    """A 401 for the key is renewed and replayed, whatever the session adds itself."""
    name, make = kind
    answering, server = gateway
    with make(server.origin) as session:
        auth = AuthHandler(
            CallableGrant(lambda _held, _refused: answering.key), scheme=Header("X-Api-Key")
        )
        stack = SessionStack(session, {"auth": auth}, base_url=server.origin)
        assert stack.get(f"{server.origin}/first").ok
        answering.key = "another key"

        assert stack.get(f"{server.origin}/second").ok
        # google-auth itself asks three times before it believes a 401.
        assert len(server.at("/second")) == (4 if name == "google-auth" else 2)


def test_every_kind_has_its_errors_mapped(
    kind: tuple[str, Make], gateway: tuple[Gateway, Loopback]
) -> None:
    """A 404 is NotFound, also where the session itself raises for it."""
    name, make = kind
    _, server = gateway
    with make(server.origin) as session:
        chain = recommended(StaticToken(API_KEY), scheme=Header("X-Api-Key"))
        stack = SessionStack(session, chain, base_url=server.origin)
        with pytest.raises(NotFound, match="not here") as caught:
            stack.get(f"{server.origin}/missing")

        assert caught.value.status == 404
        assert isinstance(caught.value.__cause__, requests.HTTPError) == (
            name == "raises for status"
        )


def test_every_kind_is_transparent_without_handlers(
    kind: tuple[str, Make], gateway: tuple[Gateway, Loopback]
) -> None:
    """Nothing is added, not even an attribute on the answer."""
    _, make = kind
    _, server = gateway
    with make(server.origin) as session:
        stack = SessionStack(session)
        response = stack.get(f"{server.origin}/x", headers={"X-Api-Key": API_KEY})

        assert response.ok
        assert not hasattr(response, "exchange")


@pytest.mark.parametrize("make", [oauthlib, authlib, google_auth])
def test_a_second_authorization_over_a_session_that_brings_its_own_is_refused(
    make: Make, gateway: tuple[Gateway, Loopback]
) -> None:
    """The clash is named at the first call, before anything is sent."""
    _, server = gateway
    with make(server.origin) as session:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        with pytest.raises(ConfigError, match=type(session).__name__):
            stack.get("/x")

        assert server.seen == []


def test_the_second_hit_of_a_cache_has_its_own_record_and_time() -> None:
    """What a cache hands out again is not overwritten by the next call."""
    with (
        Loopback(lambda _: Reply(200, {"n": 1})) as server,
        requests_cache.CachedSession(backend="memory") as session,
    ):
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        answers: list[Any] = [stack.get("/x") for _ in range(3)]

        assert len(server.seen) == 1
        assert [answer.exchange.from_cache for answer in answers] == [False, True, True]
        assert len({id(answer.exchange) for answer in answers}) == 3
        assert len({id(answer.headers) for answer in answers}) == 3
        assert all("X-Client-Time" in answer.headers for answer in answers)


def test_relative_urls_of_a_base_url_session_count_as_its_own_origin() -> None:
    """The session says where a relative URL leads, and the token goes there and nowhere else."""
    with (
        Loopback(lambda seen: Reply(200, {"bearer": seen.bearer})) as server,
        BaseUrlSession(f"{server.origin}/api/") as session,
    ):
        stack = SessionStack(session, recommended(StaticToken("t")))

        assert stack.get("orders").json() == {"bearer": "t"}
        assert server.seen[0].path == "/api/orders"
        assert stack.base_url == f"{server.origin}/api/"
        with pytest.raises(ConfigError):
            stack.get("http://127.0.0.1:9/x")


def test_a_base_url_session_on_a_foreign_base_gets_no_secret() -> None:
    """Where the origins are given, a session that resolves a URL elsewhere is found out."""
    with Loopback(lambda seen: Reply()) as server, BaseUrlSession(f"{server.origin}/") as session:
        auth = AuthHandler(
            StaticToken("planted"), scheme=Header("X-Key"), origins=["https://api.example"]
        )
        SessionStack(session, [auth]).get("orders")
        bearer = AuthHandler(StaticToken("planted"), origins=["https://api.example"])
        SessionStack(session, [bearer]).get("orders")

        assert len(server.seen) == 2
        assert "planted" not in repr(server.seen)


def test_a_users_own_default_time_out_holds() -> None:
    """Only the arguments of the call reach the session; nothing is filled in without a handler."""
    with Loopback(lambda _: Reply()) as server, WithRequest() as session:
        WithRequest.seen_timeouts.clear()
        SessionStack(session, [AuthHandler(StaticToken("t"))], base_url=server.origin).get("/x")

        assert WithRequest.seen_timeouts == [3]


def test_a_session_that_raises_does_so_where_no_handler_decides() -> None:
    """Its own exception, as without the stack."""
    with Loopback(lambda _: Reply(404)) as server, Raising() as session:
        stack = SessionStack(session, recommended(errors=False), base_url=server.origin)
        with pytest.raises(requests.HTTPError) as caught:
            stack.get("/x")

        assert not isinstance(caught.value, StatusError)
