"""Codecs: how a document holds objects. They read answers and send nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sessionkit.errors import BodyError, MappingError, PagingError, Problem
from sessionkit.mapping._engine import decode
from sessionkit.paging._paths import check_json_path, find, locate
from sessionkit.paging._rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

    from sessionkit.mapping._engine import Loader
    from sessionkit.paging._paths import JsonPath
    from sessionkit.paging._rows import Items

T = TypeVar("T")


class Codec(Protocol):
    """How documents hold objects. Immutable: one serves all calls of all threads."""

    @property
    def items(self) -> Items:
        """Where a listing holds its items, as ``stack.paginate`` takes it."""
        ...

    def members(self, response: Response) -> Any:
        """Return the one object of an answer as decoded JSON; None where there is none."""
        ...

    def one(self, response: Response, loader: Loader[T]) -> T:
        """Return the one object of an answer."""
        ...

    def many(self, response: Response, loader: Loader[list[T]]) -> list[T]:
        """Return all objects of an answer that holds several."""
        ...


@dataclass(frozen=True, slots=True)
class PlainJson:
    """Plain JSON: an object is a JSON object, bare or at one place of an envelope.

    Args:
        items: Where a listing holds its items: a JSON Pointer ``"/data/rows"``, a dotted name or
            a tuple of keys, or a function of the document. By default the document itself, or the
            only list under a usual name (``results``, ``items``, ``data`` ...).
        item: Where an answer holds its one object; by default it is the whole document.

    Raises:
        ConfigError: *items* or *item* is no place in a document.
    """

    items: Items = None
    item: JsonPath | None = None

    def __post_init__(self) -> None:
        """Check the places now, not at the first answer."""
        for place in (self.items, self.item):
            if place is not None and not callable(place):
                check_json_path(place)

    def members(self, response: Response) -> Any:
        """Return the one object of an answer as decoded JSON; None where there is none.

        Raises:
            DecodeError: The body is no JSON.
        """
        if not response.content:
            return None
        with evidence(response):
            document = decode(response.content)
        return document if self.item is None else find(document, self.item)

    def one(self, response: Response, loader: Loader[T]) -> T:
        """Return the one object of an answer.

        Raises:
            DecodeError: The body is no JSON.
            MappingError: There is nothing at ``item``, or it does not fit.
        """
        with evidence(response):
            if self.item is None:
                return loader.read(response.content)
            found = locate(decode(response.content), self.item)
            if found is None:
                raise MappingError(
                    f"the answer has nothing at item={self.item!r}",
                    problems=(Problem("", f"nothing stands at {self.item!r}"),),
                    hint="say where the object is, as item='/data'",
                )
            return loader(found.value, found.pointer)

    def many(self, response: Response, loader: Loader[list[T]]) -> list[T]:
        """Return all objects of an answer that holds several; null and no body are none.

        Raises:
            DecodeError: The body is no JSON.
            PaginationNotDetected: There is no list at ``items``.
            MappingError: An item does not fit.
        """
        if not response.content:
            return []
        with evidence(response):
            found = rows_of(decode(response.content), self.items)
            return loader(found.value, found.pointer)


@contextmanager
def evidence(response: Response) -> Iterator[None]:
    """Give errors about a body the answer that it came in."""
    try:
        yield
    except (BodyError, PagingError) as error:
        error.complete(response=response)
        raise
