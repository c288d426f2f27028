"""What token endpoints really answer."""

from __future__ import annotations

import json
import pickle
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from sessionkit import Token
from sessionkit.auth import RefreshToken
from sessionkit.auth.grants._token_response import read_refusal, read_token
from sessionkit.errors import LoginRequired, RenewalFailed
from sessionkit.testing.server import ServerResponse
from tests.unit.auth.walking import TOKEN, answered, asked, credentials, refreshing


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
