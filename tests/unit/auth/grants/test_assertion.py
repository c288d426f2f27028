"""Tokens for other proofs: a signed assertion, or another token."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from sessionkit.auth.oauth import JwtBearer, PrivateKeyJwt, SignedJwt, TokenExchange
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed
from tests.support.servers.loopback import Loopback, Reply, Seen
from tests.unit.auth.authorization_server import AuthorizationServer, Running
from tests.unit.auth.keys import rsa_pair
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

        forms = [seen.form for seen in running.loopback.seen]
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

    with Loopback(lambda _: Reply(200, TOKEN)) as server:
        grant = make(server.origin)
        walked(grant)
        walked(grant)

        assert [seen.form["assertion"] for seen in server.seen] == ["first.jwt", "second.jwt"]
        assert {seen.headers["authorization"] for seen in server.seen} == {"Basic YXBwOndvcmQ="}


def test_an_assertion_that_is_refused_is_asked_about() -> None:
    """The hint is about keys, claims and clocks, and not about a refresh token."""
    with Running(AuthorizationServer(rsa_pair().public)) as running:
        running.server.quotes = True
        with pytest.raises(LoginRequired, match="invalid_grant") as caught:
            walked(JwtBearer(running.server.endpoints(), robot(sub="nobody")))

        sent = running.loopback.seen[0].form["assertion"]
    assert "clock" in caught.value.hint
    assert sent not in f"{caught.value} {caught.value!r}"


# -- Token exchange


def test_a_token_is_given_for_another_one() -> None:
    """The service further on gets one of its own, and never the user's."""
    with Running() as running:
        running.server.live = {"the-users"}
        extra = {"audience": "https://stock.example", "scope": "read"}
        token = walked(TokenExchange(running.server.endpoints(), "the-users", extra_params=extra))

        (seen,) = running.loopback.seen
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
    with Loopback(lambda _: Reply(200, TOKEN)) as server:
        grant = TokenExchange(
            server.origin, lambda: next(texts), extra_params={"subject_token_type": kind}
        )
        walked(grant)
        walked(grant)

        told = [
            (seen.form["subject_token"], seen.form["subject_token_type"]) for seen in server.seen
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

        (seen,) = running.loopback.at("/revoke")
    assert isinstance(seen, Seen)
    assert seen.form["token"] == "access-1"


def test_the_name_of_a_stored_token_shows_no_password_of_the_url() -> None:
    """Names are shown, in errors, events and listings of a store."""
    url = "https://app:s3cret@id.example/token?api_key=s3cret"

    names = JwtBearer(url, robot()).store_key, TokenExchange(url, "x", client_id="app").store_key
    assert names == (
        "robot@https://***@id.example/token?api_key=***",
        "app@https://***@id.example/token?api_key=***",
    )
