"""Pagination by numbers: page numbers, and offsets, which count the rows before a page."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from sessionkit import _checks as checks
from sessionkit.errors import ConfigError, PageLoop
from sessionkit.paging._base import as_code, as_count, check_name
from sessionkit.paging._paths import check_json_path

if TYPE_CHECKING:
    from sessionkit.paging._base import PageRequest, PageResponse
    from sessionkit.paging._paths import JsonPath


@dataclass(frozen=True, slots=True, repr=False)
class PageNumber:
    """Ask for page after page by number, until one is empty or the last one is reached.

    ::

        {"items": [{"id": 1}, {"id": 2}], "page": 1, "pages": 9}

        stack.paginate("orders", paginator=PageNumber(page_size=2, total_pages="/pages"))
        # GET orders?page=1&per_page=2, GET orders?page=2&per_page=2, ...

    A page that is merely short ends nothing: servers cap the size that they were asked for. A
    parameter that the caller gave wins, so ``params={"page": 3}`` starts at page 3.

    Args:
        param: The query parameter that takes the number.
        start: The number of the first page: 1, or 0 with some servers.
        page_size: Items per page to ask for; None leaves it to the server.
        page_size_param: The query parameter that takes *page_size*.
        total_pages: Where the document tells how many pages there are, such as ``"/pages"``.
        total: Where it tells how many items there are on all pages.

    Raises:
        ConfigError: A setting that cannot be meant.
    """

    param: str = "page"
    _: KW_ONLY
    start: int = 1
    page_size: int | None = None
    page_size_param: str = "per_page"
    total_pages: JsonPath | None = None
    total: JsonPath | None = None

    def __post_init__(self) -> None:
        _check(self.param, self.page_size_param, self.total_pages, self.total)
        checks.count("start", self.start, minimum=0)
        if self.page_size is not None:
            checks.count("page_size", self.page_size, minimum=1)

    def first_request(self, request: PageRequest) -> PageRequest:
        return _with_defaults(
            request, {self.param: self.start, self.page_size_param: self.page_size}
        )

    def next_request(self, page: PageResponse) -> PageRequest | None:
        number = _count_param(page.request, self.param)
        pages = as_count(page.find(self.total_pages))
        if pages is not None and number - self.start + 1 >= pages:
            return None
        # By rows received, not by number times size: the server may have given fewer than asked.
        if _is_end(page, self.total, page.items_seen):
            return None
        return page.request.with_params({self.param: number + 1})

    def __repr__(self) -> str:
        return as_code(self, "param")


@dataclass(frozen=True, slots=True, repr=False)
class Offset:
    """Ask for the rows after those received, until a page is empty or the total is reached.

    ::

        {"items": [{"id": 1}, {"id": 2}], "offset": 0, "total": 17}

        stack.paginate("orders", paginator=Offset(2, total="/total"))
        # GET orders?offset=0&limit=2, GET orders?offset=2&limit=2, ...

    The offset grows by the rows that came, not by *page_size*, as some servers give fewer.
    A parameter that the caller gave wins, so ``params={"offset": 200}`` starts there.

    Args:
        page_size: Items per page to ask for; None leaves it to the server.
        offset_param: The query parameter that takes the number of rows to leave out.
        page_size_param: The query parameter that takes *page_size*.
        total: Where the document tells how many items there are on all pages.
        start: Rows to leave out at the start.

    Raises:
        ConfigError: A setting that cannot be meant.
    """

    page_size: int | None = None
    _: KW_ONLY
    offset_param: str = "offset"
    page_size_param: str = "limit"
    total: JsonPath | None = None
    start: int = 0

    def __post_init__(self) -> None:
        _check(self.offset_param, self.page_size_param, self.total)
        checks.count("start", self.start, minimum=0)
        if self.page_size is not None:
            checks.count("page_size", self.page_size, minimum=1)

    def first_request(self, request: PageRequest) -> PageRequest:
        return _with_defaults(
            request, {self.offset_param: self.start, self.page_size_param: self.page_size}
        )

    def next_request(self, page: PageResponse) -> PageRequest | None:
        reached = _count_param(page.request, self.offset_param) + len(page.rows)
        if _is_end(page, self.total, reached):
            return None
        return page.request.with_params({self.offset_param: reached})

    def __repr__(self) -> str:
        return as_code(self, "page_size")


def _check(first_name: str, second_name: str, *paths: JsonPath | None) -> None:
    check_name("a parameter", first_name)
    check_name("a parameter", second_name)
    if first_name == second_name:
        raise ConfigError(f"two different values cannot both go into {first_name!r}")
    for path in paths:
        if path is not None:
            check_json_path(path)


def _with_defaults(request: PageRequest, settings: dict[str, int | None]) -> PageRequest:
    missing = {
        name: value
        for name, value in settings.items()
        if value is not None and request.param(name) is None
    }
    return request.with_params(missing) if missing else request


def _count_param(request: PageRequest, name: str) -> int:
    given = request.param(name)
    number = as_count(given)
    if number is None:
        raise ConfigError(f"the parameter {name!r} must be a whole number from 0, not {given!r}")
    return number


def _is_end(page: PageResponse, path: JsonPath | None, reached: int) -> bool:
    total = as_count(page.find(path))
    if not page.rows or (total is not None and reached >= total):
        return True
    if page.is_repeat:
        raise PageLoop(
            "this page holds the very rows of the page before: the server gives its last page "
            "again and again, or does not know the parameter",
            hint="check the names of the parameters, or say where the total stands by total=",
        )
    return False
