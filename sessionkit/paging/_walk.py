"""One walk in progress: it asks for pages one by one, and keeps what guards it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sessionkit.errors import (
    ClientError,
    ConfigError,
    DecodeError,
    PagesStalled,
    ServerError,
    SessionKitError,
    StatusError,
    UnexpectedStatus,
)
from sessionkit.paging._base import Answer, Step
from sessionkit.paging._rows import rows_of
from sessionkit.paging._trail import Trail

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit.paging._base import Paginator
    from sessionkit.paging._rows import Items

EMPTY_PAGES = 50
"""So many empty pages in a row, each with a next one, and a walk is given up."""

_NO_BODY = frozenset((HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT))


@dataclass(frozen=True, slots=True)
class Stage:
    """A page as the walk found it: the answer, where its rows stand, and the step after it."""

    answer: Answer
    pointer: str
    next: Step | None


class Walk:
    """Pages one after the other. Belongs to one iterator, hence to one thread at a time.

    Args:
        send: Sends one step and returns the response.
        start: The caller's first step.
        paginator: Names the step after each answer.
        items: Where the items of a page are.
    """

    __slots__ = ("_empty", "_items", "_paginator", "_rows", "_seen", "_send", "_trail", "number")

    def __init__(
        self, send: Callable[[Step], Response], start: Step, *, paginator: Paginator, items: Items
    ) -> None:
        self.number = 0
        self._send = send
        self._paginator = paginator
        self._items = items
        self._trail = Trail(start.url)
        self._rows: list[Any] = []
        self._seen = 0
        self._empty = 0

    def ask(self, step: Step) -> Stage:
        """Ask for the page of *step*; nothing is sent if it must not be.

        Raises:
            PageLoop: *step* was asked before, or its rows are those of the page before.
            CrossOriginPage: It leads to another origin.
            PagesStalled: Too many empty pages came in a row.
            PaginationNotDetected: There are no items where they should be, or no way on.
            StatusError: The answer is an error, and no handler of the stack said so.
            DecodeError: The answer is no JSON.
            ConfigError: The paginator named something else than a step.
        """
        self._check_progress(step)
        step = self._trail.admit(step, self.number + 1)
        response = self._send(step)
        self.number += 1
        self._trail.record(step, response, self.number)
        try:
            return self._read(step, response)
        except SessionKitError as error:
            error.complete(response=response)
            raise

    def _check_progress(self, step: Step) -> None:
        if self._empty >= EMPTY_PAGES:
            raise PagesStalled(
                f"{self._empty} pages in a row were empty, and each named a next one",
                hint="check the filter of the request, and the paginator's place",
                method=step.method,
            )

    def _read(self, step: Step, response: Response) -> Stage:
        body = _document(response, self.number)
        pointer, rows = rows_of(body, self._items)
        self._seen += len(rows)
        self._empty = 0 if rows else self._empty + 1
        # Plain values may well come twice; objects of one page that all come again do not.
        repeats = any(isinstance(row, dict) for row in rows) and rows == self._rows
        self._rows = rows
        answer = Answer(step, response, body, rows, seen=self._seen, repeats=repeats)
        following: object = self._paginator.next_step(answer)
        if following is not None and not isinstance(following, Step):
            # Its type alone: a text would be a URL or a cursor, which may hold a key.
            raise ConfigError(
                f"next_step of {self._paginator!r} must return a Step or None, "
                f"not {type(following).__name__}",
                hint="make it of the answer's own: answer.step.with_params(...) or .at(url)",
            )
        return Stage(answer, pointer, following)


def _document(response: Response, number: int) -> Any:
    _check_status(response, number)
    if response.status_code in _NO_BODY:
        return None
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        if isinstance(error, SessionKitError):
            raise
        raise DecodeError(f"page {number} is no JSON") from error


def _check_status(response: Response, number: int) -> None:
    # A stack without an error handler returns whatever came; as a page it would be lost rows.
    status = response.status_code
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    kind: type[StatusError] = UnexpectedStatus
    if status >= HTTPStatus.BAD_REQUEST:
        kind = ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ClientError
    raise kind(f"{status} {response.reason or ''}".strip() + f" instead of page {number}")
