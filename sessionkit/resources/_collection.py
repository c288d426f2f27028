"""Collections: the five usual operations on objects of one type, below one path."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar, overload
from uuid import UUID

from sessionkit.errors import ConfigError, InvalidRequest
from sessionkit.mapping._engine import Loader, dump, name_of
from sessionkit.resources._calls import send_checked
from sessionkit.resources._codec import PlainJson, evidence
from sessionkit.resources._urls import check_names, check_path, query, segment

if TYPE_CHECKING:
    from requests import Response

    from sessionkit._stack import SessionStack
    from sessionkit.paging import Pages, Paginator
    from sessionkit.paging._rows import Items
    from sessionkit.resources._codec import Codec

T = TypeVar("T")

Key: TypeAlias = int | str | UUID | date | Enum
"""What names one object of a collection; it becomes one segment of the path."""


class Client(Protocol):
    """What a collection is bound to."""

    @property
    def stack(self) -> SessionStack:
        """What sends."""
        ...

    @property
    def codec(self) -> Codec:
        """How documents hold objects where the collection says nothing of it."""
        ...


class Collection(Generic[T]):
    """Objects of one type below one path: an attribute in the body of an :class:`ApiClient`.

    ``products = Collection(Product, "products")`` makes ``shop.products`` a collection that is
    bound to the stack of ``shop``. Immutable, so one serves all threads. A subclass may declare
    further operations; their templates are appended to the path of the collection.

    Args:
        model: Type of the objects; whatever the mapper knows.
        path: Path below the client's ``base_url``.
        paginator: The way from page to page of a listing; by default the ``Link`` header.
        items: Where a listing holds its items; short for ``codec=PlainJson(items=...)``.
        codec: How documents hold the objects; by default as the client says.
        trailing_slash: Whether URLs end in a slash, as Django REST framework has them.

    Raises:
        ConfigError: *path* is no path, *items* no place, or both *items* and *codec* are given.
    """

    _stack: SessionStack | None = None

    def __init__(
        self,
        model: type[T],
        path: str,
        *,
        paginator: Paginator | None = None,
        items: Items = None,
        codec: Codec | None = None,
        trailing_slash: bool = False,
    ) -> None:
        owner = f"Collection({name_of(model)})"
        check_path(path, owner)
        if items is not None and codec is not None:
            raise ConfigError(f"{owner}: give items= or codec=, not both")
        self._model = model
        self._loader = Loader(model)
        self._path = path.strip("/")
        self._paginator = paginator
        self._codec = PlainJson(items=items) if items is not None else codec
        self._slash = "/" if trailing_slash else ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Check the names that the body of the class takes.

        Raises:
            ConfigError: A name that the base class needs itself.
        """
        super().__init_subclass__(**kwargs)
        check_names(cls, ("stack", "path", "codec", "bind"))

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...

    @overload
    def __get__(self, client: Client, owner: type) -> Self: ...

    def __get__(self, client: Client | None, owner: type) -> Self:
        """Return the collection bound to the stack of *client*; on the class, itself."""
        return self if client is None else self.bind(client.stack, codec=client.codec)

    def bind(self, stack: SessionStack, *, codec: Codec | None = None) -> Self:
        """Return this collection bound to *stack*, for use without a client.

        Args:
            stack: What sends; its ``base_url`` is what the path is appended to.
            codec: How documents hold objects, where the collection says nothing of it.
        """
        bound = copy(self)
        vars(bound).update(_stack=stack, _codec=self._codec or codec)
        return bound

    @property
    def stack(self) -> SessionStack:
        """What sends.

        Raises:
            ConfigError: The collection is not bound to any.
        """
        if self._stack is None:
            raise ConfigError(
                f"{self!r} is not bound to a stack",
                hint="reach it through an instance of its client, or call bind(stack)",
            )
        return self._stack

    @property
    def path(self) -> str:
        """Path below the base URL, without slashes around it."""
        return self._path

    @property
    def codec(self) -> Codec:
        """How documents hold the objects."""
        return self._codec or PlainJson()

    def get(self, key: Key, *, params: Mapping[str, Any] | None = None) -> T:
        """Return one object.

        Args:
            key: Its key; quoted, so ``a/b`` is one key and not a path.
            params: Query parameters, such as those that ask for fewer fields.

        Raises:
            InvalidRequest: The key is None, empty, ``.`` or ``..``; nothing was sent.
            UnexpectedStatus: The answer is none of 200 to 299; an error handler on the stack raises
                an error of its own for 400 and above, such as :class:`NotFound`.
            BodyError: The body is no JSON, or does not fit the model.
        """
        options = {"params": query(params)} if params else {}
        response = send_checked(self.stack, "GET", self._url(key), options=options)
        return self.codec.one(response, self._loader)

    def list(
        self, *, params: Mapping[str, Any] | None = None, max_items: int | None = None
    ) -> Pages[T]:
        """Return a lazy walk over the objects of all pages; nothing is sent before it is taken.

        Args:
            params: Query parameters of the first page.
            max_items: Objects at most; None for all.

        Raises:
            InvalidRequest: A parameter that no query can hold.
        """
        return self.stack.paginate(
            self._url(),
            paginator=self._paginator,
            items=self.codec.items,
            into=self._model,
            params=query(params) if params else None,
            max_items=max_items,
        )

    def create(self, new: T | Mapping[str, Any]) -> T:
        """POST a new object and return it as the server has it.

        Servers answer with all of it, a part (often only the key), or nothing: what comes is laid
        over what was sent. Members that hold ``UNSET`` are not sent.

        Args:
            new: An object of the model, or the members of one.

        Raises:
            InvalidRequest: *new* is no JSON object; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
            MappingError: Both together are no object of the model; it was created all the same.
        """
        sent = _members(new)
        response = send_checked(self.stack, "POST", self._url(), options={"json": sent})
        return self._merged(response, sent, new)

    def update(self, key: Key, changes: T | Mapping[str, Any]) -> T:
        """PATCH an object and return it as the server has it.

        The body is a merge patch (RFC 7396): what is not in it stays, None removes. Where the
        answer does not have every member of the model, the object is read again by GET; after a
        whole object was given, the answer is laid over it.

        Args:
            key: Key of the object.
            changes: The members to change, or an object of the model with all its members but
                those that hold ``UNSET``.

        Raises:
            InvalidRequest: As :meth:`get`, or *changes* is no JSON object; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
            BodyError: As :meth:`get`; it was changed all the same.
        """
        return self._written("PATCH", key, changes)

    def replace(self, key: Key, new: T | Mapping[str, Any]) -> T:
        """PUT an object in place of another and return it as the server has it.

        What the server answers is read as by :meth:`update`.

        Args:
            key: Key of the object.
            new: An object of the model, or all members of one.

        Raises:
            InvalidRequest: As :meth:`get`, or *new* is no JSON object; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
            BodyError: As :meth:`get`; it was replaced all the same.
        """
        return self._written("PUT", key, new)

    def delete(self, key: Key) -> None:
        """DELETE an object; what the server answers beside the status is ignored.

        Raises:
            InvalidRequest: As :meth:`get`; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
        """
        send_checked(self.stack, "DELETE", self._url(key))

    def _written(self, method: str, key: Key, given: T | Mapping[str, Any]) -> T:
        """Send an object, or members of one, to where it is; return what is there now."""
        sent = _members(given)
        response = send_checked(self.stack, method, self._url(key), options={"json": sent})
        if not isinstance(given, Mapping):
            return self._merged(response, sent, given)
        answer = self.codec.members(response)
        whole = self._loader.members
        if not isinstance(answer, dict) or whole is None or not whole <= answer.keys():
            # Whether what is missing has its default or is unchanged, only the server knows.
            return self.get(key)
        with evidence(response):
            return self._loader(answer)

    def _merged(self, response: Response, sent: dict[str, Any], given: T | Mapping[str, Any]) -> T:
        """Lay the answer over what was sent."""
        answer = self.codec.members(response)
        if answer is None and not isinstance(given, Mapping):
            return given
        with evidence(response):
            if answer is None or isinstance(answer, dict):
                return self._loader({**sent, **(answer or {})})
            return self._loader(answer)

    def _url(self, *keys: object) -> str:
        parts = [self._path, *(segment(key, f"the key of {self!r}") for key in keys)]
        return "/".join(part for part in parts if part) + self._slash

    def __repr__(self) -> str:
        return f"{type(self).__name__}({name_of(self._model)}, {self._path!r})"


def _members(given: object) -> dict[str, Any]:
    """Return an object as the members to send.

    Raises:
        InvalidRequest: It is no JSON object: an empty body would be sent in silence.
    """
    plain = dump(given)
    if not isinstance(plain, dict):
        kind = type(given).__name__
        raise InvalidRequest(f"a {kind} is no object with members, nor a mapping of them")
    return plain
