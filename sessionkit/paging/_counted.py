"""Pages that are counted: by their number, or by the rows before them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigError, PageLoop
from sessionkit.paging._base import as_code, as_count, check_name, check_number
from sessionkit.paging._paths import check_place

if TYPE_CHECKING:
    from sessionkit.paging._base import Answer, Step
    from sessionkit.paging._paths import Place


@dataclass(frozen=True, slots=True, repr=False)
class PageNumber:
    """Ask for page after page by number, until one is empty or the document says where it ends.

    A page that is merely short ends nothing: servers cap the size that they were asked for. A
    parameter that the caller gave wins, so ``params={"page": 3}`` starts at page 3.

    Args:
        param: The query parameter that takes the number.
        first: The number of the first page: 1, or 0 with some servers.
        size: Items per page to ask for; None leaves it to the server.
        size_param: The query parameter that takes *size*.
        total_pages: Where the document tells how many pages there are, such as ``"/pages"``.
        total: Where it tells how many items there are on all pages.

    Raises:
        ConfigError: A setting that cannot be meant.
    """

    param: str = "page"
    _: KW_ONLY
    first: int = 1
    size: int | None = None
    size_param: str = "per_page"
    total_pages: Place | None = None
    total: Place | None = None

    def __post_init__(self) -> None:
        _check(self.param, self.size_param, self.total_pages, self.total)
        check_number("first", self.first, least=0)
        if self.size is not None:
            check_number("size", self.size, least=1)

    def first_step(self, step: Step) -> Step:
        return _opened(step, {self.param: self.first, self.size_param: self.size})

    def next_step(self, answer: Answer) -> Step | None:
        number = _asked(answer.step, self.param)
        pages = as_count(answer.find(self.total_pages))
        if pages is not None and number - self.first + 1 >= pages:
            return None
        # By rows received, not by number times size: the server may have given fewer than asked.
        if _is_end(answer, self.total, answer.seen):
            return None
        return answer.step.with_params({self.param: number + 1})

    def __repr__(self) -> str:
        return as_code(self, "param")


@dataclass(frozen=True, slots=True, repr=False)
class Offset:
    """Ask for the rows after those received, until a page is empty or the total is reached.

    The offset grows by the rows that came, not by *limit*: a server that gives fewer loses none.
    A parameter that the caller gave wins, so ``params={"offset": 200}`` starts there.

    Args:
        limit: Items per page to ask for; None leaves it to the server.
        offset_param: The query parameter that takes the number of rows to leave out.
        limit_param: The query parameter that takes *limit*.
        total: Where the document tells how many items there are on all pages.
        start: Rows to leave out at the start.

    Raises:
        ConfigError: A setting that cannot be meant.
    """

    limit: int | None = None
    _: KW_ONLY
    offset_param: str = "offset"
    limit_param: str = "limit"
    total: Place | None = None
    start: int = 0

    def __post_init__(self) -> None:
        _check(self.offset_param, self.limit_param, self.total)
        check_number("start", self.start, least=0)
        if self.limit is not None:
            check_number("limit", self.limit, least=1)

    def first_step(self, step: Step) -> Step:
        return _opened(step, {self.offset_param: self.start, self.limit_param: self.limit})

    def next_step(self, answer: Answer) -> Step | None:
        reached = _asked(answer.step, self.offset_param) + len(answer.rows)
        if _is_end(answer, self.total, reached):
            return None
        return answer.step.with_params({self.offset_param: reached})

    def __repr__(self) -> str:
        return as_code(self, "limit")


def _check(first_name: str, second_name: str, *places: Place | None) -> None:
    check_name("a parameter", first_name)
    check_name("a parameter", second_name)
    if first_name == second_name:
        raise ConfigError(f"two different values cannot both go into {first_name!r}")
    for place in places:
        if place is not None:
            check_place(place)


def _opened(step: Step, settings: dict[str, int | None]) -> Step:
    missing = {
        name: value
        for name, value in settings.items()
        if value is not None and step.param(name) is None
    }
    return step.with_params(missing) if missing else step


def _asked(step: Step, name: str) -> int:
    given = step.param(name)
    number = as_count(given)
    if number is None:
        raise ConfigError(f"the parameter {name!r} must be a whole number from 0, not {given!r}")
    return number


def _is_end(answer: Answer, place: Place | None, reached: int) -> bool:
    total = as_count(answer.find(place))
    if not answer.rows or (total is not None and reached >= total):
        return True
    if answer.repeats:
        raise PageLoop(
            "this page holds the very rows of the page before: the server gives its last page "
            "again and again, or does not know the parameter",
            hint="check the names of the parameters, or say where the total stands by total=",
        )
    return False
