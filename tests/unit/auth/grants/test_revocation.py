"""Telling the server that a token shall end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, Token
from sessionkit.auth import (
    AuthHandler,
    ClientCredentials,
    FallbackGrant,
    Grant,
    LoginForm,
    ParsedGrant,
    Password,
    RefreshToken,
)
from sessionkit.auth.oauth import Endpoints
from sessionkit.errors import AuthError, ConfigError, LoginRequired, StoreError
from sessionkit.stores import CallableTokenStore, MemoryTokenStore
from tests.support.servers.loopback import Loopback, Reply, Seen

PAIR = Token("an-access-token", refresh_token="a-refresh-token")


def logged_out(
    answer: Callable[[Seen], Reply | bytes], token: Token = PAIR
) -> tuple[list[Seen], AuthError | None]:
    """Log out of a server that answers so, and see that nobody is logged in; return the failure."""
    with Loopback(answer) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app", client_secret="word"))
        auth.login(token=token)
        failure = None
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            try:
                auth.logout(stack, revoke=True)
            except AuthError as error:
                failure = error
            asked = list(server.seen)
            with pytest.raises(LoginRequired, match="logged out"):
                stack.get("/x")
        assert not auth.is_authenticated()
    return asked, failure


def test_both_tokens_are_revoked_the_refresh_token_first() -> None:
    """Its end is the end of all; the client proves itself as ever."""
    seen, failure = logged_out(lambda _: Reply(200, b""))

    assert failure is None
    assert [s.form for s in seen] == [
        {"token": "a-refresh-token", "token_type_hint": "refresh_token"},
        {"token": "an-access-token", "token_type_hint": "access_token"},
    ]
    assert {(s.method, s.path, s.headers["authorization"]) for s in seen} == {
        ("POST", "/revoke", "Basic YXBwOndvcmQ=")
    }


def test_a_token_without_a_refresh_token_is_revoked_alone() -> None:
    """There is nothing else to tell of."""
    seen, failure = logged_out(lambda _: Reply(200, b""), Token("an-access-token"))

    assert failure is None
    assert [s.form["token_type_hint"] for s in seen] == ["access_token"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Reply(503, b""),
        lambda _: Reply(400, {"error": "invalid_client"}),
        lambda _: Reply(302, b"", {"Location": "/elsewhere"}),
        lambda _: Reply(404, b"<html>", {"Content-Type": "text/html"}),
        lambda _: b"garbage\nConnection: close\r\n\r\n",
    ],
    ids=["down", "refused", "redirect", "html", "garbage"],
)
def test_a_server_that_confirms_nothing_keeps_nobody_logged_in(
    answer: Callable[[Seen], Reply | bytes],
) -> None:
    """The token is forgotten here whatever it says; both are tried, and the failure is told."""
    seen, failure = logged_out(answer)

    assert [s.form["token"] for s in seen] == ["a-refresh-token", "an-access-token"]
    assert "refresh_token:" in str(failure)
    assert "access_token:" in str(failure)
    assert failure is not None
    assert "forgotten here" in failure.hint


def test_a_server_that_quotes_the_token_does_not_have_it_printed() -> None:
    """What was sent to it is in no error, in whatever spelling it comes back."""

    def answer(seen: Seen) -> Reply:
        return Reply(400, {"error": "no", "error_description": f"{seen.form['token']} is odd"})

    _, failure = logged_out(answer, Token("acc/ess+token", refresh_token="ref/resh+token"))

    assert "is odd" in str(failure)
    for secret in ("acc/ess", "ref/resh", "acc%2Fess", "ref%2Fresh"):
        assert secret not in f"{failure} {failure!r}"


def test_access_tokens_that_cannot_be_revoked_are_no_failure() -> None:
    """Self-contained ones end by themselves, once the refresh token has (RFC 7009, section 3)."""

    def answer(seen: Seen) -> Reply:
        if seen.form["token_type_hint"] == "access_token":
            return Reply(400, {"error": "unsupported_token_type"})
        return Reply(200, b"")

    assert logged_out(answer)[1] is None
    assert logged_out(answer, Token("alone"))[1] is not None


def test_a_logout_without_revoke_tells_the_server_nothing() -> None:
    """As before: it is a matter of this program alone."""
    with Loopback(lambda _: Reply(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app"))
        auth.login(token=PAIR)
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            auth.logout(stack)

        assert server.seen == []


def test_a_logout_that_cannot_reach_the_server_says_so_and_holds_all_the_same() -> None:
    """Without the stack, and with a server of which no such address is known."""
    for grant, arguments, text in (
        (refreshing(), (), "without the stack"),
        (refreshing(), (SessionStack(),), "nothing says where"),
        (LoginForm("http://id.example/login", {"name": "ada"}), (SessionStack(),), "LoginForm"),
    ):
        auth = AuthHandler(grant)
        auth.login(token=PAIR)
        with pytest.raises(ConfigError, match=text):
            auth.logout(*arguments, revoke=True)

        assert not auth.is_authenticated()
        for stack in arguments:
            stack.close()


def refreshing() -> Any:
    """Return a grant whose server's revocation endpoint is not known."""
    return RefreshToken("http://id.example/token", client_id="app")


def test_nothing_is_revoked_where_nobody_is_logged_in() -> None:
    """A second logout is no error."""
    with SessionStack() as stack:
        AuthHandler(refreshing()).logout(stack, revoke=True)


def test_what_another_process_renewed_is_revoked_too() -> None:
    """The stored token is the newest; the one held here may be good still."""
    store = MemoryTokenStore()
    with Loopback(lambda _: Reply(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app"), store=store, store_key="ada")
        auth.login(token=PAIR)
        store.save("ada", Token("newer", refresh_token="next"))
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            auth.logout(stack, revoke=True)

        told = [seen.form["token"] for seen in server.seen]
    assert told == ["next", "newer", "a-refresh-token", "an-access-token"]
    assert store.load("ada") is None


def test_a_stored_token_that_is_damaged_hinders_no_logout() -> None:
    """The one held here is revoked; what cannot be read is forgotten."""
    rows: dict[str, Any] = {}
    store = CallableTokenStore(
        load=rows.get,
        save=lambda key, token: rows.update({key: token.to_dict()}),
        forget=lambda key: rows.pop(key, None),
        lock=lambda key, timeout: nullcontext(),
    )
    with Loopback(lambda _: Reply(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app"), store=store, store_key="ada")
        auth.login(token=PAIR)
        rows["ada"] = {"value": 7}
        with pytest.raises(StoreError):
            store.load("ada")
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            auth.logout(stack, revoke=True)

        assert len(server.seen) == 2
    assert rows == {}


def test_every_grant_of_oauth_can_revoke_and_so_can_those_made_of_them() -> None:
    """By the address in its endpoints."""
    with Loopback(lambda _: Reply(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        refresh = RefreshToken(place, client_id="app")
        grants: list[Grant] = [
            refresh,
            ClientCredentials(place, "app", client_secret="word"),
            Password(place, "ada", password="word", client_id="app"),
            FallbackGrant(LoginForm(server.origin, {"name": "ada"}), refresh),
            ParsedGrant(refresh, parse_token=lambda _: None),
        ]
        for grant in grants:
            auth = AuthHandler(grant)
            auth.login(token=PAIR)
            with SessionStack(handlers=[auth], base_url=server.origin) as stack:
                auth.logout(stack, revoke=True)

        assert len(server.seen) == 2 * len(grants)


def test_a_failure_to_revoke_is_a_failure_of_requests_too() -> None:
    """``except requests.RequestException`` catches it, as anything else that a call raises."""
    _, failure = logged_out(lambda _: Reply(500))

    assert isinstance(failure, requests.RequestException)
