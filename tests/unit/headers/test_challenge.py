"""Reading why an answer refused a token."""

from __future__ import annotations

import time

import pytest

from sessionkit.headers._challenge import challenge_parameters, wanted_scope

#: Characters of a header that are looked at.
LIMIT = 8192


@pytest.mark.parametrize(
    ("challenge", "parameters"),
    [
        (None, {}),
        ("", {}),
        ("Bearer", {}),
        ("Negotiate oY4=", {}),
        ('Bearer realm="api"', {"realm": "api"}),
        ("Bearer error=invalid_token", {"error": "invalid_token"}),
        (
            'Bearer Realm = "api" , ERROR="invalid_token",error_description="\\"ended\\", sorry"',
            {"realm": "api", "error": "invalid_token", "error_description": '"ended", sorry'},
        ),
        ('Basic realm="one", Bearer realm="two", scope=""', {"realm": "one", "scope": ""}),
        ('Bearer realm="never closed', {}),
        ('Bearer scope="a  b", x=y', {"scope": "a  b", "x": "y"}),
        ("Bearer , a=, =x, b=c", {"b": "c"}),
    ],
)
def test_the_parameters_of_a_challenge_are_read(
    challenge: str | None, parameters: dict[str, str]
) -> None:
    """Quoted or not, in any case, escaped or broken: what can be read is."""
    assert challenge_parameters(challenge) == parameters


@pytest.mark.parametrize(
    ("challenge", "scope"),
    [
        ('Bearer error="insufficient_scope", scope="write read"', "read write"),
        ("Bearer error=insufficient_scope, scope=write", "write"),
        ('Bearer error="insufficient_scope"', ""),
        ('Bearer error="invalid_token", scope="read"', ""),
        ('Bearer scope="read"', ""),
        (None, ""),
    ],
)
def test_a_scope_is_wanted_only_where_the_server_says_that_it_is_missing(
    challenge: str | None, scope: str
) -> None:
    """A scope named in passing does not ask for another token."""
    assert wanted_scope(challenge) == scope


def test_two_ways_to_write_a_scope_are_one_wish() -> None:
    """Two threads that miss the same scopes share one renewal."""
    one = wanted_scope('Bearer error=insufficient_scope, scope="a b"')
    other = wanted_scope('Bearer error=insufficient_scope, scope="b  a"')

    assert one == other


@pytest.mark.parametrize(
    "pattern",
    ["a", 'a="', "a=", 'a="\\', " ", "=", '"', "a ", 'a="b\\"', "a\t=\t", "\\"],
)
def test_a_hostile_challenge_costs_next_to_no_time(pattern: str) -> None:
    """A server cannot keep a client busy with the header of one refusal."""
    answer = (pattern * LIMIT)[: 8 * LIMIT]
    started = time.thread_time()

    for _ in range(20):
        challenge_parameters(answer)

    # Twenty readings of some milliseconds; one that grows with the square takes ten seconds.
    assert time.thread_time() - started < 2


def test_only_the_beginning_of_a_very_long_challenge_is_read() -> None:
    """What one header costs is bounded."""
    early, late = 'error="first", ', 'scope="last"'
    long = early + "x" * LIMIT + ", " + late

    assert challenge_parameters(long)["error"] == "first"
    assert "scope" not in challenge_parameters(long)
