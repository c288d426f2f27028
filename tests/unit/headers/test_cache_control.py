"""Reading ``Cache-Control``."""

from __future__ import annotations

import math

import pytest

from sessionkit.headers._cache_control import RequestDirectives, delta_seconds, read_directives


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", RequestDirectives(False, False, False, math.inf, 0, 0)),
        ("no-store", RequestDirectives(True, False, False, math.inf, 0, 0)),
        ("No-Cache", RequestDirectives(False, True, False, math.inf, 0, 0)),
        ("only-if-cached, max-stale", RequestDirectives(False, False, True, math.inf, math.inf, 0)),
        (
            "max-age=60,max-stale = 5 , min-fresh=7",
            RequestDirectives(False, False, False, 60, 5, 7),
        ),
        ('max-age="60"', RequestDirectives(False, False, False, 60, 0, 0)),
        ("max-age=soon, min-fresh=-1", RequestDirectives(False, False, False, 0, 0, math.inf)),
        ("max-stale=soon", RequestDirectives(False, False, False, math.inf, 0, 0)),
        ('x="no-store, max-age=1"', RequestDirectives(False, False, False, math.inf, 0, 0)),
    ],
)
def test_the_directives_of_a_request_are_read(text: str, wanted: RequestDirectives) -> None:
    """What makes no sense asks for caution."""
    assert RequestDirectives.read({"Cache-Control": text}) == wanted


def test_pragma_counts_where_there_is_no_cache_control() -> None:
    """RFC 9111, section 5.4: old clients ask so for a new answer."""
    assert RequestDirectives.read({"Pragma": "no-cache"}).no_cache
    assert not RequestDirectives.read({"Pragma": "no-cache", "Cache-Control": "max-age=9"}).no_cache
    assert read_directives(b"no-cache") == {"no-cache": ""}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("60", 60.0), ("9" * 40, 9_999_999_999.0), ("-1", 7.0), ("1.5", 7.0), ("", 7.0)],
)
def test_delta_seconds_are_digits_or_the_default(text: str, seconds: float) -> None:
    """More digits than any clock has stand for ever."""
    assert delta_seconds(text, 7.0) == seconds


@pytest.mark.parametrize("piece", ["a", "a=", 'a="', " ", "a =", ",", '"'])
def test_a_long_hostile_header_is_read_in_one_go(piece: str) -> None:
    """A server cannot stop the caller by a header: a million characters take a moment."""
    assert isinstance(read_directives(piece * (1_000_000 // len(piece))), dict)
