"""Texts of the mapper's messages: what was expected and what was found, never a long value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import inspect as ms

from sessionkit._redact import scrub
from sessionkit.mapping._shapes import constraints

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Characters of a value that a message shows, where it shows one at all.
MAX_EXCERPT = 20
_MAX_TEXT = 120
_MAX_CHOICES = 8

_WORDS: dict[type[ms.Type], str] = {
    ms.AnyType: "anything",
    ms.RawType: "anything",
    ms.NoneType: "null",
    ms.BoolType: "boolean",
    ms.IntType: "integer",
    ms.FloatType: "number",
    ms.StrType: "text",
    ms.DictType: "object",
    getattr(ms, "FrozenDictType", ms.DictType): "object",  # came with msgspec 0.22
    ms.DataclassType: "object",
    ms.TypedDictType: "object",
    ms.NamedTupleType: "object",
    ms.StructType: "object",
}
#: Kinds of text: here the form matters, so the message may show the beginning of the value.
_FORMS: dict[type[ms.Type], str] = {
    ms.BytesType: "base64 text",
    ms.ByteArrayType: "base64 text",
    ms.MemoryViewType: "base64 text",
    ms.DateTimeType: "date and time (RFC 3339)",
    ms.DateType: "date (YYYY-MM-DD)",
    ms.TimeType: "time (HH:MM:SS)",
    ms.TimeDeltaType: "duration (ISO 8601)",
    ms.UUIDType: "UUID",
    ms.DecimalType: "decimal number",
}
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def describe_shape(shape: ms.Type) -> str:
    """Return what *shape* asks for, in words of JSON."""
    if isinstance(shape, ms.UnionType):
        return " or ".join(dict.fromkeys(describe_shape(kind) for kind in shape.types))
    if isinstance(shape, ms.EnumType):
        return describe_choices(member.value for member in shape.cls)
    if isinstance(shape, ms.LiteralType):
        return describe_choices(shape.values)
    if isinstance(shape, ms.CustomType):
        return f"{shape.cls.__name__}, which no JSON can be"
    if isinstance(shape, ms.StructType) and shape.array_like:
        return "array"
    kind = type(shape)
    word = _FORMS.get(kind) or _WORDS.get(kind, "array")
    limits = [f"{_SIGNS.get(name, name)} {limit}" for name, limit in constraints(shape).items()]
    return f"{word} {', '.join(limits)}" if limits else word


def describe_choices(values: Iterable[Any]) -> str:
    """Return a list of allowed values, which come from the user's model, not from the response."""
    shown = [repr(value) for value in values]
    more = ", ..." if len(shown) > _MAX_CHOICES else ""
    return f"one of {', '.join(shown[:_MAX_CHOICES])}{more}" if len(shown) > 1 else shown[0]


def describe(value: Any, *, shown: bool = False) -> str:
    """Return the JSON type of *value*.

    Args:
        value: Decoded JSON.
        shown: Whether the beginning of a short value is shown as well.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return f"integer {excerpt(value)}" if shown else "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return f"text {excerpt(value)}" if shown else "text"
    kinds = {"dict": "object", "list": "array"}
    name = type(value).__name__
    return kinds.get(name, name)


def excerpt(value: Any) -> str:
    """Return the beginning of a value, cut at a length that holds no secret of any use."""
    text = scrub(repr(value))
    return text if len(text) <= MAX_EXCERPT + 2 else f"{text[:MAX_EXCERPT]}..."


def has_format(shape: ms.Type) -> bool:
    """Return whether *shape* is text or a number of a certain form, rather than any."""
    if isinstance(shape, ms.UnionType):
        return any(has_format(kind) for kind in shape.types)
    return type(shape) in _FORMS or isinstance(shape, ms.EnumType | ms.LiteralType)


def message_of(error: Exception) -> str:
    """Return the message of a model's own check: in one line, short, without secrets."""
    text = str(error)
    text = " ".join(scrub(text.rpartition(" - at `")[0] or text).split())
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 3]}..."
