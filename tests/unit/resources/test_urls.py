"""Paths and queries: no value leaves its place."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, strategies as st
from requests import Request

from sessionkit.errors import ConfigError, InvalidRequest
from sessionkit.resources import UNSET
from sessionkit.resources._urls import Template, check_path, query, segment


class Colour(enum.Enum):
    """Travels as its value."""

    RED = "red/ish"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "-1"),
        ("a/b?x=1#f", "a%2Fb%3Fx%3D1%23f"),
        ("../admin", "..%2Fadmin"),
        ("%2e%2e", "%252e%252e"),
        ("Zürich", "Z%C3%BCrich"),
        ("urn:isbn:1", "urn%3Aisbn%3A1"),
        ("...", "..."),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (Colour.RED, "red%2Fish"),
        (True, "true"),
    ],
)
def test_a_value_is_one_segment_of_a_path(value: object, text: str) -> None:
    """A key with a slash in it is a key, and 0 is as good a key as any."""
    assert segment(value, "key") == text


@pytest.mark.parametrize("value", [None, "", UNSET, ".", "..", [], {}, object(), "\ud800"])
def test_a_value_that_would_lead_elsewhere_is_refused(value: object) -> None:
    """No request goes to a collection, or to a parent, because a key was missing."""
    with pytest.raises(InvalidRequest):
        segment(value, "key")


@given(st.text(min_size=1).filter(lambda text: text not in {".", ".."}))
def test_any_text_arrives_as_it_was(text: str) -> None:
    """Whatever a key is made of, the server reads the same one, at the same place."""
    try:
        url = Request("GET", f"http://127.0.0.1/a/{segment(text, 'key')}/b").prepare().url or ""
    except InvalidRequest:
        with pytest.raises(UnicodeEncodeError):
            text.encode()
        return

    one, key, two = url.removeprefix("http://127.0.0.1/").split("/")
    assert (one, unquote(key), two) == ("a", text, "b")


def test_a_query_says_what_servers_read() -> None:
    """Booleans, dates and lists have one form, and what was not given is not sent."""
    params = {
        "open": True,
        "since": dt.date(2026, 1, 2),
        "colour": [Colour.RED, "blue"],
        "ids": (1, 2),
        "none": None,
        "unset": UNSET,
        "page": 2,
        "ratio": 0.5,
    }

    assert query(params) == {
        "open": "true",
        "since": "2026-01-02",
        "colour": ["red/ish", "blue"],
        "ids": ["1", "2"],
        "page": "2",
        "ratio": "0.5",
    }


@pytest.mark.parametrize("value", [{"a": 1}, [[1]], [None], object()])
def test_a_value_that_no_query_can_hold_is_refused(value: Any) -> None:
    """Requests would send the keys of an object and drop its values in silence."""
    with pytest.raises(InvalidRequest, match="filter"):
        query({"filter": value})


def test_a_template_is_filled_with_quoted_values() -> None:
    """Text around the places stays, braces can be doubled, a query may follow."""
    template = Template("/users/{name}/{{x}}?kind={kind}", "Api.user")

    assert template.names == {"name", "kind"}
    assert template.fill({"name": "a/b", "kind": "c&d"}) == "/users/a%2Fb/{x}?kind=c%26d"
    assert repr(template) == "Template('/users/{name}/{{x}}?kind={kind}')"


@pytest.mark.parametrize(
    "text",
    [
        *("https://other.example/{id}", "//other.example/", "a/../b", "./a", "a#b"),
        *("{id", "{}", "{0}", "{id!r}", "{id:>5}", "{user.name}", "{a[b]}", 5),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(text: Any) -> None:
    """A slip in a declaration is found when the class is made, with its name."""
    with pytest.raises(ConfigError, match=r"^Api\.user: "):
        Template(text, "Api.user")


def test_a_path_may_be_empty_or_have_slashes_around() -> None:
    """How people write a path is up to them, as long as it stays below the base."""
    for path in ("", "/", "orders", "/orders/", "a/b?c=../d"):
        check_path(path, "Api")
