"""Laws of reading a challenge: it never raises, and finds what was written."""

from __future__ import annotations

from hypothesis import given, strategies as st

from sessionkit.headers._challenge import challenge_parameters, wanted_scope

TOKENS = st.text(
    "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+.^_`|~-", min_size=1, max_size=12
)
#: What HTTP allows inside quotes (RFC 9110, section 5.6.4), escapes apart.
QUOTED = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
PIECES = st.sampled_from(['"', "\\", "=", ",", " ", "\t", "a", "Bearer ", 'b="c"', "é", "\x00", ""])


def quoted(text: str) -> str:
    """Write *text* as a quoted string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.one_of(st.text(), st.lists(PIECES, max_size=200).map("".join)))
def test_no_challenge_makes_the_parser_raise(challenge: str) -> None:
    """A refusal with a broken header is still just a refusal."""
    found = challenge_parameters(challenge)

    assert all(name == name.lower() for name in found)
    assert isinstance(wanted_scope(challenge), str)


@given(st.dictionaries(TOKENS.map(str.lower), st.tuples(QUOTED, st.booleans()), max_size=6))
def test_what_was_written_is_read(parameters: dict[str, tuple[str, bool]]) -> None:
    """Every parameter comes back with its value, quoted or as a token."""
    written = []
    for name, (value, bare) in parameters.items():
        plain = bare and value and all(c.isalnum() for c in value)
        written.append(f"{name}={value if plain else quoted(value)}")

    found = challenge_parameters("Bearer " + ", ".join(written))

    assert found == {name: value for name, (value, _) in parameters.items()}


@given(st.lists(TOKENS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_scopes_makes_no_difference(scopes: list[str], chance: object) -> None:
    """Calls that miss the same scopes share one renewal, however the server writes them."""
    shuffled = list(scopes)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # of random.Random

    def wanted(listed: list[str]) -> str:
        text = " ".join(listed)
        return wanted_scope(f'Bearer error="insufficient_scope", scope={quoted(text)}')

    assert wanted(scopes) == wanted(shuffled)
    assert sorted(wanted(scopes).split()) == sorted(scopes)
