"""Grants made of other grants."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit.auth import (
    AuthHandler,
    CallableGrant,
    FallbackGrant,
    Grant,
    InteractiveGrant,
    ParsedGrant,
    Password,
    RefreshToken,
    StaticToken,
)
from sessionkit.auth.grants._base import Steps
from sessionkit.auth.grants._runner import UserRequest
from sessionkit.auth.oauth import Endpoints
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.unit.auth.walking import credentials, refreshing, walked


def renewed_or_password(url: str) -> FallbackGrant:
    """Return the usual pair: what is stored, else a password."""
    return FallbackGrant(refreshing(url), Password(url, "ada", password="s3cret", client_id="app"))


def ended(seen: ServerRequest) -> ServerResponse:
    """Answer as a server that takes no refresh token any more."""
    if seen.form["grant_type"] == "refresh_token":
        return ServerResponse(400, {"error": "invalid_grant"})
    return ServerResponse(200, {"access_token": "new"})


def test_the_next_grant_is_asked_where_the_first_needs_a_login() -> None:
    """A refresh token that has ended is no end of the program where there is a password."""
    with LoopbackServer(ended) as server:
        token = walked(renewed_or_password(server.origin))

        assert [seen.form["grant_type"] for seen in server.requests] == [
            "refresh_token",
            "password",
        ]
    assert token.value == "new"


def test_the_next_grant_does_not_present_what_the_first_saw_refused() -> None:
    """A refresh token presented twice ends the family at a strict server."""
    with LoopbackServer(ended) as server:
        walked(renewed_or_password(server.origin), Token("old", refresh_token="held"))
        presented = [seen.form.get("refresh_token") for seen in server.requests]

    assert presented == ["held", None]


def test_a_failure_that_may_pass_is_no_reason_to_fall_back() -> None:
    """While the server is down, no password is sent."""
    with LoopbackServer(lambda _: ServerResponse(503)) as server:
        with pytest.raises(RenewalFailed):
            walked(renewed_or_password(server.origin))

        assert len(server.requests) == 1


def test_the_last_grant_has_the_last_word() -> None:
    """Its error says what to do."""
    none = CallableGrant(lambda token, rejected: None)
    with pytest.raises(LoginRequired, match="there is no other token"):
        walked(FallbackGrant(none, none))


def test_why_a_grant_was_passed_over_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Else nobody would notice that each restart types the password."""
    with caplog.at_level(logging.INFO, "sessionkit.auth"), LoopbackServer(ended) as server:
        walked(renewed_or_password(server.origin))

    assert "RefreshToken(" in caplog.text
    assert "needs a login, the next grant is asked" in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("grants", [(), (StaticToken("one"),), (StaticToken("one"), "two")])
def test_fewer_than_two_grants_are_no_fallback(grants: Any) -> None:
    """A comma that is missing is found when the stack is built."""
    with pytest.raises(ConfigError, match="two grants or more"):
        FallbackGrant(*grants)


def test_a_fallback_shows_its_grants_and_stores_under_the_first() -> None:
    """No secret among what it shows."""
    grant = renewed_or_password("http://id.example")

    assert repr(grant).startswith(
        "FallbackGrant(RefreshToken('http://id.example', 'app'), Password("
    )
    assert "s3cret" not in repr(grant)
    assert grant.store_key == refreshing("http://id.example").store_key


# -- A server that answers in a way of its own

ENVELOPE = {"data": {"token": "new", "ttl": 60, "renew": "next"}}


def opened(response: requests.Response) -> Token | None:
    """Take a token out of the vendor's envelope."""
    data = response.json()["data"]
    return Token(data["token"], expires_in=data["ttl"], refresh_token=data["renew"])


def test_an_answer_in_a_vendors_own_form_is_read_by_a_function() -> None:
    """Token, life and refresh token, wherever the vendor puts them."""
    with LoopbackServer(lambda _: ServerResponse(200, ENVELOPE)) as server:
        token = walked(ParsedGrant(credentials(server.origin), parse_token=opened))

    assert (token.value, token.expires_in, token.refresh_token) == ("new", 60.0, "next")


def test_the_grant_goes_on_with_what_the_function_read() -> None:
    """Rotation is kept up: the next renewal presents the refresh token of the envelope."""
    with LoopbackServer(lambda _: ServerResponse(200, ENVELOPE)) as server:
        grant = ParsedGrant(refreshing(server.origin), parse_token=opened)
        first = walked(grant)
        walked(grant, first)

        assert [seen.form["refresh_token"] for seen in server.requests] == ["first", "next"]


def test_the_scope_that_was_granted_counts_and_not_the_one_that_was_asked_for() -> None:
    """As with an answer in the standard's form."""
    with LoopbackServer(lambda _: ServerResponse(200, {})) as server:
        grant = credentials(server.origin, scope="read write")
        parsed = ParsedGrant(grant, parse_token=lambda _: Token("new", scope="read"))

        assert walked(parsed).scope == "read"


def test_what_the_standard_has_no_room_for_is_kept() -> None:
    """An end as a moment, and the vendor's own fields."""

    def read(response: requests.Response) -> Token:
        return Token("new", expires_at=2_000_000_000, extra={"instance": "https://eu.example"})

    with LoopbackServer(lambda _: ServerResponse(200, {})) as server:
        token = walked(ParsedGrant(refreshing(server.origin), parse_token=read))

    assert token.expires_at == 2_000_000_000
    assert token.extra["instance"] == "https://eu.example"
    assert token.refresh_token == "first"


def test_an_answer_that_the_function_does_not_know_is_read_as_ever() -> None:
    """``invalid_grant`` stays what it is."""
    body = {"error": "invalid_grant"}
    with (
        LoopbackServer(lambda _: ServerResponse(400, body)) as server,
        pytest.raises(LoginRequired),
    ):
        walked(ParsedGrant(refreshing(server.origin), parse_token=lambda _: None))


@pytest.mark.parametrize("kind", [KeyError, ValueError, TypeError, RecursionError])
def test_a_function_that_stumbles_is_a_renewal_that_failed(kind: type[Exception]) -> None:
    """An HTML page in place of the envelope is named, and what it said is not repeated."""

    def stumbling(response: requests.Response) -> Token | None:
        raise kind("s3cret")

    with (
        LoopbackServer(lambda _: ServerResponse(200, b"<html>")) as server,
        pytest.raises(RenewalFailed, match=kind.__name__) as caught,
    ):
        walked(ParsedGrant(credentials(server.origin), parse_token=stumbling))

    assert "s3cret" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.status == 200


def test_a_function_that_returns_no_token_is_named() -> None:
    """And nothing is sent to the API in its place."""
    wrong: Any = lambda _: "new"  # noqa: E731  # the shortest way to be wrong
    with (
        LoopbackServer(lambda _: ServerResponse(200, {})) as server,
        pytest.raises(RenewalFailed, match="returned str"),
    ):
        walked(ParsedGrant(credentials(server.origin), parse_token=wrong))


def test_a_parsed_grant_is_the_grant_but_for_its_answers() -> None:
    """Its tokens stay where they were, and a grant without requests needs no function."""
    grant = RefreshToken("http://id.example", "first", client_id="app")
    parsed = ParsedGrant(grant, parse_token=opened)

    assert parsed.store_key == grant.store_key
    assert parsed.renewable
    assert repr(parsed) == f"ParsedGrant({grant!r}, parse_token=opened)"
    assert walked(ParsedGrant(StaticToken("key"), parse_token=opened)).value == "key"
    assert not ParsedGrant(StaticToken("key"), parse_token=opened).renewable
    assert repr(ParsedGrant(grant, parse_token=partial(opened))).endswith("parse_token=partial)")
    with pytest.raises(ConfigError, match="function"):
        ParsedGrant(grant, parse_token="data.token")  # type: ignore[arg-type]  # that is the point


def test_a_token_is_revoked_through_whatever_stands_around_its_grant() -> None:
    """By the first grant that can; the server's answer is no token, and is not read as one."""
    with LoopbackServer(lambda _: ServerResponse(200, b"")) as server:
        place = Endpoints(server.origin, revocation_url=f"{server.origin}/revoke")
        grant = RefreshToken(place, client_id="app")
        for around in (
            FallbackGrant(CallableGrant(lambda token, rejected: None), grant),
            ParsedGrant(grant, parse_token=opened),
            InteractiveGrant(FallbackGrant(Asking(server.origin), grant)),
        ):
            auth = AuthHandler(around)
            with SessionStack(handlers=[auth], base_url=server.origin) as stack:
                auth.login(token=Token("given"))
                auth.logout(stack, revoke=True)

        assert [seen.form["token"] for seen in server.requests_to("/revoke")] == ["given"] * 3


# -- Grants that ask users


class Asking:
    """A grant that can renew nothing, and asks a user by a request."""

    store_key = "asking"
    renewable = True

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.logins = 0

    def steps(self, token: Token | None, rejected: requests.Response | None) -> Steps:
        """Renew nothing."""
        yield from ()
        raise LoginRequired("nobody is logged in")

    def login_steps(self) -> Steps:
        """Ask until somebody answers."""
        self.logins += 1
        while True:
            try:
                answer = yield requests.Request("GET", self.origin)
            except RenewalFailed:
                continue
            return Token(answer.json()["access_token"])


def logged_in(grant: Grant) -> Token:
    """Log in by hand, and return the token."""
    store = MemoryTokenStore()
    auth = AuthHandler(grant, store=store, store_key="ada")
    with SessionStack(handlers=[auth], base_url="http://127.0.0.1:9") as stack:
        auth.login(stack)
    token = store.load("ada")
    assert token is not None
    return token


def test_a_user_is_asked_through_whatever_stands_around_the_grant() -> None:
    """By the first grant that can, and only where nothing else will do."""
    with LoopbackServer(lambda _: ServerResponse(200, {"access_token": "by hand"})) as server:
        asking = Asking(server.origin)
        for grant in (
            asking,
            FallbackGrant(refreshing(server.origin, None), asking),
            ParsedGrant(asking, parse_token=lambda response: None),
            InteractiveGrant(asking),
            ParsedGrant(
                FallbackGrant(asking, refreshing(server.origin, None)), parse_token=lambda _: None
            ),
        ):
            asking.logins = 0
            assert logged_in(grant) == Token("by hand")
            assert asking.logins == 1


def test_a_grant_that_asks_nobody_stays_one_through_whatever_stands_around_it() -> None:
    """A login says what the grant said, and presents nothing twice."""
    with LoopbackServer(lambda _: ServerResponse(400, {"error": "invalid_grant"})) as server:
        grant = FallbackGrant(
            refreshing(server.origin), ParsedGrant(refreshing(server.origin), parse_token=_no)
        )
        with pytest.raises(LoginRequired, match="invalid_grant"):
            logged_in(grant)

        assert len(server.requests) == 2


def _no(response: requests.Response) -> None:
    return None


def test_an_answer_that_never_came_is_the_grants_own_matter() -> None:
    """A function that reads answers does not take the failure away from a grant that goes on."""
    answers: list[ServerResponse | bytes] = [
        b"no HTTP\nConnection: close\r\n\r\n",
        ServerResponse(200, ENVELOPE),
    ]
    with LoopbackServer(lambda _: answers.pop(0)) as server:
        grant = ParsedGrant(Asking(server.origin), parse_token=opened)

        assert logged_in(grant).value == "new"


class Refusing(Asking):
    """A grant whose user says no."""

    def login_steps(self) -> Steps:
        """Ask, and be told no."""
        self.logins += 1
        yield requests.Request("GET", self.origin)
        raise LoginRequired("the user said no")


def test_a_user_who_says_no_is_asked_once() -> None:
    """By a login as by a call, also where calls ask."""
    with LoopbackServer(lambda _: ServerResponse(200, {})) as server:
        for wrap in (
            InteractiveGrant,
            lambda grant: ParsedGrant(InteractiveGrant(grant), parse_token=_no),
        ):
            refusing = Refusing(server.origin)
            with pytest.raises(LoginRequired, match="said no"):
                logged_in(wrap(refusing))
            assert refusing.logins == 1


class Beginning(Asking):
    """A grant that begins to ask by a request whose answer is no token."""

    def login_steps(self) -> Steps:
        """Begin, then ask."""
        yield UserRequest("GET", self.origin)
        return (yield from super().login_steps())


def test_what_begins_to_ask_a_user_is_not_read_by_the_function() -> None:
    """A device's code is no token, in whatever form the vendor's tokens are."""
    answers = [ServerResponse(200, b"the code is 4711"), ServerResponse(200, ENVELOPE)]
    with LoopbackServer(lambda _: answers.pop(0)) as server:
        assert logged_in(ParsedGrant(Beginning(server.origin), parse_token=opened)).value == "new"


def test_a_grant_that_cannot_ask_is_not_made_to() -> None:
    """The wish would never come true."""
    for grant in (StaticToken("key"), ParsedGrant(refreshing("http://a.example"), parse_token=_no)):
        with pytest.raises(ConfigError, match="asks no user"):
            InteractiveGrant(grant)

    asking = Asking("http://127.0.0.1:9")
    assert InteractiveGrant(asking).store_key == "asking"
    assert repr(InteractiveGrant(asking)) == f"InteractiveGrant({asking!r})"
