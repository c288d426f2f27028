"""The way from JSON to objects and back."""

from __future__ import annotations

import datetime as dt
import enum
import pickle
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict

import attrs
import msgspec
import pytest

from sessionkit.errors import (
    ConfigError,
    DecodeError,
    InvalidRequest,
    MappingError,
    SessionKitError,
)
from sessionkit.mapping import Loader, dump, load
from sessionkit.mapping._engine import loader_for


class Colour(enum.Enum):
    """Has a closed list of values."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    """Nested in each of the models below."""

    price: float
    count: int = 1


@dataclass
class AsDataclass:
    """One model ..."""

    id: int
    note: str | None
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AsSlots:
    """... declared ..."""

    id: int
    note: str | None
    lines: list[Line] = field(default_factory=list)


class AsStruct(msgspec.Struct):
    """... in each ..."""

    id: int
    note: str | None
    lines: list[Line] = []


@attrs.define
class AsAttrs:
    """... of the ..."""

    id: int
    note: str | None
    lines: list[Line] = attrs.Factory(list)


class AsTypedDict(TypedDict):
    """... six ..."""

    id: int
    note: str | None
    lines: NotRequired[list[Line]]


class AsNamedTuple(NamedTuple):
    """... ways."""

    id: int
    note: str | None
    lines: list[Line] = []  # noqa: RUF012  # as a default of a NamedTuple it is shared, and never changed


KINDS = [AsDataclass, AsSlots, AsStruct, AsAttrs, AsTypedDict, AsNamedTuple]


@dataclass
class Scalars:
    """What JSON has no word for."""

    when: dt.datetime
    day: dt.date
    at: dt.time
    wait: dt.timedelta
    ref: uuid.UUID
    price: Decimal
    colour: Colour
    raw: bytes


@dataclass
class Tree:
    """Contains itself."""

    children: list[Tree] = field(default_factory=list)


@dataclass
class Positive:
    """Has an opinion of its own."""

    value: int

    def __post_init__(self) -> None:
        if self.value < 0:
            raise ValueError(f"{self.value} is negative")


@dataclass
class Lost:
    """Has an annotation that leads nowhere."""

    other: Nowhere  # type: ignore[name-defined]  # noqa: F821  # on purpose


class Plain:
    """No model at all."""


def _of(made: Any, name: str) -> Any:
    return made[name] if isinstance(made, dict) else getattr(made, name)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_class_is_filled_from_an_object(kind: Any) -> None:
    """Your own class is used as it is, whichever library made it."""
    made = load(kind, {"id": 7, "note": "n", "lines": [{"price": 2}], "unknown": 1})

    assert (_of(made, "id"), _of(made, "note")) == (7, "n")
    assert _of(made, "lines") == [Line(2.0, 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_that_may_be_null_may_be_missing_too(kind: Any) -> None:
    """Servers that drop nulls do not break the models that allow them."""
    assert _of(load(kind, {"id": 7}), "note") is None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not AsTypedDict])
def test_null_gives_the_default_where_there_is_one(kind: Any) -> None:
    """Servers that send null for an empty list do not break the models that forbid it."""
    made = load(kind, {"id": 7, "note": None, "lines": None})

    assert made.lines == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_class_names_the_same_problems(kind: Any) -> None:
    """The report does not depend on the library that a model was written with."""
    with pytest.raises(MappingError) as caught:
        load(kind, {"id": "7", "note": 5, "lines": [{}, {"price": "2", "count": 1.5}]})

    assert [(p.pointer, p.message) for p in caught.value.problems] == [
        ("/id", "expected integer, found text"),
        ("/note", "expected text or null, found integer"),
        ("/lines/0/price", "missing, expected number"),
        ("/lines/1/price", "expected number, found text"),
        ("/lines/1/count", "expected integer, found number"),
    ]


def test_dates_and_their_like_come_from_text() -> None:
    """What JSON can only write as text arrives as what it is."""
    ref = uuid.uuid4()
    made = load(
        Scalars,
        {
            "when": "2026-01-02T03:04:05Z",
            "day": "2026-01-02",
            "at": "03:04:05",
            "wait": "PT90S",
            "ref": str(ref),
            "price": "1.10",
            "colour": "red",
            "raw": "YWI=",
        },
    )

    assert made == Scalars(
        dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        dt.date(2026, 1, 2),
        dt.time(3, 4, 5),
        dt.timedelta(seconds=90),
        ref,
        Decimal("1.10"),
        Colour.RED,
        b"ab",
    )
    assert load(Scalars, dump(made)) == made


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, "7"), (str, 7), (str, None), (bool, 1), (int, True), (float, "1"), (dt.datetime, 5)],
)
def test_nothing_is_forced_into_shape(kind: Any, value: Any) -> None:
    """Text is no number and null is not 'None': bad data is seen where it enters."""
    with pytest.raises(MappingError):
        load(kind, value)


def test_collections_of_models_are_types_too() -> None:
    """Lists, mappings, tuples, sets and choices of models need no wrapper class."""
    assert load(list[Line], [{"price": 1}]) == [Line(1.0)]
    assert load(dict[str, Line], {"a": {"price": 1}}) == {"a": Line(1.0)}
    assert load(dict[int, str], {"7": "x"}) == {7: "x"}
    assert load(tuple[int, str], [1, "a"]) == (1, "a")
    assert load(Line | None, None) is None
    assert load(int | str | list[Line], [{"price": 1}]) == [Line(1.0)]


def test_a_whole_document_is_read_at_once() -> None:
    """Bytes of a response need no decoding first, and give the same objects and problems."""
    assert load(Line, b'{"price": 2}') == Line(2.0)
    assert load(Line, memoryview(b'{"price": 2, "count": null}')) == Line(2.0)
    with pytest.raises(MappingError, match="/price: expected number, found text"):
        load(Line, bytearray(b'{"price": "2"}'))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_obstacle(encoding: str) -> None:
    """What requests can decode, can be mapped."""
    assert load(Line, '{"price": 2}'.encode(encoding)) == Line(2.0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it is empty"),
        (b'{"price": secret}', "no JSON at character 10"),
        (b'"\xff"', "no JSON at character 1"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_is_an_error_without_the_body(body: bytes, reason: str) -> None:
    """The place helps, and the text of a stray page stays out of logs."""
    with pytest.raises(DecodeError, match=reason) as caught:
        load(Line, body)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_error_says_what_does_not_fit_where_and_how_much_more() -> None:
    """One line is enough to know the model, the first places and the number of others."""
    with pytest.raises(MappingError) as caught:
        load(list[Line], [{}] * 5, where="/data/rows")

    error = caught.value
    assert str(error).startswith(
        "the response does not fit list[Line]: /data/rows/0/price: missing, expected number; "
    )
    assert str(error).endswith("; and 2 more")
    assert [problem.pointer for problem in error.problems][-1] == "/data/rows/4/price"
    assert error.model == list[Line]


def test_the_error_can_be_pickled_with_its_problems() -> None:
    """A worker's error arrives whole in the parent."""
    with pytest.raises(MappingError) as caught:
        load(Line, {})

    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems


def test_the_text_of_the_engine_is_not_dragged_along() -> None:
    """Its message may quote a value in full, so no traceback shows it."""
    with pytest.raises(MappingError) as caught:
        load(Scalars, {"colour": "a secret of great length that nobody should see"})

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_a_model_checks_itself_is_a_problem_with_a_place() -> None:
    """``__post_init__`` takes part in the report, beside what is wrong in kind."""
    with pytest.raises(MappingError) as caught:
        load(list[Positive], [{"value": -1}, {"value": 1}, {"value": -2}, {"value": "x"}])

    assert [str(problem) for problem in caught.value.problems] == [
        "/0: -1 is negative",
        "/2: -2 is negative",
        "/3/value: expected integer, found text",
    ]


def test_a_document_without_an_end_is_refused() -> None:
    """A hostile answer, nested deeper than the interpreter goes, is one of our errors."""
    deep: Any = {}
    for _ in range(100_000):
        deep = {"children": [deep]}

    with pytest.raises(MappingError, match="nested too deeply"):
        load(Tree, deep)
    with pytest.raises(MappingError, match="nested too deeply"):
        load(list[Tree], [{"children": None}, deep])
    with pytest.raises(InvalidRequest, match="recursion"):
        dump(deep)
    with pytest.raises(MappingError, match="nested too deeply"):
        load(Tree, b'{"children":[' * 100_000 + b"]}" * 100_000)
    while deep:  # Freed from the outside in, or freeing it would itself nest too deeply.
        deep = (deep["children"] or [None])[0]


@pytest.mark.parametrize("data", [{}, b"{}"])
@pytest.mark.parametrize("kind", [Plain, Lost, Line | Positive, "text", Plain | None])
def test_a_type_that_cannot_be_loaded_is_an_error_of_the_setup(kind: Any, data: Any) -> None:
    """The model is at fault, not the server, and the hint says what works."""
    with pytest.raises(SessionKitError) as caught:
        load(kind, data)

    assert isinstance(caught.value, ConfigError | MappingError)
    if isinstance(caught.value, ConfigError):
        assert "dataclass" in caught.value.hint
    else:
        assert "Plain, which no JSON can be" in str(caught.value)


def test_an_error_of_the_users_own_code_is_left_alone() -> None:
    """What a model's constructor stumbles over is its author's to see."""

    class Odd(msgspec.Struct):
        value: int

        def __post_init__(self) -> None:
            raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        load(Odd, {"value": 1})


def test_a_loader_is_made_once_and_used_often() -> None:
    """What maps a million rows looks at its type once."""
    lines: Loader[Line] = Loader(Line)

    assert lines({"price": 1}) == Line(1.0)
    assert lines.read(b'{"price": 1}') == Line(1.0)
    assert repr(lines) == "Loader(Line)"
    noted: Any = Annotated[dict[str, Line | None], "a note"]
    assert repr(Loader(noted)) == "Loader(dict[str, Line | None])"


def test_the_rows_of_a_page_are_made_in_one_go() -> None:
    """A page costs what the engine costs; a bad row is named with its place and number."""
    lines = Loader(Line)

    assert lines.many([{"price": 1}, {"price": 2, "count": None}]) == [Line(1.0), Line(2.0)]
    assert lines.many([{"price": 1}] * 2) == [Line(1.0)] * 2
    with pytest.raises(MappingError, match="fit Line: /data/1/price: missing") as caught:
        lines.many([{"price": 1}, {}, {}], "/data")
    assert caught.value.index == 1
    with pytest.raises(ConfigError):
        Loader(Plain).many([{}])


@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_knows_the_members_of_its_type(kind: Any) -> None:
    """Whether an answer is the whole object can be told by its names."""
    assert Loader(kind).members == frozenset(("id", "note", "lines"))


def test_members_have_their_names_on_the_wire() -> None:
    """What is renamed is known by the name that the server uses; what is no object has none."""

    class Renamed(msgspec.Struct, rename="camel"):
        the_id: int

    assert Loader(Renamed).members == frozenset(("theId",))
    assert Loader(dict[str, int]).members is None
    with pytest.raises(ConfigError):
        Loader(Lost).members  # noqa: B018  # a property that raises


def test_any_function_can_stand_in_for_a_type() -> None:
    """A model of a library that is not known here brings its own way in."""
    by_hand = loader_for(lambda raw: raw["price"] * 2)
    by_type = loader_for(Line)

    assert by_hand({"price": 2}, "/0") == 4
    assert by_type({"price": 2}, "/0") == Line(2.0)


def test_what_is_not_given_is_left_out_and_none_is_null() -> None:
    """A partial update sends what was meant, and nothing else."""

    @dataclass
    class Change:
        note: str | msgspec.UnsetType | None = msgspec.UNSET
        price: float | msgspec.UnsetType = msgspec.UNSET

    assert dump(Change(note=None)) == {"note": None}
    assert dump({"note": msgspec.UNSET, "price": 1, "day": dt.date(2026, 1, 2)}) == {
        "price": 1,
        "day": "2026-01-02",
    }
    assert load(Change, {"note": None}) == Change(note=None)


def test_a_named_tuple_is_written_by_the_names_of_its_fields() -> None:
    """What is read from an object goes out as one, in lists and mappings too."""
    assert dump([AsNamedTuple(1, None)]) == [{"id": 1, "note": None, "lines": []}]
    assert dump({"a": AsNamedTuple(1, "x", [Line(2.0)])}) == {
        "a": {"id": 1, "note": "x", "lines": [{"price": 2.0, "count": 1}]}
    }


def test_what_json_cannot_hold_is_refused_before_it_is_sent() -> None:
    """The type is named; the value may be a secret."""
    with pytest.raises(InvalidRequest, match="Plain"):
        dump({"a": Plain()})


def test_what_was_loaded_is_written_whole_with_its_defaults() -> None:
    """Loading and writing an object back sends every member, also those the server left out."""

    @dataclass
    class Order:
        id: int
        note: str | None = None
        line: Line | None = None
        lines: list[Line] = field(default_factory=list)

    class Parcel(msgspec.Struct, rename="camel"):
        sent_order: Order
        weight_kg: float = 1.0

    loaded = load(Order, {"id": 7, "lines": [{"price": 1.0}]})
    whole = {"id": 7, "note": None, "line": None, "lines": [{"price": 1.0, "count": 1}]}

    assert dump(loaded) == whole
    assert dump([loaded]) == [whole]
    assert dump(Parcel(loaded)) == {"sentOrder": whole, "weightKg": 1.0}
