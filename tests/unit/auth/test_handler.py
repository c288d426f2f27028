"""AuthHandler: the token goes on, is seen refused, is renewed, and the call is sent again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth
from requests_toolbelt.sessions import BaseUrlSession

from sessionkit import CallNext, Exchange, SessionStack, Token, recommended
from sessionkit.auth import (
    AuthHandler,
    CallableGrant,
    Header,
    RefreshToken,
    RenewalPolicy,
    StaticToken,
)
from sessionkit.auth._handler import MAX_RENEWALS
from sessionkit.chain._record import CallRecord
from sessionkit.errors import (
    AuthError,
    ConfigError,
    DeadlineExceeded,
    LockTimedOut,
    LoginRequired,
    RenewalFailed,
)
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.stacks import Keeper, Recorder, opened

Open = tuple[SessionStack, IdentityProvider, LoopbackServer]


@contextmanager
def logged_in(
    identity: IdentityProvider | None = None,
    *,
    clock: Any = None,
    around: Any = (),
    session: requests.Session | None = None,
    **settings: Any,
) -> Iterator[Open]:
    """Open a stack over an API with an identity server on the same host, with a token in use."""
    identity = identity or IdentityProvider()
    with opened(identity.respond, session=session, clock=clock) as (stack, server):
        for handler in around:
            stack.handlers.add(handler)
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack.handlers.add(AuthHandler(grant, **settings), name="auth")
        assert stack.get("first").ok
        yield stack, identity, server


def record_of(response: requests.Response) -> CallRecord:
    """Return the record of the call that *response* answers."""
    record = response.record  # type: ignore[attr-defined]  # set by the stack
    assert isinstance(record, CallRecord)
    return record


def pieces() -> Iterator[bytes]:
    """Yield a body that can be read once."""
    yield b"once"


# -- On the way down


def test_a_call_carries_the_token() -> None:
    """The first call logs in, all others use what came of it."""
    with logged_in() as (stack, identity, server):
        stack.get("second")

        assert [seen.bearer for seen in server.requests if seen.path != "/token"] == [
            "access-1"
        ] * 2
        assert identity.renewals == 1


def test_the_session_is_asked_for_an_answer_whose_body_waits() -> None:
    """A refusal that turns out to be endless is not waited for."""
    recorder = Recorder()
    with logged_in(session=recorder):
        assert recorder.requested[0]["stream"] is True


@pytest.mark.parametrize(
    "given",
    [
        {"auth": ("user", "word")},
        {"headers": {"authorization": "Mine"}},
    ],
)
def test_a_credential_of_the_call_itself_wins(given: dict[str, Any]) -> None:
    """The handler steps aside for that call: no token, no login, no renewal."""
    with opened(lambda _: ServerResponse(401)) as (stack, server):
        stack.handlers.add(AuthHandler(CallableGrant(lambda token, rejected: "t0ken")))
        response = stack.get("x", **given)

        assert response.status_code == 401
        assert len(server.requests) == 1
        assert server.requests[0].headers["authorization"] in {"Mine", "Basic dXNlcjp3b3Jk"}


def test_a_foreign_url_is_no_reason_to_log_in() -> None:
    """Nothing is obtained, placed or renewed for a host that is not ours."""
    calls: list[object] = []

    def obtain(*given: object) -> str:
        calls.append(given)
        return "t0ken"

    auth = AuthHandler(CallableGrant(obtain))
    with (
        opened(lambda _: ServerResponse(401)) as (stack, _),
        LoopbackServer(lambda _: ServerResponse(401)) as foreign,
    ):
        stack.handlers.add(auth)
        for url in (foreign.origin, "http://[::1", "http://:80/"):
            try:
                assert stack.get(url).status_code == 401
            except ValueError:  # what requests says of a broken URL
                assert url != foreign.origin

    assert calls == []


def test_without_a_home_an_absolute_url_is_not_trusted() -> None:
    """The token does not go to whatever is asked for first, and both cures are named."""
    with opened(handlers=[AuthHandler(StaticToken("t0ken"))], base="") as (stack, server):
        with pytest.raises(ConfigError, match="which origins") as caught:
            stack.get(f"{server.origin}/x?api_key=s3cret")

        assert server.requests == []
    assert "base_url" in caught.value.hint
    assert "origins=" in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_origins_that_are_named_are_those_that_get_the_token() -> None:
    """One or many, in place of the base's own; a list of none is for nobody."""
    with LoopbackServer(lambda _: ServerResponse()) as named:
        for origins, bearers in (
            ([named.origin + "/any/path"], ["", "t0ken"]),
            (named.origin, ["", "t0ken"]),
            ([], ["", ""]),
        ):
            auth = AuthHandler(StaticToken("t0ken"), origins=origins)
            with opened(handlers=[auth]) as (stack, server):
                stack.get("x")
                stack.get(named.origin)

                assert [server.requests[-1].bearer, named.requests[-1].bearer] == bearers


def test_a_relative_url_belongs_to_where_the_session_leads() -> None:
    """A session that knows its own base needs no second setting."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        BaseUrlSession(server.origin) as session,
    ):
        for auth in (
            AuthHandler(StaticToken("t0ken")),
            AuthHandler(StaticToken("t0ken"), origins=[server.origin]),
            AuthHandler(StaticToken("t0ken"), origins=["http://elsewhere.example"]),
        ):
            SessionStack(session, [auth]).get("/x")

        assert [seen.bearer for seen in server.requests] == ["t0ken", "t0ken", ""]


# -- Refused


@pytest.mark.parametrize("body", [b"bytes", "text", None])
def test_a_refused_call_is_renewed_and_sent_again(body: Any) -> None:
    """The caller sees the answer to the second attempt, and both in the record."""
    with logged_in() as (stack, identity, server):
        identity.expire()
        response = stack.request("POST", "x", data=body, headers={"X-One": "1"})

        attempts = server.requests_to("/x")
        assert response.status_code == 200
        assert [seen.bearer for seen in attempts] == ["access-1", "access-2"]
        assert attempts[0].body == attempts[1].body
        assert [seen.headers["x-one"] for seen in attempts] == ["1", "1"]
    record = record_of(response)
    assert [attempt.status for attempt in record.attempts] == [401, 200]
    assert [attempt.status for attempt in record.renewals] == [200]


def test_a_prepared_request_is_renewed_and_sent_again() -> None:
    """Both ways to send are cured, and the object that was given holds no token."""
    with logged_in() as (stack, identity, server):
        identity.expire()
        prepared = requests.Request("PUT", f"{server.origin}/x", data=b"body").prepare()
        assert stack.send(prepared).ok

        assert [seen.body for seen in server.requests_to("/x")] == [b"body", b"body"]
    assert "Authorization" not in prepared.headers


def test_the_time_of_a_renewal_is_told_apart() -> None:
    """A slow identity server is not mistaken for a slow API."""
    clock, identity = FakeClock(), IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        clock.advance(2 if seen.path == "/token" else 1)
        return identity.respond(seen)

    with opened(answer, clock=clock) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack.handlers.add(AuthHandler(grant))
        record = record_of(stack.get("x"))

    assert (record.renewal_duration, record.duration) == (2.0, 3.0)


def test_a_life_counts_from_when_the_token_was_asked_for() -> None:
    """An answer that was long on its way does not make a token live longer."""
    clock, identity, store = FakeClock(), IdentityProvider(expires_in=100), MemoryTokenStore()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            clock.advance(30)
        return identity.respond(seen)

    sent_at = clock.time()
    with opened(answer, clock=clock) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack.handlers.add(AuthHandler(grant, store=store))
        stack.get("x")
        stored = store.load(grant.store_key)

    assert stored is not None
    assert stored.expires_at == sent_at + 100


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_can_be_sent_once_leaves_the_refusal_intact(stream: bool) -> None:
    """Nothing is uploaded empty: the 401 comes back readable, and the next call works."""
    with logged_in() as (stack, identity, server):
        identity.expire()
        with stack.post("x", data=pieces(), stream=stream) as refused:
            assert refused.status_code == 401
            assert refused.json() == {"detail": "token ended"}
        with stack.post("x", data=b"whole") as again:
            assert again.ok

        assert server.requests_to("/x")[0].body == b"once"
        assert identity.reuse_detected == 0


@pytest.mark.parametrize("errors", [False, True])
def test_a_program_that_only_streams_is_not_refused_for_ever(errors: bool) -> None:
    """The token is renewed for the next upload, though this one could not be sent again."""
    identity = IdentityProvider()
    with opened(identity.respond) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        chain = SessionStack(
            stack._inner, recommended(grant, errors=errors), base_url=server.origin
        )
        chain.get("first")
        identity.expire()
        try:
            assert chain.post("x", data=pieces()).status_code == 401
        except AuthError:
            assert errors

        assert chain.post("x", data=pieces()).ok
        assert [seen.body for seen in server.requests_to("/x")] == [b"once", b"once"]


def test_a_refusal_stands_where_the_renewal_for_the_next_call_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller gets the answer of the API, and the log the reason why it will not get better."""
    with logged_in() as (stack, identity, _):
        identity.expire()
        identity.is_down = True
        with caplog.at_level(logging.WARNING, "sessionkit.auth"):
            assert stack.post("x", data=pieces()).json() == {"detail": "token ended"}
        identity.is_down = False

        assert stack.post("x", data=pieces()).ok
    assert "could not be renewed" in caplog.text


def test_an_answer_from_an_odd_address_is_not_taken_for_a_refusal() -> None:
    """A stand-in for an answer that tells no URL renews nothing."""

    class Odd(requests.Session):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().send(*args, **kwargs)
            response.url = "somewhere"
            return response

    with logged_in(session=Odd()) as (stack, identity, _):
        identity.expire()

        assert stack.get("x").status_code == 401
        assert identity.renewals == 1


def test_a_token_that_cannot_be_renewed_is_passed_on_as_refused() -> None:
    """An API key that is wrong is one request and a plain 401."""
    with opened(lambda _: ServerResponse(401), [AuthHandler(StaticToken("t0ken"))]) as (
        stack,
        server,
    ):
        assert stack.get("x").status_code == 401
        assert len(server.requests) == 1


def test_another_hosts_refusal_renews_nothing() -> None:
    """A redirect to a host that wants a login of its own does not end our token."""
    with LoopbackServer(lambda _: ServerResponse(401)) as foreign:
        identity = IdentityProvider()

        def answer(seen: ServerRequest) -> ServerResponse:
            if seen.path == "/away":
                return ServerResponse(302, {}, {"Location": foreign.origin})
            return identity.respond(seen)

        with opened(answer) as (stack, server):
            grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
            stack.handlers.add(AuthHandler(grant))

            assert stack.get("away").status_code == 401
            assert identity.renewals == 1
            assert [seen.bearer for seen in foreign.requests] == [""]


def test_a_refusal_out_of_a_cache_renews_nothing() -> None:
    """An old 401 that a cache kept says nothing about the token of today."""

    class Caching(requests.Session):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            response = super().send(*args, **kwargs)
            response.from_cache = response.status_code == 401  # type: ignore[attr-defined]  # as caches set it
            return response

    with logged_in(session=Caching()) as (stack, identity, _):
        identity.expire()
        response = stack.get("x")

        assert response.status_code == 401
        assert record_of(response).from_cache
        assert identity.renewals == 1


@pytest.mark.parametrize(
    ("status", "method", "cured"),
    [
        *((403, "GET", True), (403, "POST", True), (200, "GET", True), (200, "PUT", True)),
        *((200, "DELETE", True), (200, "POST", False), (200, "PATCH", False)),
    ],
)
def test_a_refusal_in_other_words_is_recognised(status: int, method: str, cured: bool) -> None:
    """After a 2xx only what may be done twice is sent twice; the next call works in any case."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        reply = identity.respond(seen)
        return ServerResponse(status, {"error": "expired"}) if reply.status == 401 else reply

    with opened(answer) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        told = AuthHandler(
            grant, policy=RenewalPolicy(is_expired=lambda response: "error" in response.json())
        )
        stack.handlers.add(told)
        stack.get("first")
        identity.expire()
        body = stack.request(method, "x").json()

        assert ("error" not in body) == cured
        assert "error" not in stack.request(method, "x").json()


@pytest.mark.parametrize("error", [ValueError, KeyError, IndexError, TypeError, AttributeError])
def test_a_predicate_that_stumbles_over_a_body_means_no(error: type[Exception]) -> None:
    """A page in place of JSON is the caller's to see, not an error about its shape."""

    def stumbling(response: requests.Response) -> bool:
        raise error

    auth = AuthHandler(
        CallableGrant(lambda token, rejected: "t0ken"), policy=RenewalPolicy(is_expired=stumbling)
    )
    with opened(lambda _: ServerResponse(403), [auth]) as (stack, server):
        assert stack.get("x").status_code == 403
        assert len(server.requests) == 1


def test_a_token_that_is_refused_as_it_comes_is_not_renewed_at_once() -> None:
    """A server that refuses whatever it is shown costs one renewal, however often it is asked."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        return identity.token(seen) if seen.path == "/token" else ServerResponse(401)

    with opened(answer, clock=FakeClock()) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth = AuthHandler(grant)
        stack.handlers.add(auth)
        for path in ("one", "two"):
            assert stack.get(path).status_code == 401
        assert (
            identity.renewals,
            len(server.requests_to("/one")),
            len(server.requests_to("/two")),
        ) == (1, 1, 1)

        auth.login(token=Token("old", refresh_token=identity.refresh_token))
        for path in ("three", "four"):
            assert stack.get(path).status_code == 401
        assert (
            identity.renewals,
            len(server.requests_to("/three")),
            len(server.requests_to("/four")),
        ) == (2, 2, 1)


def test_a_token_that_others_use_up_is_renewed_a_few_times() -> None:
    """A token that ends after so many uses does not fail the calls that came too late."""
    identity = IdentityProvider()
    late = 2

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/late" and len(server.requests_to("/late")) <= late:
            return ServerResponse(401)
        return identity.respond(seen)

    class Using:
        """Proves each new token good, as other threads would."""

        def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
            response = call_next(exchange)
            auth._renewal.confirm(auth._renewal._state.token)
            return response

    with opened(answer) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth: Any = AuthHandler(grant)
        stack.handlers.add(auth, name="auth")
        stack.handlers.add(Using())

        assert stack.get("late").ok
        late = 1000
        assert stack.get("late").status_code == 401
        assert identity.renewals <= 1 + 2 + MAX_RENEWALS
        renewals = identity.renewals
        assert stack.get("late").status_code == 401
        assert identity.renewals == renewals


# -- Failing


def test_an_endpoint_that_cannot_be_reached_is_a_failed_renewal() -> None:
    """The error tells what happened where, and the original is its cause."""
    grant = RefreshToken("http://127.0.0.1:9/token", "refresh-0", client_id="app")
    with opened(handlers=[AuthHandler(grant)]) as (stack, server):
        with pytest.raises(RenewalFailed, match="ConnectionError") as caught:
            stack.get("x")

        assert server.requests == []
    error = caught.value
    assert isinstance(error.__cause__, requests.ConnectionError)
    assert (error.method, error.url, error.retryable) == ("POST", "http://127.0.0.1:9/token", True)


def test_a_retry_outside_meets_the_endpoint_and_not_its_old_failure() -> None:
    """Each attempt enters anew, so one failed renewal does not fail all that follow."""

    def stubborn(exchange: Exchange, call_next: CallNext) -> requests.Response:
        try:
            return call_next(exchange)
        except AuthError:
            identity.is_down = False
            return call_next(exchange)

    identity = IdentityProvider()
    with opened(identity.respond, [stubborn]) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack.handlers.add(AuthHandler(grant))
        identity.is_down = True

        assert stack.get("x").ok
        assert (identity.token_requests, identity.renewals) == (2, 1)


def test_a_renewal_keeps_the_deadline_of_its_call() -> None:
    """A call without any time left asks nobody, and says so."""
    limited = Keeper(lambda exchange: exchange.with_deadline(exchange.clock.monotonic()))
    store = MemoryTokenStore()
    auth = AuthHandler(CallableGrant(lambda token, rejected: "t0ken"), store=store)
    handlers = {"limited": limited, "auth": auth}
    with opened(handlers=handlers, clock=FakeClock()) as (stack, server):
        with store.lock("callable", 1), pytest.raises(LockTimedOut):
            stack.get("x")
        with pytest.raises(DeadlineExceeded):
            stack.get("x")

        assert server.requests == []


# -- Login and logout


def test_a_login_is_made_by_the_stack_before_any_call() -> None:
    """A program finds out at its start whether it can log in."""
    identity = IdentityProvider()
    with opened(identity.respond) as (stack, server):
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth = AuthHandler(grant)
        stack.handlers.add(auth)
        assert not auth.is_authenticated()
        auth.login(stack)

        assert auth.is_authenticated()
        assert [seen.path for seen in server.requests] == ["/token"]
        auth.login(stack)
        assert identity.renewals == 1


def test_a_login_needs_a_way_to_log_in() -> None:
    """Neither a stack nor a token is a mistake that names both."""
    auth = AuthHandler(StaticToken("t0ken"))

    with pytest.raises(ConfigError, match="needs the stack") as caught:
        auth.login()

    assert "login(stack)" in caught.value.hint


def test_a_login_that_fails_says_why() -> None:
    """The error of the identity server is raised where the login was asked for."""
    with opened(lambda _: ServerResponse(400, {"error": "invalid_grant"})) as (stack, server):
        auth = AuthHandler(RefreshToken(f"{server.origin}/token", "old", client_id="app"))
        with pytest.raises(LoginRequired, match="invalid_grant"):
            auth.login(stack)

        assert not auth.is_authenticated()


def test_a_token_from_elsewhere_is_used_at_once() -> None:
    """It needs no stack, and its life counts from now."""
    with opened(clock=FakeClock()) as (stack, server):
        auth = AuthHandler(RefreshToken(f"{server.origin}/token", client_id="app"))
        stack.handlers.add(auth)
        auth.login(token=Token("by hand", refresh_token="fresh"))
        stack.get("x")

        assert auth.is_authenticated()
        assert server.requests[0].bearer == "by hand"


def test_a_logout_forgets_the_token_and_the_next_call_says_so() -> None:
    """Nobody is logged in again unasked."""
    store = MemoryTokenStore()
    with logged_in(store=store) as (stack, identity, server):
        auth = stack.handlers["auth"]
        key = auth._store_key
        assert store.load(key) is not None
        auth.logout()

        assert not auth.is_authenticated()
        assert store.load(key) is None
        sent = len(server.requests)
        with pytest.raises(LoginRequired, match="logged out"):
            stack.get("x")
        assert len(server.requests) == sent
        assert identity.renewals == 1


@pytest.mark.parametrize(("refresh_token", "authenticated"), [("fresh", True), (None, False)])
def test_an_ended_token_counts_if_it_can_be_renewed(
    refresh_token: str | None, authenticated: bool
) -> None:
    """Whether a user has to log in can be asked without a request."""
    auth = AuthHandler(CallableGrant(lambda token, rejected: "t0ken"))
    auth.login(token=Token("ended", expires_at=1.0, refresh_token=refresh_token))

    assert auth.is_authenticated() is authenticated


# -- Settings


def test_two_accounts_in_one_store_are_told_apart() -> None:
    """Each key has its own token, renewal and lock."""
    store = MemoryTokenStore()
    grants = {name: CallableGrant(lambda token, rejected, n=name: n) for name in ("alice", "bob")}  # type: ignore[misc]  # a default has no type
    for name, grant in grants.items():
        with opened(handlers=[AuthHandler(grant, store=store, store_key=name)]) as (stack, server):
            stack.get("x")

            assert server.requests[0].bearer == name
    assert (store.load("alice"), store.load("bob")) == (Token("alice"), Token("bob"))


def test_a_static_token_is_not_overruled_by_a_store() -> None:
    """A key that was replaced in the settings is the one that is sent."""
    store = MemoryTokenStore()
    store.save("static", Token("old"))
    auth = AuthHandler(StaticToken("new"), store=store)
    with opened(handlers=[auth]) as (stack, server):
        stack.get("x")

        assert server.requests[0].bearer == "new"
    assert store.load("static") == Token("old")


def test_one_handler_may_serve_several_stacks() -> None:
    """They share one token and one renewal."""
    with logged_in() as (stack, identity, server), requests.Session() as other:
        second = SessionStack(other, [stack.handlers["auth"]], base_url=server.origin)
        second.get("second")

        assert identity.renewals == 1


@pytest.mark.parametrize("grant", [None, "t0ken", StaticToken, object(), Token("t0ken")])
def test_what_is_no_grant_is_refused(grant: Any) -> None:
    """A token in place of a grant is found when the handler is built."""
    with pytest.raises(ConfigError, match="not a grant") as caught:
        AuthHandler(grant)

    assert "StaticToken" in caught.value.hint
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("origins", ["api.example", ["https://api.example", "/v1/"], [""]])
def test_an_origin_that_is_no_absolute_url_is_refused(origins: Any) -> None:
    """A host without its scheme would match nothing, in silence."""
    with pytest.raises(ConfigError, match="origin must be"):
        AuthHandler(StaticToken("t0ken"), origins=origins)


def test_a_handler_shows_its_settings_and_no_secret() -> None:
    """It can be printed, logged and explained, with a token in use."""
    auth = AuthHandler(StaticToken("s3cret"), scheme=Header("X-Key"), origins="https://api.example")
    with opened(handlers=[auth]) as (stack, _):
        stack.get("x")

    assert repr(auth) == (
        "AuthHandler(StaticToken(***), store=MemoryTokenStore(max_tokens=4096), "
        "scheme=Header('X-Key'), origins=['https://api.example:443'])"
    )


def test_an_api_key_counts_as_logged_in_until_logout() -> None:
    """There is nothing to obtain, so nothing has to be called first."""
    auth = AuthHandler(StaticToken("key"))

    assert auth.is_authenticated()
    auth.logout()
    assert not auth.is_authenticated()


def test_an_answer_after_the_rounds_of_a_login_proves_a_token_good() -> None:
    """Beside Digest or NTLM, whose own 401 stands in the history, a key is renewed as ever."""
    keys = iter(["k-1", "k-2"])
    right = "k-1"

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.headers["x-key"] != right:
            return ServerResponse(401)
        digest = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
        return (
            ServerResponse(200)
            if "authorization" in seen.headers
            else ServerResponse(401, b"", digest)
        )

    auth = AuthHandler(CallableGrant(lambda *_: next(keys)), scheme=Header("X-Key"))
    with opened(answer, [auth], clock=FakeClock()) as (stack, _):
        login = HTTPDigestAuth("user", "password")
        first = stack.get("x", auth=login)
        assert [past.status_code for past in first.history] == [401]
        right = "k-2"

        assert stack.get("x", auth=login).ok


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_of_the_server_proves_no_token_good(status: int) -> None:
    """A renewed token that met a 500 and is then refused is not renewed for every call."""
    identity = IdentityProvider()
    answers = iter([status, 401, 401, 401])

    def answer(seen: ServerRequest) -> ServerResponse:
        return identity.token(seen) if seen.path == "/token" else ServerResponse(next(answers))

    with LoopbackServer(answer) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, [AuthHandler(grant)], base_url=server.origin)
        statuses = [stack.get("x").status_code for _ in range(4)]

    assert statuses == [status, 401, 401, 401]
    assert identity.renewals == 1


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"scheme": "Bearer"}, "not a scheme: str"),
        ({"scheme": Header}, "not a scheme but a class: Header"),
        ({"store": "sqlite:tokens.db"}, "not a store: str"),
        ({"store": MemoryTokenStore}, "not a store but a class: MemoryTokenStore"),
    ],
)
def test_a_part_that_cannot_serve_is_refused_when_the_handler_is_built(
    settings: dict[str, Any], what: str
) -> None:
    """And not at the first call, somewhere deep inside."""
    grant = RefreshToken("https://id.example/token", "r", client_id="app")
    with pytest.raises(ConfigError, match=what):
        AuthHandler(grant, **settings)


def test_a_login_with_what_is_no_token_is_refused() -> None:
    """A text, or a token in the place of the stack, would be passed over in silence."""
    auth = AuthHandler(CallableGrant(lambda _token, _rejected: "t"))
    odd: list[dict[str, Any]] = [{"token": "text"}, {"stack": Token("t")}, {}]
    for given in odd:
        with pytest.raises(ConfigError, match="a Token"):
            auth.login(**given)
