"""Rows read one by one, and the four ways to walk over them."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sessionkit.demo._listing import Listing
from sessionkit.demo._messages import Ask, Refused, Reply

SIZE = 25


def listing(size: int = SIZE) -> Listing:
    """Rows numbered from 1."""
    return Listing({"id": number} for number in range(1, size + 1))


def ask(**query: str) -> Ask:
    """A request for products."""
    return Ask("GET", "/api/products", query)


def target(url: str) -> Ask:
    """The request that a link leads to."""
    parts = urlsplit(url)
    return Ask("GET", parts.path, dict(parse_qsl(parts.query)))


def document(reply: Reply) -> Any:
    """The answer's JSON."""
    return json.loads(reply.body)


def relations(reply: Reply) -> dict[str, str]:
    """The answer's links by relation."""
    found = re.findall(r'<([^>]+)>; rel="(\w+)"', reply.headers["Link"])
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

    assert caught.value.reply.status == 404


def test_link_headers_lead_over_all_pages() -> None:
    """Links are absolute, and the last page has no next."""
    rows, request, seen = listing(), ask(), []
    while True:
        reply = rows.by_link(request)
        seen += [row["id"] for row in document(reply)]
        if "next" not in (links := relations(reply)):
            break
        request = target(links["next"])

    assert seen == list(range(1, SIZE + 1))
    assert reply.headers["X-Total-Count"] == "25"
    assert links["prev"] == "http://127.0.0.1/api/products?page=2&per_page=10"
    assert links["last"].endswith("page=3&per_page=10")


def test_the_size_of_a_page_can_be_chosen() -> None:
    """A client may ask for fewer or more; the links keep its choice."""
    reply = listing().by_link(ask(per_page="20"))

    assert len(document(reply)) == 20
    assert relations(reply)["next"].endswith("page=2&per_page=20")


def test_an_empty_listing_is_one_empty_page() -> None:
    """No page but the first is linked when there is nothing."""
    reply = listing(0).by_link(ask())

    assert document(reply) == []
    assert set(relations(reply)) == {"first", "last"}


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

    assert caught.value.reply.status == 400


def test_offsets_lead_over_all_pages() -> None:
    """The total stands beside the items; beyond it there is nothing."""
    rows = listing()

    pages = [document(rows.by_offset(ask(offset=str(n), limit="15"))) for n in (0, 15, 30)]

    assert [len(page["items"]) for page in pages] == [15, 10, 0]
    assert pages[1] | {"items": []} == {"items": [], "total": 25, "offset": 15, "limit": 15}
