"""Pages behind a cursor: each answer holds the mark of the place to go on from."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from sessionkit.errors import ConfigError, PaginationNotDetected
from sessionkit.paging._base import as_code, check_name, says_no
from sessionkit.paging._paths import check_place, find, locate, replaced

if TYPE_CHECKING:
    from sessionkit.paging._base import Answer, Step
    from sessionkit.paging._paths import Place


@dataclass(frozen=True, slots=True, repr=False)
class Cursor:
    """Hand the cursor of each answer back with the next request.

    Null, a missing member, ``""``, ``false`` and an empty array or object are the end; 0 is a
    cursor. A cursor that is an absolute URL is followed as one.

    Args:
        place: Where the cursor stands in the document, such as ``"/meta/next"``; by default
            ``next_cursor``, unless *header* is given.
        header: The response header that holds it, instead of *place*.
        param: The query parameter that takes it; by default ``cursor``, unless *body* is given.
        body: Where it goes in the JSON body of the request, instead of *param*. The pages are then
            asked for by POST, unless the first step says otherwise.
        more: Where the document says whether there are further pages, such as ``"/has_more"``.
            False and null end the walk, whatever the cursor is.
        start: The cursor of the first request; None for none.

    Raises:
        ConfigError: A setting that cannot be meant, or two that exclude each other.
    """

    place: Place | None = None
    _: KW_ONLY
    header: str | None = None
    param: str | None = None
    body: Place | None = None
    more: Place | None = None
    start: str | int | None = None

    def __post_init__(self) -> None:
        _check_one("place", self.place, "header", self.header)
        _check_one("param", self.param, "body", self.body)
        for what, name in (("header", self.header), ("param", self.param)):
            if name is not None:
                check_name(what, name)
        for place in (self.place, self.body, self.more):
            if place is not None:
                check_place(place)
        if self.body in ("", ()):
            raise ConfigError("a cursor cannot be the whole body of a request; name its member")

    def first_step(self, step: Step) -> Step:
        if self.body is not None and step.method == "GET":
            step = replace(step, method="POST", json={} if step.json is None else step.json)
        if self.start is None or self._given(step) is not None:
            return step
        return self._handed(step, self.start)

    def next_step(self, answer: Answer) -> Step | None:
        more = None if self.more is None else locate(answer.body, self.more)
        # A flag that is not there says nothing: then only the cursor tells.
        if more is not None and says_no(more.value):
            return None
        cursor = self._cursor(answer)
        if cursor is None or cursor is False or cursor in ("", [], {}):
            return None
        if isinstance(cursor, str) and cursor.startswith(("http://", "https://")):
            return answer.step.at(cursor)
        if cursor is True or (self.body is None and not _fits_a_query(cursor)):
            raise PaginationNotDetected(
                "the cursor is neither text nor a number, as a parameter has to be",
                hint="check its place; a cursor that is an object goes into the body: body=",
            )
        return self._handed(answer.step, cursor)

    def __repr__(self) -> str:
        return as_code(self, "place")

    def _cursor(self, answer: Answer) -> Any:
        if self.header is not None:
            return answer.response.headers.get(self.header, "").strip()
        return answer.find("next_cursor" if self.place is None else self.place)

    def _given(self, step: Step) -> Any:
        return step.param(self._param) if self.body is None else find(step.json, self.body)

    def _handed(self, step: Step, cursor: Any) -> Step:
        if self.body is None:
            return step.with_params({self._param: cursor})
        return replace(step, json=replaced(step.json, self.body, cursor))

    @property
    def _param(self) -> str:
        return "cursor" if self.param is None else self.param


def _check_one(first: str, value: object, second: str, other: object) -> None:
    if value is not None and other is not None:
        raise ConfigError(f"a cursor has {first} or {second}, not both")


def _fits_a_query(cursor: Any) -> bool:
    if isinstance(cursor, str):
        # JSON can hold half a surrogate pair, which no URL can.
        return not any("\ud800" <= character <= "\udfff" for character in cursor)
    return isinstance(cursor, int | float)
