"""Token: a value that is hard to leak."""

from __future__ import annotations

import copy
import json
import math
import pickle
import traceback
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sessionkit._tokens import MAX_LIFETIME, Token

FULL = Token(
    "planted-secret",
    expires_in=60,
    expires_at=1_700_000_060.5,
    refresh_token="planted-refresh",
    scope="read write",
    extra={"id_token": "planted-extra"},
)

secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
tokens = st.builds(
    Token,
    secrets,
    expires_in=st.none() | st.floats(allow_nan=False),
    expires_at=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    refresh_token=st.none() | secrets,
    scope=st.none() | st.text(),
    extra=st.none() | st.dictionaries(st.text(), st.text()),
)


def test_a_token_tells_what_it_was_given() -> None:
    """Nothing of a server's answer is lost on the way."""
    assert FULL.value == "planted-secret"
    assert FULL.expires_in == 60
    assert FULL.expires_at == 1_700_000_060.5
    assert FULL.refresh_token == "planted-refresh"
    assert FULL.scope == "read write"
    assert FULL.extra == {"id_token": "planted-extra"}


def test_what_was_not_said_is_none() -> None:
    """A bare token has no made-up end, scope or successor."""
    token = Token("a")

    assert (token.expires_in, token.expires_at, token.refresh_token, token.scope) == (None,) * 4
    assert token.extra == {}


@pytest.mark.parametrize("shown", [repr(FULL), str(FULL), f"{FULL}", f"{FULL!r:>500}", f"{[FULL]}"])
def test_no_text_of_a_token_shows_a_secret(shown: str) -> None:
    """A token in a log line or an error report gives nothing away."""
    assert "planted" not in shown
    assert FULL.fingerprint in shown
    assert "id_token" in shown
    assert "read write" in shown


def test_a_fingerprint_tells_two_tokens_apart() -> None:
    """A log shows whether the old or the new token was used."""
    assert Token("a").fingerprint == Token("a", scope="s").fingerprint
    assert Token("a").fingerprint != Token("b").fingerprint
    assert len(Token("a").fingerprint) == 8


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_token_refuses_to_be_pickled_and_names_the_way(protocol: int) -> None:
    """No secret gets into a task queue, a cache or a core dump of objects by accident."""
    with pytest.raises(TypeError, match=r"sessionkit\.stores.*SqliteTokenStore"):
        pickle.dumps({"token": FULL}, protocol)


def test_a_copy_of_a_token_is_the_token() -> None:
    """Objects that hold a token can be copied, since it never changes."""
    assert copy.copy(FULL) is FULL
    assert copy.deepcopy([FULL])[0] is FULL


@pytest.mark.parametrize("name", [*Token.__slots__, "unknown"])
def test_a_token_cannot_be_changed(name: str) -> None:
    """What one thread holds, no other thread changes."""
    with pytest.raises(AttributeError, match=name):
        setattr(FULL, name, "x")
    with pytest.raises(AttributeError, match=name):
        delattr(FULL, name)


def test_extra_cannot_be_changed_from_outside() -> None:
    """A dictionary that is used on later does not change the token."""
    given_extra = {"a": "1"}
    token = Token("a", extra=given_extra)
    given_extra["a"] = "2"

    assert token.extra == {"a": "1"}
    with pytest.raises(TypeError):
        token.extra["a"] = "3"  # type: ignore[index]  # wrong on purpose


@pytest.mark.parametrize(
    "changed",
    [
        {"value": "other"},
        {"expires_in": 61},
        {"expires_at": 1.0},
        {"refresh_token": "other"},
        {"scope": "read"},
        {"extra": {}},
    ],
)
def test_tokens_are_equal_when_all_their_fields_are(changed: dict[str, Any]) -> None:
    """Comparing tells a token renewed elsewhere from the one at hand, whatever is new about it."""
    same = Token.from_dict(FULL.to_dict())
    other = Token.from_dict({**FULL.to_dict(), **changed})

    assert same == FULL
    assert hash(same) == hash(FULL)
    assert other != FULL
    assert FULL != "planted-secret"
    assert len({FULL, same, other}) == 2


@pytest.mark.parametrize("field", ["value", "refresh_token"])
@pytest.mark.parametrize(
    "content", ["", " ", "a\nb", "a\r", "a\x00", "\x7fa", "a\x85", 7, b"a", None]
)
def test_a_secret_is_text_that_a_header_can_hold(field: str, content: Any) -> None:
    """A token with a line break would be a second header; a file's last line break is the usual."""
    fields = {**FULL.to_dict(), field: content}
    if field == "refresh_token" and content is None:
        assert Token.from_dict(fields).refresh_token is None
        return

    with pytest.raises(ValueError, match=f"^{field} of a token must"):
        Token.from_dict(fields)


@pytest.mark.parametrize(
    ("field", "content"),
    [
        ("value", "planted-secret\n"),
        ("refresh_token", "planted\x00secret"),
        ("expires_in", "planted"),
        ("expires_at", b"planted"),
        ("scope", ["planted"]),
        ("extra", "planted"),
        ("extra", {"planted": 1}),
        ("extra", {1: "planted"}),
    ],
)
def test_a_refusal_names_the_field_and_never_its_content(field: str, content: Any) -> None:
    """The error about a broken token may be logged."""
    with pytest.raises(ValueError, match=field) as caught:
        Token.from_dict({**FULL.to_dict(), field: content})

    assert "planted" not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize(
    ("given_life", "kept"),
    [
        (0, 0.0),
        (-5, 0.0),
        (3600, 3600.0),
        (0.5, 0.5),
        (1e300, MAX_LIFETIME),
        (10**400, MAX_LIFETIME),
        (-(10**400), 0.0),
        (math.inf, MAX_LIFETIME),
    ],
)
def test_a_life_is_kept_between_zero_and_ten_years(given_life: float, kept: float) -> None:
    """A server's nonsense about the length of a life does no harm."""
    assert Token("a", expires_in=given_life).expires_in == kept


@pytest.mark.parametrize("moment", [-1.0, 0.0, 1.0, 1_700_000_000.0, 4e9, 1e15])
def test_a_moment_is_never_clamped(moment: float) -> None:
    """A point in time far from now is a fact, not nonsense: no token ends by being corrected."""
    assert Token("a", expires_at=moment).expires_at == moment


@pytest.mark.parametrize("content", [math.nan, "60", True, [60]])
@pytest.mark.parametrize("field", ["expires_in", "expires_at"])
def test_times_are_numbers(field: str, content: Any) -> None:
    """A mistake of types is found where it is made."""
    with pytest.raises(ValueError, match=f"{field} of a token must be a number"):
        Token.from_dict({"value": "a", field: content})


@pytest.mark.parametrize("moment", [math.inf, -math.inf, 10**400])
def test_a_moment_is_finite(moment: float) -> None:
    """A token with no end has no ``expires_at``; infinity could not be stored."""
    with pytest.raises(ValueError, match="expires_at of a token must be a finite"):
        Token("a", expires_at=moment)


def test_a_token_lives_until_its_end() -> None:
    """A token is used up to its last moment, and one without an end always."""
    token = Token("a", expires_at=100.0)

    assert token.is_valid(99.9)
    assert not token.is_valid(100.0)
    assert not token.is_valid(100.1)
    assert Token("a").is_valid(1e12)


def test_the_end_counts_from_when_the_token_was_asked_for() -> None:
    """The time that the answer was on its way is not taken for life."""
    token = Token("a", expires_in=60, refresh_token="r", extra={"x": "y"})

    stamped = token.with_expiry(1000.0)

    assert stamped.expires_at == 1060.0
    assert (stamped.value, stamped.refresh_token, stamped.extra) == ("a", "r", {"x": "y"})
    assert token.expires_at is None


@pytest.mark.parametrize("token", [Token("a"), Token("a", expires_in=60, expires_at=5.0)])
def test_a_known_or_unknowable_end_is_not_stamped(token: Token) -> None:
    """What the server said itself stands."""
    assert token.with_expiry(1000.0) is token


@given(tokens)
def test_a_token_survives_a_store(token: Token) -> None:
    """Whatever token there is, the way through JSON and back brings the same."""
    back = Token.from_dict(json.loads(json.dumps(token.to_dict())))

    assert back == token
    assert hash(back) == hash(token)


def test_unknown_fields_of_a_stored_token_are_ignored() -> None:
    """A store written by a newer version can be read."""
    assert Token.from_dict({"value": "a", "later": 1}) == Token("a")


@pytest.mark.parametrize("stored", [None, "a", ["value"], 7, {}, {"token": "a"}])
def test_a_malformed_stored_token_is_refused(stored: Any) -> None:
    """Garbage in a store is an error of one class, not a strange token."""
    with pytest.raises(ValueError, match="token must"):
        Token.from_dict(stored)


@pytest.mark.parametrize("value", ["t€oken", "t\ud800oken", " token", "token "])
def test_what_no_header_can_carry_is_no_token(value: str) -> None:
    """Once saved, it would fail every call from then on."""
    with pytest.raises(ValueError, match="of a token must"):
        Token(value)
    with pytest.raises(ValueError, match="refresh_token of a token must"):
        Token("fine", refresh_token=value)
