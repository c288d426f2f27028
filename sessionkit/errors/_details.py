"""The normal form of what a server says about a failure, and of what a body got wrong."""

from __future__ import annotations

from typing import Any


class _Value:
    """A small value: compared, hashed and shown by its slots. Not to be changed."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        # What is not known is not shown.
        known = [(name, getattr(self, name)) for name in self.__slots__]
        shown = ", ".join(f"{name}={value!r}" for name, value in known if value not in (None, ()))
        return f"{type(self).__name__}({shown})"


class FieldError(_Value):
    """What is wrong with one field of the request.

    Args:
        name: Dotted path as the server gave it, without ``body``; empty for the whole request.
        message: In the server's words.
        code: For programs, such as ``unique``.
        pointer: JSON Pointer (RFC 6901) into the request's body, where the server gave one.
    """

    __slots__ = ("code", "message", "name", "pointer")

    def __init__(
        self, name: str, message: str, *, code: str | None = None, pointer: str | None = None
    ) -> None:
        self.name = name
        self.message = message
        self.code = code
        self.pointer = pointer

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.name else self.message


class ErrorDetail(_Value):
    """What a server said about a failure, whatever format it used.

    Args:
        code: For programs, such as ``invalid_grant`` or ``not_found``.
        title: Short, the same for all failures of this kind.
        detail: About this very failure.
        type: URI of the kind of problem (RFC 9457, section 3.1.1).
        instance: URI of this very occurrence (RFC 9457, section 3.1.5).
        doc_url: Where to read about it, for people.
        fields: What is wrong with single fields, in the server's order.
        raw: The decoded body, or its text where it is no JSON; None where it was empty.
    """

    __slots__ = ("code", "detail", "doc_url", "fields", "instance", "raw", "title", "type")

    def __init__(
        self,
        *,
        code: str | None = None,
        title: str | None = None,
        detail: str | None = None,
        type: str | None = None,  # noqa: A002  # the name in RFC 9457
        instance: str | None = None,
        doc_url: str | None = None,
        fields: tuple[FieldError, ...] = (),
        raw: Any = None,
    ) -> None:
        self.code = code
        self.title = title
        self.detail = detail
        self.type = type
        self.instance = instance
        self.doc_url = doc_url
        self.fields = fields
        self.raw = raw

    def at(self, *path: str) -> tuple[FieldError, ...]:
        """Return what is wrong at one place and below it, such as ``at("customer", "card")``."""
        place = ".".join(path)
        return tuple(
            f for f in self.fields if f.name == place or f.name.startswith(place and f"{place}.")
        )

    @property
    def summary(self) -> str:
        """The first field and how many more, or the detail, title or code; in one line."""
        if self.fields:
            more = len(self.fields) - 1
            return f"{self.fields[0]} (+{more})" if more else str(self.fields[0])
        return self.detail or self.title or self.code or ""


class Problem(_Value):
    """One thing wrong with a body that was to become an object.

    Args:
        pointer: Where, as a JSON Pointer (RFC 6901); empty for the whole document.
        message: What, without the value itself where that may be long or secret.
    """

    __slots__ = ("message", "pointer")

    def __init__(self, pointer: str, message: str) -> None:
        self.pointer = pointer
        self.message = message

    def __str__(self) -> str:
        return f"{self.pointer}: {self.message}" if self.pointer else self.message
