"""Collections: the usual operations on objects of one type, below one path."""

from __future__ import annotations

from collections.abc import Collection as Statuses, Mapping
from copy import copy
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeAlias, TypeVar, overload
from urllib.parse import urlsplit
from uuid import UUID

from sessionkit.errors import ConfigError, InvalidRequest, UnexpectedStatus
from sessionkit.mapping._engine import Loader, dump, name_of
from sessionkit.resources._codec import PlainJson, attach_response
from sessionkit.resources._urls import check_names, check_path, query, segment

if TYPE_CHECKING:
    from requests import Response

    from sessionkit._stack import SessionStack
    from sessionkit.paging import Pages, Paginator
    from sessionkit.paging._detect import Items
    from sessionkit.resources._codec import Codec

T = TypeVar("T")

Key: TypeAlias = int | str | UUID | date | Enum
"""What names one object of a collection; it becomes one segment of the path."""

Expect: TypeAlias = int | Statuses[int] | None
"""The statuses that are a success; None for all from 200 to 299."""


class Owner(Protocol):
    """What collections and operations belong to: a client, or a bound collection."""

    @property
    def stack(self) -> SessionStack:
        """What sends."""
        ...

    @property
    def codec(self) -> Codec:
        """How documents hold objects, unless a collection or operation says otherwise."""
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
    def __get__(self, client: Owner, owner: type) -> Self: ...

    def __get__(self, client: Owner | None, owner: type) -> Self:
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
            UnexpectedStatus: The status is none of 200 to 299; an error handler on the stack raises
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

        Servers return all of it, a part (often only the key), or nothing: what comes is laid over
        what was sent. Members that hold ``UNSET`` are not sent.

        Args:
            new: An object of the model, or the members of one.

        Raises:
            InvalidRequest: *new* is no JSON object; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
            MappingError: Both together are no object of the model; it was created all the same.
        """
        sent = _members(new)
        response = send_checked(self.stack, "POST", self._url(), options={"json": sent})
        return self._merge_response(response, sent, new)

    def update(self, key: Key, changes: T | Mapping[str, Any]) -> T:
        """PATCH an object and return it as the server has it.

        The body is a merge patch (RFC 7396): what is not in it stays, None removes. Where the
        response does not have every member of the model, the object is read again by GET; after a
        whole object was given, the response is laid over it.

        Args:
            key: Key of the object.
            changes: The members to change, or an object of the model with all its members but
                those that hold ``UNSET``.

        Raises:
            InvalidRequest: As :meth:`get`, or *changes* is no JSON object; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
            BodyError: As :meth:`get`; it was changed all the same.
        """
        return self._send_object("PATCH", key, changes)

    def replace(self, key: Key, new: T | Mapping[str, Any]) -> T:
        """PUT an object in place of another and return it as the server has it.

        The response is read as by :meth:`update`.

        Args:
            key: Key of the object.
            new: An object of the model, or all members of one.

        Raises:
            InvalidRequest: As :meth:`get`, or *new* is no JSON object; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
            BodyError: As :meth:`get`; it was replaced all the same.
        """
        return self._send_object("PUT", key, new)

    def delete(self, key: Key) -> None:
        """DELETE an object; of the response only the status counts.

        Raises:
            InvalidRequest: As :meth:`get`; nothing was sent.
            UnexpectedStatus: As :meth:`get`.
        """
        send_checked(self.stack, "DELETE", self._url(key))

    def _send_object(self, method: str, key: Key, given: T | Mapping[str, Any]) -> T:
        """Send an object or members of one; return the object as the server has it now."""
        sent = _members(given)
        response = send_checked(self.stack, method, self._url(key), options={"json": sent})
        if not isinstance(given, Mapping):
            return self._merge_response(response, sent, given)
        members = self.codec.members(response)
        all_names = self._loader.members
        if not isinstance(members, dict) or all_names is None or not all_names <= members.keys():
            # Whether what is missing has its default or is unchanged, only the server knows.
            return self.get(key)
        with attach_response(response):
            return self._loader(members)

    def _merge_response(
        self, response: Response, sent: dict[str, Any], given: T | Mapping[str, Any]
    ) -> T:
        """Return the object of the response, laid over the members that were sent."""
        members = self.codec.members(response)
        if members is None and not isinstance(given, Mapping):
            return given
        with attach_response(response):
            if members is None or isinstance(members, dict):
                return self._loader({**sent, **(members or {})})
            return self._loader(members)

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


def send_checked(
    stack: SessionStack,
    method: str,
    url: str,
    *,
    options: Mapping[str, Any] = MappingProxyType({}),
    expect: frozenset[int] | None = None,
) -> Response:
    """Send one request and return its response.

    Raises:
        UnexpectedStatus: The status is not in *expect*, or not from 200 to 299 where that is None;
            the text starts with verb, path and status. With an error handler on the stack, a
            status of 400 and above is that handler's error.
    """
    response = stack.request(method, url, **options)
    status = response.status_code
    if 200 <= status <= 299 if expect is None else status in expect:
        return response
    wanted = "2xx" if expect is None else " or ".join(map(str, sorted(expect)))
    path = urlsplit(response.url).path
    message = f"{response.request.method} {path} {status}: expected {wanted}"
    raise UnexpectedStatus(message, response=response)
