"""A hostile server, a bad network, and what they must not achieve."""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import logging
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from requests_toolbelt.sessions import BaseUrlSession
from urllib3.util import Retry

from sessionkit import SessionStack, Token, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import (
    AuthHandler,
    Bearer,
    CallableGrant,
    ClientCredentials,
    Cookie,
    Header,
    Query,
    RefreshToken,
    Scheme,
    StaticToken,
)
from sessionkit.errors import (
    ConfigError,
    ConnectFailed,
    NotFound,
    RedirectFailed,
    RenewalFailed,
    SessionKitError,
)
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

SECRET = "planted-secret-0815"
SCHEMES: list[Scheme] = [Bearer(), Header("X-Api-Key"), Cookie("sid"), Query("api_key")]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Make the user's session."""
    with requests.Session() as made:
        yield made


@pytest.fixture
def thief() -> Iterator[LoopbackServer]:
    """Start a server of another origin."""
    with LoopbackServer(lambda _: ServerResponse(200, {"by": "thief"})) as server:
        yield server


def test_a_post_is_not_repeated_because_a_redirect_leads_nowhere(
    session: requests.Session,
) -> None:
    """The server acted before it sent us on; doing it four times would be four orders."""
    with LoopbackServer(
        lambda _: ServerResponse(303, {}, {"Location": "http://127.0.0.1:9/"})
    ) as server:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        with pytest.raises(ConnectFailed) as caught:
            stack.post("/pay", json={})

        assert len(server.requests) == 1
        assert (caught.value.sent, caught.value.retryable) == ("yes", False)


@pytest.mark.parametrize(
    "location", ["ftp://x/", "http://[::1/", "http://h:99999/", "javascript:1"]
)
def test_a_redirect_that_cannot_be_followed_does_not_claim_that_nothing_was_sent(
    session: requests.Session, location: str
) -> None:
    """Whoever repeats a call for ``sent == "no"`` must be able to rely on it."""
    with LoopbackServer(lambda _: ServerResponse(303, {}, {"Location": location})) as server:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        with pytest.raises(SessionKitError) as caught:
            stack.post("/pay", json={})

        assert caught.value.sent != "no"


def test_a_location_in_no_encoding_is_a_failed_redirect(session: requests.Session) -> None:
    """And not a UnicodeDecodeError from the depths of requests."""
    answers: list[requests.Response] = []

    class Noting(HTTPAdapter):
        def build_response(self, *args: Any) -> requests.Response:
            answers.append(super().build_response(*args))
            return answers[-1]

    session.mount("http://", Noting())
    with LoopbackServer(lambda _: ServerResponse(302, {}, {"Location": "/\xff"})) as server:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        with pytest.raises(RedirectFailed):
            stack.get("/x")
        for answer in answers:
            answer.close()  # requests itself loses it on the way


@pytest.mark.parametrize("scheme", [Bearer(), Header("X-Key")], ids=repr)
@pytest.mark.parametrize("path", ["//{}/x", "/\t/{}/x", "h\nttp://{}/x", "\x01http://{}/x"])
def test_a_relative_looking_url_takes_no_token_from_a_session_with_a_base(
    thief: LoopbackServer, path: str, scheme: Scheme
) -> None:
    """Where the session resolves it decides, asked before with no URL at all."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        BaseUrlSession(f"{server.origin}/") as session,
    ):
        stack = SessionStack(session, recommended(StaticToken(SECRET), scheme=scheme))
        url = path.format(thief.origin.removeprefix("http://"))
        with contextlib.suppress(SessionKitError):
            stack.get(url)

        assert SECRET not in repr(thief.requests)
        assert stack.get("fine").ok
        assert SECRET in repr(server.requests[-1])


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: type(scheme).__name__)
@pytest.mark.parametrize("prepared", [False, True])
def test_the_next_request_of_a_redirect_not_followed_holds_no_secret(
    session: requests.Session, thief: LoopbackServer, scheme: Scheme, prepared: bool
) -> None:
    """``response.next`` is the caller's to send, by this session or any other."""
    with LoopbackServer(
        lambda _: ServerResponse(302, {}, {"Location": f"{thief.origin}/x"})
    ) as server:
        stack = SessionStack(
            session, recommended(StaticToken(SECRET), scheme=scheme), base_url=server.origin
        )
        if prepared:
            request = stack.prepare_request(requests.Request("GET", f"{server.origin}/a"))
            response = stack.send(request, allow_redirects=False)
        else:
            response = stack.get("/a", allow_redirects=False)
        assert response.next is not None
        stack.send(response.next)
        session.send(response.next)

        assert SECRET in repr(server.requests)
        assert len(thief.requests) == 2
        assert SECRET not in repr(thief.requests)


def test_no_signature_reaches_another_origin_however_many_hops_there_are(
    session: requests.Session, thief: LoopbackServer
) -> None:
    """A step signs each hop at home anew; none of its signatures goes abroad."""
    numbers = itertools.count()

    def sign(exchange: Any, call_next: Any) -> Any:
        def step(request: requests.PreparedRequest) -> None:
            request.headers["X-Signature"] = f"signed-{next(numbers)}"

        return call_next(exchange.on_prepared(step))

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(
            302, {}, {"Location": "/b" if seen.path == "/a" else f"{thief.origin}/x"}
        )

    with LoopbackServer(answer) as server:
        SessionStack(session, [sign], base_url=server.origin).get("/a")

        assert [seen.headers["x-signature"] for seen in server.requests] == ["signed-0", "signed-1"]
        assert "x-signature" not in thief.requests[0].headers


@pytest.mark.parametrize("token", ["SEC;RET", "SEC RET", 'SEC"RET'])
def test_a_token_that_no_cookie_can_hold_is_refused(session: requests.Session, token: str) -> None:
    """Split at its semicolon, half of it would survive a redirect."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        auth = AuthHandler(StaticToken(token), scheme=Cookie("sid"))
        with pytest.raises(ConfigError, match="no cookie can hold"):
            SessionStack(session, [auth], base_url=server.origin).get("/x")

        assert server.requests == []


def test_a_token_endpoint_that_redirects_with_an_endless_body_is_left_at_once(
    session: requests.Session,
) -> None:
    """The redirect is not followed, and its body is nobody's."""

    def endless(_: ServerRequest) -> ServerResponse:
        return ServerResponse(302, itertools.repeat(b"x" * 65_536), {"Location": "/elsewhere"})

    with LoopbackServer(endless) as server:
        grant = RefreshToken(f"{server.origin}/token", "r", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        started = SYSTEM_CLOCK.monotonic()
        with pytest.raises(RenewalFailed):
            stack.get("/x")
        assert SYSTEM_CLOCK.monotonic() - started < 5


@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 100_000, b"\xff\xfe", b"null"])
def test_a_token_answer_of_any_shape_is_a_failed_renewal(
    session: requests.Session, body: bytes
) -> None:
    """Nested beyond reason, in no encoding, or nothing at all."""
    with LoopbackServer(lambda _: ServerResponse(200, body)) as server:
        grant = RefreshToken(f"{server.origin}/token", "r", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        with pytest.raises(RenewalFailed):
            stack.get("/x")


def test_a_hanging_token_endpoint_does_not_fail_a_call_whose_token_lives(
    session: requests.Session,
) -> None:
    """An early renewal takes no more than half of the time that the call has."""
    identity = IdentityProvider(expires_in=40)
    hanging, done = threading.Event(), threading.Event()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token" and hanging.is_set():
            done.wait(20)
        return identity.respond(seen)

    with LoopbackServer(answer) as server:
        store = MemoryTokenStore()
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant, store=store), base_url=server.origin)
        stack.get("/first")
        held = store.load(grant.store_key)
        assert held is not None
        ending = Token.from_dict({**held.to_dict(), "expires_at": SYSTEM_CLOCK.time() + 5})
        stack.handlers["auth"].login(token=ending)
        hanging.set()
        try:
            assert stack.get("/second", total_timeout=2).ok
        finally:
            done.set()


def test_a_scope_that_the_token_has_is_not_asked_for_again_and_again(
    session: requests.Session,
) -> None:
    """A server that says insufficient_scope for everything costs a few renewals, not one a call."""
    asked = itertools.count(1)

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            return ServerResponse(200, {"access_token": f"t{next(asked)}", "scope": "admin"})
        challenge = 'Bearer error="insufficient_scope", scope="admin"'
        return ServerResponse(
            403 if seen.path == "/x" else 401, {}, {"WWW-Authenticate": challenge}
        )

    with LoopbackServer(answer) as server:
        login = ClientCredentials(f"{server.origin}/token", "app", client_secret="s")
        stack = SessionStack(session, [AuthHandler(login)], base_url=server.origin)
        for number in range(20):
            stack.get(f"/place/{number}")

        assert len(server.requests_to("/token")) <= 3


def test_many_places_that_refuse_good_tokens_do_not_cost_a_renewal_each(
    session: requests.Session,
) -> None:
    """401 for a missing permission, at thirty places, between calls that are fine."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(401) if seen.path.startswith("/no/") else identity.respond(seen)

    with LoopbackServer(answer) as server:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, [AuthHandler(grant)], base_url=server.origin)
        for number in range(30):
            assert stack.get(f"/no/{number}").status_code == 401
            assert stack.get("/yes").ok

    assert identity.renewals <= 5


def test_no_log_of_urllib3_shows_a_key_in_the_query(session: requests.Session) -> None:
    """Neither the path, nor the retries of an adapter, nor a header it cannot parse."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        session.mount("http://", HTTPAdapter(max_retries=Retry(1, status_forcelist=[503])))
        with LoopbackServer(lambda _: ServerResponse(503)) as server:
            auth = AuthHandler(StaticToken(SECRET), scheme=Query("api_key"))
            with pytest.raises(requests.exceptions.RetryError):
                SessionStack(session, [auth], base_url=server.origin).get("/x")
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    assert "Incremented Retry" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_a_login_that_gets_no_answer_shows_no_secret(session: requests.Session) -> None:
    """By ``login(stack)`` there is no error handler around; the cause is scrubbed all the same."""
    grant = ClientCredentials(
        f"http://127.0.0.1:9/token?key={SECRET}", "app", client_secret=f"{SECRET}-2"
    )
    stack = SessionStack(session, recommended(grant), base_url="http://127.0.0.1:9/")
    with pytest.raises(RenewalFailed) as caught:
        stack.handlers["auth"].login(stack)

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_an_error_leaves_no_garbage_behind(session: requests.Session) -> None:
    """What a call held is free when the caller lets go of its error; nobody collects for it."""
    with LoopbackServer(lambda _: ServerResponse(404)) as server:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)

        def fail() -> None:
            with pytest.raises(NotFound):
                stack.get("/x")

        fail()
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                with contextlib.suppress(NotFound):
                    stack.get("/x")
            garbage = gc.collect()
        finally:
            gc.enable()

    # The server's own threads leave a few; a circle in the error would be a hundred for each call.
    assert garbage < 20 * 20


def test_a_next_link_that_repeats_the_key_does_not_switch_renewal_off(
    session: requests.Session,
) -> None:
    """Servers build next links of the whole query; our own key in it is no caller's choice."""
    live = {"key-1"}

    def answer(seen: ServerRequest) -> ServerResponse:
        page, key = int(seen.query.get("page", ["1"])[0]), seen.query.get("access_token", [""])[0]
        if key not in live:
            return ServerResponse(401)
        if page == 2:
            live.clear()
            live.add("key-2")
        link = f'</items?page={page + 1}&access_token={key}>; rel="next"'
        return ServerResponse(200, [page], {"Link": link} if page < 4 else {})

    keys = iter(["key-1", "key-2", "key-3"])
    with LoopbackServer(answer) as server:
        auth = AuthHandler(
            CallableGrant(lambda _token, _rejected: next(keys)), scheme=Query("access_token")
        )
        stack = SessionStack(session, [auth], base_url=server.origin)

        assert list(stack.paginate("/items")) == [1, 2, 3, 4]


def test_two_users_of_one_client_never_share_a_token(session: requests.Session) -> None:
    """In one store, each is told apart by the refresh token that they began with."""
    store = MemoryTokenStore()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            return ServerResponse(200, {"access_token": f"of-{seen.form['refresh_token']}"})
        return ServerResponse(200, {"by": seen.bearer})

    with LoopbackServer(answer) as server:
        for user in ("ann", "bob", "ann"):
            grant = RefreshToken(f"{server.origin}/token", user, client_id="app")
            stack = SessionStack(session, recommended(grant, store=store), base_url=server.origin)

            assert stack.get("/me").json() == {"by": f"of-{user}"}
        assert len(server.requests_to("/token")) == 2


def test_an_answer_behind_a_redirect_proves_no_token_good(
    session: requests.Session, thief: LoopbackServer
) -> None:
    """A host that redirects whatever comes has not looked at the token."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            return identity.token(seen)
        if seen.path == "/away":
            return ServerResponse(302, {}, {"Location": f"{thief.origin}/x"})
        return ServerResponse(401)

    with LoopbackServer(answer) as server:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, [AuthHandler(grant)], base_url=server.origin)
        statuses = [stack.get(path).status_code for path in ("/away", "/x", "/away", "/x")]

    assert statuses == [200, 401, 200, 401]
    assert identity.renewals == 1
