"""What there is to read: products and orders, the same on every run and every machine."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from sessionkit.demo._listing import Listing

PRODUCTS = 120
ORDERS = 45

_COLOURS = ("amber", "blue", "copper", "green", "ivory", "olive", "red", "slate")
_THINGS = ("bowl", "chair", "kettle", "lamp", "pan", "rake", "saw", "shelf", "spade", "table")
_CATEGORIES = ("garden", "home", "kitchen", "tools")
_COUNTRIES = ("CL", "DE", "JP", "NO", "NZ", "PT")
_STATES = ("open", "paid", "sent")
_MAKERS = 12
_DEAREST_CENTS = 20_000


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
