"""Token requests as RFC 6749 has them, and the answers that servers really give."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import requests

from sessionkit import Token
from sessionkit.auth import ClientCredentials, Grant, RefreshToken
from sessionkit.auth._oauth2 import read_token
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from tests.loopback import Loopback, Reply, Seen

TOKEN = {"access_token": "new", "token_type": "Bearer"}
BASIC = "Basic YXBwOndvcmQ="  # app:word


def credentials(url: str, **settings: Any) -> ClientCredentials:
    """Return the credentials of a client."""
    return ClientCredentials(url, "app", client_secret="word", **settings)


def walked(
    grant: Grant, held: Token | None = None, refused: requests.Response | None = None
) -> Token:
    """Send the requests of a grant, and return the token that comes of it."""
    steps = grant.steps(held, refused)
    with requests.Session() as session:
        try:
            request = next(steps)
            while True:
                request = steps.send(session.send(request.prepare(), allow_redirects=False))
        except StopIteration as done:
            token: Token = done.value
            return token


def asked(
    make: Any, held: Token | None = None, refused: Any = None, answer: Any = None, **settings: Any
) -> tuple[Seen, Token]:
    """Make a grant for a server, walk through it, and return what was asked and what came."""
    with Loopback(lambda _: Reply(200, answer or TOKEN)) as server:
        token = walked(make(f"{server.origin}/token", **settings), held, refused)
        (seen,) = server.seen
    return seen, token


def answered(reply: Reply, grant: Any = None) -> Token:
    """Walk through a grant at a server that answers *reply*."""
    with Loopback(lambda _: reply) as server:
        return walked((grant or credentials)(f"{server.origin}/token"))


def refreshing(url: str, refresh_token: str | None = "first", **settings: Any) -> RefreshToken:
    """Return the grant of somebody who logged in."""
    return RefreshToken(url, refresh_token, client_id="app", **settings)


def insufficient(scope: str) -> requests.Response:
    """Return a refusal that names the scope it misses."""
    response = requests.Response()
    response.status_code = 403
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    response.headers["WWW-Authenticate"] = challenge
    return response


# -- Client credentials


def test_a_client_asks_with_its_credentials() -> None:
    """The secret goes as HTTP Basic, the way that every server must support."""
    seen, token = asked(credentials)

    assert (seen.method, seen.path) == ("POST", "/token")
    assert seen.form == {"grant_type": "client_credentials"}
    assert seen.headers["authorization"] == BASIC
    assert token == Token("new")


def test_a_client_may_send_its_secret_in_the_form() -> None:
    """Some servers take it nowhere else."""
    seen, _ = asked(credentials, auth="post")

    assert seen.form == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "word",
    }
    assert "authorization" not in seen.headers


def test_credentials_are_encoded_before_they_become_basic() -> None:
    """A colon or a percent sign in a secret arrives as it is (RFC 6749, section 2.3.1)."""
    with Loopback(lambda _: Reply(200, TOKEN)) as server:
        walked(ClientCredentials(server.origin, "a:b", client_secret="c%d é"))
        (seen,) = server.seen

    expected = requests.auth._basic_auth_str("a%3Ab", "c%25d+%C3%A9")
    assert seen.headers["authorization"] == expected


def test_scope_and_further_fields_are_sent() -> None:
    """An audience is asked for like any vendor's own field."""
    seen, token = asked(credentials, scope="read write", extra={"audience": "https://api"})

    assert seen.form["scope"] == "read write"
    assert seen.form["audience"] == "https://api"
    assert token.scope == "read write"


def test_a_scope_that_an_answer_missed_is_asked_for_too() -> None:
    """What is configured stays, and nothing is asked for twice."""
    for make in (credentials, refreshing):
        seen, _ = asked(make, refused=insufficient("write read"), scope="read own")

        assert seen.form["scope"] == "read own write"


# -- Refresh


def test_the_first_refresh_token_is_presented_when_nothing_is_held() -> None:
    """A new installation starts from what somebody obtained by logging in."""
    seen, token = asked(refreshing)

    assert seen.form == {
        "grant_type": "refresh_token",
        "refresh_token": "first",
        "client_id": "app",
    }
    assert (token.value, token.refresh_token) == ("new", "first")


def test_a_confidential_client_authenticates_itself() -> None:
    """With its secret as HTTP Basic, or in the form."""
    basic, _ = asked(refreshing, client_secret="word")
    post, _ = asked(refreshing, client_secret="word", auth="post")

    assert basic.headers["authorization"] == BASIC
    assert "client_id" not in basic.form
    assert (post.form["client_id"], post.form["client_secret"]) == ("app", "word")


def test_a_rotated_refresh_token_takes_the_place_of_the_old_one() -> None:
    """The next renewal presents what this one brought."""
    _, first = asked(refreshing, answer={**TOKEN, "refresh_token": "second"})
    seen, _ = asked(refreshing, held=first)

    assert first.refresh_token == "second"
    assert seen.form["refresh_token"] == "second"


@pytest.mark.parametrize("rotated", [{}, {"refresh_token": None}, {"refresh_token": ""}])
def test_a_server_that_does_not_rotate_keeps_the_old_one_good(rotated: dict[str, Any]) -> None:
    """No news of a refresh token means that it stays (RFC 6749, section 6)."""
    _, token = asked(refreshing, answer={**TOKEN, **rotated})

    assert token.refresh_token == "first"


def test_a_refresh_token_that_is_given_anew_is_a_new_login() -> None:
    """A used one that is still in a store is not presented in its place."""
    _, old = asked(refreshing, answer={**TOKEN, "refresh_token": "second"})
    seen, _ = asked(lambda url: refreshing(url, "given anew"), held=old)

    assert seen.form["refresh_token"] == "given anew"


def test_the_same_text_as_ever_is_no_new_login() -> None:
    """A restart with the old setting goes on with the descendant that is stored."""
    _, old = asked(refreshing, answer={**TOKEN, "refresh_token": "second"})
    _, next_one = asked(refreshing, held=old, answer={**TOKEN, "refresh_token": "third"})
    seen, _ = asked(refreshing, held=next_one)

    assert seen.form["refresh_token"] == "third"


def test_a_token_that_was_handed_over_is_renewed_by_its_own_refresh_token() -> None:
    """After ``login(token=...)`` the configured text is not needed any more."""
    handed_over = Token("by hand", refresh_token="its own")
    for configured in ("first", None):
        seen, _ = asked(lambda url, text=configured: refreshing(url, text), held=handed_over)

        assert seen.form["refresh_token"] == "its own"


@pytest.mark.parametrize("held", [None, Token("without")])
def test_without_any_refresh_token_somebody_has_to_log_in(held: Token | None) -> None:
    """Nothing is sent in vain, and the way back is named."""
    steps = refreshing("http://id.example/token", None).steps(held, None)

    with pytest.raises(LoginRequired, match="no refresh token") as caught:
        next(steps)

    assert "login()" in caught.value.hint


# -- What servers answer


@pytest.mark.parametrize(
    ("told", "life"),
    [
        ({}, None),
        ({"expires_in": 3600}, 3600.0),
        ({"expires_in": "3600"}, 3600.0),
        ({"expires_in": 0}, None),
        ({"expires_in": -5}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_in": None}, None),
        ({"expires_in": True}, None),
        ({"expires_in": "nan"}, None),
        ({"expires_in": [3600]}, None),
        ({"expires_in": 1e300}, 10 * 365 * 86_400.0),
    ],
)
def test_the_life_of_a_token_is_read_in_every_spelling(
    told: dict[str, Any], life: float | None
) -> None:
    """A number as text is a number; nonsense is as if nothing were said."""
    assert answered(Reply(200, {**TOKEN, **told})).expires_in == life


def test_a_scope_that_the_server_names_holds() -> None:
    """A server may grant less than was asked for (RFC 6749, section 5.1)."""
    _, narrow = asked(credentials, scope="read write", answer={**TOKEN, "scope": "read"})
    _, odd = asked(credentials, scope="read", answer={**TOKEN, "scope": ["read"]})

    assert (narrow.scope, odd.scope) == ("read", "read")


def test_a_grant_that_the_server_will_not_take_again_needs_a_login() -> None:
    """``invalid_grant`` is final; the error says why, and what to do."""
    body = {"error": "invalid_grant", "error_description": "it was revoked"}
    with pytest.raises(LoginRequired, match="400 invalid_grant: it was revoked") as caught:
        answered(Reply(400, body), refreshing)

    error = caught.value
    assert (error.status, error.method, error.sent) == (400, "POST", "yes")
    assert "login()" in error.hint


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(401, {"error": "invalid_client"}), "401 invalid_client"),
        (Reply(400, {"error": "invalid_scope"}), "400 invalid_scope"),
        (Reply(200, {"error": "bad_verification_code"}), "200 bad_verification_code"),
        (Reply(400, {"error": {"code": 7}}), "refused with 400"),
        (Reply(503, b"<html>", {"Content-Type": "text/html"}), "503 text/html"),
        (Reply(500, b""), "refused with 500"),
        (Reply(302, b"", {"Location": "/login"}), "refused with 302"),
    ],
)
def test_any_other_refusal_is_a_failure_of_this_time(reply: Reply, text: str) -> None:
    """An outage, a wrong secret or a login page is not taken for the end of the grant."""
    with pytest.raises(RenewalFailed, match=text) as caught:
        answered(reply)

    assert caught.value.status == reply.status
    assert caught.value.hint


def test_a_wrong_client_secret_is_named_as_such() -> None:
    """The hint says what to look at."""
    with pytest.raises(RenewalFailed) as caught:
        answered(Reply(401, {"error": "invalid_client"}))

    assert "client's id and secret" in caught.value.hint


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, {}),
        Reply(200, []),
        Reply(200, b"access_token=x&token_type=bearer"),
        Reply(200, b""),
        Reply(200, {"access_token": None}),
        Reply(200, {"access_token": 7}),
        Reply(200, {"access_token": ""}),
        Reply(200, {"access_token": "a\nb"}),
    ],
    ids=lambda reply: repr(reply.body),
)
def test_an_answer_without_a_usable_token_is_a_failure(reply: Reply) -> None:
    """Whatever a misconfigured URL answers, no empty token is sent to the API."""
    with pytest.raises(RenewalFailed, match="token endpoint's answer"):
        answered(reply)


def test_no_error_repeats_a_secret_that_the_server_quoted() -> None:
    """Servers quote what they were sent; our text, and every copy of it, does not."""
    quoted = "client app:s3cret-word, refresh s3cret-refresh, YXBwOnMzY3JldC13b3Jk"

    def make(url: str) -> RefreshToken:
        return RefreshToken(url, "s3cret-refresh", client_id="app", client_secret="s3cret-word")

    for error in ("invalid_grant", "invalid_client"):
        body = {"error": error, "error_description": quoted}
        with pytest.raises((LoginRequired, RenewalFailed)) as caught:
            answered(Reply(400, body), make)

        shown = f"{caught.value} {caught.value!r} {pickle.dumps(caught.value)!r}"
        assert "s3cret" not in shown
        assert "YXBw" not in shown


def test_an_answer_is_read_as_it_is() -> None:
    """The reader itself needs no grant."""
    response = requests.Response()
    response.status_code = 200
    response._content = b'{"access_token": "new", "refresh_token": "next"}'

    assert read_token(response, scope="read") == Token("new", refresh_token="next", scope="read")


# -- Settings


@pytest.mark.parametrize("url", ["", "id.example/token", "/token"])
def test_a_token_url_must_be_absolute(url: str) -> None:
    """A relative one is found when the grant is built."""
    for make in (credentials, refreshing):
        with pytest.raises(ConfigError, match="token_url"):
            make(url)


@pytest.mark.parametrize(("client_id", "secret"), [("", "word"), ("app", "")])
def test_an_empty_id_or_secret_is_refused(client_id: str, secret: str) -> None:
    """An environment variable that is not set is found when the grant is built."""
    with pytest.raises(ConfigError, match="must not be empty") as caught:
        ClientCredentials("http://id.example", client_id, client_secret=secret)

    assert "environment variable" in caught.value.hint


def test_an_unknown_way_to_authenticate_is_refused() -> None:
    """The two that there are, are named."""
    with pytest.raises(ConfigError, match="'basic' or 'post'"):
        credentials("http://id.example", auth="jwt")


def test_each_client_and_endpoint_has_a_name_for_its_tokens() -> None:
    """Two services in one store do not share a token by accident."""
    url = "http://id.example/token"

    assert credentials(url).key == f"app@{url}"
    assert refreshing(url).key.startswith(f"app@{url}#")
    assert credentials(url).renewable
    assert refreshing(url).renewable


def test_a_grant_shows_no_secret_and_goes_into_no_pickle() -> None:
    """It can be printed, logged and explained."""
    url = "http://user:s3cret@id.example/token?key=s3cret"
    client = ClientCredentials(url, "app", client_secret="s3cret")
    refresh = RefreshToken(url, "s3cret", client_id="app", client_secret="s3cret")

    for grant in (client, refresh):
        assert "s3cret" not in repr(grant)
        assert "id.example" in repr(grant)
        with pytest.raises(ConfigError, match="not pickled"):
            pickle.dumps(grant)


def test_settings_from_variables_that_are_not_set_are_refused_at_once() -> None:
    """And not as a 401 in production."""
    url = "https://id.example/token"
    missing: Any = None
    with pytest.raises(ConfigError, match="must not be empty"):
        ClientCredentials(url, "app", client_secret=missing)
    with pytest.raises(ConfigError, match="absolute URL") as caught:
        ClientCredentials(missing, "app", client_secret="s3cret")

    assert "environment variable" in caught.value.hint


@pytest.mark.parametrize(("status", "hint"), [(401, "token endpoint"), (429, "tries again")])
def test_a_refusal_that_names_no_error_is_asked_about_its_address(status: int, hint: str) -> None:
    """A page of the API answers 401 to a token request; trying again would not help."""
    with pytest.raises(RenewalFailed) as caught:
        answered(Reply(status, {"title": "no"}))

    assert hint in caught.value.hint
