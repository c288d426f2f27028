"""Links that lead to the next page: of the Link header (RFC 8288), and of the document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigError, PaginationNotDetected
from sessionkit.headers._link import parse_links
from sessionkit.paging._base import as_code, check_name
from sessionkit.paging._paths import check_json_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.headers._link import Link
    from sessionkit.paging._base import PageRequest, PageResponse
    from sessionkit.paging._paths import JsonPath

_NEXT_PATHS: tuple[JsonPath, ...] = (
    "next",
    "next_url",
    "links.next",
    "_links.next",
    "meta.next",
    "pagination.next",
    "paging.next",
    "@odata.nextLink",
)


@dataclass(frozen=True, slots=True, repr=False)
class LinkHeader:
    """Follow the link of the response's ``Link`` header that is called *rel* (RFC 8288).

    ::

        Link: <https://api.example/orders?page=2>; rel="next"

        stack.paginate("orders", paginator=LinkHeader())  # the default

    A link with an ``anchor`` that names another resource is about that one and not followed.

    Args:
        rel: The relation type, in any case.

    Raises:
        ConfigError: *rel* is not one relation type.
    """

    rel: str = "next"

    def __post_init__(self) -> None:
        check_name("rel", self.rel)
        if len(self.rel.split()) != 1:
            raise ConfigError(f"rel must be one relation type, not {self.rel!r}")

    def first_request(self, request: PageRequest) -> PageRequest:
        return request

    def next_request(self, page: PageResponse) -> PageRequest | None:
        wanted = self.rel.strip().lower()
        for link in parse_links(page.response.headers.get("Link", "")):
            if wanted in link.relations and _is_about_page(link, page):
                return _request_to(link.target, page)
        return None

    def __repr__(self) -> str:
        return as_code(self, "rel")


@dataclass(frozen=True, slots=True, init=False, repr=False)
class NextUrl:
    """Follow the URL of the next page that the document holds.

    ::

        {"items": [{"id": 1}, {"id": 2}], "links": {"next": "/orders?page=2"}}

        stack.paginate("orders", paginator=NextUrl("/links/next"))

    Null, a missing member and ``""`` are the end. An object is taken for a link object, whose
    ``href`` counts (HAL, JSON:API), and of an array of such the first.

    Args:
        paths: Where it stands, such as ``"/links/next"``; the first that holds anything counts.
            Without any: ``next``, ``next_url``, ``next`` in ``links``, ``_links``, ``meta``,
            ``pagination`` or ``paging``, and ``@odata.nextLink``.

    Raises:
        ConfigError: One of *paths* is no path in a document.
    """

    paths: tuple[JsonPath, ...]

    def __init__(self, *paths: JsonPath) -> None:
        for path in paths:
            check_json_path(path)
        object.__setattr__(self, "paths", paths or _NEXT_PATHS)

    def first_request(self, request: PageRequest) -> PageRequest:
        return request

    def next_request(self, page: PageResponse) -> PageRequest | None:
        for path, value in self._values(page):
            if not isinstance(value, str) or not looks_like_url(value):
                raise PaginationNotDetected(
                    f"{path!r} holds no URL of a next page",
                    hint="a token is followed by Cursor(path), a number by PageNumber()",
                )
            return _request_to(value, page)
        return None

    def _values(self, page: PageResponse) -> Iterator[tuple[JsonPath, Any]]:
        for path in self.paths:
            value = href_of(page.find(path))
            if value is not None and value is not False and value != "":
                yield path, value

    def __repr__(self) -> str:
        shown = () if self.paths == _NEXT_PATHS else self.paths
        return f"NextUrl({', '.join(map(repr, shown))})"


def href_of(value: Any) -> Any:
    """Return the target of a link object, or of the first in an array; other values as they are."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value.get("href") if isinstance(value, dict) else value


def looks_like_url(text: str) -> bool:
    """Return whether *text* refers to another page, and is no token: it has a path or a query."""
    return "/" in text or text.lstrip().startswith("?")


def _is_about_page(link: Link, page: PageResponse) -> bool:
    if link.anchor is None:
        return True
    try:
        # RFC 8288, section 3.2: a fragment, too, makes it another context.
        return "#" not in link.anchor and page.resolve(link.anchor) == page.resolve("")
    except ValueError:
        return False


def _request_to(target: str, page: PageResponse) -> PageRequest:
    try:
        return page.request.with_url(page.resolve(target))
    except ValueError:
        # Unreadable, hence of no origin that could be ours: refused before it is sent.
        return page.request.with_url(target)
