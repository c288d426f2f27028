"""Collections, over a real stack and a server on loopback."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
import requests

from sessionkit import ApiClient, SessionStack, recommended
from sessionkit.errors import (
    ClientError,
    ConfigError,
    DecodeError,
    InvalidRequest,
    MappingError,
    NotFound,
    ServiceUnavailable,
    UnexpectedStatus,
)
from sessionkit.paging import LinkHeader, Pages
from sessionkit.resources import UNSET, Collection, PlainJson, UnsetType, post
from sessionkit.resources._collection import send_checked
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse


@dataclass
class Product:
    """What the shop sells."""

    id: int
    name: str
    since: dt.date | None = None


@dataclass
class Draft:
    """A product as it is written: the server chooses the id."""

    name: str
    since: dt.date | UnsetType | None = UNSET


class Row(TypedDict):
    """A product as a checked dict."""

    id: int
    name: str


class Products(Collection[Product]):
    """Products that can be reserved."""

    @post("{key}/reserve")
    def reserve(self, key: int, *, count: int) -> Product:
        """Put some aside."""
        raise NotImplementedError


class Shop(ApiClient):
    """A client with one collection of each make."""

    products = Products(Product, "products")
    slashed = Collection(Product, "/v2/products/", trailing_slash=True)
    enveloped = Collection(Product, "products", codec=PlainJson(item="data", items="/data"))
    listed = Collection(Product, "products", items="rows", paginator=LinkHeader())
    rows = Collection(Row, "products")


Answer = Callable[[ServerRequest], ServerResponse]


class Shelf:
    """A server whose next answers a test lays down."""

    def __init__(self) -> None:
        self.replies: list[ServerResponse] = []

    def __call__(self, seen: ServerRequest) -> ServerResponse:
        """Answer with the next reply, or with a product."""
        return (
            self.replies.pop(0) if self.replies else ServerResponse(200, {"id": 7, "name": "bag"})
        )

    def lay(self, *bodies: Any, status: int = 200) -> None:
        """Lay down answers with these bodies."""
        self.replies += [ServerResponse(status, body) for body in bodies]


@pytest.fixture
def shelf() -> Shelf:
    """Return what the server answers."""
    return Shelf()


@pytest.fixture
def server(shelf: Shelf) -> Iterator[LoopbackServer]:
    """Start the server."""
    with LoopbackServer(shelf) as server:
        yield server


@pytest.fixture
def shop(server: LoopbackServer) -> Iterator[Shop]:
    """Return a client over a plain session."""
    with requests.Session() as session:
        yield Shop(session, f"{server.origin}/api/")


def sent(server: LoopbackServer) -> list[tuple[str, str, Any]]:
    """Return verb, path and decoded body of each request that arrived."""
    return [
        (seen.method, seen.path, json.loads(seen.body) if seen.body else None)
        for seen in server.requests
    ]


def test_get_returns_one_object(shop: Shop, shelf: Shelf, server: LoopbackServer) -> None:
    """An object of your class, with its dates, and not a list of one."""
    shelf.lay({"id": 7, "name": "bag", "since": "2026-01-02", "more": []})

    assert shop.products.get(7) == Product(7, "bag", dt.date(2026, 1, 2))
    assert sent(server) == [("GET", "/api/products/7", None)]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (0, "/api/products/0"),
        ("a/b?c", "/api/products/a%2Fb%3Fc"),
        (uuid.UUID(int=0), f"/api/products/{uuid.UUID(int=0)}"),
        (dt.date(2026, 1, 2), "/api/products/2026-01-02"),
    ],
)
def test_a_key_is_one_segment_whatever_is_in_it(
    shop: Shop, server: LoopbackServer, key: Any, path: str
) -> None:
    """Keys with slashes work, 0 works, and none leads anywhere else."""
    shop.products.get(key)

    assert server.requests[0].path == path


@pytest.mark.parametrize("key", [None, "", ".", ".."])
def test_without_a_key_nothing_is_sent(shop: Shop, server: LoopbackServer, key: Any) -> None:
    """A missing id never deletes, replaces or fetches a whole collection."""
    calls: list[Callable[[], object]] = [
        lambda: shop.products.get(key),
        lambda: shop.products.update(key, {"name": "x"}),
        lambda: shop.products.replace(key, Product(1, "x")),
        lambda: shop.products.delete(key),
    ]
    for call in calls:
        with pytest.raises(InvalidRequest, match=r"key of Products\(Product, 'products'\)"):
            call()

    assert server.requests == []


def test_urls_end_in_a_slash_where_the_server_wants_one(shop: Shop, server: LoopbackServer) -> None:
    """Django REST framework and its like are one argument away."""
    shop.slashed.get(7)
    shop.slashed.create({"name": "bag"})
    shop.slashed.delete(7)

    assert [seen.path for seen in server.requests] == [
        "/api/v2/products/7/",
        "/api/v2/products/",
        "/api/v2/products/7/",
    ]


def test_a_collection_can_stand_at_the_base_itself(server: LoopbackServer) -> None:
    """An empty path is the base URL, for services with one kind of object."""
    with requests.Session() as session:
        whole = Collection(Product, "").bind(SessionStack(session, base_url=server.origin))
        whole.get(7)

    assert server.requests[0].path == "/7"


def test_query_parameters_are_written_as_servers_read_them(
    shop: Shop, server: LoopbackServer
) -> None:
    """Booleans and dates have their JSON form, and None sends nothing."""
    shop.products.get(7, params={"full": True, "on": dt.date(2026, 1, 2), "x": None})

    assert server.requests[0].query == {"full": ["true"], "on": ["2026-01-02"]}


def test_list_is_a_lazy_walk_over_typed_objects(
    shop: Shop, shelf: Shelf, server: LoopbackServer
) -> None:
    """Nothing is sent before it is iterated, and no page beyond the limit is asked for."""
    link = {"Link": f'<{server.origin}/api/products?page=2>; rel="next"'}
    shelf.replies = [
        ServerResponse(200, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], link),
        ServerResponse(200, [{"id": 3, "name": "c"}]),
    ]

    found = shop.products.list(params={"open": True}, max_items=3)
    assert isinstance(found, Pages)
    assert server.requests == []
    assert list(found) == [Product(1, "a"), Product(2, "b"), Product(3, "c")]
    assert server.requests[0].query == {"open": ["true"]}

    shelf.replies = [ServerResponse(200, [{"id": 1, "name": "a"}], link)]
    assert list(shop.products.list(max_items=1)) == [Product(1, "a")]
    assert len(server.requests) == 3


def test_list_finds_items_where_the_collection_says(shop: Shop, shelf: Shelf) -> None:
    """Items in an envelope are named once, at the declaration."""
    shelf.lay({"rows": [{"id": 1, "name": "a"}], "other": []})
    shelf.lay({"data": [{"id": 1, "name": "a"}], "other": []})

    assert list(shop.listed.list()) == [Product(1, "a")]
    assert list(shop.enveloped.list()) == [Product(1, "a")]


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        ({"id": 9, "name": "sack", "since": None}, Product(9, "sack")),
        ({"id": 9}, Product(9, "bag", dt.date(2026, 1, 2))),
    ],
)
def test_create_lays_the_answer_over_what_was_sent(
    shop: Shop, shelf: Shelf, server: LoopbackServer, answer: Any, made: Product
) -> None:
    """A server that answers with the new id alone still gives the whole object."""
    shelf.lay(answer, answer, status=201)
    members = {"name": "bag", "since": dt.date(2026, 1, 2)}

    assert shop.products.create(members) == made
    assert shop.products.create(Product(0, "bag", dt.date(2026, 1, 2))) == made
    assert sent(server)[0] == ("POST", "/api/products", {"name": "bag", "since": "2026-01-02"})


def test_create_without_an_answer_returns_the_object_as_sent(shop: Shop, shelf: Shelf) -> None:
    """204 means that nothing was added to what the client knows."""
    new = Product(1, "bag")
    shelf.lay(b"", {"id": 1, "name": "bag"}, status=204)

    assert shop.products.create(new) is new
    assert shop.products.create({"id": 1, "name": "bag"}) == new


def test_create_that_leaves_a_member_open_says_which(shop: Shop, shelf: Shelf) -> None:
    """What neither side knows is a problem with a place, and the answer is at hand."""
    shelf.lay({"name": "bag"}, 7, status=201)

    with pytest.raises(MappingError, match="/id: missing, expected integer") as caught:
        shop.products.create({"name": "bag"})
    assert caught.value.status == 201
    with pytest.raises(MappingError, match="expected object, found integer"):
        shop.products.create({"name": "bag"})


def test_members_that_are_unset_are_not_sent(server: LoopbackServer) -> None:
    """None sends null, UNSET sends nothing: they are not the same to a server."""
    with requests.Session() as session:
        drafts = Collection(Draft, "drafts").bind(SessionStack(session, base_url=server.origin))
        drafts.create(Draft("bag"))
        drafts.create(Draft("bag", None))
        drafts.create({"name": "bag", "since": UNSET})

    assert [body for _, _, body in sent(server)] == [
        {"name": "bag"},
        {"name": "bag", "since": None},
        {"name": "bag"},
    ]


@pytest.mark.parametrize("new", [None, 5, "text", [Product(1, "a")]])
def test_what_is_no_object_is_refused_before_it_is_sent(
    shop: Shop, server: LoopbackServer, new: Any
) -> None:
    """No empty body leaves because of a wrong argument."""
    with pytest.raises(InvalidRequest):
        shop.products.create(new)

    assert server.requests == []


def test_update_sends_the_changes_and_returns_the_object(
    shop: Shop, shelf: Shelf, server: LoopbackServer
) -> None:
    """PATCH with what changes; None removes."""
    shelf.lay({"id": 7, "name": "sack", "since": None})

    assert shop.products.update(7, {"name": "sack", "since": None}) == Product(7, "sack")
    assert sent(server) == [("PATCH", "/api/products/7", {"name": "sack", "since": None})]


@pytest.mark.parametrize(
    "answer", [b"", {"id": 7}, {"name": "sack"}, {"id": 7, "name": "sack"}, []]
)
def test_update_reads_the_object_again_where_the_answer_is_not_whole(
    shop: Shop, shelf: Shelf, server: LoopbackServer, answer: Any
) -> None:
    """No member of what comes back is a default that the server never meant."""
    shelf.lay(answer, {"id": 7, "name": "sack", "since": "2026-01-02"})

    assert shop.products.update(7, {"name": "sack"}) == Product(7, "sack", dt.date(2026, 1, 2))
    assert [seen.method for seen in server.requests] == ["PATCH", "GET"]


def test_update_of_a_model_of_any_members_reads_it_again(
    server: LoopbackServer, shelf: Shelf
) -> None:
    """Where nobody knows what is whole, the server is asked."""
    shelf.lay({"a": 1}, {"a": 1, "b": 2})
    with requests.Session() as session:
        loose: Collection[dict[str, Any]] = Collection(dict, "loose")
        bound = loose.bind(SessionStack(session, base_url=server.origin))

        assert bound.update(7, {"a": 1}) == {"a": 1, "b": 2}


def test_update_takes_a_whole_object_too(shop: Shop, shelf: Shelf, server: LoopbackServer) -> None:
    """Change the object, hand it over: what the server answers is laid over it."""
    product = Product(7, "sack")
    shelf.lay(b"", {"name": "SACK"})

    assert shop.products.update(7, product) is product
    assert shop.products.update(7, product) == Product(7, "SACK")
    assert [seen.method for seen in server.requests] == ["PATCH", "PATCH"]


def test_replace_puts_the_whole_object(shop: Shop, shelf: Shelf, server: LoopbackServer) -> None:
    """PUT for servers that know no PATCH, from an object or from members."""
    shelf.lay({"id": 7, "name": "sack"}, b"")

    assert shop.products.replace(7, Product(7, "sack")) == Product(7, "sack")
    assert shop.products.replace(7, {"name": "bag"}) == Product(7, "bag")
    assert [(verb, body) for verb, _, body in sent(server)] == [
        ("PUT", {"id": 7, "name": "sack", "since": None}),
        ("PUT", {"name": "bag"}),
        ("GET", None),
    ]


def test_a_typed_dict_is_a_model_like_any_other(shop: Shop, shelf: Shelf) -> None:
    """Checked dicts need no class to be made."""
    shelf.lay({"id": 7, "name": "bag", "more": 1}, {"id": 8})

    assert shop.rows.get(7) == {"id": 7, "name": "bag"}
    assert shop.rows.create({"id": 0, "name": "sack"}) == {"id": 8, "name": "sack"}


@pytest.mark.parametrize("body", [b"", b"gone, and not JSON"])
def test_delete_returns_nothing_whatever_is_answered(
    shop: Shop, shelf: Shelf, server: LoopbackServer, body: bytes
) -> None:
    """An empty body and a cheerful text are both fine."""
    shelf.lay(body)

    shop.products.delete(7)

    assert sent(server) == [("DELETE", "/api/products/7", None)]


def test_an_envelope_is_opened_in_reading_and_writing(shop: Shop, shelf: Shelf) -> None:
    """``{"data": ...}`` is named once, and never seen again."""
    whole = {"data": {"id": 7, "name": "sack", "since": None}}
    shelf.lay({"data": {"id": 7, "name": "bag"}}, {"data": {"id": 8}}, whole)

    assert shop.enveloped.get(7) == Product(7, "bag")
    assert shop.enveloped.create({"name": "bag"}) == Product(8, "bag")
    assert shop.enveloped.update(7, {"name": "sack"}) == Product(7, "sack")


def test_a_subclass_adds_operations_below_its_path(shop: Shop, server: LoopbackServer) -> None:
    """What is special about one collection stands beside what is usual."""
    assert shop.products.reserve(7, count=2) == Product(7, "bag")
    assert sent(server) == [("POST", "/api/products/7/reserve", {"count": 2})]


def test_an_error_status_is_an_error_without_any_handler(shop: Shop, shelf: Shelf) -> None:
    """A plain session is no way to mistake an error page for a product."""
    shelf.replies = [ServerResponse(404, {"detail": "no"}), ServerResponse(404, {"detail": "no"})]

    with pytest.raises(UnexpectedStatus, match=r"^GET /api/products/7 404: expected 2xx"):
        shop.products.get(7)
    with pytest.raises(ClientError):
        list(shop.products.list())


def test_with_an_error_handler_its_classes_are_raised(server: LoopbackServer, shelf: Shelf) -> None:
    """``except NotFound`` works for objects as it does for bare requests."""
    shelf.replies = [ServerResponse(404, {"detail": "no"})]
    with requests.Session() as session, pytest.raises(NotFound):
        Shop(SessionStack(session, recommended()), f"{server.origin}/api").products.get(7)


def test_an_empty_answer_to_get_is_no_object(shop: Shop, shelf: Shelf) -> None:
    """Nothing comes back where an object was promised: that is an error, not None."""
    shelf.lay(b"")

    with pytest.raises(DecodeError, match="it is empty"):
        shop.products.get(7)


def test_on_the_class_a_collection_is_not_bound() -> None:
    """A call on the class is told apart from one on a client, with the cure in the hint."""
    assert isinstance(Shop.products, Products)
    with pytest.raises(ConfigError, match="not bound") as caught:
        Shop.products.get(7)

    assert "bind(stack)" in caught.value.hint
    assert repr(Shop.products) == "Products(Product, 'products')"


def test_two_clients_of_one_class_never_meet(server: LoopbackServer) -> None:
    """The declaration is shared, the stack is not."""
    with requests.Session() as session:
        one = Shop(session, f"{server.origin}/one")
        two = Shop(session, f"{server.origin}/two")
        one.products.get(1)
        two.products.get(2)
        one.products.get(3)

    assert [seen.path for seen in server.requests] == [
        "/one/products/1",
        "/two/products/2",
        "/one/products/3",
    ]


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("https://other.example/products", {}),
        ("../products", {}),
        (None, {}),
        ("products", {"items": "/~5"}),
        ("products", {"items": "a", "codec": PlainJson()}),
    ],
)
def test_a_declaration_that_cannot_be_meant_is_refused(path: Any, settings: Any) -> None:
    """A slip is found when the class is made."""
    with pytest.raises(ConfigError):
        Collection(Product, path, **settings)


@pytest.mark.parametrize("name", ["stack", "path", "codec", "bind"])
def test_a_subclass_does_not_hide_what_the_base_needs(name: str) -> None:
    """An operation called ``path`` would break all others; the class is refused instead."""
    with pytest.raises(ConfigError, match=rf"^Bad\.{name}: "):
        type("Bad", (Collection,), {name: None})


def test_a_collection_can_be_pickled_before_it_is_bound() -> None:
    """A declaration is plain data."""
    assert repr(pickle.loads(pickle.dumps(Shop.rows))) == "Collection(Row, 'products')"


@pytest.fixture
def statuses_server() -> Iterator[LoopbackServer]:
    """Start a server that answers with the status in the path."""

    def respond(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(int(seen.path.rpartition("/")[2]), {"detail": "so it is"})

    with LoopbackServer(respond) as server:
        yield server


@pytest.fixture
def bare_stack(statuses_server: LoopbackServer) -> Iterator[SessionStack]:
    """Return a stack without handlers."""
    with requests.Session() as session:
        yield SessionStack(session, base_url=statuses_server.origin)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206])
def test_any_success_is_a_success_by_default(bare_stack: SessionStack, status: int) -> None:
    """Nobody has to list what every server may answer."""
    assert send_checked(bare_stack, "GET", str(status)).status_code == status


@pytest.mark.parametrize("status", [304, 404, 500])
def test_any_other_status_is_an_error_that_says_which_call(
    bare_stack: SessionStack, statuses_server: LoopbackServer, status: int
) -> None:
    """The text starts with verb, path and status, and the evidence is all there."""
    with pytest.raises(UnexpectedStatus) as caught:
        send_checked(bare_stack, "GET", f"a/{status}", options={"params": {"q": "1"}})

    error = caught.value
    assert str(error).startswith(f"GET /a/{status} {status}: expected 2xx")
    assert (error.method, error.url) == ("GET", f"{statuses_server.origin}/a/{status}?q=1")
    assert error.status == status
    assert error.response is not None
    assert error.response.status_code == status


def test_expected_statuses_hold_to_the_letter(bare_stack: SessionStack) -> None:
    """An endpoint that says 201 is not content with 200, and one that expects 404 is."""
    assert send_checked(bare_stack, "GET", "404", expect=frozenset({200, 404})).status_code == 404
    with pytest.raises(UnexpectedStatus, match="GET /200 200: expected 201 or 204"):
        send_checked(bare_stack, "GET", "200", expect=frozenset({204, 201}))


def test_an_error_handler_on_the_stack_speaks_first(statuses_server: LoopbackServer) -> None:
    """With recommended handlers a 503 is what it always is."""
    chain = recommended()
    del chain["retry"]
    with requests.Session() as session, pytest.raises(ServiceUnavailable):
        send_checked(SessionStack(session, chain, base_url=statuses_server.origin), "GET", "503")
