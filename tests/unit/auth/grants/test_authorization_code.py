"""Logging in by the user's browser."""

from __future__ import annotations

import pickle
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sessionkit import Token
from sessionkit.auth import InteractiveGrant, ParsedGrant
from sessionkit.auth.grants._authorization_code import code_challenge
from sessionkit.auth.oauth import AuthorizationCode, Browser, Endpoints
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.stores import MemoryTokenStore
from tests.unit.auth.authorization_server import Running, going


def coded(running: Running, **settings: Any) -> AuthorizationCode:
    """Return the grant of a program whose user has a browser."""
    server = settings.pop("server", running.server.endpoints())
    browser = settings.pop("browser", Browser(running.browse, timeout=20))
    return AuthorizationCode(server, "app", browser=browser, **settings)


def refused(running: Running, **settings: Any) -> LoginRequired | RenewalFailed:
    """Log in, and return why not."""
    stack, auth = running.stack(coded(running, **settings))
    with stack, pytest.raises((LoginRequired, RenewalFailed)) as caught:
        auth.login(stack)
    assert not auth.is_authenticated()
    error = caught.value
    assert isinstance(error, (LoginRequired, RenewalFailed))
    return error


def test_a_user_logs_in_with_a_browser_and_the_program_goes_on() -> None:
    """At a server that checks redirect, code and PKCE; the user is told that it worked."""
    with Running() as running:
        stack, auth = running.stack(coded(running, scope="read write"))
        with stack:
            auth.login(stack)

            assert stack.get("/orders").ok
        page = running.visits[0].outcome()
        assert isinstance(page, requests.Response)
        assert page.status_code == 200

        asked = parse_qs(urlsplit(running.shown[0]).query)
        (sent,) = running.loopback.requests_to("/token")
    assert asked["scope"] == ["read write"]
    assert asked["code_challenge_method"] == ["S256"]
    assert sent.form["redirect_uri"] == asked["redirect_uri"][0]
    assert sent.form["client_id"] == "app"
    assert sent.form["code_verifier"] not in running.shown[0]


def test_the_challenge_is_that_of_the_standards_example() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_each_login_has_a_verifier_of_its_own() -> None:
    """Of 43 to 128 characters that need no escaping (RFC 7636, section 4.1)."""
    with Running() as running:
        grant = coded(running)
        for _ in range(2):
            stack, auth = running.stack(grant)
            with stack:
                auth.login(stack)

        pairs = [
            (parse_qs(urlsplit(url).query), sent.form["code_verifier"])
            for url, sent in zip(running.shown, running.loopback.requests_to("/token"), strict=True)
        ]
    for asked, verifier in pairs:
        assert asked["code_challenge"] == [code_challenge(verifier)]
        assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
    assert pairs[0][1] != pairs[1][1]
    assert pairs[0][0]["state"] != pairs[1][0]["state"]


def test_a_server_that_was_sent_another_verifier_refuses() -> None:
    """The server of these tests does check: a code that was stolen is worth nothing."""
    with Running() as running:

        def tamper(url: str) -> None:
            challenge = parse_qs(urlsplit(url).query)["code_challenge"][0]
            running.browse(url.replace(challenge, "A" * 43))

        error = refused(running, browser=Browser(tamper, timeout=20))
    assert isinstance(error, LoginRequired)
    assert "invalid_grant" in str(error)
    assert "login(stack)" in error.hint


def test_nobody_is_asked_in_the_middle_of_a_call() -> None:
    """A server program does not open a browser: it says how to log in."""
    with Running() as running:
        stack, _ = running.stack(coded(running))
        with stack, pytest.raises(LoginRequired) as caught:
            stack.get("/orders")

        assert running.shown == []
        assert running.loopback.requests == []
    assert "login(stack)" in caught.value.hint


def test_the_refresh_token_serves_after_the_login() -> None:
    """Also after a restart, from the store, and nobody is asked again."""
    store = MemoryTokenStore()
    with Running() as running:
        stack, auth = running.stack(coded(running), store=store)
        with stack:
            auth.login(stack)
        running.server.expire()
        stack, again = running.stack(coded(running), store=store)
        with stack:
            assert stack.get("/orders").ok
            assert again.is_authenticated()

        assert len(running.shown) == 1
        assert running.server.rotations == 1


def test_a_login_asks_nobody_where_the_store_can_help() -> None:
    """A live token is used, an ended one renewed, and only then is the user asked."""
    store = MemoryTokenStore()
    with Running() as running:
        for shown, happened in ((1, None), (1, running.server.expire), (2, running.server.end)):
            if happened is not None:
                happened()
                stored = store.load(coded(running).store_key)
                assert stored is not None
                fields = {**stored.to_dict(), "expires_at": 1.0}
                store.save(coded(running).store_key, Token.from_dict(fields))
            stack, auth = running.stack(coded(running), store=store)
            with stack:
                auth.login(stack)

                assert stack.get("/orders").ok
            assert len(running.shown) == shown


def test_a_login_that_ended_names_the_way_back() -> None:
    """``login(stack)``, and not a token to be found somewhere."""
    with Running() as running:
        stack, auth = running.stack(coded(running))
        with stack:
            auth.login(stack)
            running.server.end()
            with pytest.raises(LoginRequired, match="invalid_grant") as caught:
                stack.get("/orders")
            assert "login(stack)" in caught.value.hint

            auth.login(stack)
            assert stack.get("/orders").ok


# -- What comes back


@pytest.mark.parametrize(
    ("error", "kind", "hint"),
    [
        ("access_denied", LoginRequired, "login(stack)"),
        ("login_required", LoginRequired, "login(stack)"),
        ("server_error", RenewalFailed, "later"),
        ("temporarily_unavailable", RenewalFailed, "later"),
        ("invalid_scope", RenewalFailed, "scopes"),
        ("unauthorized_client", RenewalFailed, "registration"),
    ],
)
def test_a_redirect_with_an_error_says_what_the_server_said(
    error: str, kind: type[Exception], hint: str
) -> None:
    """A user's no is told from a server in trouble and from a wrong registration."""
    with Running() as running:
        running.server.redirect = {"error": error, "error_description": "not\r\ntoday"}
        failure = refused(running)

        assert running.loopback.requests_to("/token") == []
    assert type(failure) is kind
    assert f"{error}: not today" in str(failure)
    assert hint in failure.hint
    assert failure.retryable is (hint == "later")


def test_a_redirect_with_neither_code_nor_error_is_a_failure() -> None:
    """No empty code is sent."""
    with Running() as running:
        running.server.redirect = {"code": ""}

        assert "neither a code nor an error" in str(refused(running))
        assert running.loopback.requests_to("/token") == []


def test_a_redirect_of_another_server_is_not_taken() -> None:
    """Its code would be handed to this one (RFC 9207); one of our own is taken."""
    with Running() as running:
        issuer = running.server.origin
        place = running.server.endpoints(issuer=issuer)
        running.server.redirect = {"iss": f"{issuer}/other"}
        error = refused(running, server=place)
        assert "not from" in str(error)
        assert running.loopback.requests_to("/token") == []

        running.server.redirect = {"iss": issuer}
        stack, auth = running.stack(coded(running, server=place))
        with stack:
            auth.login(stack)
        assert auth.is_authenticated()


def test_a_server_that_promised_to_name_itself_has_to() -> None:
    """A redirect without the name may be anybody's."""
    with Running() as running:
        place = running.server.endpoints(issuer=running.server.origin, require_iss=True)

        assert "it names None" in str(refused(running, server=place))
        assert running.loopback.requests_to("/token") == []


def test_a_code_of_an_attackers_logs_nobody_in() -> None:
    """A redirect that they send first is turned away, and the user's own is taken."""
    with Running() as running:

        def attack(url: str) -> None:
            back = parse_qs(urlsplit(url).query)["redirect_uri"][0]
            requests.get(f"{back}?code=theirs&state=theirs", timeout=10)

        browser = Browser(going(attack, running.browse), timeout=20)
        stack, auth = running.stack(coded(running, browser=browser))
        with stack:
            auth.login(stack)

        (sent,) = running.loopback.requests_to("/token")
    assert sent.form["code"] != "theirs"


def test_no_error_holds_what_was_sent() -> None:
    """Neither code nor verifier, though the server quotes all of it."""
    with Running() as running:
        running.server.quotes = True
        running.server.redirect = {"code": "code-that-is-not-known"}
        error = refused(running)

        (sent,) = running.loopback.requests_to("/token")
    shown = f"{error} {error!r} {pickle.dumps(error)!r} {error.__notes__}"
    assert sent.form["code_verifier"] not in shown
    assert "code-that-is-not-known" not in shown


# -- Settings


def test_a_confidential_client_proves_itself_when_it_brings_the_code() -> None:
    """The secret goes to the token endpoint and is in no address."""
    with Running() as running:
        grant = coded(running, client_secret="word", client_auth="client_secret_post")
        stack, auth = running.stack(grant)
        with stack:
            auth.login(stack)

        (sent,) = running.loopback.requests_to("/token")
    assert sent.form["client_secret"] == "word"
    assert "word" not in running.shown[0]


def test_a_query_that_the_server_wants_stays_in_its_address() -> None:
    """An audience, or offline access, where a vendor has it so (RFC 6749, section 3.1)."""
    with Running() as running:
        url = f"{running.server.origin}/authorize?audience=shop&access_type=offline"
        place = running.server.endpoints(authorization_url=url)
        stack, auth = running.stack(coded(running, server=place))
        with stack:
            auth.login(stack)

    asked = parse_qs(urlsplit(running.shown[0]).query)
    assert (asked["audience"], asked["access_type"]) == (["shop"], ["offline"])


@pytest.mark.parametrize("url", ["", "/authorize", "http://id.example/authorize", "file:///x"])
def test_a_page_that_others_could_read_or_that_is_none_is_refused(url: str) -> None:
    """The user types a password there."""
    with pytest.raises(ConfigError, match="authorization_url"):
        AuthorizationCode(Endpoints("https://id.example/token", authorization_url=url), "app")


def test_the_grant_shows_no_secret_and_goes_into_no_pickle() -> None:
    """It can be printed, logged and explained."""
    place = Endpoints("https://id.example/token", authorization_url="https://id.example/auth")
    grant = AuthorizationCode(place, "app", client_secret="s3cret")

    assert repr(grant) == "AuthorizationCode('https://id.example/auth', 'app')"
    with pytest.raises(ConfigError, match="not pickled"):
        pickle.dumps(grant)


# -- With other grants around it


def test_calls_ask_the_user_where_that_was_asked_for() -> None:
    """A program that somebody sits in front of."""
    with Running() as running:
        stack, _ = running.stack(InteractiveGrant(coded(running)))
        with stack:
            assert stack.get("/orders").ok
            running.server.expire()
            assert stack.get("/orders").ok
            assert len(running.shown) == 1

            running.server.end()
            assert stack.get("/orders").ok
            assert len(running.shown) == 2


def test_a_vendors_own_answers_are_read_at_a_login_too() -> None:
    """The function sees answers of the token endpoint, and not the redirect."""
    seen: list[str] = []

    def parse(response: requests.Response) -> Token | None:
        seen.append(urlsplit(response.url).path)
        return Token(response.json()["access_token"], refresh_token="own")

    with Running() as running:
        stack, auth = running.stack(ParsedGrant(coded(running), parse_token=parse))
        with stack:
            auth.login(stack)
            assert stack.get("/orders").ok

    assert seen == ["/token"]
