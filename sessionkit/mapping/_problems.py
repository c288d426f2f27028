"""Find all that is wrong with a document that msgspec refused.

Two habits of servers are mended: a member that may be null and is missing, and a null where the
model has a default. Everything else that does not fit becomes a problem with its JSON Pointer
(RFC 6901); the walk goes on behind it, so that one error shows all problems of a response.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect as ms

from sessionkit._redact import is_secret_name
from sessionkit.errors import Problem
from sessionkit.mapping._messages import (
    describe,
    describe_choices,
    describe_shape,
    has_format,
    message_of,
)
from sessionkit.mapping._shapes import (
    ARRAYS,
    Mapped,
    as_row,
    fields_of,
    fits,
    fits_key,
    is_named,
    is_nullable,
    member_for,
    positions,
    tagged_in,
)

if TYPE_CHECKING:
    from sessionkit.mapping._shapes import Named

_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]")


class ProblemFinder:
    """One walk over one value; used once, by one thread.

    Args:
        problems: Where problems are added, in the order of the model's fields.
        deep: Whether each object that is sound so far is also made on its own, which finds what
            the model's own checks (``__post_init__``, validators) refuse. Slow.
    """

    __slots__ = ("_deep", "_problems")

    def __init__(self, problems: list[Problem], *, deep: bool = False) -> None:
        self._problems = problems
        self._deep = deep

    def find(self, shape: ms.Type, value: Any, at: str) -> Any:
        """Return *value* mended to fit *shape*, as far as it can be; what cannot is a problem.

        Args:
            shape: What is expected.
            value: Decoded JSON; left as it is.
            at: Its JSON Pointer.
        """
        if isinstance(shape, ms.UnionType):
            return self._union(shape, value, at)
        if isinstance(value, dict) and is_named(shape):
            return self._object(shape, value, at)
        if isinstance(value, dict) and isinstance(shape, Mapped):
            return self._mapping(shape, value, at)
        if isinstance(value, list) and isinstance(shape, ARRAYS):
            return self._array(shape, value, at)
        if isinstance(value, list) and (shapes := positions(shape)):
            return self._row(shape, shapes, value, at)
        if not fits(shape, value):
            self._add_mismatch(shape, value, at)
        return value

    def _object(self, shape: Named, value: dict[str, Any], at: str) -> Any:
        before = len(self._problems)
        fixed = dict(value)
        self._tag(shape, value, at)
        for field in fields_of(shape):
            self._member(field, fixed, at)
        if getattr(shape, "forbid_unknown_fields", False):
            self._unknown(shape, value, at)
        made = as_row(shape, fixed) if isinstance(shape, ms.NamedTupleType) else fixed
        if self._deep and len(self._problems) == before:
            self._own_checks(shape, made, at)
        return made

    def _member(self, field: ms.Field, fixed: dict[str, Any], at: str) -> None:
        name = field.encode_name
        pointer = f"{at}/{escape(name)}"
        if name not in fixed:
            # What may be anything may be null too, but not left out.
            if field.required and is_nullable(field.type) and type(field.type) is not ms.AnyType:
                fixed[name] = None
            elif field.required:
                self._add(pointer, f"missing, expected {describe_shape(field.type)}")
        elif fixed[name] is None and not field.required and not is_nullable(field.type):
            del fixed[name]
        else:
            fixed[name] = self.find(field.type, fixed[name], pointer)

    def _unknown(self, shape: Any, value: dict[str, Any], at: str) -> None:
        known = {field.encode_name for field in shape.fields} | {shape.tag_field}
        for name in value:
            if name not in known:
                self._add(f"{at}/{escape(name)}", "unknown, and this model forbids unknown members")

    def _own_checks(self, shape: Named, made: Any, at: str) -> None:
        try:
            msgspec.convert(made, shape.cls, str_keys=True)
        except msgspec.ValidationError as error:
            self._add(at + pointer_of(str(error)), message_of(error))

    def _mapping(self, shape: Mapped, value: dict[str, Any], at: str) -> dict[str, Any]:
        self._length(shape, value, at)
        for key in value:
            if not fits_key(shape.key_type, key):
                self._add(f"{at}/{escape(key)}", f"its name is no {describe_shape(shape.key_type)}")
        return {
            key: self.find(shape.value_type, item, f"{at}/{escape(key)}")
            for key, item in value.items()
        }

    def _array(self, shape: Any, value: list[Any], at: str) -> list[Any]:
        self._length(shape, value, at)
        return [
            self.find(shape.item_type, item, f"{at}/{index}") for index, item in enumerate(value)
        ]

    def _row(self, shape: ms.Type, shapes: tuple[ms.Type, ...], value: list[Any], at: str) -> Any:
        if isinstance(shape, ms.TupleType) and len(value) != len(shapes):
            self._add(at, f"expected {len(shapes)} items, found {len(value)}")
            return value
        pairs = enumerate(zip(shapes, value, strict=False))
        read = [self.find(kind, item, f"{at}/{index}") for index, (kind, item) in pairs]
        return read + value[len(read) :]

    def _union(self, shape: ms.UnionType, value: Any, at: str) -> Any:
        inner = member_for(shape, value)
        if inner is not None:
            return self.find(inner, value, at)
        if isinstance(value, dict) and tagged_in(shape):
            self._tag(shape, value, at)
        elif not any(fits(kind, value) for kind in shape.types):
            self._add_mismatch(shape, value, at)
        return value

    def _tag(self, shape: ms.Type, value: dict[str, Any], at: str) -> None:
        tagged = tagged_in(shape)
        name = (tagged[0].tag_field or "") if tagged else ""
        # One Struct alone is known without its tag; among several the tag must be there.
        if tagged and (name in value or len(tagged) > 1):
            tags = [kind.tag for kind in tagged]
            if value.get(name) not in tags:
                seen = describe(value[name], shown=True) if name in value else "nothing"
                message = f"expected {describe_choices(tags)}, found {seen}"
                self._add(f"{at}/{escape(name)}", message)

    def _length(self, shape: Any, value: Any, at: str) -> None:
        minimum, maximum = shape.min_length or 0, shape.max_length
        if len(value) < minimum or (maximum is not None and len(value) > maximum):
            bounds = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
            self._add(at, f"expected {bounds} items, found {len(value)}")

    def _add_mismatch(self, shape: ms.Type, value: Any, at: str) -> None:
        shown = has_format(shape) and not any(map(is_secret_name, at.split("/")))
        self._add(at, f"expected {describe_shape(shape)}, found {describe(value, shown=shown)}")

    def _add(self, at: str, message: str) -> None:
        self._problems.append(Problem(at, message))


def escape(name: str) -> str:
    """Write a member's name as a part of a JSON Pointer (RFC 6901, section 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer_of(text: str) -> str:
    """Return the JSON Pointer of the path that ends a message of msgspec: ``$.lines[2].price``."""
    path = text.rpartition(" - at `$")[2] if " - at `$" in text else ""
    return "".join(f"/{escape(name or index)}" for name, index in _STEP.findall(path))
