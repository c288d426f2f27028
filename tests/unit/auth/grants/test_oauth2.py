"""Token requests as RFC 6749 has them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit.auth import AuthHandler, ClientCredentials, Grant, Password, RefreshToken
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.unit.auth.walking import (
    BASIC,
    TOKEN,
    asked,
    credentials,
    insufficient,
    refreshing,
    walked,
)

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
    seen, _ = asked(credentials, client_auth="client_secret_post")

    assert seen.form == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": "word",
    }
    assert "authorization" not in seen.headers


def test_credentials_are_encoded_before_they_become_basic() -> None:
    """A colon or a percent sign in a secret arrives as it is (RFC 6749, section 2.3.1)."""
    with LoopbackServer(lambda _: ServerResponse(200, TOKEN)) as server:
        walked(ClientCredentials(server.origin, "a:b", client_secret="c%d é"))
        (seen,) = server.requests

    expected = requests.auth._basic_auth_str("a%3Ab", "c%25d+%C3%A9")
    assert seen.headers["authorization"] == expected


def test_scope_and_further_fields_are_sent() -> None:
    """An audience is asked for like any vendor's own field."""
    seen, token = asked(credentials, scope="read write", extra_params={"audience": "https://api"})

    assert seen.form["scope"] == "read write"
    assert seen.form["audience"] == "https://api"
    assert token.scope == "read write"


def test_a_scope_that_an_answer_missed_is_asked_for_too() -> None:
    """What is configured stays, and nothing is asked for twice."""
    for make in (credentials, refreshing):
        seen, _ = asked(make, rejected=insufficient("write read"), scope="read own")

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
    post, _ = asked(refreshing, client_secret="word", client_auth="client_secret_post")

    assert basic.headers["authorization"] == BASIC
    assert "client_id" not in basic.form
    assert (post.form["client_id"], post.form["client_secret"]) == ("app", "word")


def test_a_rotated_refresh_token_takes_the_place_of_the_old_one() -> None:
    """The next renewal presents what this one brought."""
    _, first = asked(refreshing, answer={**TOKEN, "refresh_token": "second"})
    seen, _ = asked(refreshing, token=first)

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
    seen, _ = asked(lambda url: refreshing(url, "given anew"), token=old)

    assert seen.form["refresh_token"] == "given anew"


def test_the_same_text_as_ever_is_no_new_login() -> None:
    """A restart with the old setting goes on with the descendant that is stored."""
    _, old = asked(refreshing, answer={**TOKEN, "refresh_token": "second"})
    _, next_one = asked(refreshing, token=old, answer={**TOKEN, "refresh_token": "third"})
    seen, _ = asked(refreshing, token=next_one)

    assert seen.form["refresh_token"] == "third"


def test_a_token_that_was_handed_over_is_renewed_by_its_own_refresh_token() -> None:
    """After ``login(token=...)`` the configured text is not needed any more."""
    handed_over = Token("by hand", refresh_token="its own")
    for configured in ("first", None):
        seen, _ = asked(lambda url, text=configured: refreshing(url, text), token=handed_over)

        assert seen.form["refresh_token"] == "its own"


@pytest.mark.parametrize("token", [None, Token("without")])
def test_without_any_refresh_token_somebody_has_to_log_in(token: Token | None) -> None:
    """Nothing is sent in vain, and the way back is named."""
    steps = refreshing("http://id.example/token", None).steps(token, None)

    with pytest.raises(LoginRequired, match="no refresh token") as caught:
        next(steps)

    assert "login()" in caught.value.hint


# -- Settings


@pytest.mark.parametrize("url", ["", "id.example/token", "/token"])
def test_a_token_url_must_be_absolute(url: str) -> None:
    """A relative one is found when the grant is built."""
    for make in (credentials, refreshing):
        with pytest.raises(ConfigError, match="token_url"):
            make(url)


def test_each_client_and_endpoint_has_a_name_for_its_tokens() -> None:
    """Two services in one store do not share a token by accident."""
    url = "http://id.example/token"

    assert credentials(url).store_key == f"app@{url}"
    assert refreshing(url).store_key.startswith(f"app@{url}#")
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


# -- A user's password


def password(url: str, **settings: Any) -> Password:
    """Return the grant of a user with a password."""
    return Password(url, "ada", password="s3cret-word", client_id="app", **settings)


def test_a_password_is_sent_where_there_is_nothing_better() -> None:
    """As the standard has it: in the form, never in the URL."""
    seen, token = asked(password, scope="read")

    expected = {"grant_type": "password", "username": "ada", "password": "s3cret-word"}
    assert seen.form == {**expected, "client_id": "app", "scope": "read"}
    assert seen.query == {}
    assert token.scope == "read"


def test_a_refresh_token_is_used_before_the_password_is() -> None:
    """The password goes over the wire once, not once an hour."""
    seen, _ = asked(password, Token("old", refresh_token="next"))

    assert seen.form["grant_type"] == "refresh_token"
    assert seen.form["refresh_token"] == "next"


def test_the_password_serves_again_once_the_refresh_token_has_ended() -> None:
    """Nobody has to log in by hand while the password is good."""

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.form["grant_type"] == "refresh_token":
            return ServerResponse(400, {"error": "invalid_grant"})
        return ServerResponse(200, {"access_token": "new", "refresh_token": "next"})

    with LoopbackServer(answer) as server:
        token = walked(password(server.origin), Token("old", refresh_token="ended"))

        assert [seen.form["grant_type"] for seen in server.requests] == [
            "refresh_token",
            "password",
        ]
    assert token == Token("new", refresh_token="next")


def test_a_server_that_is_down_is_no_reason_to_send_the_password() -> None:
    """The refresh token may be good in a moment."""
    with LoopbackServer(lambda _: ServerResponse(503)) as server:
        with pytest.raises(RenewalFailed):
            walked(password(server.origin), Token("old", refresh_token="good"))

        assert len(server.requests) == 1


def test_a_wrong_password_is_named_as_such_and_not_shown() -> None:
    """The hint is about the password, not about a refresh token that there never was."""
    body = {"error": "invalid_grant", "error_description": "s3cret-word is wrong"}
    with (
        LoopbackServer(lambda _: ServerResponse(400, body)) as server,
        pytest.raises(LoginRequired) as caught,
    ):
        walked(password(server.origin))

    assert "password of ada" in caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value!r} {password(server.origin)!r}"


@pytest.mark.parametrize(("name", "word"), [("", "s3cret"), ("ada", "")])
def test_an_empty_name_or_password_is_refused(name: str, word: str) -> None:
    """An environment variable that is not set is found when the grant is built."""
    with pytest.raises(ConfigError, match="must not be empty"):
        Password("http://id.example", name, password=word, client_id="app")


def test_a_password_keeps_a_login_alive_through_a_stack() -> None:
    """One login, one renewal by the refresh token it brought, every call answered."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server:
        grant = Password(f"{server.origin}/token", "ada", password="word", client_id="app")
        with SessionStack(handlers=[AuthHandler(grant)], base_url=server.origin) as stack:
            assert stack.get("/x").ok
            identity.expire()
            assert stack.get("/x").ok

        asked_for = [seen.form["grant_type"] for seen in server.requests_to("/token")]
    assert asked_for == ["password", "refresh_token"]


@pytest.mark.parametrize(
    "make",
    [
        lambda url: ClientCredentials(url, "app", client_secret="x"),
        lambda url: RefreshToken(url, client_id="app"),
        lambda url: Password(url, "ada", password="x", client_id="app"),
    ],
)
def test_no_password_of_a_url_becomes_part_of_a_key(make: Callable[[str], Grant]) -> None:
    """Keys are shown by stores, events and errors."""
    key = make("https://gate:planted-7@id.example/token").store_key

    assert key.endswith("app@https://***@id.example/token")
