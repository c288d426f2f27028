"""Direct requests carry nothing that belongs to the API; what would be sent is known before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import CallNext, Exchange, SessionStack
from sessionkit.chain._exchange import MAX_DIRECT_BYTES, Credential
from sessionkit.chain._record import CallRecord
from sessionkit.errors import BodyTooLarge
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import Keeper, opened


class Asking:
    """Makes a direct request before each call."""

    def __init__(self, **parts: Any) -> None:
        self._parts = {"data": {"grant": "x"}, **parts}
        self.responses: list[requests.Response] = []

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        url = f"{exchange.base_origin}/token"
        self.responses.append(exchange.send_direct(requests.Request("POST", url, **self._parts)))
        return call_next(exchange)


def session_with_everything() -> requests.Session:
    """Return a session that adds all that a session can add."""
    session = requests.Session()
    session.headers["X-Api-Key"] = "of the API"
    session.cookies.set("sid", "of the API")
    session.params = {"tenant": "of the API"}
    session.auth = ("of", "the API")
    return session


def test_a_direct_request_carries_nothing_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, cookies, parameters and logins of the API are not for the identity server."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for session in (session_with_everything(), requests.Session()):
        with opened(handlers=[Asking()], session=session) as (stack, server):
            stack.get("x", headers={"X-One": "1"}, params={"q": "1"}, cookies={"a": "1"})

            (seen,) = server.requests_to("/token")
            assert (seen.query, seen.form) == ({}, {"grant": "x"})
            assert set(seen.headers) <= {
                *("host", "accept", "accept-encoding", "cache-control", "connection"),
                *("content-length", "content-type", "user-agent"),
            }


def test_a_direct_request_asks_for_json_unless_told_otherwise() -> None:
    """Servers that answer forms by default are asked for what can be read."""
    for given, sent in (
        ({}, "application/json"),
        ({"headers": {"Accept": "text/plain"}}, "text/plain"),
    ):
        with opened(handlers=[Asking(**given)]) as (stack, server):
            stack.get("x")

            assert server.requests_to("/token")[0].headers["accept"] == sent


def test_a_direct_request_goes_by_the_settings_of_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificates and proxies serve for a token request too."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    certificate = tmp_path / "client.pem"
    certificate.touch()
    settings: list[dict[str, Any]] = []

    class Noting(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            settings.append(kwargs)
            return super().send(request, **kwargs)

    session = Noting()
    session.verify, session.cert = "ca.pem", str(certificate)
    session.proxies = {"https": "http://proxy.example"}
    with opened(handlers=[Asking()], session=session) as (stack, _):
        stack.get("x")

    given = settings[0]
    assert (given["verify"], given["cert"]) == ("ca.pem", str(certificate))
    assert given["proxies"]["https"] == "http://proxy.example"
    assert given["timeout"] == (5.0, 30.0)


def test_a_direct_request_is_seen_by_no_handler() -> None:
    """A token request is not itself logged in, retried or raised for."""
    keeper, asking = Keeper(), Asking()
    with opened(handlers=[keeper, asking]) as (stack, server):
        stack.get("x")

        assert len(keeper.exchanges) == 1
        assert len(server.requests) == 2


def test_a_direct_request_follows_no_redirect() -> None:
    """A form with a secret is not carried to wherever a server points."""
    with LoopbackServer(lambda _: ServerResponse()) as thief:

        def respond(seen: ServerRequest) -> ServerResponse:
            return (
                ServerResponse(307, {}, {"Location": thief.origin})
                if seen.path == "/token"
                else ServerResponse()
            )

        asking = Asking()
        with opened(respond, [asking]) as (stack, _):
            stack.get("x")

        assert asking.responses[0].status_code == 307
        assert thief.requests == []


def test_the_response_of_a_direct_request_is_bounded() -> None:
    """A token endpoint gone mad fills no memory; the largest that is allowed still passes."""
    sizes = {"just": b"x" * MAX_DIRECT_BYTES, "over": b"x" * (MAX_DIRECT_BYTES + 1)}
    for name, body in sizes.items():
        asking = Asking()

        def respond(seen: ServerRequest, body: bytes = body) -> ServerResponse:
            return ServerResponse(200, body if seen.path == "/token" else b"")

        with opened(respond, [asking]) as (stack, _):
            if name == "just":
                stack.get("x")
                assert len(asking.responses[0].content) == MAX_DIRECT_BYTES == 1_048_576
            else:
                with pytest.raises(BodyTooLarge):
                    stack.get("x")


def test_a_direct_request_is_recorded_as_a_renewal() -> None:
    """The time that a login took can be told from the time of the call."""
    clock = FakeClock()

    def respond(seen: ServerRequest) -> ServerResponse:
        clock.advance(2 if seen.path == "/token" else 1)
        return ServerResponse(201 if seen.path == "/token" else 200)

    with opened(respond, [Asking()], clock=clock) as (stack, _):
        record: CallRecord = stack.get("x").record

    assert [(one.number, one.status, one.duration) for one in record.renewals] == [(1, 201, 2.0)]
    assert [(one.started, one.status) for one in record.attempts] == [(2.0, 200)]


def test_a_direct_request_that_fails_is_recorded_with_its_error() -> None:
    """An identity server that cannot be reached is seen in the record."""
    keeper = Keeper()

    def asking(exchange: Exchange, call_next: CallNext) -> requests.Response:
        exchange.send_direct(requests.Request("POST", "http://127.0.0.1:9/token"))
        return call_next(exchange)

    with opened(handlers=[keeper, asking]) as (stack, _), pytest.raises(requests.ConnectionError):
        stack.get("x")

    (attempt,) = keeper.only.record.renewals
    assert (attempt.status, attempt.error) == (None, "ConnectionError")


@pytest.mark.parametrize(
    ("of_call", "of_request", "timeout"),
    [
        (3.0, None, (3.0, 3.0)),
        (None, 2.0, (2.0, 2.0)),
        (9.0, 8.0, (5.0, 8.0)),
        (8.0, 9.0, (5.0, 8.0)),
    ],
)
def test_a_direct_request_keeps_the_deadline_of_its_call(
    of_call: float | None, of_request: float | None, timeout: tuple[float, float]
) -> None:
    """A renewal takes no more time than the call has, nor than it was given itself."""
    timeouts: list[object] = []

    class Noting(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            timeouts.append(kwargs["timeout"])
            return super().send(request, **kwargs)

    def asking(exchange: Exchange, call_next: CallNext) -> requests.Response:
        limited = exchange if of_call is None else exchange.with_deadline(of_call)
        request = requests.Request("POST", f"{exchange.base_origin}/token")
        return limited.send_direct(request, timeout=of_request)

    with opened(handlers=[asking], session=Noting(), clock=FakeClock()) as (stack, _):
        stack.get("x")

    assert timeouts == [timeout]


def test_a_session_that_raises_for_a_status_does_not_hide_a_direct_response() -> None:
    """What a token endpoint says with its 400 is read, not raised for."""

    class Raising(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            response = super().send(request, **kwargs)
            response.raise_for_status()
            return response

    asking = Asking()

    def respond(seen: ServerRequest) -> ServerResponse:
        return (
            ServerResponse(400, {"error": "invalid_grant"})
            if seen.path == "/token"
            else ServerResponse()
        )

    with opened(respond, [asking], session=Raising()) as (stack, _):
        stack.get("x")

    assert asking.responses[0].json() == {"error": "invalid_grant"}


def test_a_stack_sends_direct_requests_for_whoever_logs_in() -> None:
    """A login needs no call to go with it, and no handlers."""
    keeper = Keeper()
    with (
        LoopbackServer(lambda _: ServerResponse(201)) as server,
        session_with_everything() as session,
    ):
        stack = SessionStack(session, [keeper])
        response = stack.send_direct(requests.Request("POST", f"{server.origin}/token"))

        assert response.status_code == 201
        assert "x-api-key" not in server.requests[0].headers
    assert keeper.exchanges == []


# -- What would be sent


class Looking:
    """Keeps what the request was said to be, and what was sent."""

    def __init__(self, *secrets: tuple[str, str, str], step: bool = False) -> None:
        self._secrets = secrets
        self._step = step
        self.stepped = 0
        self.foreseen = requests.PreparedRequest()
        self.sent = requests.PreparedRequest()

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        allowed = frozenset({exchange.base_origin or ""})
        for location, name, value in self._secrets:
            exchange = exchange.with_credential(Credential(location, name, value, allowed))
        if self._step:
            exchange = exchange.on_prepared(self._note)
        self.foreseen = exchange.preview().request
        assert self.stepped == 0
        response = call_next(exchange)
        self.sent = response.request
        return response

    def _note(self, request: requests.PreparedRequest) -> None:
        self.stepped += 1


def looked_at(
    *secrets: tuple[str, str, str], session: requests.Session | None = None, **options: Any
) -> Looking:
    """Make a call and return what was seen of it."""
    looking = Looking(*secrets)
    with opened(handlers=[looking], session=session) as (stack, _):
        stack.get("orders", **options)
    return looking


def test_a_preview_is_the_request_that_is_sent() -> None:
    """Headers, parameters, cookies and logins of the session and of the call are all there."""
    session = requests.Session()
    session.headers["Accept-Language"] = "de"
    session.params = {"tenant": "7"}
    session.auth = ("user", "password")
    looking = looked_at(session=session, params={"page": 2}, cookies={"a": "b"})

    assert looking.foreseen.url == looking.sent.url
    assert looking.foreseen.headers == looking.sent.headers
    assert looking.foreseen.method == "GET"


def test_a_preview_shows_the_credentials_that_handlers_placed() -> None:
    """Who asks is known, whichever way a login rides; the session's own gives way, as it does."""
    session = requests.Session()
    session.auth = ("user", "password")
    looking = looked_at(
        ("header", "Authorization", "Bearer t"),
        ("header", "X-Api-Key", "k"),
        ("cookie", "sid", "s"),
        ("query", "sig", "q"),
        session=session,
    )

    assert looking.foreseen.headers == looking.sent.headers
    assert looking.foreseen.headers["Authorization"] == "Bearer t"
    assert looking.foreseen.url == looking.sent.url


def test_a_preview_has_no_side_effects() -> None:
    """No request is signed twice: late steps run once, when it is sent."""
    looking = Looking(step=True)
    with opened(handlers=[looking]) as (stack, server):
        stack.get("orders")

    assert looking.stepped == 1
    assert len(server.requests) == 1


def test_a_session_is_not_asked_for_a_login_that_a_handler_brings() -> None:
    """A signer that counts its requests counts each once."""
    asked: list[object] = []

    class Counting(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            asked.append(request)
            return request

    session = requests.Session()
    session.auth = Counting()
    looked_at(("header", "Authorization", "Bearer t"), session=session)

    assert asked == []


def test_a_prepared_request_is_previewed_as_a_copy() -> None:
    """The object that the caller keeps never sees the credential."""
    looking = Looking(("header", "Authorization", "Bearer t"))
    with opened(handlers=[looking]) as (stack, server):
        mine = requests.Request("GET", server.origin + "/x").prepare()
        stack.send(mine)

    assert looking.foreseen.headers["Authorization"] == "Bearer t"
    assert "Authorization" not in mine.headers


def test_a_preview_tells_of_the_certificate_that_the_client_shows() -> None:
    """Two programs that log in by certificates are told apart."""
    shown: list[object] = []

    def look(exchange: Exchange, call_next: CallNext) -> requests.Response:
        shown.append(exchange.preview().certificate)
        return requests.Response()

    session = requests.Session()
    stack = SessionStack(session, [look])
    stack.get("https://api.example/")
    stack.get("https://api.example/", cert="of the call")
    session.cert = ("of the session", "key")
    stack.get("https://api.example/")

    assert shown == [None, "of the call", ("of the session", "key")]
