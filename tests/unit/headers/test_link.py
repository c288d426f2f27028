"""Reading ``Link``."""

from __future__ import annotations

import pytest

from sessionkit.headers._link import Link, parse_links


def test_every_part_of_a_link_is_kept() -> None:
    """Names come in lower case, values as they stand."""
    text = '<a>; Rel="Next Last"; Title="T\\"x"; anchor="b"; flag, <c>'

    assert parse_links(text) == [
        Link(
            "a",
            ("next", "last"),
            "b",
            (("rel", "Next Last"), ("title", 'T"x'), ("anchor", "b"), ("flag", "")),
        ),
        Link("c"),
    ]


@pytest.mark.parametrize(
    "piece", ["<", "<,", ",", ";", '<a>;"', "<a>; a=\\", " ", '<a>; b="', "\\"]
)
def test_a_long_hostile_header_is_read_in_one_go(piece: str) -> None:
    """A server cannot stop the caller by a header: a million characters take a moment."""
    assert isinstance(parse_links(piece * (1_000_000 // len(piece))), list)


@pytest.mark.parametrize("text", ["", "a", "a; rel=next", "<a", ", ,", ";", "a, <b"])
def test_what_is_no_link_is_left_out(text: str) -> None:
    """An element without its brackets is none."""
    assert parse_links(text) == []


def test_a_link_behind_a_broken_element_is_read() -> None:
    """One that a server got wrong hides no other."""
    assert parse_links("a; rel=x, <b>; rel=next") == [
        Link("b", ("next",), None, (("rel", "next"),))
    ]
