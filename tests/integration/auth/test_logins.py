"""Logins by users and by keys, through whole stacks: one login, one renewal, no secret anywhere."""

from __future__ import annotations

import copy
import gc
import io
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import AuthHandler, Grant, InteractiveGrant, RefreshToken
from sessionkit.auth.oauth import (
    AuthorizationCode,
    Browser,
    DeviceCode,
    JwtBearer,
    PrivateKeyJwt,
    SignedJwt,
    TokenExchange,
    discover,
)
from sessionkit.errors import AuthError, LoginRequired, SessionKitError
from sessionkit.stores import SqliteTokenStore
from sessionkit.testing import FakeClock
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.support.threads import at_once
from tests.unit.auth.asking import Later
from tests.unit.auth.authorization_server import AuthorizationServer, Running
from tests.unit.auth.keys import rsa_pair

THREADS = 32


def by_browser(running: Running, **settings: Any) -> AuthorizationCode:
    """Return the grant of a program whose user has a browser."""
    browser = Browser(running.browse, timeout=20)
    return AuthorizationCode(running.server.endpoints(), "app", browser=browser, **settings)


def by_device(running: Running) -> DeviceCode:
    """Return the grant of a program whose user has a phone."""
    place = running.server.endpoints()
    return DeviceCode(place, "app", prompt_callback=lambda code, url: running.shown.append(url))


# -- One renewal


@pytest.mark.parametrize("make", [by_browser, by_device])
def test_thirty_two_threads_renew_a_users_login_once(make: Any) -> None:
    """With strict rotation: a second use of the refresh token would end it all."""
    with Running(clock=FakeClock()) as running:
        stack, auth = running.stack(make(running))
        with stack:
            auth.login(stack)
            for round_ in range(1, 4):
                running.server.expire()
                answers = at_once(THREADS, lambda _: stack.get("/orders").status_code)

                assert answers == [200] * THREADS
                assert running.server.rotations == round_
        assert len(running.shown) == 1
        assert running.server.reused == 0


def test_thirty_two_threads_of_a_program_with_a_user_open_one_browser() -> None:
    """And all of them go on once the user has logged in."""
    with Running() as running:
        stack, _ = running.stack(InteractiveGrant(by_browser(running)))
        with stack:
            answers = at_once(THREADS, lambda _: stack.get("/orders").status_code)

        assert answers == [200] * THREADS
        assert len(running.shown) == 1
        assert len(running.loopback.requests_to("/token")) == 1


def test_a_user_who_says_no_is_asked_once_for_all_calls_and_logins() -> None:
    """No second browser opens, neither for another thread nor for a login by hand."""
    with Running() as running:
        running.server.redirect = {"error": "access_denied"}
        stack, auth = running.stack(InteractiveGrant(by_browser(running)))
        with stack:
            outcomes = at_once(THREADS, lambda _: stack.get("/orders").status_code)
            assert {type(outcome) for outcome in outcomes} == {LoginRequired}
            assert len(running.shown) == 1

            with pytest.raises(LoginRequired, match="access_denied"):
                auth.login(stack)
        assert len(running.shown) == 2


def test_threads_that_log_in_at_once_open_one_browser() -> None:
    """The user is asked once, and each thread goes on with that login."""
    others_came = threading.Barrier(8)

    def show(url: str) -> None:
        others_came.wait(20)
        running.browse(url)

    with Running() as running:
        place = running.server.endpoints()
        grant = AuthorizationCode(place, "app", browser=Browser(show, timeout=20))
        stack, auth = running.stack(grant)

        def log_in(number: int) -> int:
            if number:
                others_came.wait(20)
            auth.login(stack)
            return stack.get("/orders").status_code

        with stack:
            assert at_once(8, log_in) == [200] * 8

        assert len(running.shown) == 1
        assert len(running.loopback.requests_to("/token")) == 1


def test_thirty_two_threads_present_one_assertion_and_one_token() -> None:
    """Service accounts and exchanged tokens are asked for once, too."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        place = running.server.endpoints()
        robot = SignedJwt(rsa_pair().private, {"iss": "app", "sub": "robot"})
        stack, _ = running.stack(JwtBearer(place, robot))
        with stack:
            assert at_once(THREADS, lambda _: stack.get("/x").status_code) == [200] * THREADS
        (subject,) = running.server.live
        stack, _ = running.stack(TokenExchange(place, subject))
        with stack:
            assert at_once(THREADS, lambda _: stack.get("/x").status_code) == [200] * THREADS

        assert len(running.loopback.requests_to("/token")) == 2


def test_a_client_with_a_key_renews_once_and_proves_itself_each_time() -> None:
    """No proof is sent twice, or the server would not take it."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        running.server.refreshing.add("first")
        proof = PrivateKeyJwt(rsa_pair().private)
        grant = RefreshToken(
            running.server.endpoints(), "first", client_id="app", client_auth=proof
        )
        stack, _ = running.stack(grant)
        with stack:
            for round_ in range(1, 4):
                running.server.expire()
                assert at_once(8, lambda _: stack.get("/x").status_code) == [200] * 8
                assert running.server.rotations == round_

        assert len(running.server.seen_jti) == 3


# -- While a user logs in


def test_calls_of_others_do_not_wait_for_a_user_who_types() -> None:
    """They say at once what is missing; the store's lock is free all the while."""
    with Running() as running:
        came: list[object] = []

        def show(url: str) -> None:
            came.append(Later(lambda: stack.get("/orders")).outcome())
            running.browse(url)

        place = running.server.endpoints()
        grant = AuthorizationCode(place, "app", browser=Browser(show, timeout=20))
        stack, auth = running.stack(grant)
        with stack:
            auth.login(stack)

            assert stack.get("/orders").ok
    assert [type(outcome) for outcome in came] == [LoginRequired]


def test_a_login_that_failed_is_what_calls_are_told_of_until_the_next_one() -> None:
    """No browser pops up for each of them."""
    with Running() as running:
        running.server.redirect = {"error": "access_denied"}
        stack, auth = running.stack(InteractiveGrant(by_browser(running)))
        with stack:
            for _ in range(3):
                with pytest.raises(LoginRequired, match="access_denied"):
                    stack.get("/orders")
            assert len(running.shown) == 1

            running.server.redirect = {}
            auth.login(stack)
            assert stack.get("/orders").ok
        assert len(running.shown) == 2


def test_no_early_renewal_asks_a_user() -> None:
    """While the token lives nobody is disturbed, though its refresh token has ended."""
    clock = FakeClock()
    with Running(clock=clock) as running:
        stack, auth = running.stack(InteractiveGrant(by_browser(running)))
        with stack:
            auth.login(stack)
            running.server.refreshing.clear()
            clock.advance(3600 - 60)
            assert stack.get("/orders").ok
            assert len(running.shown) == 1

            clock.advance(120)
            assert stack.get("/orders").ok
        assert len(running.shown) == 2


def test_the_deadline_of_a_call_holds_while_a_user_types() -> None:
    """By the recommended chain; the way out is a login of its own."""
    clock = FakeClock()
    with Running(clock=clock) as running:
        running.server.polls = [ServerResponse(400, {"error": "authorization_pending"})] * 50
        chain = recommended(InteractiveGrant(by_device(running)))
        with SessionStack(handlers=chain, base_url=running.server.origin, clock=clock) as stack:
            started = clock.monotonic()
            with pytest.raises(AuthError, match="deadline") as caught:
                stack.get("/orders", total_timeout=30.0)

    assert clock.monotonic() - started == 30.0
    assert "login(stack)" in caught.value.hint


def test_a_token_endpoint_that_hangs_holds_no_call_beyond_its_deadline() -> None:
    """Also where the call has no token at all; the next call tries again."""
    done = threading.Event()

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path == "/token":
            done.wait(20)
        return running.server.answer(seen)

    with Running(AuthorizationServer(rsa_pair().public), answer=answer) as running:
        robot = SignedJwt(rsa_pair().private, {"iss": "app", "sub": "robot"})
        chain = recommended(JwtBearer(running.server.endpoints(), robot))
        with SessionStack(handlers=chain, base_url=running.server.origin) as stack:
            started = SYSTEM_CLOCK.monotonic()
            try:
                with pytest.raises(SessionKitError):
                    stack.get("/x", total_timeout=0.3)
                assert SYSTEM_CLOCK.monotonic() - started < 5
            finally:
                done.set()
            assert stack.get("/x").ok


# -- In and out


def test_a_program_logs_in_renews_and_logs_out_for_good(tmp_path: Path) -> None:
    """Found by its name, kept over a restart, and revoked at the end: nothing works any more."""
    with Running() as running:
        place = discover(running.server.origin)
        browser = Browser(running.browse, timeout=20)

        def opened() -> tuple[SessionStack, AuthHandler]:
            grant = AuthorizationCode(place, "app", browser=browser)
            return running.stack(grant, store=SqliteTokenStore(tmp_path / "tokens.db"))

        stack, auth = opened()
        with stack:
            auth.login(stack)
        stack, auth = opened()
        with stack:
            running.server.expire()
            assert stack.get("/orders").ok
            refresh = set(running.server.refreshing)
            auth.logout(stack, revoke=True)

            assert (running.server.live, running.server.refreshing) == (set(), set())
            with pytest.raises(LoginRequired, match="logged out"):
                stack.get("/orders")

        told = [seen.form["token"] for seen in running.loopback.requests_to("/revoke")]
        assert {told[0]} == refresh
        stack, auth = opened()
        with stack:
            assert not auth.is_authenticated()


def test_a_second_credential_stands_beside_a_users_login() -> None:
    """A gateway's key and a user's token: each is renewed for its own refusals alone."""
    from sessionkit.auth import CallableGrant, Header, RenewalPolicy

    keys = iter(["key-1", "key-2"])
    good = {"key-1"}

    def answer(seen: ServerRequest) -> ServerResponse:
        if not seen.path.startswith("/api") or seen.headers.get("x-gateway-key") in good:
            return running.server.answer(seen)
        return ServerResponse(401, {}, {"X-Gateway": "edge"})

    with Running(answer=answer) as running:
        gateway = AuthHandler(
            CallableGrant(lambda token, rejected: next(keys), store_key="gateway"),
            scheme=Header("X-Gateway-Key"),
            policy=RenewalPolicy(is_expired=lambda r: "X-Gateway" in r.headers),
        )
        auth = AuthHandler(
            by_browser(running),
            policy=RenewalPolicy(
                is_expired=lambda r: r.status_code == 401 and "X-Gateway" not in r.headers
            ),
        )
        chain = {"gateway": gateway, "auth": auth}
        with SessionStack(handlers=chain, base_url=running.server.origin) as stack:
            auth.login(stack)
            assert stack.get("/api/orders").ok
            running.server.expire()
            assert stack.get("/api/orders").ok
            assert running.server.rotations == 1

            good = {"key-2"}
            assert stack.get("/api/orders").ok
        assert running.server.rotations == 1
        assert len(running.shown) == 1
        assert next(keys, None) is None


# -- Secrets


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Keep everything that anybody logs, at DEBUG."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    # The browser has a log of its own.
    handler.addFilter(lambda record: not isinstance(threading.current_thread(), Later))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def everything_about(error: BaseException) -> str:
    """Return every form in which an error may be shown, kept or sent."""
    lines = "".join(traceback.format_exception(error))
    copies = f"{pickle.dumps(error)!r} {copy.deepcopy(error)!r} {vars(error)!r}"
    return f"{error} {error!r} {lines} {copies}"


#: What goes to a token endpoint and is no secret.
_PLAIN = frozenset(
    (
        *("grant_type", "client_id", "redirect_uri", "client_assertion_type"),
        *("subject_token_type", "token_type_hint", "scope"),
    )
)


@pytest.mark.parametrize("way", ["browser", "device", "robot", "exchange", "key"])
@pytest.mark.parametrize("status", [400, 503, None])
def test_no_secret_of_a_login_is_in_errors_reprs_or_logs(
    way: str, status: int | None, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """Code, verifier, device code, assertion, subject: the server quotes all, or says nothing."""
    server = AuthorizationServer()
    sent: list[str] = []

    def answer(seen: ServerRequest) -> ServerResponse | bytes:
        if seen.path != "/token":
            return server.answer(seen)
        sent.extend(text for name, text in seen.form.items() if name not in _PLAIN)
        if status is None:
            return b"no HTTP\nConnection: close\r\n\r\n"
        return ServerResponse(
            status, {"error": "odd", "error_description": f"{seen.form} {seen.body!r}"}
        )

    with Running(server, answer=answer) as running:
        place = server.endpoints()
        pem = rsa_pair().private
        grants: dict[str, Grant] = {
            "browser": by_browser(running),
            "device": by_device(running),
            "robot": JwtBearer(place, SignedJwt(pem, {"iss": "app", "sub": "robot"})),
            "exchange": TokenExchange(place, "s3cret/subject"),
            "key": RefreshToken(place, "s3cret+1", client_id="app", client_auth=PrivateKeyJwt(pem)),
        }
        clock = FakeClock()
        chain = recommended(grants[way])
        with SessionStack(handlers=chain, base_url=server.origin, clock=clock) as stack:
            auth = stack.handlers["auth"]
            assert isinstance(auth, AuthHandler)
            with pytest.raises(SessionKitError) as caught:
                auth.login(stack)
            shown = everything_about(caught.value) + repr(auth) + str(stack.explain())

    shown += log.getvalue() + "".join(capfd.readouterr())
    assert sent
    for secret in sent:
        assert secret not in shown
        assert quote(secret, safe="") not in shown


def left_by(call: Callable[[], None]) -> list[Any]:
    """Return the errors, requests and tokens that a call leaves to the collector of circles."""
    call()
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        call()
        kinds = (SessionKitError, requests.Request, Token)
        return [thing for thing in gc.get_objects() if isinstance(thing, kinds)]
    finally:
        gc.unfreeze()
        gc.enable()


def test_a_login_that_fails_leaves_no_circle_behind() -> None:
    """What it held, codes and verifiers too, is gone when its caller lets go of the error."""
    with Running() as running:
        running.server.redirect = {"code": "not known"}
        stack, auth = running.stack(by_browser(running))

        def login() -> None:
            with pytest.raises(LoginRequired):
                auth.login(stack)
            running.visits.clear()

        with stack:
            left = left_by(login)
    # The renewal remembers why there is no token, and nothing of the call that was told so.
    assert {type(thing) for thing in left} <= {LoginRequired}
    assert [thing for thing in left if thing.__traceback__ or thing.__cause__] == []


def test_a_logout_that_fails_leaves_no_circle_behind() -> None:
    """Nor do the tokens that could not be revoked stay in memory."""
    with Running(answer=lambda _: ServerResponse(503, b"")) as running:
        stack, auth = running.stack(by_browser(running))

        def logout() -> None:
            auth.login(token=Token("an-access-token", refresh_token="a-refresh-token"))
            with pytest.raises(AuthError, match="not revoked"):
                auth.logout(stack, revoke=True)

        with stack:
            assert left_by(logout) == []
