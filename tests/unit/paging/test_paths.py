"""Places in a JSON document."""

from __future__ import annotations

from typing import Any

import pytest

from sessionkit.errors import ConfigError
from sessionkit.paging._paths import (
    Found,
    JsonPath,
    check_json_path,
    find,
    locate,
    pointer_to,
    replaced,
)

# The document of RFC 6901, section 5, and what its pointers give.
SPEC: dict[str, Any] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", SPEC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_pointers_give_what_their_standard_says(pointer: str, value: object) -> None:
    """Any JSON Pointer that a documentation names can be used as it stands."""
    assert locate(SPEC, pointer) == Found(pointer, value)


@pytest.mark.parametrize(
    ("place", "pointer", "value"),
    [
        ("meta.next", "/meta/next", "n"),
        ("rows.1.id", "/rows/1/id", 8),
        ("@odata.nextLink", "/@odata.nextLink", "o"),
        (("meta", "next"), "/meta/next", "n"),
        (("rows", 1, "id"), "/rows/1/id", 8),
        (("a/b",), "/a~1b", 1),
        ((), "", None),
        ("hydra:next", "/hydra:next", None),
    ],
)
def test_dotted_names_and_tuples_need_no_quoting(
    place: JsonPath, pointer: str, value: object
) -> None:
    """A member called ``@odata.nextLink`` or ``hydra:next`` is written as it is called."""
    document = {
        "meta": {"next": "n"},
        "rows": [{"id": 7}, {"id": 8}],
        "@odata.nextLink": "o",
        "a/b": 1,
        "hydra:next": None,
    }
    found = locate(document, place)

    assert found == Found(pointer, document if place == () else value)


@pytest.mark.parametrize(
    "place",
    [
        *("/none", "/rows/2", "/rows/01", "/rows/-", "/rows/x", "/rows/0/id/more"),
        *("none.at.all", ("x",), ("rows", 2), (0,)),
    ],
)
def test_what_is_missing_is_not_null(place: JsonPath) -> None:
    """A place that is not there can be told from one that holds null."""
    assert locate({"rows": [{"id": None}, 2]}, place) is None


def test_finding_gives_none_for_nothing_and_for_no_place() -> None:
    """Optional places need no case of their own."""
    assert find({"a": 1}, "/b") is None
    assert find({"a": 1}, None) is None
    assert find({"a": {"b": 1}}, "a.b") == 1


@pytest.mark.parametrize("place", ["/a~2b", "/a~", 7, None, ["a"], ("a", 1.5), ("a", -1), (True,)])
def test_a_bad_place_is_refused_when_it_is_given(place: object) -> None:
    """A typing error shows where it was made, not on page 1."""
    with pytest.raises(ConfigError):
        check_json_path(place)


@pytest.mark.parametrize("place", ["", "/", "a", "a.b", "/a~0b~1c/0", (), ("a", 0)])
def test_a_good_place_is_accepted(place: JsonPath) -> None:
    """Pointers, dotted names and tuples are all places."""
    check_json_path(place)


@pytest.mark.parametrize(
    ("before", "place", "after"),
    [
        (None, "/a/b", {"a": {"b": 9}}),
        ({}, "cursor", {"cursor": 9}),
        ({"a": 1}, "page.after", {"a": 1, "page": {"after": 9}}),
        ({"page.after": 1}, "page.after", {"page.after": 9}),
        ({"page": {"after": 1, "size": 2}}, "page.after", {"page": {"after": 9, "size": 2}}),
        ({"a": [1, {"b": 2}]}, "/a/1/b", {"a": [1, {"b": 9}]}),
        ({"a": 1}, "", 9),
    ],
)
def test_a_value_is_put_into_a_copy(before: object, place: JsonPath, after: object) -> None:
    """The body that the caller gave is never changed."""
    kept = repr(before)

    assert replaced(before, place, 9) == after
    assert repr(before) == kept


@pytest.mark.parametrize("place", ["/a/b", "/l/2", "/l/x"])
def test_a_way_through_a_plain_value_is_refused(place: str) -> None:
    """Nothing of the caller's body is overwritten to make room."""
    with pytest.raises(ConfigError, match="no way"):
        replaced({"a": "text", "l": [1]}, place, 9)


def test_keys_make_a_pointer() -> None:
    """Places in messages can be pasted back as places."""
    assert pointer_to(("a/b", 0, "m~n")) == "/a~1b/0/m~0n"
