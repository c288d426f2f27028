"""The demo's token endpoint and the gate before its API."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlencode

import pytest

from sessionkit.demo._identity import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Identity
from sessionkit.demo._messages import Ask, Refused
from sessionkit.testing import FakeClock

CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
LOGIN = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}


def ask(*, authorization: str = "", **form: str) -> Ask:
    """A token request."""
    headers = {"authorization": authorization} if authorization else {}
    return Ask("POST", "/oauth/token", headers=headers, body=urlencode(form).encode())


def issued(identity: Identity, **form: str) -> dict[str, str]:
    """What the token endpoint gives for *form*."""
    tokens: dict[str, str] = json.loads(identity.answer(ask(**form)).body)
    return tokens


def refusal(identity: Identity, request: Ask) -> tuple[int, str]:
    """Status and error code of a refused token request."""
    with pytest.raises(Refused) as caught:
        identity.answer(request)
    reply = caught.value.reply
    return reply.status, json.loads(reply.body)["error"]


def renew(identity: Identity, refresh_token: str) -> dict[str, str]:
    """A refresh grant."""
    return issued(identity, grant_type="refresh_token", refresh_token=refresh_token)


def spend(identity: Identity, token: str) -> int:
    """One use of an access token."""
    return identity.spend(f"Bearer {token}")


def challenge(identity: Identity, authorization: str) -> str:
    """The WWW-Authenticate header of a request that is turned away."""
    with pytest.raises(Refused) as caught:
        identity.spend(authorization)
    assert caught.value.reply.status == 401
    return caught.value.reply.headers["WWW-Authenticate"]


def test_a_login_gives_a_pair_that_does_not_tell_its_life() -> None:
    """A client must learn of the end by being refused, as with many real servers."""
    identity = Identity(clock=FakeClock())

    tokens = identity.login()

    assert set(tokens) == {"access_token", "refresh_token", "token_type"}
    assert spend(identity, tokens["access_token"]) == 39


def test_a_token_ends_after_its_uses() -> None:
    """A token may end while a burst of calls is under way."""
    identity = Identity(token_uses=2, clock=FakeClock())
    token = identity.login()["access_token"]

    assert [spend(identity, token), spend(identity, token)] == [1, 0]
    assert 'error="invalid_token"' in challenge(identity, f"Bearer {token}")


def test_a_token_ends_after_its_seconds() -> None:
    """A token may end while nobody looks."""
    clock = FakeClock()
    identity = Identity(token_seconds=2.0, clock=clock)
    token = identity.login()["access_token"]
    clock.advance(1.9)
    spend(identity, token)
    clock.advance(0.2)

    assert 'error="invalid_token"' in challenge(identity, f"Bearer {token}")


def test_a_token_refused_many_times_is_one_expiry() -> None:
    """The figure that renewals are compared with does not depend on the number of threads."""
    identity = Identity(token_uses=0, clock=FakeClock())
    first, second = identity.login(), identity.login()

    for tokens in (first, first, second, first):
        challenge(identity, f"Bearer {tokens['access_token']}")

    assert identity.figures()["expiries"] == 2


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic eDp5"])
def test_without_a_token_the_answer_only_names_the_scheme(authorization: str) -> None:
    """RFC 6750, section 3.1: no error code for who did not try."""
    identity = Identity(clock=FakeClock())

    assert challenge(identity, authorization) == 'Bearer realm="demo"'
    assert identity.figures()["expiries"] == 0


def test_a_renewal_rotates_and_leaves_the_older_access_token_alone() -> None:
    """Calls in flight with the older token are not cut off by another thread's renewal."""
    identity = Identity(clock=FakeClock())
    first = identity.login()

    second = renew(identity, first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert spend(identity, first["access_token"]) == 39
    assert spend(identity, second["access_token"]) == 39
    assert identity.figures() == {"expiries": 0, "renewals": 1, "reuse_detected": 0}


def test_a_refresh_token_used_twice_ends_the_whole_family() -> None:
    """A client that renews twice at once is found out at once (RFC 9700, section 4.14.2)."""
    identity = Identity(clock=FakeClock())
    first, other = identity.login(), identity.login()
    second = renew(identity, first["refresh_token"])
    again = ask(grant_type="refresh_token", refresh_token=first["refresh_token"])
    newest = ask(grant_type="refresh_token", refresh_token=second["refresh_token"])

    assert refusal(identity, again) == (400, "invalid_grant")
    assert refusal(identity, newest) == (400, "invalid_grant")
    assert 'error="invalid_token"' in challenge(identity, f"Bearer {second['access_token']}")
    assert spend(identity, other["access_token"]) == 39
    assert identity.figures()["reuse_detected"] == 1


def test_the_password_grant_opens_with_the_demo_s_own_user() -> None:
    """A first pair can be had over the wire too; it is no renewal."""
    identity = Identity(clock=FakeClock())

    tokens = issued(identity, **LOGIN)

    assert spend(identity, tokens["access_token"]) == 39
    assert identity.figures()["renewals"] == 0


def test_a_client_that_can_ask_again_gets_no_refresh_token() -> None:
    """RFC 6749, section 4.4.3."""
    identity = Identity(clock=FakeClock())

    tokens = issued(identity, grant_type="client_credentials", **CLIENT)

    assert "refresh_token" not in tokens
    assert spend(identity, tokens["access_token"]) == 39


def test_a_client_may_prove_itself_by_basic() -> None:
    """Both ways of RFC 6749, section 2.3.1, are open."""
    identity = Identity(clock=FakeClock())
    pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()

    reply = identity.answer(ask(authorization=f"Basic {pair}", grant_type="client_credentials"))

    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({}, (400, "invalid_request")),
        ({"grant_type": "magic"}, (400, "unsupported_grant_type")),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, (400, "invalid_grant")),
        ({"grant_type": "refresh_token"}, (400, "invalid_grant")),
        (LOGIN | {"password": "wrong"}, (400, "invalid_grant")),
        ({"grant_type": "client_credentials"}, (401, "invalid_client")),
        (LOGIN | CLIENT | {"client_secret": "wrong"}, (401, "invalid_client")),
        (LOGIN | {"client_secret": "alone"}, (401, "invalid_client")),
    ],
)
def test_a_wrong_request_gets_the_code_of_the_rfc(
    form: dict[str, str], expected: tuple[int, str]
) -> None:
    """Each way to be wrong has the answer of RFC 6749, section 5.2."""
    identity = Identity(clock=FakeClock())

    assert refusal(identity, ask(**form)) == expected


@pytest.mark.parametrize("pair", ["not base64!", "/w==", "eDp5"])
def test_a_malformed_basic_header_is_a_wrong_client(pair: str) -> None:
    """Garbage where a client's secret should be gets an answer, not a crash."""
    identity = Identity(clock=FakeClock())
    request = ask(authorization=f"Basic {pair}", grant_type="client_credentials")

    assert refusal(identity, request) == (401, "invalid_client")
