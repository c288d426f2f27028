"""The catalogue's products as the user's own types."""

from __future__ import annotations

from dataclasses import dataclass

# The mapping engine resolves these when it reads the first row.
from datetime import date, datetime  # noqa: TC003  # resolved at run time
from decimal import Decimal  # noqa: TC003  # resolved at run time
from typing import Literal


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
