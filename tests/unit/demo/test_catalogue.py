"""The rows that the demo shows."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sessionkit.demo._catalogue import catalogue


def row(name: str, number: int, *, seed: int = 7) -> dict[str, Any]:
    """One row as a client sees it."""
    found: dict[str, Any] = json.loads(catalogue(seed)[name].one(str(number)).body)
    return found


def test_every_run_shows_the_same_rows() -> None:
    """A tutorial's output holds on any machine, and another seed gives another shop."""
    assert row("products", 1) == {
        "id": 1,
        "name": "blue saw",
        "category": "garden",
        "price": {"amount": "108.17", "currency": "EUR"},
        "maker": {"id": 4, "name": "Workshop 4", "country": "JP"},
        "released": "2015-06-23",
        "updated": "2024-01-01T00:37:00+00:00",
        "in_stock": True,
    }
    assert row("products", 1) != row("products", 1, seed=8)
    assert row("orders", 1) == row("orders", 1)


def test_rows_have_nested_parts_dates_and_exact_money() -> None:
    """What a mapping engine must cope with is in the data."""
    order = row("orders", 2)

    assert datetime.fromisoformat(order["placed"]).tzinfo is not None
    assert Decimal(order["total"]["amount"]) > 0
    assert all(1 <= line["product"] <= 120 for line in order["lines"])
    assert date.fromisoformat(row("products", 120)["released"])


def test_there_are_enough_rows_for_several_pages() -> None:
    """Walks have something to walk over."""
    listings = catalogue()

    assert {name: len(listing) for name, listing in listings.items()} == {
        "products": 120,
        "orders": 45,
    }
