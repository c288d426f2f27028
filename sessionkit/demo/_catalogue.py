"""What there is to read in the demo: products and orders, page by page in the four usual ways.

The rows are the same on every run and every machine.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal  # noqa: TC003  # resolved at run time, by the mapping engine
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from sessionkit.testing.server import ServerResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sessionkit.testing.server import ServerRequest

PRODUCTS = 120
ORDERS = 45

_COLOURS = ("amber", "blue", "copper", "green", "ivory", "olive", "red", "slate")
_THINGS = ("bowl", "chair", "kettle", "lamp", "pan", "rake", "saw", "shelf", "spade", "table")
_CATEGORIES = ("garden", "home", "kitchen", "tools")
_COUNTRIES = ("CL", "DE", "JP", "NO", "NZ", "PT")
_STATES = ("open", "paid", "sent")
_MAKERS = 12
_DEAREST_CENTS = 20_000
_PER_PAGE = 10
_MAX_PER_PAGE = 100
_MAX_NUMBER = 10**6
_MAX_DIGITS = 9


class Refused(Exception):
    """A response that ends the work on a request at once; never leaves the demo's API."""

    def __init__(self, response: ServerResponse) -> None:
        super().__init__(response.status)
        self.response = response


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> ServerResponse:
    """Return a problem document (RFC 9457, section 3)."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    kind = {"Content-Type": "application/problem+json"}
    return ServerResponse(status, document, {**(headers or {}), **kind})


def text_of(request: ServerRequest, name: str) -> str:
    """Return the query parameter *name*, or an empty text."""
    return request.query.get(name, [""])[-1]


def number_of(request: ServerRequest, name: str, default: int, *, maximum: int) -> int:
    """Return the query parameter *name* as a whole number from 0; a larger one as *maximum*.

    Raises:
        Refused: It is no whole number, or below 0 (400).
    """
    if name not in request.query:
        return default
    number = whole_number(text_of(request, name))
    if number is None:
        raise Refused(problem(400, f"{name} must be a whole number from 0 up"))
    return min(number, maximum)


def whole_number(text: str) -> int | None:
    """Return up to nine digits as a number; None where *text* is anything else."""
    # isdecimal() would let digits of other scripts, and any length of them, pass to int().
    fits = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if fits else None


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that loses no cent."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Maker:
    """Who made a product."""

    id: int
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Product:
    """A product, its parts typed all the way down."""

    id: int
    name: str
    category: Literal["garden", "home", "kitchen", "tools"]
    price: Money
    maker: Maker
    released: date
    updated: datetime
    in_stock: bool


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

    def one(self, number: str) -> ServerResponse:
        """Return the row of that id.

        Raises:
            Refused: There is none (404).
        """
        if number not in self._by_id:
            raise Refused(problem(404, "there is nothing of this number"))
        return ServerResponse(200, self._by_id[number])

    def by_link(self, request: ServerRequest) -> ServerResponse:
        """Return ``page=&per_page=`` as a bare list, with a ``Link`` header (RFC 8288)."""
        size = max(number_of(request, "per_page", _PER_PAGE, maximum=_MAX_PER_PAGE), 1)
        page = max(number_of(request, "page", 1, maximum=_MAX_NUMBER), 1)
        last = max(-(-len(self) // size), 1)
        targets = {"first": 1, "prev": page - 1, "next": page + 1, "last": last}
        links = ", ".join(
            f'<{_url(request, page=target, per_page=size)}>; rel="{relation}"'
            for relation, target in targets.items()
            if 1 <= target <= last
        )
        headers = {"Link": links, "X-Total-Count": str(len(self))}
        return ServerResponse(200, self._slice((page - 1) * size, size), headers)

    def by_next(self, request: ServerRequest) -> ServerResponse:
        """Return the page of ``page=``, with the URL of the next one."""
        page = max(number_of(request, "page", 1, maximum=_MAX_NUMBER), 1)
        more = page * _PER_PAGE < len(self)
        document = {
            "count": len(self),
            "next": _url(request, page=page + 1) if more else None,
            "previous": _url(request, page=page - 1) if page > 1 else None,
            "results": self._slice((page - 1) * _PER_PAGE, _PER_PAGE),
        }
        return ServerResponse(200, document)

    def by_cursor(self, request: ServerRequest) -> ServerResponse:
        """Return the page after ``cursor=``, with the cursor of the next one."""
        start = _position(text_of(request, "cursor"))
        after = start + _PER_PAGE
        document = {
            "items": self._slice(start, _PER_PAGE),
            "next_cursor": _cursor(after) if after < len(self) else None,
        }
        return ServerResponse(200, document)

    def by_offset(self, request: ServerRequest) -> ServerResponse:
        """Return the rows of ``offset=&limit=``, with the total."""
        offset = number_of(request, "offset", 0, maximum=_MAX_NUMBER)
        limit = max(number_of(request, "limit", _PER_PAGE, maximum=_MAX_PER_PAGE), 1)
        document = {
            "items": self._slice(offset, limit),
            "total": len(self),
            "offset": offset,
            "limit": limit,
        }
        return ServerResponse(200, document)

    def _slice(self, start: int, size: int) -> list[dict[str, Any]]:
        return list(self._rows[start : start + size])


def _url(request: ServerRequest, **query: int) -> str:
    return f"http://{request.headers['host']}{request.path}?{urlencode(query)}"


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"after:{position}".encode()).decode()


def _position(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        mark, _, position = base64.urlsafe_b64decode(cursor).decode().partition(":")
    except (binascii.Error, ValueError):
        mark = position = ""
    number = whole_number(position)
    if mark != "after" or number is None:
        raise Refused(problem(400, "this cursor was not made here"))
    return number


def catalogue(seed: int = 7) -> dict[str, Listing]:
    """Return the listings by name.

    Args:
        seed: Equal seeds give equal rows.
    """
    chance = _Chance(seed)
    return {
        "products": Listing(_product(number, chance) for number in range(1, PRODUCTS + 1)),
        "orders": Listing(_order(number, chance) for number in range(1, ORDERS + 1)),
    }


class _Chance:
    """Chance that repeats: only ``random()`` promises the same numbers over Python's versions."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  # rows are no secrets

    def below(self, end: int) -> int:
        return int(self._random.random() * end)

    def one_of(self, names: tuple[str, ...]) -> str:
        return names[self.below(len(names))]


def _product(number: int, chance: _Chance) -> dict[str, Any]:
    maker = 1 + chance.below(_MAKERS)
    return {
        "id": number,
        "name": f"{chance.one_of(_COLOURS)} {chance.one_of(_THINGS)}",
        "category": chance.one_of(_CATEGORIES),
        "price": _money(100 + chance.below(_DEAREST_CENTS)),
        "maker": {"id": maker, "name": f"Workshop {maker}", "country": chance.one_of(_COUNTRIES)},
        "released": (date(2015, 1, 1) + timedelta(days=chance.below(3_000))).isoformat(),
        "updated": _moment(number * 37),
        "in_stock": chance.below(5) > 0,
    }


def _order(number: int, chance: _Chance) -> dict[str, Any]:
    lines = [
        {"product": 1 + chance.below(PRODUCTS), "count": 1 + chance.below(4)}
        for _ in range(1 + chance.below(3))
    ]
    return {
        "id": number,
        "state": chance.one_of(_STATES),
        "placed": _moment(number * 613),
        "total": _money(100 + chance.below(_DEAREST_CENTS)),
        "lines": lines,
    }


def _money(cents: int) -> dict[str, str]:
    return {"amount": f"{cents // 100}.{cents % 100:02}", "currency": "EUR"}


def _moment(minutes: int) -> str:
    return (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat()
