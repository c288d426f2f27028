"""Cursor pagination: each response holds the cursor that the next request sends."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigError, PaginationNotDetected
from sessionkit.paging._base import as_code, check_name, is_false_flag
from sessionkit.paging._paths import check_json_path, find, locate, replaced

if TYPE_CHECKING:
    from sessionkit.paging._base import PageRequest, PageResponse
    from sessionkit.paging._paths import JsonPath


@dataclass(frozen=True, slots=True, repr=False)
class Cursor:
    """Send the cursor of each response with the next request.

    ::

        {"items": [{"id": 1}, {"id": 2}], "meta": {"next": "b2Zmc2V0OjI"}, "has_more": true}

        stack.paginate("orders", paginator=Cursor("/meta/next", param="after"))
        # GET orders, GET orders?after=b2Zmc2V0OjI, ...

    Null, a missing member, ``""``, ``false`` and an empty array or object are the end; 0 is a
    cursor. A cursor that is an absolute URL is followed as one.

    Args:
        path: Where the cursor stands in the document, such as ``"/meta/next"``; by default
            ``next_cursor``, unless *header* is given.
        header: The response header that holds it, instead of *path*.
        param: The query parameter that takes it; by default ``cursor``, unless *body* is given.
        body: Where it goes in the JSON body of the request, instead of *param*. The pages are then
            asked for by POST, unless the first request says otherwise.
        has_more: Where the document says whether there are further pages, such as ``"/has_more"``.
            False and null end the walk, whatever the cursor is.
        start: The cursor of the first request; None for none.

    Raises:
        ConfigError: A setting that cannot be meant, or two that exclude each other.
    """

    path: JsonPath | None = None
    _: KW_ONLY
    header: str | None = None
    param: str | None = None
    body: JsonPath | None = None
    has_more: JsonPath | None = None
    start: str | int | None = None

    def __post_init__(self) -> None:
        _check_one("path", self.path, "header", self.header)
        _check_one("param", self.param, "body", self.body)
        for what, name in (("header", self.header), ("param", self.param)):
            if name is not None:
                check_name(what, name)
        for path in (self.path, self.body, self.has_more):
            if path is not None:
                check_json_path(path)
        if self.body in ("", ()):
            raise ConfigError("a cursor cannot be the whole body of a request; name its member")

    def first_request(self, request: PageRequest) -> PageRequest:
        if self.body is not None and request.method == "GET":
            request = replace(
                request, method="POST", json={} if request.json is None else request.json
            )
        if self.start is None or self._current_cursor(request) is not None:
            return request
        return self._with_cursor(request, self.start)

    def next_request(self, page: PageResponse) -> PageRequest | None:
        more = None if self.has_more is None else locate(page.document, self.has_more)
        # A flag that is not there says nothing: then only the cursor tells.
        if more is not None and is_false_flag(more.value):
            return None
        cursor = self._cursor(page)
        if cursor is None or cursor is False or cursor in ("", [], {}):
            return None
        if isinstance(cursor, str) and cursor.startswith(("http://", "https://")):
            return page.request.with_url(cursor)
        if cursor is True or (self.body is None and not _is_query_value(cursor)):
            raise PaginationNotDetected(
                "the cursor is neither text nor a number, as a parameter has to be",
                hint="check its path; a cursor that is an object goes into the body: body=",
            )
        return self._with_cursor(page.request, cursor)

    def __repr__(self) -> str:
        return as_code(self, "path")

    def _cursor(self, page: PageResponse) -> Any:
        if self.header is not None:
            return page.response.headers.get(self.header, "").strip()
        return page.find("next_cursor" if self.path is None else self.path)

    def _current_cursor(self, request: PageRequest) -> Any:
        return request.param(self._param) if self.body is None else find(request.json, self.body)

    def _with_cursor(self, request: PageRequest, cursor: Any) -> PageRequest:
        if self.body is None:
            return request.with_params({self._param: cursor})
        return replace(request, json=replaced(request.json, self.body, cursor))

    @property
    def _param(self) -> str:
        return "cursor" if self.param is None else self.param


def _check_one(first: str, value: object, second: str, other: object) -> None:
    if value is not None and other is not None:
        raise ConfigError(f"a cursor has {first} or {second}, not both")


def _is_query_value(cursor: Any) -> bool:
    if isinstance(cursor, str):
        # JSON can hold half a surrogate pair, which no URL can.
        return not any("\ud800" <= character <= "\udfff" for character in cursor)
    return isinstance(cursor, int | float)
