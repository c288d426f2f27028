"""Where the items of a page are."""

from __future__ import annotations

from typing import Any

import pytest

from sessionkit.errors import PaginationNotDetected
from sessionkit.paging._paths import JsonPath
from sessionkit.paging._rows import rows_of

ROWS = [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (ROWS, ""),
        ({"results": ROWS, "count": 1}, "/results"),
        ({"items": ROWS, "warnings": []}, "/items"),
        ({"data": ROWS, "included": [{}], "errors": []}, "/data"),
        ({"objects": ROWS}, "/objects"),
        ({"value": ROWS}, "/value"),
        ({"records": ROWS, "data": None}, "/records"),
        ({"entries": ROWS, "items": 1}, "/entries"),
        ({"_embedded": {"orders": ROWS, "size": 1}}, "/_embedded/orders"),
    ],
)
def test_the_only_list_under_a_usual_name_is_found(body: object, pointer: str) -> None:
    """Most APIs need no ``items=``."""
    assert rows_of(body, None) == (pointer, ROWS)


@pytest.mark.parametrize(
    ("body", "items", "pointer"),
    [
        ({"data": {"orders": ROWS}}, "/data/orders", "/data/orders"),
        ({"data": {"orders": ROWS}}, "data.orders", "/data/orders"),
        ({"a/b": ROWS}, ("a/b",), "/a~1b"),
        (ROWS, "", ""),
        ({"results": [9], "items": ROWS}, "items", "/items"),
    ],
)
def test_a_named_place_is_taken(body: object, items: JsonPath, pointer: str) -> None:
    """Any form of place will do, and nothing else is looked at."""
    assert rows_of(body, items) == (pointer, ROWS)


@pytest.mark.parametrize(
    ("body", "items"),
    [
        (None, None),
        (None, "/items"),
        ({"items": None}, "/items"),
        ({"items": None}, None),
        ({"items": []}, None),
        ([], None),
    ],
)
def test_null_and_no_document_are_empty_pages(body: object, items: JsonPath | None) -> None:
    """A server that writes an empty list as null, or answers 204, has no items."""
    assert rows_of(body, items).value == []


@pytest.mark.parametrize("items", ["/data", "items", ("rows", "x")])
def test_a_named_place_that_is_missing_is_asked_back(items: JsonPath) -> None:
    """A misspelt place is no empty result; the lists that are there are named."""
    with pytest.raises(PaginationNotDetected, match="'/orders', '/page/rows'") as caught:
        rows_of({"orders": ROWS, "page": {"rows": []}, "n": 1}, items)

    assert "items=" in caught.value.hint


@pytest.mark.parametrize("value", [{"id": 1}, "text", 7, True])
def test_a_named_place_without_a_list_is_asked_back(value: object) -> None:
    """One object is no page."""
    with pytest.raises(PaginationNotDetected, match="no list"):
        rows_of({"data": value}, "/data")


@pytest.mark.parametrize(
    "body",
    [
        {"results": ROWS, "items": ROWS},
        {"data": ROWS, "_embedded": {"a": ROWS}},
        {"_embedded": {"a": ROWS, "b": ROWS}},
        {"orders": ROWS},
        {"results": None, "items": None},
        {"data": {"id": 1}},
        {},
        "text",
        7,
    ],
)
def test_items_are_never_guessed(body: object) -> None:
    """Where more than one list could be meant, or none, the caller decides."""
    with pytest.raises(PaginationNotDetected, match="lists in the document"):
        rows_of(body, None)


def test_a_function_may_find_the_items() -> None:
    """APIs that leave an empty list out are one lambda away."""

    def items(body: Any) -> Any:
        return (row for row in body.get("items", ()))

    assert rows_of({"items": ROWS}, items) == ("", ROWS)
    assert rows_of({}, items) == ("", [])
