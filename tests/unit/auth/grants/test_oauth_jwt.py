"""Claims signed with a key of the client's own."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sessionkit.auth import ClientCredentials, RefreshToken
from sessionkit.auth.oauth import PrivateKeyJwt, SignedJwt
from sessionkit.errors import ConfigError, RenewalFailed
from sessionkit.testing import FakeClock
from tests.support.servers.loopback import Loopback, Reply, Seen
from tests.unit.auth.authorization_server import AuthorizationServer, Running
from tests.unit.auth.keys import pem, rsa_pair
from tests.unit.auth.walking import walked

URL = "https://id.example/token"


def test_a_client_proves_itself_to_a_server_that_checks_everything() -> None:
    """Signature, issuer, subject, audience, life, and that no proof comes twice."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        proof = PrivateKeyJwt(rsa_pair().private)
        grant = ClientCredentials(running.server.endpoints(), "app", client_auth=proof)
        tokens = [walked(grant).value, walked(grant).value]

        forms = [seen.form for seen in running.loopback.seen]
    assert tokens == ["access-1", "access-2"]
    assert len(running.server.seen_jti) == 2
    for form in forms:
        assert set(form) == {
            *("grant_type", "client_id", "client_assertion_type", "client_assertion")
        }


def test_a_client_with_the_wrong_key_is_refused_by_such_a_server() -> None:
    """The server of these tests does check; and the error is about the client."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        proof = PrivateKeyJwt(pem(other))
        with pytest.raises(RenewalFailed, match="invalid_client"):
            walked(ClientCredentials(running.server.endpoints(), "app", client_auth=proof))


def test_a_refresh_token_is_presented_with_a_proof_too() -> None:
    """Banks want it with every token request."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        running.server.refreshing.add("first")
        proof = PrivateKeyJwt(rsa_pair().private)
        grant = RefreshToken(
            running.server.endpoints(), "first", client_id="app", client_auth=proof
        )

        assert walked(grant).refresh_token == "refresh-1"


def test_what_is_claimed_is_as_the_standards_have_it() -> None:
    """By the clock that was given, short-lived, and for the token endpoint alone."""
    clock = FakeClock(epoch=1_000_000.7)
    proof = PrivateKeyJwt(rsa_pair().private, key_id="key-1", lifetime=30, clock=clock)
    fields = proof.fields("app", URL)

    assert fields["client_assertion_type"].endswith("client-assertion-type:jwt-bearer")
    claims = jwt.decode(fields["client_assertion"], options={"verify_signature": False})
    assert len(claims.pop("jti")) >= 22
    assert claims == {"iss": "app", "sub": "app", "aud": URL, "iat": 1_000_000, "exp": 1_000_030}
    header = jwt.get_unverified_header(fields["client_assertion"])
    assert header == {"alg": "RS256", "kid": "key-1", "typ": "JWT"}


def test_a_server_that_wants_another_audience_is_given_it() -> None:
    """Some want their issuer there, others a list."""
    text = PrivateKeyJwt(rsa_pair().private, audience="https://id.example").fields("app", URL)
    claims = jwt.decode(text["client_assertion"], options={"verify_signature": False})
    assert claims["aud"] == "https://id.example"

    listed = SignedJwt(rsa_pair().private, {"iss": "robot", "aud": ["a", "b"]}).sign(URL)
    assert jwt.decode(listed, options={"verify_signature": False})["aud"] == ["a", "b"]


@pytest.mark.parametrize(
    ("algorithm", "make"),
    [
        ("ES256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate),
    ],
)
def test_every_algorithm_that_servers_ask_for_serves(
    algorithm: str, make: Callable[[], Any]
) -> None:
    """As PEM text, as bytes, or as the object that a key store hands out."""
    key = make()
    for given in (pem(key), pem(key).encode(), key):
        text = SignedJwt(given, {"iss": "robot"}, algorithm=algorithm).sign(URL)

        claims = jwt.decode(text, key.public_key(), algorithms=[algorithm], audience=URL)
        assert claims["iss"] == "robot"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        ("s3cret and no key", "RS256"),
        ("", "RS256"),
        (None, "RS256"),
        ("-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----", "RS256"),
        ("rsa", "ES256"),
        ("rsa", "none"),
        ("", "none"),
        (None, "none"),
        ("rsa", "RS255"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_at_once_and_not_shown(key: Any, algorithm: str) -> None:
    """And not at the first renewal; nor is a token ever asked for unsigned."""
    given = rsa_pair().private if key == "rsa" else key
    for make in (
        lambda: PrivateKeyJwt(given, algorithm=algorithm),
        lambda: SignedJwt(given, {}, algorithm=algorithm),
    ):
        with pytest.raises(ConfigError) as caught:
            make()

        shown = "".join(traceback.format_exception(caught.value))
        assert "s3cret" not in shown.replace('("s3cret', "")
        assert given is None or given == "" or given not in shown


def test_a_life_that_is_none_is_refused() -> None:
    """Each proof would be refused as ended."""
    with pytest.raises(ConfigError, match="lifetime"):
        SignedJwt(rsa_pair().private, {}, lifetime=0)


def test_a_proof_shows_no_key_and_goes_into_no_pickle() -> None:
    """It can be printed, logged and explained."""
    private = rsa_pair().private
    proofs = (PrivateKeyJwt(private), SignedJwt(private, {"iss": "robot", "key": "s3cret"}))
    for proof in proofs:
        assert "BEGIN" not in repr(proof)
        assert "s3cret" not in repr(proof)
        with pytest.raises(ConfigError, match="not pickled"):
            pickle.dumps(proof)


def test_a_server_that_quotes_a_proof_does_not_have_it_printed() -> None:
    """Good for a minute only, and in no log for ever."""

    def answer(seen: Seen) -> Reply:
        return Reply(401, {"error": "invalid_client", "error_description": f"{seen.form} is odd"})

    proof = PrivateKeyJwt(rsa_pair().private)
    with Loopback(answer) as server, pytest.raises(RenewalFailed) as caught:
        walked(ClientCredentials(f"{server.origin}/token", "app", client_auth=proof))

    assert server.seen[0].form["client_assertion"] not in f"{caught.value} {caught.value!r}"
    assert "is odd" in str(caught.value)
