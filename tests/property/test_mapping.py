"""Laws of the mapper: what is written can be read, and what cannot be read is named, all of it."""

from __future__ import annotations

import datetime as dt
import enum
import json
import uuid
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, strategies as st

from sessionkit.errors import MappingError
from sessionkit.mapping import dump, load
from sessionkit.paging._paths import locate


class State(enum.Enum):
    """A closed list."""

    OPEN = "open"
    DONE = "done"


class Point(NamedTuple):
    """Read from an object, as every other model."""

    x: int
    y: float = 0.0


@dataclass
class Line:
    """A nested object."""

    sku: str
    price: Decimal
    count: int = 1


class Tagged(msgspec.Struct, tag="tagged"):
    """One of a choice."""

    size: int


class Other(msgspec.Struct, tag="other"):
    """The other one."""

    name: str | None


@dataclass
class Order:
    """Every kind of member that the mapper promises."""

    id: int
    ref: uuid.UUID
    when: dt.datetime
    day: dt.date | None
    state: State
    weight: float
    lines: list[Line]
    extra: Tagged | Other
    notes: dict[str, str] = field(default_factory=dict)
    paid: bool = False
    token: bytes = b""
    pair: tuple[int, str] = (0, "")
    wait: dt.timedelta = dt.timedelta()
    code: int | str | list[int] | None = None


LINES = st.builds(
    Line,
    sku=st.text(),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    count=st.integers(-(2**63), 2**63),
)
ORDERS = st.builds(
    Order,
    id=st.integers(-(2**63), 2**63),
    ref=st.uuids(),
    when=st.datetimes(timezones=st.just(dt.UTC)),
    day=st.none() | st.dates(),
    state=st.sampled_from(State),
    weight=st.floats(allow_nan=False, allow_infinity=False),
    lines=st.lists(LINES, max_size=3),
    extra=st.builds(Tagged, size=st.integers(0, 9)) | st.builds(Other, name=st.none() | st.text()),
    notes=st.dictionaries(st.text(), st.text(), max_size=3),
    paid=st.booleans(),
    token=st.binary(max_size=9),
    pair=st.tuples(st.integers(0, 9), st.text()),
    wait=st.timedeltas(dt.timedelta(days=-99), dt.timedelta(days=99)),
    code=st.none() | st.integers(0, 9) | st.text() | st.lists(st.integers(0, 9), max_size=2),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*Order.__dataclass_fields__])
DOCUMENTS = st.dictionaries(NAMES, VALUES) | VALUES
WHOLE = Order(
    id=1,
    ref=uuid.UUID(int=1),
    when=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    day=None,
    state=State.OPEN,
    weight=1.5,
    lines=[Line("a", Decimal("1.10")), Line("b", Decimal("2.20"))],
    extra=Tagged(3),
    notes={"a/b": "c", "~": "d"},
)


@given(ORDERS)
def test_what_was_written_can_be_read(order: Order) -> None:
    """An object that went out comes back equal, by way of real JSON too."""
    members = dump(order)

    assert load(Order, members) == order
    assert load(Order, json.dumps(members).encode()) == order


@given(st.builds(Point, x=st.integers(0, 9), y=st.floats(0, 9)))
def test_a_named_tuple_is_an_object_both_ways(point: Point) -> None:
    """NamedTuples travel by the names of their fields, as people who declare them expect."""
    members = dump(point)

    assert members == {"x": point.x, "y": point.y}
    assert load(Point, members) == point


@given(DOCUMENTS)
def test_any_document_is_an_object_or_one_clear_error(document: Any) -> None:
    """No answer of any server ends in a surprising exception or in a half-made object."""
    try:
        made: object = load(Order, document)
    except MappingError as error:
        made = error

    if isinstance(made, MappingError):
        assert made.problems
        assert all(_stands(document, problem.pointer) for problem in made.problems)
    else:
        assert isinstance(made, Order)


@given(DOCUMENTS)
def test_bytes_and_decoded_json_are_read_alike(document: Any) -> None:
    """It makes no difference whether a body is read at once or decoded first."""
    assert _outcome(json.dumps(document).encode()) == _outcome(document)


BREAKABLE: dict[str, Any] = {
    "/id": "1",
    "/ref": "no uuid",
    "/when": 5,
    "/day": "2026-13-01",
    "/state": "unheard of",
    "/weight": "1.5",
    "/lines/0/price": [],
    "/lines/1/sku": 7,
    "/lines/1/count": True,
    "/extra/size": None,
    "/notes/a~1b": {},
    "/notes/~0": 3,
    "/paid": 1,
    "/token": "%",
    "/pair/1": 1,
    "/wait": "tomorrow",
    "/code": {"a": 1},
}


@given(st.sets(st.sampled_from(sorted(BREAKABLE))))
def test_every_problem_is_named_with_its_place_and_no_other(broken: set[str]) -> None:
    """One error says all that is wrong with a document: no second look, no false alarm."""
    document = deepcopy(_as_json(WHOLE))
    for pointer in broken:
        _put(document, pointer, BREAKABLE[pointer])

    assert _problems(document) == sorted(broken)


@given(st.text(min_size=30), st.sampled_from(["/id", "/state", "/ref", "/when", "/extra/size"]))
def test_no_long_value_is_ever_quoted(value: str, pointer: str) -> None:
    """What stands in an answer by mistake does not get into logs by way of an error."""
    document = deepcopy(_as_json(WHOLE))
    _put(document, pointer, value)

    with pytest.raises(MappingError) as caught:
        load(Order, document)

    error = caught.value
    shown = f"{error} {error!r} {error.problems} {error.__cause__} {error.__context__}"
    assert value not in shown
    assert repr(value)[1:-1] not in shown


def _as_json(order: Order) -> Any:
    return json.loads(json.dumps(dump(order)))


def _problems(document: Any) -> list[str]:
    try:
        load(Order, document)
    except MappingError as error:
        return sorted(problem.pointer for problem in error.problems)
    return []


def _outcome(data: Any) -> Any:
    try:
        return repr(load(Order, data))
    except MappingError as error:
        return error.problems


def _stands(document: Any, pointer: str) -> bool:
    """Tell whether a place, or for what is missing the object around it, is in the document."""
    around = pointer.rpartition("/")[0]
    return locate(document, pointer) is not None or locate(document, around) is not None


def _put(document: Any, pointer: str, value: Any) -> None:
    around, _, last = pointer.rpartition("/")
    found = locate(document, around)
    assert found is not None
    name = last.replace("~1", "/").replace("~0", "~")
    found.value[int(name) if isinstance(found.value, list) else name] = value
