"""The rows that the demo shows, one by one and page by page."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sessionkit.demo._catalogue import Listing, Refused, catalogue
from sessionkit.testing.server import ServerRequest, ServerResponse


def row(name: str, number: int, *, seed: int = 7) -> dict[str, Any]:
    """One row as a client sees it."""
    found: dict[str, Any] = catalogue(seed)[name].one(str(number)).body
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


# -- Pages

SIZE = 25


def listing(size: int = SIZE) -> Listing:
    """Rows numbered from 1."""
    return Listing({"id": number} for number in range(1, size + 1))


def ask(**query: str) -> ServerRequest:
    """A request for products."""
    return ServerRequest(
        "GET",
        "/api/products",
        {name: [value] for name, value in query.items()},
        {"host": "127.0.0.1"},
    )


def target(url: str) -> ServerRequest:
    """The request that a link leads to."""
    parts = urlsplit(url)
    return ServerRequest("GET", parts.path, parse_qs(parts.query), {"host": parts.netloc})


def document(response: ServerResponse) -> Any:
    """The response's JSON."""
    return response.body


def relations(response: ServerResponse) -> dict[str, str]:
    """The response's links by relation."""
    found = re.findall(r'<([^>]+)>; rel="(\w+)"', response.headers["Link"])
    return {relation: url for url, relation in found}


def test_a_row_is_found_by_its_number() -> None:
    """One object is one request."""
    assert document(listing().one("7")) == {"id": 7}
    assert len(listing()) == SIZE


@pytest.mark.parametrize("number", ["0", "26", "x", "01"])
def test_an_unknown_number_is_not_found(number: str) -> None:
    """The demo's 404 is a real one."""
    with pytest.raises(Refused) as caught:
        listing().one(number)

    assert caught.value.response.status == 404


def test_link_headers_lead_over_all_pages() -> None:
    """Links are absolute, and the last page has no next."""
    rows, request, seen = listing(), ask(), []
    while True:
        response = rows.by_link(request)
        seen += [row["id"] for row in document(response)]
        if "next" not in (links := relations(response)):
            break
        request = target(links["next"])

    assert seen == list(range(1, SIZE + 1))
    assert response.headers["X-Total-Count"] == "25"
    assert links["prev"] == "http://127.0.0.1/api/products?page=2&per_page=10"
    assert links["last"].endswith("page=3&per_page=10")


def test_the_size_of_a_page_can_be_chosen() -> None:
    """A client may ask for fewer or more; the links keep its choice."""
    response = listing().by_link(ask(per_page="20"))

    assert len(document(response)) == 20
    assert relations(response)["next"].endswith("page=2&per_page=20")


def test_an_empty_listing_is_one_empty_page() -> None:
    """No page but the first is linked when there is nothing."""
    response = listing(0).by_link(ask())

    assert document(response) == []
    assert set(relations(response)) == {"first", "last"}


def test_next_urls_lead_over_all_pages() -> None:
    """The way on may stand in the body instead."""
    rows, request, seen, pages = listing(), ask(), [], []
    while True:
        page = document(rows.by_next(request))
        pages.append(page)
        seen += [row["id"] for row in page["results"]]
        if page["next"] is None:
            break
        request = target(page["next"])

    assert seen == list(range(1, SIZE + 1))
    assert [page["count"] for page in pages] == [SIZE] * 3
    assert [page["previous"] is None for page in pages] == [True, False, False]


def test_cursors_lead_over_all_pages() -> None:
    """A cursor says where to go on, and nothing after the last page."""
    rows, cursor, seen = listing(), "", []
    while cursor is not None:
        page = document(rows.by_cursor(ask(cursor=cursor)))
        seen += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]

    assert seen == list(range(1, SIZE + 1))


@pytest.mark.parametrize(
    "cursor", ["x", "after", "YmVmb3JlOjE=", "YWZ0ZXI6LTE=", "/w==", "YWZ0ZXI6"]
)
def test_a_cursor_made_elsewhere_is_refused(cursor: str) -> None:
    """Garbage for a cursor is told as the client's own mistake."""
    with pytest.raises(Refused) as caught:
        listing().by_cursor(ask(cursor=cursor))

    assert caught.value.response.status == 400


def test_offsets_lead_over_all_pages() -> None:
    """The total stands beside the items; beyond it there is nothing."""
    rows = listing()

    pages = [document(rows.by_offset(ask(offset=str(n), limit="15"))) for n in (0, 15, 30)]

    assert [len(page["items"]) for page in pages] == [15, 10, 0]
    assert pages[1] | {"items": []} == {"items": [], "total": 25, "offset": 15, "limit": 15}
