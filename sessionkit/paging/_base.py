"""What paging is made of: page requests, the responses to them, pages, and paginators.

Nothing here sends anything. A paginator reads one response and names the next request; the walk in
``_pages`` sends the requests through a function that it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote_plus, urldefrag, urljoin

from sessionkit._redact import redact_url
from sessionkit.errors import ConfigError
from sessionkit.paging._paths import find

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from requests import Response

    from sessionkit.paging._paths import JsonPath

T = TypeVar("T")
Params: TypeAlias = Mapping[str, Any]
"""Query parameters by name; a list gives one parameter per value, None gives none at all."""


@dataclass(frozen=True, slots=True, repr=False)
class PageRequest:
    """One request for a page, before any handler has seen it.

    Immutable: what derives from it is a new one. Its repr shows names of parameters, never
    values, because cursors and keys travel there.

    Args:
        url: The URL; a relative one means what it means to the stack.
        params: Query parameters to add to it.
        json: The body, to be sent as JSON; None for no body.
        headers: Headers of this request alone.
        method: The method.
    """

    url: str
    params: Params | None = None
    json: Any = None
    headers: Mapping[str, str] | None = None
    method: str = "GET"

    @classmethod
    def of(cls, url: str, params: object = None) -> PageRequest:
        """Return the first request of a walk, with *params* in any form that requests takes.

        Iterators are read here, so that a walk can be taken twice.

        Raises:
            ConfigError: *params* is neither a mapping, nor pairs, nor text.
        """
        if isinstance(params, str | bytes):
            text = params.decode() if isinstance(params, bytes) else params
            query = "&".join(filter(None, (_query(url), text)))
            return cls(_with_query(url, query))
        if isinstance(params, Mapping):
            params = params.items()
        return cls(url, _merge_pairs(params) if params else None)

    def param(self, name: str) -> Any:
        """Return the parameter called *name*, of ``params`` or else of the URL's own query."""
        if self.params is not None and self.params.get(name) is not None:
            return self.params[name]
        for part in _query(self.url).split("&"):
            key, _, value = part.partition("=")
            if unquote_plus(key) == name:
                return unquote_plus(value)
        return None

    def with_params(self, params: Params) -> PageRequest:
        """Return this request with *params*, in place of those of the same names in its URL."""
        # The other parameters keep their very text: some servers sign it.
        others = [
            part
            for part in _query(self.url).split("&")
            if unquote_plus(part.partition("=")[0]) not in params
        ]
        url = _with_query(self.url, "&".join(others))
        return replace(self, url=url, params={**(self.params or {}), **params})

    def with_url(self, url: str) -> PageRequest:
        """Return this request for another *url*, with the query of that URL and no params."""
        return replace(self, url=url, params=None)

    def __repr__(self) -> str:
        where, mark, _ = self.url.partition("?")
        names = f" with {', '.join(self.params)}" if self.params else ""
        return f"<PageRequest {self.method} {redact_url(where)}{'?...' if mark else ''}{names}>"


@dataclass(frozen=True, slots=True)
class PageResponse:
    """The response to a page request, as a paginator reads it.

    Args:
        request: The request that led to it.
        response: The response.
        document: The decoded JSON document; None for a response without a body.
        rows: The items, as they stand in the document.
        items_seen: Items of this walk so far, this page's included.
        is_repeat: Whether the items are objects, and just those of the page before.
    """

    request: PageRequest
    response: Response = field(repr=False)
    document: Any = field(repr=False)
    rows: list[Any] = field(repr=False)
    items_seen: int = 0
    is_repeat: bool = False

    def find(self, path: JsonPath | None) -> Any:
        """Return what the document holds at *path*; None where there is nothing."""
        return find(self.document, path)

    def resolve(self, reference: str) -> str:
        """Return *reference* as an absolute URL, without its fragment.

        The base is the URL of this response after redirects (RFC 3986, section 5.1.3).

        Raises:
            ValueError: There is no way to read *reference* as a URL.
        """
        return urldefrag(urljoin(self.response.url or self.request.url, reference.strip())).url


class Paginator(Protocol):
    """A way from one page to the next. Stateless: one serves all walks of all threads.

    Two optional attributes are JSON paths that the walk reads as well: ``total``, the number of all
    items, and ``has_more``, a flag that says whether there are further pages.
    """

    def first_request(self, request: PageRequest) -> PageRequest:
        """Return the request to begin with, made of the caller's *request*."""
        ...

    def next_request(self, page: PageResponse) -> PageRequest | None:
        """Return the request after *page*, computed from it alone; None at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page, as it came.

    Args:
        items: The items, mapped where ``into=`` was given.
        number: Its number in this walk, from 1.
        request: The request that brought it.
        next: The request that the walk would send next; None at the end.
        total: How many items there are on all pages, if this page says so.
        response: The response.
        document: The decoded JSON document.
    """

    items: list[T]
    number: int
    request: PageRequest
    next: PageRequest | None
    total: int | None
    response: Response = field(repr=False)
    document: Any = field(repr=False)


def as_code(value: DataclassInstance, *positional: str) -> str:
    """Write *value* as the call that makes it, without what stands at its default."""
    shown = []
    for item in fields(value):
        given = getattr(value, item.name)
        if item.default is MISSING or given != item.default:
            prefix = "" if item.name in positional else f"{item.name}="
            shown.append(f"{prefix}{given!r}")
    return f"{type(value).__name__}({', '.join(shown)})"


def as_count(value: object) -> int | None:
    """Read a number of things: an int, or text of digits as headers have; else None."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def is_false_flag(flag: object) -> bool:
    """Read a flag such as ``has_more``: false, null, 0, ``""`` and ``"false"`` say no."""
    return not flag or (isinstance(flag, str) and flag.lower() == "false")


def check_name(what: str, name: object) -> None:
    """Refuse a name of a parameter, header or relation that cannot be one.

    Raises:
        ConfigError: *name* is empty or no text.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"{what} must be a name, not {name!r}")


def _merge_pairs(pairs: object) -> dict[str, Any]:
    gathered: dict[str, Any] = {}
    try:
        for name, value in pairs:  # type: ignore[attr-defined]  # what is no pairs, is refused
            values = list(value) if isinstance(value, Iterator) else value
            gathered[name] = (
                [*_as_list(gathered[name]), *_as_list(values)] if name in gathered else values
            )
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "params are neither a mapping, nor pairs of name and value, nor text"
        ) from error
    return gathered


def _as_list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _query(url: str) -> str:
    # Not by urlsplit: it raises on some texts, and what a bad URL is, the session says better.
    return url.partition("#")[0].partition("?")[2]


def _with_query(url: str, query: str) -> str:
    where = url.partition("#")[0].partition("?")[0]
    return f"{where}?{query}" if query else where
