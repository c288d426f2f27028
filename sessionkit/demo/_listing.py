"""Rows that can be read one by one, or page by page in the four ways of the web."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sessionkit.demo._messages import Ask, Refused, Reply, json_reply, problem, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable

_PER_PAGE = 10
_MOST_PER_PAGE = 100
_FAR = 10**6


class Listing:
    """A fixed list of rows, each with an ``id``. Immutable, hence thread-safe.

    Args:
        rows: What is listed, in order.
    """

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self._rows = tuple(rows)
        self._by_id = {str(row["id"]): row for row in self._rows}

    def __len__(self) -> int:
        return len(self._rows)

    def one(self, number: str) -> Reply:
        """Answer with the row of that id.

        Raises:
            Refused: There is none (answered with 404).
        """
        if number not in self._by_id:
            raise Refused(problem(404, "there is nothing of this number"))
        return json_reply(200, self._by_id[number])

    def by_link(self, ask: Ask) -> Reply:
        """Answer ``page=&per_page=`` with a bare list; the way on is in headers (RFC 8288)."""
        size = max(ask.number("per_page", _PER_PAGE, most=_MOST_PER_PAGE), 1)
        page = max(ask.number("page", 1, most=_FAR), 1)
        last = max(-(-len(self) // size), 1)
        targets = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
        links = ", ".join(
            f'<{_url(ask, page=target, per_page=size)}>; rel="{relation}"'
            for relation, target in targets.items()
            if 1 <= target <= last
        )
        headers = {"Link": links, "X-Total-Count": str(len(self))}
        return json_reply(200, self._slice((page - 1) * size, size), headers)

    def by_next(self, ask: Ask) -> Reply:
        """Answer ``page=`` with the next page's URL in the body."""
        page = max(ask.number("page", 1, most=_FAR), 1)
        more = page * _PER_PAGE < len(self)
        document = {
            "count": len(self),
            "next": _url(ask, page=page + 1) if more else None,
            "previous": _url(ask, page=page - 1) if page > 1 else None,
            "results": self._slice((page - 1) * _PER_PAGE, _PER_PAGE),
        }
        return json_reply(200, document)

    def by_cursor(self, ask: Ask) -> Reply:
        """Answer ``cursor=`` with an opaque mark of the place to go on from."""
        start = _place(ask.query.get("cursor", ""))
        after = start + _PER_PAGE
        document = {
            "items": self._slice(start, _PER_PAGE),
            "next_cursor": _cursor(after) if after < len(self) else None,
        }
        return json_reply(200, document)

    def by_offset(self, ask: Ask) -> Reply:
        """Answer ``offset=&limit=`` with the total beside the items."""
        offset = ask.number("offset", 0, most=_FAR)
        limit = max(ask.number("limit", _PER_PAGE, most=_MOST_PER_PAGE), 1)
        document = {
            "items": self._slice(offset, limit),
            "total": len(self),
            "offset": offset,
            "limit": limit,
        }
        return json_reply(200, document)

    def _slice(self, start: int, size: int) -> list[dict[str, Any]]:
        return list(self._rows[start : start + size])


def _url(ask: Ask, **query: int) -> str:
    return f"{ask.origin}{ask.path}?{urlencode(query)}"


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"after:{place}".encode()).decode()


def _place(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        mark, _, place = base64.urlsafe_b64decode(cursor).decode().partition(":")
    except (binascii.Error, ValueError):
        mark = place = ""
    number = whole_number(place)
    if mark != "after" or number is None:
        raise Refused(problem(400, "this cursor was not made here"))
    return number
