"""The slow walk: each problem at its place, each in words of JSON."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pytest

from sessionkit.errors import MappingError, Problem
from sessionkit.mapping import load
from sessionkit.mapping._problems import ProblemFinder, escape, pointer_of

Id = Annotated[int, msgspec.Meta(ge=1)]


class Size(enum.Enum):
    """A closed list."""

    S = 1
    L = 2


class Cat(msgspec.Struct, tag="cat"):
    """One of a choice, told apart by ``type``."""

    lives: int


class Dog(msgspec.Struct, tag="dog"):
    """The other one."""

    name: str


class Strict(msgspec.Struct, forbid_unknown_fields=True, tag=True):
    """Wants no unknown members."""

    a: int = 1


class Row(msgspec.Struct, array_like=True):
    """Read from an array."""

    x: int
    y: str = "y"


class Pair(NamedTuple):
    """Read from an object or an array."""

    x: int
    y: dt.date = dt.date(2026, 1, 1)
    z: int = 0


class Hole(TypedDict, total=False):
    """Has members that may be missing, and no defaults."""

    names: list[str]


@dataclass
class Login:
    """Has members that no error should quote."""

    api_token: uuid.UUID
    password: Literal["a", "b"]
    name: Literal["a", "b"] = "a"


@dataclass
class Loose:
    """Has a member of any kind."""

    anything: Any


@attrs.define
class Even:
    """Has a validator."""

    value: int = attrs.field(default=0)

    @value.validator
    def _check(self, _attribute: object, value: int) -> None:
        if value % 2:
            raise ValueError("it is odd")


@dataclass
class Garage:
    """Has objects inside that check themselves."""

    evens: dict[str, Even]
    other: int = 0


def problems(model: Any, raw: Any) -> list[str]:
    """Return what the mapper says of *raw*, or nothing if it fits."""
    try:
        load(model, raw)
    except MappingError as error:
        return [f"{problem.pointer} {problem.message}" for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("model", "raw", "said"),
    [
        (int, "secret", " expected integer, found text"),
        (float, [], " expected number, found array"),
        (bool, {}, " expected boolean, found object"),
        (str, False, " expected text, found boolean"),
        (None, 1.5, " expected null, found number"),
        (Id, 0, " expected integer >= 1, found integer"),
        (dt.date, "2026-13-01", " expected date (YYYY-MM-DD), found text '2026-13-01'"),
        (dt.datetime | None, 5, " expected date and time (RFC 3339) or null, found integer 5"),
        (Size, 3, " expected one of 1, 2, found integer 3"),
        (Literal["a"], "b", " expected 'a', found text 'b'"),
        (list[int], None, " expected array, found null"),
        (set[int], {}, " expected array, found object"),
        (dict[str, int], [], " expected object, found array"),
        (int | str | None, [], " expected integer or text or null, found array"),
        (tuple[int, str], [1], " expected 2 items, found 1"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_in_words_of_json(
    model: Any, raw: Any, said: str
) -> None:
    """The reader of the message needs no Python to compare it with the server's documents."""
    assert problems(model, raw) == [said]


@pytest.mark.parametrize(
    ("model", "raw", "said"),
    [
        (list[int], [1, "2", 3, "4"], ["/1", "/3"]),
        (tuple[int, ...], ["1"], ["/0"]),
        (tuple[int, str], ["1", 2], ["/0", "/1"]),
        (dict[str, int], {"a/b": "1", "~": "2"}, ["/a~1b", "/~0"]),
        (dict[int, int], {"1": 1, "x": "2"}, ["/x", "/x"]),
        (list[int] | str, ["1"], ["/0"]),
        (dict[str, list[int]] | None, {"a": [None]}, ["/a/0"]),
        (Row, ["1", 2, "more"], ["/0", "/1"]),
        (Pair, ["1"], ["/0"]),
        (Pair, {"y": "today"}, ["/x", "/y"]),
        (Annotated[list[int], msgspec.Meta(min_length=1)], [], [""]),
        (Annotated[dict[str, int], msgspec.Meta(max_length=1)], {"a": 1, "b": "2"}, ["", "/b"]),
        (Annotated[list[int], msgspec.Meta(max_length=1)], [1, 2], [""]),
    ],
)
def test_a_place_is_a_json_pointer(model: Any, raw: Any, said: list[str]) -> None:
    """Every tool that reads RFC 6901 finds the place in the document."""
    assert [line.partition(" ")[0] for line in problems(model, raw)] == said


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"type": "cat"}, ["/lives missing, expected integer"]),
        ({"type": "cow", "lives": 1}, ["/type expected one of 'cat', 'dog', found text 'cow'"]),
        ({"lives": 1}, ["/type expected one of 'cat', 'dog', found nothing"]),
        ({"type": "cat", "lives": "9"}, ["/lives expected integer, found text"]),
        ([], [" expected object or null, found array"]),
    ],
)
def test_a_choice_of_objects_is_told_apart_by_its_tag(raw: Any, said: list[str]) -> None:
    """The walk follows the object that was meant, or says which ones there are."""
    assert problems(Cat | Dog | None, raw) == said


def test_unknown_members_are_a_problem_where_the_model_says_so() -> None:
    """All of them are named, and the tag is none of them."""
    assert problems(Strict, {"type": "Strict", "a": 1}) == []
    assert [line.partition(" ")[0] for line in problems(Strict, {"b": 1, "c": 2})] == ["/b", "/c"]
    assert problems(Strict, {"type": "Other"}) == ["/type expected 'Strict', found text 'Other'"]


def test_null_is_left_out_where_a_member_may_be_missing() -> None:
    """A TypedDict has no defaults; what is null there is as good as missing."""
    assert load(Hole, {"names": None}) == {}


def test_a_missing_member_of_any_kind_is_a_problem() -> None:
    """Only who wrote down that a member may be null gets None for nothing."""
    assert problems(Loose, {}) == ["/anything missing, expected anything"]
    assert load(Loose, {"anything": None}) == Loose(None)


def test_a_named_tuple_keeps_its_defaults_before_a_later_member() -> None:
    """Members of an object have no order, and those that are missing no say in the others."""
    assert load(Pair, {"z": 5, "x": 1}) == Pair(1, dt.date(2026, 1, 1), 5)
    assert load(Pair, [1, "2026-02-03"]) == Pair(1, dt.date(2026, 2, 3), 0)


def test_a_value_in_a_secret_place_is_never_quoted() -> None:
    """The form of a token is as wrong as that of a date, but only one may be shown."""
    raw = {"api_token": "hunter2", "password": "hunter2", "name": "hunter2"}

    assert problems(Login, raw) == [
        "/api_token expected UUID, found text",
        "/password expected one of 'a', 'b', found text",
        "/name expected one of 'a', 'b', found text 'hunter2'",
    ]


def test_checks_of_the_model_itself_are_found_at_any_depth() -> None:
    """A validator's refusal has a place, whatever else is wrong around it."""
    assert problems(Garage, {"evens": {"a": {"value": 2}, "b": {"value": 3}}, "other": "x"}) == [
        "/evens/b it is odd",
        "/other expected integer, found text",
    ]
    assert problems(Even, {"value": 1}) == [" it is odd"]


def test_the_walk_leaves_the_document_as_it_was() -> None:
    """What was decoded once can be looked at again after an error or a success."""
    raw = {"x": 1, "y": None}
    found: list[Problem] = []
    shape = msgspec.inspect.type_info(Pair)

    assert ProblemFinder(found).find(shape, raw, "") == [1, dt.date(2026, 1, 1), 0]
    assert found == []
    assert raw == {"x": 1, "y": None}


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("Expected `int`, got `str` - at `$.lines[2].price`", "/lines/2/price"),
        ("Expected `int`, got `str` - at `$[0]`", "/0"),
        ("it is odd", ""),
        ("no - at `place`", ""),
    ],
)
def test_the_engines_own_places_are_read_as_pointers(text: str, pointer: str) -> None:
    """Where only msgspec knows a place, it is written like all the others."""
    assert pointer_of(text) == pointer


def test_a_name_is_escaped_as_the_standard_says() -> None:
    """A slash in a name does not look like a step."""
    assert escape("a/~b") == "a~1~0b"
