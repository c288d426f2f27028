"""The words of the mapper's messages."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated, Any

import msgspec
import pytest
from msgspec.inspect import type_info

from sessionkit.mapping._messages import (
    describe,
    describe_choices,
    describe_shape,
    excerpt,
    has_format,
    message_of,
)

Many = enum.IntEnum("Many", "A B C D E F G H K L", start=0)


class Row(msgspec.Struct, array_like=True):
    """Read from an array."""

    x: int


class Plain:
    """No model."""


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Annotated[int, msgspec.Meta(ge=1, lt=9)], "integer >= 1, < 9"),
        (Annotated[str, msgspec.Meta(max_length=9)], "text max_length 9"),
        (int | float | None, "integer or number or null"),
        (Many, "one of 0, 1, 2, 3, 4, 5, 6, 7, ..."),
        (bytes, "base64 text"),
        (list[int], "array"),
        (Row, "array"),
        (Any, "anything"),
        (Plain, "Plain, which no JSON can be"),
    ],
)
def test_what_is_expected_is_said_in_words_of_json(kind: Any, words: str) -> None:
    """A message can be compared with any documentation of an API."""
    assert describe_shape(type_info(kind)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "boolean"),
        (7, "integer"),
        (7.5, "number"),
        ("secret", "text"),
        ([], "array"),
        ({}, "object"),
        (dt.date(2026, 1, 2), "date"),
    ],
)
def test_what_is_found_is_its_kind_and_not_its_value(value: Any, words: str) -> None:
    """A value is shown only where its form is the point."""
    assert describe(value) == words


def test_a_shown_value_is_short_and_without_secrets() -> None:
    """The beginning is enough to recognise a wrong date; a whole token would be too much."""
    assert describe("2026-13-01", shown=True) == "text '2026-13-01'"
    assert describe(12, shown=True) == "integer 12"
    assert excerpt("x" * 21) == f"'{'x' * 19}..."
    assert excerpt("Bearer abc.def") == "'Bearer ***'"


def test_a_choice_of_one_reads_like_a_value() -> None:
    """No list is announced where there is none."""
    assert describe_choices(["a"]) == "'a'"
    assert describe_choices(["a", 1]) == "one of 'a', 1"


def test_only_kinds_of_text_have_a_form() -> None:
    """For plain numbers and texts the kind says it all."""
    assert has_format(type_info(dt.date | None))
    assert has_format(type_info(Many))
    assert not has_format(type_info(int | str))


def test_a_models_own_words_are_cut_and_cleaned() -> None:
    """A validator may quote what it was given; a log must not suffer for it."""
    assert message_of(ValueError("it is\nodd - at `$.value`")) == "it is odd"
    assert message_of(ValueError("password=hunter2")) == "password=***"
    assert len(message_of(ValueError("x" * 500))) == 120
