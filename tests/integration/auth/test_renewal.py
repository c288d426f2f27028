"""One renewal, whatever happens: many threads, dead grants, short lives, servers that say no."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import (
    AuthHandler,
    CallableGrant,
    RefreshToken,
    RenewalPolicy,
    StaticToken,
)
from sessionkit.errors import AuthenticationFailed, LoginRequired, RenewalFailed
from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.threads import at_once


@contextmanager
def an_api(
    identity: IdentityProvider, *, clock: Any = None, **settings: Any
) -> Iterator[tuple[LoopbackServer, SessionStack]]:
    """Start an API with its identity server, and a recommended stack that logs in there."""
    with LoopbackServer(identity.respond) as server, requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=40)
        session.mount("http://", adapter)
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        chain = recommended(grant)
        if settings:
            chain["auth"] = AuthHandler(grant, **settings)
        clocks = {} if clock is None else {"clock": clock}
        yield server, SessionStack(session, chain, base_url=server.origin, **clocks)


def test_thirty_two_threads_on_one_expired_token_make_one_renewal() -> None:
    """All calls succeed, the identity server sees one request, and the stack goes on working."""
    identity = IdentityProvider()
    with an_api(identity) as (_, stack):
        stack.get("/first")
        identity.expire()
        renewals = identity.renewals

        results = at_once(32, lambda number: stack.get(f"/call/{number}").status_code)

        assert results == [200] * 32
        assert identity.renewals - renewals == 1
        assert identity.reuse_detected == 0
        assert stack.get("/after").ok


def test_thirty_two_threads_without_any_token_log_in_once() -> None:
    """A cold start costs one login, not one for each thread."""
    identity = IdentityProvider()
    with an_api(identity) as (_, stack):
        results = at_once(32, lambda number: stack.get(f"/call/{number}").status_code)

    assert results == [200] * 32
    assert identity.renewals == 1


def test_a_dead_refresh_token_is_tried_once_and_all_threads_are_told() -> None:
    """A revoked login gives 32 clear errors for one request, and each names the way back."""
    identity = IdentityProvider()
    with an_api(identity) as (_, stack):
        stack.get("/first")
        identity.revoke()
        attempts = identity.token_requests

        results = at_once(32, lambda number: stack.get(f"/call/{number}"))

        assert identity.token_requests - attempts == 1
        assert all(isinstance(error, LoginRequired) for error in results)
        assert all("login(" in error.hint for error in results if isinstance(error, LoginRequired))
        assert len({id(error) for error in results}) == 32
        with pytest.raises(LoginRequired):
            stack.get("/later")
        assert identity.token_requests - attempts == 1


def test_a_login_ends_what_a_dead_refresh_token_began() -> None:
    """After somebody logged in anew, calls work again without a restart."""
    identity = IdentityProvider()
    with an_api(identity) as (_, stack):
        stack.get("/first")
        identity.revoke()
        with pytest.raises(LoginRequired):
            stack.get("/refused")
        identity.add_token("by-hand")

        stack.handlers["auth"].login(token=Token("by-hand", refresh_token="unused"))

        assert stack.get("/works").ok


def test_a_permanent_401_costs_one_renewal_in_ten_calls() -> None:
    """A server that refuses everything is not stormed: at most 11 requests and 1 renewal."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        return (
            identity.token(seen) if seen.path == "/token" else ServerResponse(401, {"detail": "no"})
        )

    with LoopbackServer(answer) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        stack.handlers["auth"].login(token=Token("old", refresh_token="refresh-0"))
        for number in range(10):
            with pytest.raises(AuthenticationFailed):
                stack.get(f"/call/{number}")

        calls = [seen for seen in server.requests if seen.path != "/token"]
        assert len(calls) <= 11
        assert identity.renewals == 1


def test_one_place_that_always_refuses_does_not_end_everybodys_token_again_and_again() -> None:
    """A 401 that means "no permission" costs a few renewals once, not some with each call."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/admin":
            return ServerResponse(401)
        return identity.respond(seen)

    clock = FakeClock()
    with LoopbackServer(answer) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin, clock=clock)
        for _ in range(10):
            with pytest.raises(AuthenticationFailed):
                stack.get("/admin")
            assert stack.get("/open").ok

    assert identity.renewals <= 5


def test_a_token_endpoint_that_is_down_does_not_matter_while_the_token_lives() -> None:
    """With 20 s left the old token is used; the endpoint is asked once, not for every call."""
    identity = IdentityProvider(expires_in=3600)
    clock = FakeClock()
    with an_api(identity, clock=clock) as (_, stack):
        stack.get("/first")
        attempts = identity.token_requests
        clock.advance(3580)
        identity.is_down = True

        statuses = [stack.get(f"/call/{number}").status_code for number in range(3)]

        assert statuses == [200, 200, 200]
        assert identity.token_requests - attempts == 1


def test_a_token_is_renewed_ahead_of_its_end() -> None:
    """A server that never says "expired" is not needed: the token is new before it ends."""
    identity = IdentityProvider(expires_in=3600)
    clock = FakeClock()
    with an_api(identity, clock=clock) as (server, stack):
        stack.get("/first")
        clock.advance(3590)
        stack.get("/second")

        assert identity.renewals == 2
        assert server.requests_to("/second")[0].bearer == "access-2"


def test_tokens_of_thirty_seconds_are_not_renewed_for_every_call() -> None:
    """The window before the end is capped by the life itself."""
    identity = IdentityProvider(expires_in=30)
    with an_api(identity, clock=FakeClock()) as (_, stack):
        for number in range(10):
            stack.get(f"/call/{number}")

    assert identity.renewals == 1


def test_an_endpoint_that_is_down_fails_the_calls_that_need_it_and_the_next_call_tries_again() -> (
    None
):
    """One outage is not remembered: as soon as the endpoint is back, calls work."""
    identity = IdentityProvider()
    with an_api(identity) as (_, stack):
        stack.get("/first")
        identity.expire()
        identity.is_down = True
        with pytest.raises(RenewalFailed) as caught:
            stack.get("/fails")
        identity.is_down = False

        assert caught.value.status == 500
        assert stack.get("/works").ok


def test_an_expiry_that_is_told_by_another_status_is_recognised() -> None:
    """Some servers say 403, 400 or an empty 200 where they mean an ended token."""
    for status in (403, 400, 200):
        identity = IdentityProvider()

        def answer(
            seen: ServerRequest, identity: IdentityProvider = identity, status: int = status
        ) -> ServerResponse:
            if seen.path != "/token" and not identity.admits(seen):
                return ServerResponse(status, b"")
            return identity.respond(seen)

        with LoopbackServer(answer) as server, requests.Session() as session:
            grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
            auth = AuthHandler(
                grant, policy=RenewalPolicy(is_expired=lambda response: not response.content)
            )
            stack = SessionStack(session, [auth], base_url=server.origin)
            stack.get("/first")
            identity.expire()

            assert stack.get("/second").json()["path"] == "/second"
            assert identity.renewals == 2


def test_a_post_is_not_repeated_after_a_200_that_reads_as_an_expiry() -> None:
    """A 2xx gives no promise that nothing was done, so the answer stands; the next call works."""
    identity = IdentityProvider()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path != "/token" and not identity.admits(seen):
            return ServerResponse(200, b"")
        return identity.respond(seen)

    with LoopbackServer(answer) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        auth = AuthHandler(
            grant, policy=RenewalPolicy(is_expired=lambda response: not response.content)
        )
        stack = SessionStack(session, [auth], base_url=server.origin)
        stack.get("/first")
        identity.expire()

        assert stack.post("/order", json={"sku": "bag"}).content == b""
        assert stack.post("/order", json={"sku": "bag"}).json()["size"] > 0
        assert len(server.requests_to("/order")) == 2


def test_a_predicate_that_trips_over_an_unexpected_body_means_not_expired() -> None:
    """An HTML error page is passed on as it is; a KeyError about it would help nobody."""
    with (
        LoopbackServer(
            lambda _: ServerResponse(403, b"<html>", {"Content-Type": "text/html"})
        ) as server,
        requests.Session() as session,
    ):
        auth = AuthHandler(
            CallableGrant(lambda _token, _rejected: "token"),
            policy=RenewalPolicy(is_expired=lambda response: bool(response.json()["errors"][0])),
        )
        stack = SessionStack(session, [auth], base_url=server.origin)

        assert stack.get("/page").status_code == 403


def test_a_grant_sees_the_token_it_replaces_and_the_answer_that_refused_it() -> None:
    """Some servers name the wanted scope only in the refusal."""
    told: list[tuple[Token | None, Any]] = []

    def obtain(token: Token | None, rejected: requests.Response | None) -> str:
        challenge = None if rejected is None else rejected.headers["WWW-Authenticate"]
        told.append((token, challenge))
        return f"token-{len(told)}"

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.bearer == "token-2":
            return ServerResponse()
        challenge = 'Bearer error="insufficient_scope", scope="orders"'
        return ServerResponse(401, {}, {"WWW-Authenticate": challenge})

    with LoopbackServer(answer) as server, requests.Session() as session:
        stack = SessionStack(session, [AuthHandler(CallableGrant(obtain))], base_url=server.origin)

        assert stack.get("/orders").ok
    assert told[0] == (None, None)
    assert told[1][0] == Token("token-1")
    assert "orders" in told[1][1]


def test_a_static_token_that_is_refused_is_a_plain_401() -> None:
    """There is nothing to renew with: one request, and the server's own answer intact."""
    with (
        LoopbackServer(lambda _: ServerResponse(401, {"detail": "bad key"})) as server,
        requests.Session() as session,
    ):
        stack = SessionStack(session, [AuthHandler(StaticToken("key"))], base_url=server.origin)

        assert stack.get("/x").json() == {"detail": "bad key"}
        assert len(server.requests) == 1


def test_nothing_logs_in_again_after_a_logout() -> None:
    """A user who logged out stays logged out until login() is called."""
    identity = IdentityProvider()
    with an_api(identity) as (_, stack):
        auth = stack.handlers["auth"]
        stack.get("/first")
        assert auth.is_authenticated()
        auth.logout()
        attempts = identity.token_requests

        assert not auth.is_authenticated()
        with pytest.raises(LoginRequired):
            stack.get("/second")
        assert identity.token_requests == attempts
        auth.login(token=Token("again", refresh_token=identity.refresh_token))
        identity.add_token("again")
        assert stack.get("/third").ok


def test_a_token_request_is_never_made_from_the_call_that_failed() -> None:
    """No header, parameter, cookie or credential of the API's call reaches the identity server."""
    identity = IdentityProvider()
    with an_api(identity) as (server, stack):
        session = stack._inner
        session.headers["X-Api-Key"] = "key-of-the-api"
        session.cookies.set("visit", "42")
        session.params = {"tenant": "blue"}
        session.auth = ("somebody", "else")
        stack.post("/orders", json={"sku": "bag"}, params={"q": "x"}, headers={"X-One": "1"})

        token_request = server.requests_to("/token")[0]
        assert token_request.query == {}
        assert set(token_request.form) == {"grant_type", "refresh_token", "client_id"}
        assert not {"x-api-key", "cookie", "authorization", "x-one"} & set(token_request.headers)


def test_a_token_request_follows_no_redirect() -> None:
    """A 307 would carry the form, refresh token and all, to wherever it points."""

    def elsewhere(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(200, {"access_token": "theirs"})

    with LoopbackServer(elsewhere) as thief, requests.Session() as session:
        with LoopbackServer(
            lambda _: ServerResponse(307, {}, {"Location": f"{thief.origin}/token"})
        ) as server:
            grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
            stack = SessionStack(session, recommended(grant), base_url=server.origin)
            with pytest.raises(RenewalFailed):
                stack.get("/x")
        assert thief.requests == []


def test_a_grant_that_calls_through_its_own_handler_is_told_so() -> None:
    """Recursion is an error at once, neither a deadlock nor a stack overflow."""
    stacks: list[SessionStack] = []

    def obtain(_held: Token | None, _refused: requests.Response | None) -> str:
        return str(stacks[0].get("/login").json())

    with LoopbackServer(lambda _: ServerResponse()) as server, requests.Session() as session:
        stacks.append(
            SessionStack(session, [AuthHandler(CallableGrant(obtain))], base_url=server.origin)
        )
        with pytest.raises(RenewalFailed, match="its own handler"):
            stacks[0].get("/x")
