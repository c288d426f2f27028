"""Helpers for the shapes of types, as msgspec's introspection describes them."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeAlias,
    TypeGuard,
    Union,
    cast,
    get_origin,
)

import msgspec
from msgspec import inspect as ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec.inspect import FrozenDictType
else:
    # Came with msgspec 0.22; before that no shape is of this kind.
    FrozenDictType = getattr(ms, "FrozenDictType", ms.DictType)

Named: TypeAlias = ms.DataclassType | ms.StructType | ms.TypedDictType | ms.NamedTupleType
"""What is read from a JSON object, member by member."""

Mapped: TypeAlias = ms.DictType | FrozenDictType
"""What is read from a JSON object of any members."""

ARRAYS = (ms.ListType, ms.SetType, ms.FrozenSetType, ms.VarTupleType, ms.CollectionType)

#: Names of msgspec's constraints, which its shapes carry and its ``Meta`` takes.
CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern", "tz")

_PLAIN: dict[type[ms.Type], Any] = {
    ms.AnyType: Any,
    ms.RawType: Any,
    ms.NoneType: None,
    ms.BoolType: bool,
    ms.IntType: int,
    ms.FloatType: float,
    ms.StrType: str,
    ms.BytesType: bytes,
    ms.ByteArrayType: bytearray,
    ms.MemoryViewType: memoryview,
    ms.DateTimeType: dt.datetime,
    ms.DateType: dt.date,
    ms.TimeType: dt.time,
    ms.TimeDeltaType: dt.timedelta,
    ms.UUIDType: uuid.UUID,
    ms.DecimalType: decimal.Decimal,
    ms.DictType: dict,
    FrozenDictType: dict,
}


def is_named(shape: ms.Type) -> TypeGuard[Named]:
    """Return whether *shape* is read from a JSON object, member by member."""
    if isinstance(shape, ms.StructType):
        return not shape.array_like
    return isinstance(shape, ms.DataclassType | ms.TypedDictType | ms.NamedTupleType)


def is_nullable(shape: ms.Type) -> bool:
    """Return whether null is a value of *shape*."""
    if isinstance(shape, ms.UnionType):
        return any(is_nullable(kind) for kind in shape.types)
    if isinstance(shape, ms.LiteralType):
        return None in shape.values
    return isinstance(shape, ms.NoneType | ms.AnyType)


def positions(shape: ms.Type) -> tuple[ms.Type, ...]:
    """Return what stands where in an array that *shape* is read from; nothing for other shapes."""
    if isinstance(shape, ms.TupleType):
        return shape.item_types
    row = isinstance(shape, ms.StructType) and shape.array_like and shape.tag is None
    if row or isinstance(shape, ms.NamedTupleType):
        return tuple(field.type for field in cast("ms.NamedTupleType", shape).fields)
    return ()


def constraints(shape: ms.Type) -> dict[str, Any]:
    """Return the constraints that *shape* carries, by name."""
    found = {name: getattr(shape, name, None) for name in CONSTRAINTS}
    return {name: value for name, value in found.items() if value is not None}


def fields_of(shape: Named) -> tuple[ms.Field, ...]:
    """Return the fields in the order in which the user wrote them; msgspec sorts a TypedDict's."""
    if isinstance(shape, ms.TypedDictType):
        names = getattr(get_origin(shape.cls) or shape.cls, "__annotations__", ())
        order = {name: number for number, name in enumerate(names)}
        return tuple(sorted(shape.fields, key=lambda field: order.get(field.name, 0)))
    return shape.fields


def fits(shape: ms.Type, value: Any) -> bool:
    """Return whether *value*, which needs no walk of its own, is what *shape* wants."""
    return _converts(value, _python_type(shape))


def fits_key(shape: ms.Type, key: str) -> bool:
    """Return whether the name of a member, always text in JSON, can be what *shape* wants."""
    return _converts({key: None}, dict[_python_type(shape), Any])  # type: ignore[misc]  # computed


def _converts(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, str_keys=True)
    except (msgspec.ValidationError, TypeError):
        return False
    return True


def member_for(shape: ms.UnionType, value: Any) -> ms.Type | None:
    """Return the member of a union that a JSON object or array belongs to, if there is just one.

    msgspec allows one kind of array and one kind of object in a union, or objects told apart by a
    tag; scalars need no choice.
    """
    if isinstance(value, list):
        return _only(kind for kind in shape.types if isinstance(kind, ARRAYS) or positions(kind))
    if not isinstance(value, dict):
        return None
    tagged = [k for k in tagged_in(shape) if value.get(k.tag_field or "") == k.tag]
    return _only(tagged or (k for k in shape.types if is_named(k) or isinstance(k, Mapped)))


def tagged_in(shape: ms.Type) -> list[ms.StructType]:
    """Return the Structs that *shape*, or a member of it, tells apart by a tag."""
    kinds = shape.types if isinstance(shape, ms.UnionType) else (shape,)
    return [
        kind
        for kind in kinds
        if isinstance(kind, ms.StructType) and kind.tag_field and not kind.array_like
    ]


def as_row(shape: ms.NamedTupleType, members: dict[str, Any]) -> list[Any]:
    """Turn an object, complete but for defaults, into the array that a NamedTuple is read from."""
    return [members.get(field.encode_name, field.default) for field in shape.fields]


def _only(kinds: Iterable[ms.Type]) -> ms.Type | None:
    found = list(kinds)
    return found[0] if len(found) == 1 else None


def _python_type(shape: ms.Type) -> Any:
    """Return a type that msgspec checks in the way it checks *shape* itself."""
    if isinstance(shape, ms.UnionType):
        return Union[tuple(_python_type(kind) for kind in shape.types)]  # noqa: UP007  # computed
    if isinstance(shape, ms.LiteralType):
        return Literal[tuple(shape.values)]
    base = _PLAIN.get(type(shape), getattr(shape, "cls", list))
    # The items of arrays and objects are counted by the walk itself.
    limits = {} if base in (dict, list) else constraints(shape)
    return Annotated[base, msgspec.Meta(**limits)] if limits else base
