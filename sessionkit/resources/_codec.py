"""Codecs: how a document holds objects. They read answers and send nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sessionkit.errors import BodyError, MappingError, PagingError, Problem
from sessionkit.mapping._engine import decode
from sessionkit.paging._paths import check_place, locate
from sessionkit.paging._rows import rows_of

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.mapping._engine import Loader
    from sessionkit.paging._paths import Place
    from sessionkit.paging._rows import Items

T = TypeVar("T")


class Codec(Protocol):
    """How documents hold objects. Immutable: one serves all calls of all threads."""

    @property
    def items(self) -> Items:
        """Where a listing holds its items, as ``stack.paginate`` takes it."""
        ...

    def members(self, response: Response) -> Any:
        """Return the one object of an answer as decoded JSON; None where the body is empty."""
        ...

    def one(self, response: Response, loader: Loader[T]) -> T:
        """Return the one object of an answer."""
        ...

    def many(self, response: Response, loader: Loader[list[T]]) -> list[T]:
        """Return all objects of an answer that holds several."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
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
    item: Place | None = None

    def __post_init__(self) -> None:
        """Check the places now, not at the first answer."""
        for place in (self.items, self.item):
            if place is not None and not callable(place):
                check_place(place)

    def members(self, response: Response) -> Any:
        """Return the one object of an answer as decoded JSON; None where the body is empty.

        Raises:
            DecodeError: The body is no JSON.
            MappingError: There is nothing at ``item``.
        """
        if not response.content:
            return None
        with _evidence(response):
            return self._at_item(decode(response.content))[0]

    def one(self, response: Response, loader: Loader[T]) -> T:
        """Return the one object of an answer.

        Raises:
            DecodeError: The body is no JSON.
            MappingError: There is nothing at ``item``, or it does not fit.
        """
        with _evidence(response):
            if self.item is None:
                return loader.read(response.content)
            return loader(*self._at_item(decode(response.content)))

    def many(self, response: Response, loader: Loader[list[T]]) -> list[T]:
        """Return all objects of an answer that holds several; null and no body are none.

        Raises:
            DecodeError: The body is no JSON.
            PagesUndetected: There is no list at ``items``.
            MappingError: An item does not fit.
        """
        if not response.content:
            return []
        with _evidence(response):
            found = rows_of(decode(response.content), self.items)
            return loader(found.value, found.pointer)

    def _at_item(self, document: Any) -> tuple[Any, str]:
        if self.item is None:
            return document, ""
        found = locate(document, self.item)
        if found is None:
            raise MappingError(
                f"the answer has nothing at item={self.item!r}",
                problems=(Problem("", f"nothing stands at {self.item!r}"),),
                hint="say where the object is, as item='/data'",
            )
        return found.value, found.pointer


class _evidence:  # noqa: N801  # reads as what it does: with _evidence(response)
    """Give errors about a body the answer that it came with."""

    __slots__ = ("_response",)

    def __init__(self, response: Response) -> None:
        self._response = response

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        if isinstance(error, BodyError | PagingError):
            error.complete(response=self._response)
