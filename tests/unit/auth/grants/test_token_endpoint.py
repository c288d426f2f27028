"""How a client asks a token endpoint, and what token endpoints really respond."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlencode

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
from sessionkit.auth.grants._token_endpoint import (
    checked_url,
    is_secure_url,
    read_refusal,
    read_token,
)
from sessionkit.auth.oauth import (
    AuthorizationCode,
    Browser,
    DeviceCode,
    Endpoints,
    JwtBearer,
    TokenExchange,
)
from sessionkit.errors import AuthError, ConfigError, LoginRequired, RenewalFailed, StoreError
from sessionkit.stores import CallableTokenStore, MemoryTokenStore
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.unit.auth.authorization_server import Running
from tests.unit.auth.walking import TOKEN, answered, asked, credentials, refreshing, walked


@pytest.mark.parametrize(("client_id", "secret"), [("", "word"), ("app", "")])
def test_an_empty_id_or_secret_is_refused(client_id: str, secret: str) -> None:
    """An environment variable that is not set is found when the grant is built."""
    with pytest.raises(ConfigError, match="must not be empty") as caught:
        ClientCredentials("http://id.example", client_id, client_secret=secret)

    assert "environment variable" in caught.value.hint


def test_an_unknown_way_to_authenticate_is_refused() -> None:
    """The two that there are, are named."""
    with pytest.raises(ConfigError, match="'client_secret_basic' or"):
        credentials("http://id.example", client_auth="jwt")


class Signed:
    """A proof of its own, made anew for each request."""

    def __init__(self) -> None:
        self.made = 0

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Sign."""
        self.made += 1
        return {"client_assertion": f"{client_id} for {token_url} #{self.made}"}


def test_a_proof_other_than_a_secret_goes_into_the_form() -> None:
    """A bank that wants signed assertions gets them, and no secret beside them."""
    proof = Signed()
    seen, _ = asked(lambda url: ClientCredentials(url, "app", client_auth=proof))

    assert seen.form["client_assertion"].startswith("app for http://127.0.0.1")
    assert seen.form["client_id"] == "app"
    assert "authorization" not in seen.headers
    assert proof.made == 1


def test_a_secret_beside_another_proof_is_refused() -> None:
    """It would be sent for nothing, or silently not."""
    with pytest.raises(ConfigError, match="not by both"):
        RefreshToken(
            "http://id.example", client_id="app", client_secret="word", client_auth=Signed()
        )


# -- Headers of a gateway

GATEWAY = {"X-Gateway-Key": "gateway-word"}


def test_headers_go_with_each_token_request_and_each_revocation() -> None:
    """A gateway before the identity server sees its key, whatever is asked there."""
    with LoopbackServer(
        lambda _: ServerResponse(200, {**TOKEN, "refresh_token": "second"})
    ) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        for grant in (
            credentials(place, headers=GATEWAY),  # type: ignore[arg-type]  # takes both
            refreshing(place, headers=GATEWAY),  # type: ignore[arg-type]  # takes both
            Password(place, "ada", password="word", client_id="app", headers=GATEWAY),
            JwtBearer(place, lambda: "signed", headers=GATEWAY),
            TokenExchange(place, "subject", client_id="app", headers=GATEWAY),
        ):
            token = walked(grant)
            if not isinstance(grant, JwtBearer):
                auth = AuthHandler(grant)
                with SessionStack(handlers=[auth]) as stack:
                    auth.login(stack, token=token)
                    auth.logout(stack, revoke=True)
        keys = [seen.headers.get("x-gateway-key") for seen in server.requests]

    assert len(keys) >= 9
    assert set(keys) == {"gateway-word"}


def test_headers_go_with_the_requests_of_a_users_login() -> None:
    """For the code, for the token, and for each renewal after it."""
    with Running() as running:
        place, browser = running.server.endpoints(), Browser(running.browse, timeout=20)
        for grant in (
            AuthorizationCode(place, "app", browser=browser, headers=GATEWAY),
            DeviceCode(place, "app", prompt_callback=lambda code, url: None, headers=GATEWAY),
        ):
            stack, auth = running.stack(grant)
            with stack:
                auth.login(stack)
        asked_for = [seen for seen in running.loopback.requests if seen.method == "POST"]

    assert {seen.path for seen in asked_for} == {"/token", "/device"}
    assert {seen.headers.get("x-gateway-key") for seen in asked_for} == {"gateway-word"}


def test_headers_are_never_shown() -> None:
    """Neither by the grant nor where the server quotes them, nor where nothing came back."""

    def quote(seen: ServerRequest) -> ServerResponse:
        said = f"{seen.headers['x-gateway-key']} is unknown"
        return ServerResponse(400, {"error": "invalid_request", "error_description": said})

    grant = credentials("http://id.example/token", headers=GATEWAY)
    with (
        LoopbackServer(quote) as server,
        pytest.raises(RenewalFailed, match="is unknown") as caught,
    ):
        walked(credentials(f"{server.origin}/token", headers=GATEWAY))

    assert "gateway-word" not in f"{grant!r} {caught.value} {caught.value!r}"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Gateway-Key": ""},
        {"X-Gateway-Key": "s3cret\r\nX-Other: 1"},
        {"X-Gateway-Key": "s3cret €"},
        {"X-Gateway-Key": b"s3cret"},
        {"X-Gateway-Key": None},
        {"X Gateway:": "s3cret"},
        {"Content-Type": "s3cret"},
        {"authorization": "s3cret"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused_at_once(headers: dict[str, Any]) -> None:
    """And not shown: what is wrong with a key is often that it has a line break at its end."""
    with pytest.raises(ConfigError, match="header") as caught:
        credentials("http://id.example/token", headers=headers)

    assert "s3cret" not in f"{caught.value} {caught.value.__cause__} {caught.value.__context__}"


def test_a_gateway_may_have_the_authorization_header_where_the_secret_is_in_the_form() -> None:
    """There is one such header; the form leaves it free."""
    headers = {"Authorization": "Bearer gateway"}
    seen, _ = asked(credentials, client_auth="client_secret_post", headers=headers)

    assert seen.bearer == "gateway"
    assert seen.form["client_secret"] == "word"


# -- Endpoints


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://id.example/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://localhost/token", True),
        ("http://[::1]:9/token", True),
        ("http://id.example/token", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://localhost@evil.example/", False),
        ("http://evil.example\\@127.0.0.1/", False),
        ("file:///etc/passwd", False),
        ("javascript://127.0.0.1/%0aalert(1)", False),
        ("/token", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_a_way_that_others_could_listen_on_is_told_from_one_they_cannot(
    url: object, secure: bool
) -> None:
    """TLS, or this very machine; a host that only looks like it does not pass."""
    assert is_secure_url(url) is secure


def test_a_url_that_is_missing_is_named() -> None:
    """The message says which of the several."""
    with pytest.raises(ConfigError, match="device_authorization_url must be an absolute URL"):
        checked_url("", "device_authorization_url")

    assert checked_url("https://id.example/token") == "https://id.example/token"


def test_every_grant_takes_endpoints_in_place_of_a_url() -> None:
    """What discovery found serves a service and a script alike, and under the same key."""
    url = "https://id.example/token"
    server = Endpoints(url, revocation_url="https://id.example/revoke")

    credentials = [ClientCredentials(place, "app", client_secret="w") for place in (url, server)]
    refreshing = [RefreshToken(place, "first", client_id="app") for place in (url, server)]
    passwords = [Password(place, "ada", password="w", client_id="app") for place in (url, server)]
    for bare, full in (credentials, refreshing, passwords):
        assert bare.store_key == full.store_key
        assert repr(bare) == repr(full)


# -- Revocation


PAIR = Token("an-access-token", refresh_token="a-refresh-token")


def logged_out(
    answer: Callable[[ServerRequest], ServerResponse | bytes], token: Token = PAIR
) -> tuple[list[ServerRequest], AuthError | None]:
    """Log out of a server that answers so, and see that nobody is logged in; return the failure."""
    with LoopbackServer(answer) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app", client_secret="word"))
        auth.login(token=token)
        failure = None
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            try:
                auth.logout(stack, revoke=True)
            except AuthError as error:
                failure = error
            asked = list(server.requests)
            with pytest.raises(LoginRequired, match="logged out"):
                stack.get("/x")
        assert not auth.is_authenticated()
    return asked, failure


def test_both_tokens_are_revoked_the_refresh_token_first() -> None:
    """Its end is the end of all; the client proves itself as ever."""
    seen, failure = logged_out(lambda _: ServerResponse(200, b""))

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
    seen, failure = logged_out(lambda _: ServerResponse(200, b""), Token("an-access-token"))

    assert failure is None
    assert [s.form["token_type_hint"] for s in seen] == ["access_token"]


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: ServerResponse(503, b""),
        lambda _: ServerResponse(400, {"error": "invalid_client"}),
        lambda _: ServerResponse(302, b"", {"Location": "/elsewhere"}),
        lambda _: ServerResponse(404, b"<html>", {"Content-Type": "text/html"}),
        lambda _: b"garbage\nConnection: close\r\n\r\n",
    ],
    ids=["down", "refused", "redirect", "html", "garbage"],
)
def test_a_server_that_confirms_nothing_keeps_nobody_logged_in(
    answer: Callable[[ServerRequest], ServerResponse | bytes],
) -> None:
    """The token is forgotten here whatever it says; both are tried, and the failure is told."""
    seen, failure = logged_out(answer)

    assert [s.form["token"] for s in seen] == ["a-refresh-token", "an-access-token"]
    assert "refresh_token:" in str(failure)
    assert "access_token:" in str(failure)
    assert failure is not None
    assert "deleted here" in failure.hint


def test_a_server_that_quotes_the_token_does_not_have_it_printed() -> None:
    """What was sent to it is in no error, in whatever spelling it comes back."""

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(
            400, {"error": "no", "error_description": f"{seen.form['token']} is odd"}
        )

    _, failure = logged_out(answer, Token("acc/ess+token", refresh_token="ref/resh+token"))

    assert "is odd" in str(failure)
    for secret in ("acc/ess", "ref/resh", "acc%2Fess", "ref%2Fresh"):
        assert secret not in f"{failure} {failure!r}"


def test_access_tokens_that_cannot_be_revoked_are_no_failure() -> None:
    """Self-contained ones end by themselves, once the refresh token has (RFC 7009, section 3)."""

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.form["token_type_hint"] == "access_token":
            return ServerResponse(400, {"error": "unsupported_token_type"})
        return ServerResponse(200, b"")

    assert logged_out(answer)[1] is None
    assert logged_out(answer, Token("alone"))[1] is not None


def test_a_logout_without_revoke_tells_the_server_nothing() -> None:
    """As before: it is a matter of this program alone."""
    with LoopbackServer(lambda _: ServerResponse(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app"))
        auth.login(token=PAIR)
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            auth.logout(stack)

        assert server.requests == []


def test_a_logout_that_cannot_reach_the_server_says_so_and_holds_all_the_same() -> None:
    """Without the stack, and with a server of which no such address is known."""
    for grant, arguments, text in (
        (refreshing("http://id.example"), (), "without the stack"),
        (refreshing("http://id.example"), (SessionStack(),), "nothing says where"),
        (LoginForm("http://id.example/login", {"name": "ada"}), (SessionStack(),), "LoginForm"),
    ):
        auth = AuthHandler(grant)
        auth.login(token=PAIR)
        with pytest.raises(ConfigError, match=text):
            auth.logout(*arguments, revoke=True)

        assert not auth.is_authenticated()
        for stack in arguments:
            stack.close()


def test_nothing_is_revoked_where_nobody_is_logged_in() -> None:
    """A second logout is no error."""
    with SessionStack() as stack:
        AuthHandler(refreshing("http://id.example")).logout(stack, revoke=True)


def test_what_another_process_renewed_is_revoked_too() -> None:
    """The stored token is the newest; the one held here may be good still."""
    store = MemoryTokenStore()
    with LoopbackServer(lambda _: ServerResponse(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app"), store=store, store_key="ada")
        auth.login(token=PAIR)
        store.save("ada", Token("newer", refresh_token="next"))
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            auth.logout(stack, revoke=True)

        told = [seen.form["token"] for seen in server.requests]
    assert told == ["next", "newer", "a-refresh-token", "an-access-token"]
    assert store.load("ada") is None


def test_a_stored_token_that_is_damaged_hinders_no_logout() -> None:
    """The one held here is revoked; what cannot be read is forgotten."""
    rows: dict[str, Any] = {}
    store = CallableTokenStore(
        load=rows.get,
        save=lambda key, token: rows.update({key: token.to_dict()}),
        delete=lambda key: rows.pop(key, None),
        lock=lambda key, timeout: nullcontext(),
    )
    with LoopbackServer(lambda _: ServerResponse(200, b"")) as server:
        place = Endpoints(f"{server.origin}/token", revocation_url=f"{server.origin}/revoke")
        auth = AuthHandler(RefreshToken(place, client_id="app"), store=store, store_key="ada")
        auth.login(token=PAIR)
        rows["ada"] = {"value": 7}
        with pytest.raises(StoreError):
            store.load("ada")
        with SessionStack(handlers=[auth], base_url=server.origin) as stack:
            auth.logout(stack, revoke=True)

        assert len(server.requests) == 2
    assert rows == {}


def test_every_grant_of_oauth_can_revoke_and_so_can_those_made_of_them() -> None:
    """By the address in its endpoints."""
    with LoopbackServer(lambda _: ServerResponse(200, b"")) as server:
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

        assert len(server.requests) == 2 * len(grants)


def test_a_failure_to_revoke_is_a_failure_of_requests_too() -> None:
    """``except requests.RequestException`` catches it, as anything else that a call raises."""
    _, failure = logged_out(lambda _: ServerResponse(500))

    assert isinstance(failure, requests.RequestException)


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
        ({"expires_in": 10**400}, None),
        ({"expires_in": "1e999"}, 10 * 365 * 86_400.0),
        ({"expires_in": "-5"}, None),
        ({"expires_in": ""}, None),
        ({"expires_in": " 3600 "}, 3600.0),
        ({"expires_in": 3599.5}, 3599.5),
        ({"expires_in": {"seconds": 3600}}, None),
    ],
)
def test_the_life_of_a_token_is_read_in_every_spelling(
    told: dict[str, Any], life: float | None
) -> None:
    """A number as text is a number; nonsense is as if nothing were said."""
    assert answered(ServerResponse(200, {**TOKEN, **told})).expires_in == life


def test_a_scope_that_the_server_names_holds() -> None:
    """A server may grant less than was asked for (RFC 6749, section 5.1)."""
    _, narrow = asked(credentials, scope="read write", answer={**TOKEN, "scope": "read"})
    _, odd = asked(credentials, scope="read", answer={**TOKEN, "scope": ["read"]})

    assert (narrow.scope, odd.scope) == ("read", "read")


def test_a_grant_that_the_server_will_not_take_again_needs_a_login() -> None:
    """``invalid_grant`` is final; the error says why, and what to do."""
    body = {"error": "invalid_grant", "error_description": "it was revoked"}
    with pytest.raises(LoginRequired, match="400 invalid_grant: it was revoked") as caught:
        answered(ServerResponse(400, body), refreshing)

    error = caught.value
    assert (error.status, error.method, error.sent) == (400, "POST", "yes")
    assert "login()" in error.hint


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (ServerResponse(401, {"error": "invalid_client"}), "401 invalid_client"),
        (ServerResponse(400, {"error": "invalid_scope"}), "400 invalid_scope"),
        (ServerResponse(200, {"error": "bad_verification_code"}), "200 bad_verification_code"),
        (ServerResponse(400, {"error": {"code": 7}}), "refused with 400"),
        (ServerResponse(503, b"<html>", {"Content-Type": "text/html"}), "503 text/html"),
        (ServerResponse(500, b""), "refused with 500"),
        (ServerResponse(302, b"", {"Location": "/login"}), "refused with 302"),
        (ServerResponse(307, b"", {"Location": "http://127.0.0.1:9/token"}), "refused with 307"),
        (ServerResponse(400, {"error": ["invalid_grant"]}), "refused with 400"),
        (
            ServerResponse(200, {"error": "invalid_client", "access_token": "x"}),
            "200 invalid_client",
        ),
        (ServerResponse(429, {"error": "slow_down"}, {"Retry-After": "5"}), "429 slow_down"),
        (ServerResponse(418, b"\xff\xfe"), "refused with 418"),
    ],
)
def test_any_other_refusal_is_a_failure_of_this_time(reply: ServerResponse, text: str) -> None:
    """An outage, a wrong secret or a login page is not taken for the end of the grant."""
    with pytest.raises(RenewalFailed, match=text) as caught:
        answered(reply)

    assert caught.value.status == reply.status
    assert caught.value.hint


def test_a_wrong_client_secret_is_named_as_such() -> None:
    """The hint says what to look at."""
    with pytest.raises(RenewalFailed) as caught:
        answered(ServerResponse(401, {"error": "invalid_client"}))

    assert "client's id and secret" in caught.value.hint


@pytest.mark.parametrize(
    "reply",
    [
        ServerResponse(200, {}),
        ServerResponse(200, []),
        ServerResponse(200, b"access_token=x&token_type=bearer"),
        ServerResponse(200, b""),
        ServerResponse(200, {"access_token": None}),
        ServerResponse(200, {"access_token": 7}),
        ServerResponse(200, {"access_token": ""}),
        ServerResponse(200, {"access_token": "a\nb"}),
        ServerResponse(200, {"access_token": "a\r\nX-Evil: b"}),
        ServerResponse(200, {"access_token": " a"}),
        ServerResponse(200, {"access_token": "\u00e9"}),
        ServerResponse(200, {"access_token": "new", "refresh_token": "a\nb"}),
        ServerResponse(200, b"<!doctype html><title>Log in</title>", {"Content-Type": "text/html"}),
        ServerResponse(200, b'{"access_token": "cut'),
        ServerResponse(200, b"[" * 100_000),
        ServerResponse(200, b"null"),
        ServerResponse(200, b"\x1f\x8b\x08garbage"),
        ServerResponse(204, b""),
    ],
    ids=lambda reply: repr(reply.body),
)
def test_an_answer_without_a_usable_token_is_a_failure(reply: ServerResponse) -> None:
    """Whatever a misconfigured URL answers, no empty token is sent to the API."""
    with pytest.raises(RenewalFailed, match="token endpoint's response"):
        answered(reply)


def test_no_error_repeats_a_secret_that_the_server_quoted() -> None:
    """Servers quote what they were sent; our text, and every copy of it, does not."""
    quoted = "client app:s3cret-word, refresh s3cret-refresh, YXBwOnMzY3JldC13b3Jk"

    def make(url: str) -> RefreshToken:
        return RefreshToken(url, "s3cret-refresh", client_id="app", client_secret="s3cret-word")

    for error in ("invalid_grant", "invalid_client"):
        body = {"error": error, "error_description": quoted}
        with pytest.raises((LoginRequired, RenewalFailed)) as caught:
            answered(ServerResponse(400, body), make)

        shown = f"{caught.value} {caught.value!r} {pickle.dumps(caught.value)!r}"
        assert "s3cret" not in shown
        assert "YXBw" not in shown


def test_an_answer_is_read_as_it_is() -> None:
    """The reader itself needs no grant."""
    response = requests.Response()
    response.status_code = 200
    response._content = b'{"access_token": "new", "refresh_token": "next"}'

    assert read_token(response, scope="read") == Token("new", refresh_token="next", scope="read")


@pytest.mark.parametrize(("status", "hint"), [(401, "token endpoint"), (429, "tries again")])
def test_a_refusal_that_names_no_error_is_asked_about_its_address(status: int, hint: str) -> None:
    """A page of the API answers 401 to a token request; trying again would not help."""
    with pytest.raises(RenewalFailed) as caught:
        answered(ServerResponse(status, {"title": "no"}))

    assert hint in caught.value.hint


def test_whatever_was_sent_as_a_secret_is_in_no_refusal() -> None:
    """By its name in the form: a proof, a code, a device's code, a token that was given."""
    sent = {"client_assertion": "s3cret-1", "code": "s3cret-2", "device_code": "s3cret/3"}
    sent |= {"subject_token": "s3cret+4", "code_verifier": "s3cret-5", "token": "s3cret-6"}
    response = requests.Response()
    response.status_code = 400
    response.request = requests.Request("POST", "http://id.example", data=sent).prepare()
    said = f"{sent} and {urlencode(sent)} are odd"
    response._content = json.dumps({"error": "no", "error_description": said}).encode()

    error = read_refusal(response, endpoint="device authorization endpoint")

    assert "device authorization endpoint refused with 400 no" in str(error)
    assert "are odd" in str(error)
    assert "s3cret" not in f"{error} {error!r}"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le", "latin-1"])
def test_an_answer_is_read_by_what_its_bytes_show(charset: str) -> None:
    """Also as old servers write it; and by a charset that takes a minute over a megabyte, never."""
    body = json.dumps({**TOKEN, "scope": "l\u00e9s"}, ensure_ascii=False).encode(charset)
    told = {"Content-Type": "application/json; charset=punycode"}

    assert answered(ServerResponse(200, body, told)).scope == "l\u00e9s"
