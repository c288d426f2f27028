"""What type checkers know of the public names. Checked by mypy, never run."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict, assert_type

import msgspec
import requests

from sessionkit import ApiClient, CallRecord, Handler, SessionStack, recommended
from sessionkit.auth import StaticToken
from sessionkit.mapping import Loader, load
from sessionkit.paging import LinkHeader, Page, Pages
from sessionkit.resources import (
    UNSET,
    Collection,
    PlainJson,
    UnsetType,
    delete,
    get,
    patch,
    post,
    put,
)


@dataclass
class Product:
    """A dataclass."""

    slug: str
    note: str | UnsetType | None = UNSET


class Line(msgspec.Struct):
    """A Struct."""

    price: float


class Row(TypedDict):
    """A checked dict."""

    id: int


class Lines(Collection[Line]):
    """A collection with an operation of its own."""

    @post("{key}/cancel")
    def cancel(self, key: int, *, reason: str = "") -> Line: ...


class Shop(ApiClient):
    """A vendor's SDK."""

    base_url = "https://api.example/v1/"
    codec = PlainJson(item="data")

    products = Collection(Product, "products", paginator=LinkHeader(), items="/data")
    lines = Lines(Line, "lines", trailing_slash=True)
    rows = Collection(Row, "rows")

    @get("search", paginator=LinkHeader())
    def search(self, text: str, *, limit: int = 10) -> Pages[Product]: ...

    @get("products/{slug}", expect=(200, 404))
    def find(self, slug: str) -> Product | None: ...

    @get("products")
    def all(self) -> list[Product]: ...

    @put("products/{slug}")
    def put(self, slug: str, body: Product) -> None: ...

    @patch("products/{slug}")
    def change(self, slug: str, note: str | UnsetType | None = UNSET) -> requests.Response: ...

    @delete("products/{slug}", expect=204)
    def drop(self, slug: str) -> None: ...


def check_client(shop: Shop, session: requests.Session) -> None:
    """An SDK is typed to the last call."""
    assert_type(Shop(session), Shop)
    assert_type(shop.stack, SessionStack)
    with Shop() as opened:
        assert_type(opened, Shop)


def check_collections(shop: Shop) -> None:
    """``shop.products`` is a collection of products, on instances and on the class."""
    assert_type(shop.products, Collection[Product])
    assert_type(Shop.products, Collection[Product])
    assert_type(shop.lines, Lines)
    assert_type(shop.products.get("bag"), Product)
    assert_type(shop.products.list(max_items=5), Pages[Product])
    assert_type(shop.products.create({"slug": "bag"}), Product)
    assert_type(shop.products.create(Product("bag")), Product)
    assert_type(shop.products.update("bag", {"note": None}), Product)
    assert_type(shop.products.replace("bag", Product("sack")), Product)
    assert_type(shop.rows.get(0), Row)
    for line in shop.lines.list():
        assert_type(line, Line)
    shop.products.create(Line(1.0))  # type: ignore[arg-type]  # another model
    shop.products.get(1.5)  # type: ignore[arg-type]  # no key
    shop.products.get()  # type: ignore[call-arg]  # not the whole collection


def check_operations(shop: Shop) -> None:
    """A decorated stub keeps its signature."""
    assert_type(shop.search("bag", limit=5), Pages[Product])
    assert_type(shop.find("bag"), Product | None)
    assert_type(shop.all(), list[Product])
    assert_type(shop.lines.cancel(5, reason="dup"), Line)
    assert_type(shop.change("bag", note=None), requests.Response)
    shop.search(5)  # type: ignore[arg-type]  # text is text
    shop.search("bag", colour="red")  # type: ignore[call-arg]  # unknown
    shop.lines.cancel(5, "dup")  # type: ignore[call-arg]  # by name only


def check_stack(session: requests.Session) -> None:
    """A stack is a session; pages know their items."""
    stack = SessionStack(session, recommended(StaticToken("t")), base_url="https://api.example/")
    assert_type(recommended(), dict[str, Handler])
    assert_type(stack.get("a").record, CallRecord)
    assert_type(stack.with_options(timeout=5), SessionStack)
    plain: requests.Session = stack
    assert_type(plain.get("a"), requests.Response)
    assert_type(stack.paginate("a"), Pages[Any])
    assert_type(stack.paginate("a", into=Product, max_items=5), Pages[Product])
    for page in stack.paginate("a", into=Line).pages():
        assert_type(page, Page[Line])
        assert_type(page.items, list[Line])


def check_mapping() -> None:
    """The type that goes in is the type that comes out."""
    assert_type(load(Product, {"slug": "bag"}), Product)
    assert_type(load(list[Product], b"[]"), list[Product])
    assert_type(Loader(Line)({"price": 1}), Line)
    assert_type(Loader(Line).many([]), list[Line])
