"""Codecs: how a document holds objects. They read responses and send nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sessionkit.errors import BodyError, MappingError, PagingError, Problem
from sessionkit.mapping._engine import decode
from sessionkit.paging._detect import rows_of
from sessionkit.paging._paths import check_json_path, find, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

    from sessionkit.mapping._engine import Loader
    from sessionkit.paging._detect import Items
    from sessionkit.paging._paths import JsonPath

T = TypeVar("T")


class Codec(Protocol):
    """How documents hold objects. Immutable: one serves all calls of all threads."""

    @property
    def items(self) -> Items:
        """Where a listing holds its items, as ``stack.paginate`` takes it."""
        ...

    def members(self, response: Response) -> Any:
        """Return the one object of a response as decoded JSON; None where there is none."""
        ...

    def one(self, response: Response, loader: Loader[T]) -> T:
        """Return the one object of a response."""
        ...

    def many(self, response: Response, loader: Loader[list[T]]) -> list[T]:
        """Return all objects of a response that holds several."""
        ...


@dataclass(frozen=True, slots=True)
class PlainJson:
    """Plain JSON: an object is a JSON object, bare or inside of an envelope.

    Args:
        items: Where a listing holds its items: a JSON Pointer ``"/data/rows"``, a dotted name or
            a tuple of keys, or a function of the document. By default the document itself, or the
            only list under a usual name (``results``, ``items``, ``data`` ...).
        item: Where a response holds its one object; by default it is the whole document.

    Raises:
        ConfigError: *items* or *item* is no JSON path.
    """

    items: Items = None
    item: JsonPath | None = None

    def __post_init__(self) -> None:
        """Check the paths now, not at the first response."""
        for path in (self.items, self.item):
            if path is not None and not callable(path):
                check_json_path(path)

    def members(self, response: Response) -> Any:
        """Return the one object of a response as decoded JSON; None where there is none.

        Raises:
            DecodeError: The body is no JSON.
        """
        if not response.content:
            return None
        with attach_response(response):
            document = decode(response.content)
        return document if self.item is None else find(document, self.item)

    def one(self, response: Response, loader: Loader[T]) -> T:
        """Return the one object of a response.

        Raises:
            DecodeError: The body is no JSON.
            MappingError: There is nothing at ``item``, or it does not fit.
        """
        with attach_response(response):
            if self.item is None:
                return loader.read(response.content)
            found = locate(decode(response.content), self.item)
            if found is None:
                raise MappingError(
                    f"the response has nothing at item={self.item!r}",
                    problems=(Problem("", f"nothing stands at {self.item!r}"),),
                    hint="say where the object is, as item='/data'",
                )
            return loader(found.value, found.pointer)

    def many(self, response: Response, loader: Loader[list[T]]) -> list[T]:
        """Return all objects of a response that holds several; null and no body are none.

        Raises:
            DecodeError: The body is no JSON.
            PaginationNotDetected: There is no list at ``items``.
            MappingError: An item does not fit.
        """
        if not response.content:
            return []
        with attach_response(response):
            found = rows_of(decode(response.content), self.items)
            return loader(found.value, found.pointer)


@contextmanager
def attach_response(response: Response) -> Iterator[None]:
    """Attach *response* to errors about its body."""
    try:
        yield
    except (BodyError, PagingError) as error:
        error.complete(response=response)
        raise
