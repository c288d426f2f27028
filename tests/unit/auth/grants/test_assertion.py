"""Tokens for other proofs: a signed assertion, or another token."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from sessionkit.auth import ClientCredentials, RefreshToken
from sessionkit.auth.oauth import JwtBearer, PrivateKeyJwt, SignedJwt, TokenExchange
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.unit.auth.authorization_server import AuthorizationServer, Running
from tests.unit.auth.keys import pem, rsa_pair
from tests.unit.auth.walking import TOKEN, asked, walked

URN = "urn:ietf:params:oauth:"


def robot(**claims: Any) -> SignedJwt:
    """Return what a service account claims."""
    return SignedJwt(rsa_pair().private, {"iss": "app", "sub": "robot", **claims})


# -- JWT bearer


def test_a_service_account_logs_in_by_its_assertion() -> None:
    """At a server that verifies it; each renewal signs another one."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        grant = JwtBearer(running.server.endpoints(), robot(), scope="read")
        tokens = [walked(grant) for _ in range(2)]

        forms = [seen.form for seen in running.loopback.requests]
    assert [(token.value, token.scope) for token in tokens] == [
        ("access-1", "read"),
        ("access-2", "read"),
    ]
    assert {form["grant_type"] for form in forms} == {f"{URN}grant-type:jwt-bearer"}
    assert forms[0]["assertion"] != forms[1]["assertion"]
    assert set(forms[0]) == {"grant_type", "assertion", "scope"}


def test_an_assertion_of_somebody_elses_is_asked_for_each_time() -> None:
    """A function says what it is now; a line break at its end is nobody's fault."""
    texts = iter(["first.jwt\n", "second.jwt"])

    def make(url: str) -> JwtBearer:
        return JwtBearer(url, lambda: next(texts), client_id="app", client_secret="word")

    with LoopbackServer(lambda _: ServerResponse(200, TOKEN)) as server:
        grant = make(server.origin)
        walked(grant)
        walked(grant)

        assert [seen.form["assertion"] for seen in server.requests] == ["first.jwt", "second.jwt"]
        assert {seen.headers["authorization"] for seen in server.requests} == {"Basic YXBwOndvcmQ="}


def test_an_assertion_that_is_refused_is_asked_about() -> None:
    """The hint is about keys, claims and clocks, and not about a refresh token."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        running.server.quotes = True
        with pytest.raises(LoginRequired, match="invalid_grant") as caught:
            walked(JwtBearer(running.server.endpoints(), robot(sub="nobody")))

        sent = running.loopback.requests[0].form["assertion"]
    assert "clock" in caught.value.hint
    assert sent not in f"{caught.value} {caught.value!r}"


# -- Token exchange


def test_a_token_is_given_for_another_one() -> None:
    """The service further on gets one of its own, and never the user's."""
    with Running() as running:
        running.server.live = {"the-users"}
        extra = {"audience": "https://stock.example", "scope": "read"}
        token = walked(TokenExchange(running.server.endpoints(), "the-users", extra_params=extra))

        (seen,) = running.loopback.requests
    assert (token.value, token.scope) == ("access-1", "read")
    assert seen.form == {
        "grant_type": f"{URN}grant-type:token-exchange",
        "subject_token": "the-users",
        "subject_token_type": f"{URN}token-type:access_token",
        **extra,
    }


def test_a_subject_that_changes_is_asked_for_each_time() -> None:
    """A file that is rotated is read again; its kind can be named."""
    texts = iter(["one\n", "two"])
    kind = f"{URN}token-type:jwt"
    with LoopbackServer(lambda _: ServerResponse(200, TOKEN)) as server:
        grant = TokenExchange(
            server.origin, lambda: next(texts), extra_params={"subject_token_type": kind}
        )
        walked(grant)
        walked(grant)

        told = [
            (seen.form["subject_token"], seen.form["subject_token_type"])
            for seen in server.requests
        ]
    assert told == [("one", kind), ("two", kind)]


def test_a_client_proves_itself_in_every_way() -> None:
    """By its secret, by a signed proof, or not at all."""
    secret, _ = asked(lambda url: TokenExchange(url, "x", client_id="app", client_secret="word"))
    proof = PrivateKeyJwt(rsa_pair().private)
    signed, _ = asked(lambda url: TokenExchange(url, "x", client_id="app", client_auth=proof))
    public, _ = asked(lambda url: TokenExchange(url, "x", client_id="app"))

    assert secret.headers["authorization"] == "Basic YXBwOndvcmQ="
    assert "client_assertion" in signed.form
    assert public.form["client_id"] == "app"


def test_a_subject_that_has_ended_is_named_and_not_shown() -> None:
    """In no spelling; nor is the actor's token."""
    with Running() as running:
        running.server.quotes = True
        grant = TokenExchange(
            running.server.endpoints(),
            "s3cret/ended+one",
            extra_params={
                "actor_token": "s3cret/actor",
                "actor_token_type": f"{URN}token-type:jwt",
            },
        )
        with pytest.raises(LoginRequired) as caught:
            walked(grant)

    assert "subject's token has ended" in caught.value.hint
    assert "s3cret" not in f"{caught.value} {caught.value!r} {grant!r} {grant.store_key}"


# -- Both


@pytest.mark.parametrize("told", [None, "", " \n", 7])
def test_a_function_that_returns_no_token_is_named(told: Any) -> None:
    """Nothing is sent in vain."""

    def rotated() -> Any:
        return told

    for grant in (JwtBearer("https://id.example", rotated), TokenExchange("https://a", rotated)):
        with pytest.raises(RenewalFailed, match="rotated returned"):
            next(grant.steps(None, None))


def test_settings_that_cannot_work_are_refused_at_once() -> None:
    """And not as a 401 in production."""
    nothing: Any = None
    with pytest.raises(ConfigError, match="SignedJwt or a function"):
        JwtBearer("https://id.example", nothing)
    with pytest.raises(ConfigError, match="subject"):
        TokenExchange("https://id.example", "")
    with pytest.raises(ConfigError, match="needs a client_id"):
        TokenExchange("https://id.example", "x", client_secret="word")
    with pytest.raises(ConfigError, match="absolute URL"):
        TokenExchange("", "x")


def test_tokens_for_different_things_have_different_names() -> None:
    """Two audiences in one store do not share a token by accident."""
    url = "https://id.example/token"
    keys = {
        TokenExchange(url, "x").store_key,
        TokenExchange(url, "x", extra_params={"audience": "a"}).store_key,
        TokenExchange(url, "x", extra_params={"audience": "b"}).store_key,
        TokenExchange(url, "x", client_id="app").store_key,
        JwtBearer(url, robot()).store_key,
        JwtBearer(url, robot(sub="other")).store_key,
        JwtBearer(url, lambda: "x", client_id="app").store_key,
    }

    # The client's own name serves two of them alike: `store_key=` tells apart what it asks for.
    assert len(keys) == 6
    assert f"robot@{url}" in keys


def test_neither_shows_a_secret_nor_goes_into_a_pickle_with_one() -> None:
    """They can be printed, logged and explained."""
    grants = (
        JwtBearer("https://id.example", robot(), client_id="app", client_secret="s3cret"),
        TokenExchange("https://id.example", "s3cret", client_id="app", client_secret="s3cret"),
        TokenExchange("https://id.example", "s3cret"),
    )
    for grant in grants:
        assert "s3cret" not in repr(grant)
        assert "BEGIN" not in repr(grant)
        with pytest.raises(ConfigError, match="not pickled"):
            pickle.dumps(grant)


def test_their_tokens_are_revoked_by_a_client_alone() -> None:
    """A server takes no such wish from nobody."""
    from sessionkit import Token

    with Running() as running:
        for client, revoked in (("app", True), (None, False)):
            grant = TokenExchange(running.server.endpoints(), "x", client_id=client)
            stack, auth = running.stack(grant)
            auth.login(token=Token("access-1"))
            with stack:
                if revoked:
                    auth.logout(stack, revoke=True)
                else:
                    with pytest.raises(ConfigError, match="only a client"):
                        auth.logout(stack, revoke=True)

        (seen,) = running.loopback.requests_to("/revoke")
    assert isinstance(seen, ServerRequest)
    assert seen.form["token"] == "access-1"


def test_the_name_of_a_stored_token_shows_no_password_of_the_url() -> None:
    """Names are shown, in errors, events and listings of a store."""
    url = "https://app:s3cret@id.example/token?api_key=s3cret"

    names = JwtBearer(url, robot()).store_key, TokenExchange(url, "x", client_id="app").store_key
    assert names == (
        "robot@https://***@id.example/token?api_key=***",
        "app@https://***@id.example/token?api_key=***",
    )


# -- What is signed


URL = "https://id.example/token"


def test_a_client_proves_itself_to_a_server_that_checks_everything() -> None:
    """Signature, issuer, subject, audience, life, and that no proof comes twice."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        proof = PrivateKeyJwt(rsa_pair().private)
        grant = ClientCredentials(running.server.endpoints(), "app", client_auth=proof)
        tokens = [walked(grant).value, walked(grant).value]

        forms = [seen.form for seen in running.loopback.requests]
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

    def answer(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(
            401, {"error": "invalid_client", "error_description": f"{seen.form} is odd"}
        )

    proof = PrivateKeyJwt(rsa_pair().private)
    with LoopbackServer(answer) as server, pytest.raises(RenewalFailed) as caught:
        walked(ClientCredentials(f"{server.origin}/token", "app", client_auth=proof))

    assert server.requests[0].form["client_assertion"] not in f"{caught.value} {caught.value!r}"
    assert "is odd" in str(caught.value)
