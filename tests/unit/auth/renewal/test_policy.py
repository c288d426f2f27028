"""When a token is renewed."""

from __future__ import annotations

import math
from functools import partial

import pytest
import requests

from sessionkit import Token
from sessionkit.auth import RenewalPolicy
from sessionkit.errors import ConfigError

NOW = 1_000.0


def lasting(seconds: float) -> Token:
    """Make a token that was just given, for *seconds*."""
    return Token("t0ken", expires_in=seconds).with_expiry(NOW)


def answer(status: int = 200, headers: dict[str, str] | None = None) -> requests.Response:
    """Make an answer."""
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers or {})
    response.url = "https://a.example/shop/orders"
    response._content = b""
    return response


@pytest.mark.parametrize(
    ("early", "life", "seconds_before"),
    [(120, 3600, 120), (120, 40, 10), (0, 3600, 0), (30, 60, 15)],
)
def test_a_token_is_renewed_ahead_but_not_before_three_quarters_of_its_life(
    early: float, life: float, seconds_before: float
) -> None:
    """A token of 40 seconds is not renewed for every call."""
    policy = RenewalPolicy(leeway=early)

    assert policy.renewal_time(lasting(life), NOW) == NOW + life - seconds_before


def test_a_token_is_renewed_two_minutes_ahead_unless_told_otherwise() -> None:
    """As the documentation says."""
    assert RenewalPolicy().renewal_time(lasting(3600), NOW) == NOW + 3480


def test_three_quarters_are_those_of_the_whole_life() -> None:
    """A token that is taken from a store late is not renewed later for it."""
    assert RenewalPolicy().renewal_time(lasting(40), NOW + 20) == NOW + 30
    assert RenewalPolicy().renewal_time(Token("t0ken", expires_at=NOW + 40), NOW) == NOW + 30


def test_a_token_without_an_end_is_never_renewed_ahead() -> None:
    """Only a refusal tells."""
    assert RenewalPolicy().renewal_time(Token("t0ken"), NOW) == math.inf


def test_the_reactive_mode_looks_at_no_clock() -> None:
    """A vendor that punishes early renewal sees one only after its own 401."""
    policy = RenewalPolicy(mode="reactive")

    assert policy.renewal_time(lasting(3600), NOW) == math.inf
    assert policy.is_usable(lasting(3600), NOW + 4000)
    assert policy.is_rejection(answer(401))


def test_other_modes_do_not_send_a_token_that_has_ended() -> None:
    """It would only be refused."""
    assert not RenewalPolicy().is_usable(lasting(3600), NOW + 4000)
    assert RenewalPolicy().is_usable(lasting(3600), NOW)


def test_the_proactive_mode_takes_a_refusal_as_final() -> None:
    """An API whose 401 says "not you" costs no renewals."""
    assert not RenewalPolicy(mode="proactive").is_rejection(answer(401))


def test_a_function_tells_which_other_answers_mean_an_ended_token() -> None:
    """It alone decides: a 403 may be as good as a 401, and a 401 somebody else's."""
    policy = RenewalPolicy(is_expired=lambda response: response.status_code == 403)
    stumbling = RenewalPolicy(is_expired=lambda response: bool(response.json()["error"]))
    deep = answer(401)
    truthy = RenewalPolicy(is_expired=lambda response: response.headers.get("X-Ended"))  # type: ignore[arg-type,return-value]  # wrong on purpose
    assert truthy.is_rejection(answer(headers={"X-Ended": "yes"}))
    deep._content = b"[" * 100_000  # where requests keeps what was read

    assert policy.is_rejection(answer(403))
    assert not policy.is_rejection(answer(401))
    assert not stumbling.is_rejection(answer(401))
    assert not stumbling.is_rejection(deep)


def test_an_answer_that_leads_to_the_login_page_means_an_ended_session() -> None:
    """Whether it was followed or not, and whatever else is looked at."""
    for expired in (None, lambda _: False):
        policy = RenewalPolicy(login_path="/login/", is_expired=expired)
        followed = answer()
        followed.history = [answer(302, {"Location": "https://a.example/login/?next=/x"})]

        assert policy.is_rejection(followed)
        assert policy.is_rejection(answer(302, {"Location": "/login/"}))
        assert policy.is_rejection(answer(302, {"Location": "../login/"}))
        assert not policy.is_rejection(answer(302, {"Location": "/login/help"}))
        assert not policy.is_rejection(answer(302, {"Location": "http://[nowhere/login/"}))
        assert not policy.is_rejection(answer())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1800", 1800.0),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("inf", None),
        ("1e300", 315_360_000.0),
    ],
)
def test_a_header_tells_how_long_a_sliding_session_lives_on(
    text: str, seconds: float | None
) -> None:
    """AWX says so on every answer; nonsense changes nothing."""
    policy = RenewalPolicy(expiry_header="Session-Timeout")

    assert policy.new_lifetime(answer(headers={"session-timeout": text})) == seconds


def test_without_a_name_no_header_extends_anything() -> None:
    """A server cannot keep a token alive unasked."""
    assert RenewalPolicy().new_lifetime(answer(headers={"Session-Timeout": "1800"})) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "eager"},
        {"leeway": -1},
        {"leeway": math.inf},
        {"leeway": math.nan},
        {"is_expired": 403},
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_when_it_is_made(wrong: dict[str, object]) -> None:
    """Not at the first renewal, days later."""
    with pytest.raises(ConfigError):
        RenewalPolicy(**wrong)  # type: ignore[arg-type]  # that is the point


def test_its_repr_shows_its_settings() -> None:
    """``explain()`` prints it."""
    policy = RenewalPolicy(
        leeway=60,
        is_expired=answer,  # type: ignore[arg-type]  # a stand-in
        login_path="/login/",
        expiry_header="X-Left",
    )

    assert repr(policy) == (
        "RenewalPolicy(leeway=60, mode='both', is_expired=answer, login_path='/login/', "
        "expiry_header='X-Left')"
    )
    assert "is_expired=partial" in repr(RenewalPolicy(is_expired=partial(answer, 403)))  # type: ignore[arg-type]  # a stand-in
