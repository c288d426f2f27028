"""Load JSON into objects by msgspec, and by a slow walk in Python where that fails.

A document that fits is never walked. One that does not is walked once by ``_problems``, which
mends what servers are known to leave out and names every other problem with its JSON Pointer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin, overload

import msgspec
import msgspec.inspect

from sessionkit._redact import scrub
from sessionkit.errors import ConfigError, DecodeError, InvalidRequest, MappingError, Problem
from sessionkit.mapping._messages import message_of
from sessionkit.mapping._problems import ProblemFinder, pointer_of
from sessionkit.mapping._shapes import fields_of, is_named

T = TypeVar("T")

#: Problems that the text of an error names; the others are counted.
_SHOWN = 3


class Loader(Generic[T]):
    """Make objects of one type from JSON. One serves all threads.

    The rules are strict: text is never taken for a number nor a number for text, nothing goes
    through ``str()``. Lossless steps are made: a whole number where a float is wanted, ISO 8601
    text for dates, times and durations, text for UUID and Decimal, base64 for bytes. Unknown
    members are ignored. A member that may be null and is missing without a default is None; a null
    where there is a default gives the default. A NamedTuple is read from an object or an array.

    Args:
        model: A dataclass, msgspec Struct, attrs class, TypedDict or NamedTuple, or a type made
            of them and of JSON's own: ``list[Order]``, ``dict[str, Order]``, ``Order | None``.
    """

    __slots__ = ("_known", "_model")

    def __init__(self, model: type[T]) -> None:
        self._model = model
        # Found out at the first need; two threads may both do so, which is harmless.
        self._known: msgspec.inspect.Type | None = None

    def __call__(self, raw: Any, where: str = "") -> T:
        """Make one object.

        Args:
            raw: Decoded JSON.
            where: JSON Pointer of *raw* in its document; problems are named below it.

        Raises:
            MappingError: *raw* does not fit; all problems are named.
            ConfigError: The type cannot be loaded from JSON at all.
        """
        try:
            return msgspec.convert(raw, self._model, str_keys=True)
        except msgspec.ValidationError:
            pass  # Raised anew outside: msgspec's text may quote a value in full.
        except RecursionError:
            raise self._too_deep(where) from None
        except (TypeError, NameError) as error:
            raise self._config_error(error) from error
        return self._load_slowly(raw, where)

    def read(self, body: bytes, where: str = "") -> T:
        """Make one object of a whole JSON document, without decoding it first.

        Args:
            body: JSON in UTF-8 (RFC 8259, section 8.1), or with a byte order mark of UTF-16 or 32.
            where: JSON Pointer that problems are named below.

        Raises:
            DecodeError: *body* is no JSON.
            MappingError: It does not fit; all problems are named.
            ConfigError: The type cannot be loaded from JSON at all.
        """
        try:
            return msgspec.json.decode(body, type=self._model)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        except RecursionError:
            raise self._too_deep(where) from None
        except (TypeError, NameError) as error:
            raise self._config_error(error) from error
        return self(decode(body), where)

    def many(self, rows: list[Any], where: str = "") -> list[T]:
        """Make one object of each row, in one go where all of them fit.

        Args:
            rows: Decoded JSON.
            where: JSON Pointer of the array in its document.

        Raises:
            MappingError: A row does not fit; all its problems are named, and ``index`` is its own.
            ConfigError: The type cannot be loaded from JSON at all.
        """
        try:
            return msgspec.convert(rows, list[self._model], str_keys=True)  # type: ignore[name-defined]  # computed
        except (msgspec.ValidationError, RecursionError, TypeError, NameError):
            pass  # One by one, the row at fault is found, and only that one is walked.
        made: list[T] = []
        for index, row in enumerate(rows):
            try:
                made.append(self(row, f"{where}/{index}"))
            except MappingError as error:
                error.complete(index=index)
                raise
        return made

    @property
    def members(self) -> frozenset[str] | None:
        """Names of the members of this type in JSON; None where it has any names, or is no object.

        Raises:
            ConfigError: The type cannot be loaded from JSON at all.
        """
        shape = self._shape()
        return frozenset(f.encode_name for f in fields_of(shape)) if is_named(shape) else None

    def _load_slowly(self, raw: Any, where: str) -> T:
        """Load what msgspec refused, or raise an error that names all problems."""
        problems: list[Problem] = []
        try:
            shape = self._shape()
            fixed = ProblemFinder(problems).find(shape, raw, where)
            if not problems:
                try:
                    return msgspec.convert(fixed, self._model, str_keys=True)
                except msgspec.ValidationError as error:
                    problems.append(Problem(where + pointer_of(str(error)), message_of(error)))
            # Once more, and thoroughly: a sound part may be refused by the model's own checks.
            thorough: list[Problem] = []
            ProblemFinder(thorough, deep=True).find(shape, raw, where)
        except RecursionError:
            raise self._too_deep(where) from None
        raise self._mapping_error(thorough or problems)

    def _shape(self) -> msgspec.inspect.Type:
        if self._known is None:
            try:
                shape = msgspec.inspect.type_info(self._model)
            except (TypeError, NameError) as error:
                raise self._config_error(error) from error
            if isinstance(shape, msgspec.inspect.CustomType):
                raise self._config_error(
                    "no dataclass, Struct, attrs class, TypedDict or NamedTuple"
                )
            self._known = shape
        return self._known

    def _mapping_error(self, problems: list[Problem]) -> MappingError:
        shown = "; ".join(f"{p.pointer or '(document)'}: {p.message}" for p in problems[:_SHOWN])
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        name = name_of(self._model)
        message = f"the response does not fit {name}: {shown}{more}"
        return MappingError(message, problems=tuple(problems), model=self._model)

    def _too_deep(self, where: str) -> MappingError:
        return self._mapping_error([Problem(where, "nested too deeply to be read")])

    def _config_error(self, reason: object) -> ConfigError:
        message = f"{name_of(self._model)} cannot be loaded from JSON: {reason}"
        hint = (
            "use a dataclass, msgspec Struct, attrs class, TypedDict or NamedTuple whose "
            "annotations resolve in its module; for a choice of objects, tagged Structs"
        )
        return ConfigError(message, hint=hint)

    def __repr__(self) -> str:
        return f"Loader({name_of(self._model)})"


@overload
def loader_for(into: type[T]) -> Callable[[Any, str], T]: ...


@overload
def loader_for(into: Callable[[Any], T]) -> Callable[[Any, str], T]: ...


def loader_for(into: Any) -> Callable[[Any, str], Any]:
    """Return a function that makes one object of decoded JSON and its JSON Pointer.

    Args:
        into: A type as :class:`Loader` takes it, or any function of the decoded JSON.
    """
    if callable(into) and not isinstance(into, type) and get_origin(into) is None:
        return lambda raw, _where: into(raw)
    return Loader(into)


@overload
def load(model: type[T], data: Any, *, where: str = ...) -> T: ...


@overload
def load(model: Any, data: Any, *, where: str = ...) -> Any: ...


def load(model: Any, data: Any, *, where: str = "") -> Any:
    """Make one object of *data*; the rules are those of :class:`Loader`.

    Args:
        model: The type to make.
        data: Decoded JSON, or a whole JSON document as bytes.
        where: JSON Pointer of *data* in its document; problems are named below it.

    Raises:
        DecodeError: *data* is bytes that are no JSON.
        MappingError: It does not fit; ``problems`` has every problem with its JSON Pointer.
        ConfigError: The type cannot be loaded from JSON at all.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        return Loader(model).read(bytes(data), where)
    return Loader(model)(data, where)


def dump(value: Any) -> Any:
    """Turn an object into what JSON has: the mirror of :func:`load`.

    Members that hold ``UNSET`` are left out, None becomes null. Dates, times and durations become
    ISO 8601 text, UUID and Decimal text, an Enum its value, bytes base64. A NamedTuple becomes an
    object on its own and in arrays and mappings, but an array as a member of another object.

    Raises:
        InvalidRequest: There is something in it that JSON cannot hold.
    """
    try:
        return msgspec.to_builtins(_plain(value), str_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"{type(value).__name__} cannot be written as JSON: {scrub(str(error))}"
        raise InvalidRequest(message) from error


def _plain(value: Any) -> Any:
    """Return *value* with what msgspec does not write itself made plain.

    UNSET is left out of mappings, and the fields of NamedTuples are named. Members of a dataclass
    are asked for by name: those that msgspec loaded with their default stand in the class alone,
    and its own writer would leave them out.
    """
    if isinstance(value, msgspec.Struct):
        return _plain_struct(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if v is not msgspec.UNSET}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _plain_struct(value: msgspec.Struct) -> Any:
    """Return a Struct by its own rules (names, tags, what it omits), its members by ours."""
    written = msgspec.to_builtins(value, str_keys=True)
    if isinstance(written, dict):
        for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
            if key in written:
                written[key] = _plain(getattr(value, name))
    return written


def decode(body: bytes) -> Any:
    """Decode a JSON document as leniently as requests does: NaN, and UTF-16 with its mark.

    Raises:
        DecodeError: *body* is no JSON; the message gives the position, never the text.
    """
    try:
        return json.loads(body)
    except ValueError as error:
        position = getattr(error, "pos", getattr(error, "start", 0))
        reason = "it is empty" if not body.strip() else f"no JSON at character {position}"
    except RecursionError:
        reason = "it is nested too deeply"
    raise DecodeError(f"the body cannot be decoded: {reason}")


def name_of(model: Any) -> str:
    """Return a type as its user writes it: ``Order``, ``list[Order]``, ``Order | None``."""
    origin, arguments = get_origin(model), get_args(model)
    if origin is Annotated:
        return name_of(arguments[0])
    if origin is Union or origin is UnionType:
        return " | ".join(name_of(argument) for argument in arguments)
    if origin is not None and arguments:
        return f"{name_of(origin)}[{', '.join(map(name_of, arguments))}]"
    if model is type(None):
        return "None"
    return str(getattr(model, "__name__", model))
