"""Grants that need no identity server: a fixed token, and a function of one's own."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sessionkit import Token
from sessionkit.auth import CallableGrant, Grant, StaticToken
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed


def token_of(grant: Grant, token: Token | None = None, rejected: Any = None) -> Token:
    """Walk through the steps of a grant that sends nothing."""
    with pytest.raises(StopIteration) as done:
        next(grant.steps(token, rejected))
    obtained = done.value.value
    assert isinstance(obtained, Token)
    return obtained


def test_a_static_token_is_what_was_given() -> None:
    """An API key needs no more than its text, and a token may bring its end with it."""
    ready = Token("t0ken", expires_in=60)

    assert token_of(StaticToken("t0ken")) == Token("t0ken")
    assert token_of(StaticToken(ready)) is ready


def test_a_static_token_cannot_be_renewed() -> None:
    """A refusal is passed on, because nothing else could be sent."""
    assert not StaticToken("t0ken").renewable
    assert CallableGrant(lambda token, rejected: "t0ken").renewable


@pytest.mark.parametrize("text", ["", "  ", "a\nb", None, 7])
def test_a_static_token_that_cannot_be_sent_is_refused(text: Any) -> None:
    """An environment variable that is empty or ends in a line break is found at once."""
    with pytest.raises(ConfigError, match="cannot be a token"):
        StaticToken(text)


def test_a_function_is_told_what_it_replaces_and_what_refused_it() -> None:
    """A vendor's own way to log in has all there is to know."""
    told: list[object] = []
    token, rejected = Token("old"), requests.Response()

    def obtain(*given: object) -> str:
        told.extend(given)
        return "new"

    assert token_of(CallableGrant(obtain), token, rejected) == Token("new")
    assert told == [token, rejected]


def test_a_function_may_return_a_token_with_all_that_belongs_to_it() -> None:
    """Its end and its refresh token are kept."""
    token = Token("new", expires_in=60, refresh_token="next")

    assert token_of(CallableGrant(lambda _token, _rejected: token)) is token


def test_a_function_that_has_no_other_token_says_so_by_none() -> None:
    """Nobody is asked again in vain, and the way back is named."""
    with pytest.raises(LoginRequired, match="None") as caught:
        token_of(CallableGrant(lambda token, rejected: None))

    assert "login(" in caught.value.hint


@pytest.mark.parametrize("nonsense", ["", 7, b"t0ken", ["t0ken"]])
def test_a_function_that_returns_no_token_fails_for_now(nonsense: Any) -> None:
    """What it returned is named by its kind, never shown."""
    with pytest.raises(RenewalFailed, match="cannot be a token"):
        token_of(CallableGrant(lambda token, rejected: nonsense))


def test_an_error_of_the_function_is_its_own() -> None:
    """What a vendor's library raises is not disguised."""
    error = KeyError("theirs")

    def failing(token: object, rejected: object) -> str:
        raise error

    with pytest.raises(KeyError) as caught:
        token_of(CallableGrant(failing))

    assert caught.value is error


def test_what_cannot_be_called_is_refused() -> None:
    """A token in place of a function is found when the stack is built."""
    with pytest.raises(ConfigError, match="must be a function"):
        CallableGrant("t0ken")  # type: ignore[arg-type]  # that is the point


def test_each_grant_has_a_name_for_its_tokens() -> None:
    """Two accounts in one store are told apart by their keys."""

    def obtain(token: Token | None, rejected: requests.Response | None) -> str:
        return "t0ken"

    assert StaticToken("t0ken").store_key == "static"
    assert CallableGrant(obtain).store_key == "callable"
    assert CallableGrant(obtain, store_key="alice").store_key == "alice"


def test_a_grant_shows_no_secret() -> None:
    """It can be printed, logged and explained."""

    class Vault:
        def __init__(self) -> None:
            self.secret = "s3cret"

        def __call__(self, token: object, rejected: object) -> str:
            return self.secret

        def __repr__(self) -> str:
            return f"Vault({self.secret})"

    assert repr(StaticToken("s3cret")) == "StaticToken(***)"
    assert repr(CallableGrant(Vault())) == "CallableGrant(Vault)"
    assert "test_a_grant" in repr(CallableGrant(lambda token, rejected: "s3cret"))
