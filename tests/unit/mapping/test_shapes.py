"""What the walk asks of a type."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypedDict, TypeVar

import msgspec
import pytest
from msgspec.inspect import type_info

from sessionkit.mapping._shapes import (
    as_row,
    constraints,
    fields_of,
    fits,
    fits_key,
    is_named,
    is_nullable,
    member_for,
    positions,
    tagged_in,
)

T = TypeVar("T")


class Cat(msgspec.Struct, tag="cat"):
    """One of a choice."""

    lives: int = 9


class Dog(msgspec.Struct, tag="dog"):
    """The other one."""

    name: str = ""


class Row(msgspec.Struct, array_like=True):
    """Read from an array."""

    x: int
    y: str


class Pair(NamedTuple):
    """Read from an object, by way of an array."""

    x: int
    y: int = 2


class Many(TypedDict, Generic[T]):
    """Takes a type of its own."""

    b: T
    a: int


class Settings(TypedDict):
    """Has its fields in no order of the alphabet."""

    b: int
    c: NotRequired[int]
    a: int


@dataclass
class Model:
    """A plain one."""

    x: int


@pytest.mark.parametrize(
    ("kind", "named"), [(Model, True), (Pair, True), (Cat, True), (Row, False), (dict, False)]
)
def test_models_are_read_member_by_member_but_for_rows(kind: Any, named: bool) -> None:
    """An array-like Struct keeps its form."""
    assert is_named(type_info(kind)) is named


@pytest.mark.parametrize(
    ("kind", "nullable"),
    [(int, False), (int | None, True), (Any, True), (None, True), (Literal["a"] | None, True)],
)
def test_null_is_allowed_by_whoever_names_it(kind: Any, nullable: bool) -> None:
    """Optional is what says None, in every way to write it."""
    assert is_nullable(type_info(kind)) is nullable


def test_rows_and_tuples_say_what_stands_where() -> None:
    """Each position has a type of its own."""
    assert len(positions(type_info(tuple[int, str, int]))) == 3
    assert len(positions(type_info(Row))) == 2
    assert len(positions(type_info(Pair))) == 2
    assert positions(type_info(list[int])) == ()
    assert positions(type_info(Model)) == ()


def test_constraints_are_what_was_annotated() -> None:
    """Limits that the user wrote are the limits that are checked."""
    assert constraints(type_info(Annotated[int, msgspec.Meta(gt=1, le=5)])) == {"gt": 1, "le": 5}
    assert constraints(type_info(Annotated[dt.datetime, msgspec.Meta(tz=True)])) == {"tz": True}
    assert constraints(type_info(Model)) == {}


@pytest.mark.parametrize(
    ("kind", "value", "fit"),
    [
        (int, 1, True),
        (float, 1, True),
        (int, True, False),
        (Annotated[str, msgspec.Meta(pattern="^a")], "b", False),
        (Annotated[str, msgspec.Meta(pattern="^a")], "a", True),
        (Annotated[dt.datetime, msgspec.Meta(tz=True)], "2026-01-02T03:04:05", False),
        (uuid.UUID, str(uuid.UUID(int=7)), True),
        (Any, object(), True),
        (Literal[1, 2], 3, False),
        (int | dt.date, "2026-01-02", True),
        (Annotated[list[int], msgspec.Meta(min_length=1)], {}, False),
        (int | dt.date, "today", False),
        (Model, [], False),
        (complex, "1j", False),
        (complex, 1j, True),
    ],
)
def test_a_scalar_is_judged_as_the_engine_judges_it(kind: Any, value: Any, fit: bool) -> None:
    """The slow walk and the fast way never disagree."""
    assert fits(type_info(kind), value) is fit


def test_the_member_of_a_union_is_found_by_what_there_is() -> None:
    """Arrays, objects and tagged objects each have one place to go, scalars none."""
    choice = type_info(Cat | Dog | list[int] | int)
    assert isinstance(choice, msgspec.inspect.UnionType)

    dog = member_for(choice, {"type": "dog"})
    assert isinstance(dog, msgspec.inspect.StructType)
    assert dog.cls is Dog
    assert isinstance(member_for(choice, []), msgspec.inspect.ListType)
    assert member_for(choice, {"type": "cow"}) is None
    assert member_for(choice, {}) is None
    assert member_for(choice, 5) is None
    assert fits(choice, 5)
    assert [kind.tag for kind in tagged_in(choice)] == ["cat", "dog"]
    assert tagged_in(type_info(Model)) == []


def test_an_object_becomes_the_row_of_a_named_tuple() -> None:
    """Defaults fill what is missing, and what the model does not know is left out."""
    shape = type_info(Pair)
    assert isinstance(shape, msgspec.inspect.NamedTupleType)

    assert as_row(shape, {"x": 1}) == [1, 2]
    assert as_row(shape, {"y": 3, "x": 1, "z": 0}) == [1, 3]


def test_fields_stand_in_the_order_of_the_class() -> None:
    """Problems of a TypedDict come in the order in which its author thinks."""
    shape = type_info(Settings)
    assert isinstance(shape, msgspec.inspect.TypedDictType)

    assert [field.name for field in fields_of(shape)] == ["b", "c", "a"]

    generic = type_info(Many[int])
    assert isinstance(generic, msgspec.inspect.TypedDictType)
    assert [field.name for field in fields_of(generic)] == ["b", "a"]


@pytest.mark.parametrize(
    ("kind", "key", "fit"),
    [(int, "7", True), (int, "x", False), (str, "x", True), (dt.date, "2026-01-02", True)],
)
def test_a_name_is_judged_as_a_key(kind: Any, key: str, fit: bool) -> None:
    """JSON has text for names only, so a number is read from it here and nowhere else."""
    assert fits_key(type_info(kind), key) is fit
