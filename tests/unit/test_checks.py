"""Checks of numbers: what is taken, what is refused, and in which words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from sessionkit import _checks as checks
from sessionkit.errors import ConfigError

NO_NUMBERS: list[Any] = [None, "2", True, math.nan, [1], 1j]


@pytest.mark.parametrize("value", [0, 0.0, 2.5, 7, 1e300])
def test_seconds_are_returned_as_given(value: float) -> None:
    """Nothing is converted: a repr shows what the user wrote."""
    assert checks.seconds("max_wait", value) is value


@pytest.mark.parametrize("value", [*NO_NUMBERS, -1, math.inf])
def test_seconds_refuse_what_cannot_be_waited(value: object) -> None:
    """Neither a bool nor infinity nor NaN is a number of seconds."""
    with pytest.raises(ConfigError, match=r"max_wait must be a number of seconds from 0, not "):
        checks.seconds("max_wait", value)


def test_seconds_within_other_bounds() -> None:
    """The message tells the bounds that hold."""
    assert checks.seconds("x", -1.0, minimum=-math.inf) == -1.0
    assert checks.seconds("x", math.inf, maximum=math.inf) == math.inf
    with pytest.raises(ConfigError, match=r"^x must be a number of seconds above 0, not 0"):
        checks.seconds("x", 0, positive=True)
    with pytest.raises(ConfigError, match=r"^x must be a number of seconds above 0, not -1"):
        checks.seconds("x", -1, positive=True)
    with pytest.raises(ConfigError, match=r"^x must be a number of seconds from 2 up to 9, not 1"):
        checks.seconds("x", 1, minimum=2, maximum=9)
    with pytest.raises(ConfigError, match=r"^x must be a number of seconds, not nan"):
        checks.seconds("x", math.nan, minimum=-math.inf)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0.5, math.inf])
def test_number_refuses_other_things_and_smaller_ones(value: object) -> None:
    """As many as make sense, and no more than can be counted."""
    assert checks.number("capacity", 1, minimum=1.0) == 1
    with pytest.raises(ConfigError, match="capacity must be a number from 1, not ") as caught:
        checks.number("capacity", value, minimum=1.0, hint="such as 100")
    assert caught.value.hint == "such as 100"


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0, 1.0])
def test_count_refuses_fractions_and_too_few(value: object) -> None:
    """A whole number is an int."""
    assert checks.count("probes", 3) == 3
    assert checks.count("start", 0, minimum=0) == 0
    with pytest.raises(ConfigError, match="probes must be a whole number from 1, not "):
        checks.count("probes", value)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0, 1.0, -1])
def test_size_refuses_what_is_no_number_of_bytes(value: object) -> None:
    """No bytes at all would let nothing through."""
    assert checks.size("max_bytes", 1) == 1
    with pytest.raises(ConfigError, match="max_bytes must be a number of bytes above 0, not "):
        checks.size("max_bytes", value)


def test_a_long_value_is_cut() -> None:
    """The message stays readable."""
    with pytest.raises(ConfigError) as caught:
        checks.count("probes", "x" * 1000)
    assert len(str(caught.value)) < 200
