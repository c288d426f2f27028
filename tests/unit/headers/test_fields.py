"""The pieces that header fields are made of."""

from __future__ import annotations

import pytest

from sessionkit.headers._fields import (
    read_count,
    read_date,
    read_items,
    read_moment,
    read_number,
    unquote,
)

MOMENT = 1_772_323_200.0


def test_items_come_with_their_parameters() -> None:
    """Commas and semicolons inside quotes separate nothing; values keep their quotes."""
    assert list(read_items('a ; B = 1;c="x, y; z" , "d;e", ;f, , g;h')) == [
        ("a", [("b", "1"), ("c", '"x, y; z"')]),
        ('"d;e"', []),
        ("g", [("h", "")]),
    ]


@pytest.mark.parametrize(
    ("text", "plain"),
    [("a", "a"), ('"a b"', "a b"), (r'"a \"b\" \\"', 'a "b" \\'), ('"cut', "cut"), ("", "")],
)
def test_quotes_and_escapes_are_taken_off(text: str, plain: str) -> None:
    """A string that was cut off is what came of it."""
    assert unquote(text) == plain


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5.0),
        (" 5.25 ", 5.25),
        ("5.", 5.0),
        *((text, None) for text in ("", "-5", "+5", "1e3", "5 s", "\u0663", ".5", "9" * 21)),
        (None, None),
    ],
)
def test_a_number_is_digits_with_a_fraction(text: str | None, number: float | None) -> None:
    """No sign, no exponent, no digits of other scripts."""
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "count"), [(" 12 ", 12), ("1.0", None), ("-1", None), ("9" * 19, None), (None, None)]
)
def test_a_count_is_digits_alone(text: str | None, count: int | None) -> None:
    """As many as an integer of 64 bits has."""
    assert read_count(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 01 Mar 2026 00:00:00 GMT",
        " Sun, 01 Mar 2026 01:00:00 +0100 ",
        "Sun, 01 Mar 2026 00:00:00 -0000",
        "Sunday, 01-Mar-26 00:00:00 GMT",
        "@1772323200",
    ],
)
def test_dates_of_http_and_of_structured_fields_are_read(text: str) -> None:
    """One without a zone is in UTC."""
    assert read_date(text) == MOMENT
    assert read_moment(text) == MOMENT


@pytest.mark.parametrize("text", ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00+01:00"])
def test_only_a_moment_may_be_written_as_in_rfc_3339(text: str) -> None:
    """Vendors write the end of a window so, and nobody a date of HTTP."""
    assert read_date(text) is None
    assert read_moment(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [None, "", "0", "soon", "@", "@x", "@1.5", "@" + "9" * 5_000, "Mon, 99 Foo 2026", "-1"],
)
def test_what_is_no_date_is_none(text: str | None) -> None:
    """Nothing raises."""
    assert read_date(text) is None
    assert read_moment(text) is None
