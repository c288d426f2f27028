"""One logical call: what a handler sees of it, and what it can derive."""

from __future__ import annotations

import io
from typing import Any

import pytest
import requests

from sessionkit import Exchange
from sessionkit.chain._exchange import Credential
from tests.support.servers.loopback import Reply
from tests.support.stacks import Keeper, opened

ATTRIBUTES = (
    *("method", "url", "options", "prepared", "credentials", "steps", "stream", "deadline", "call"),
)


@pytest.fixture
def exchange() -> Exchange:
    """Return the exchange of a POST, as its handler saw it."""
    return taken("POST", "orders", headers={"X-One": "1"}, json={"a": 1}, timeout=7)


def taken(method: str, url: str, **options: Any) -> Exchange:
    """Make a call and return its exchange."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, _):
        stack.request(method, url, **options)
    return keeper.only


def taken_prepared(**parts: Any) -> Exchange:
    """Send a prepared request and return its exchange."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, server):
        stack.send(requests.Request("POST", server.origin + "/x", **parts).prepare())
    return keeper.only


def contents(exchange: Exchange) -> dict[str, Any]:
    """Return what makes up an exchange."""
    found = {name: getattr(exchange, name) for name in ATTRIBUTES}
    return {**found, "options": dict(exchange.options)}


def test_an_exchange_holds_what_the_caller_gave_and_no_defaults(exchange: Exchange) -> None:
    """A handler tells "not given" from "given as None"."""
    assert exchange.method == "POST"
    assert exchange.url.endswith("/orders")
    assert dict(exchange.options) == {"headers": {"X-One": "1"}, "json": {"a": 1}, "timeout": 7}
    assert (exchange.prepared, exchange.credentials, exchange.steps) == (None, (), ())
    assert (exchange.stream, exchange.deadline) == (False, None)


def test_an_exchange_knows_the_home_of_its_stack(exchange: Exchange) -> None:
    """Whoever places a secret knows which origin is ours."""
    assert exchange.base_origin == exchange.url.removesuffix("/orders")


def test_a_stack_without_a_base_has_no_home() -> None:
    """The first URL that is asked for is not trusted for being first."""
    keeper = Keeper()
    with opened(handlers=[keeper], base="") as (stack, server):
        stack.get(server.origin)

    assert keeper.only.base_origin is None


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_exchange_cannot_be_changed_in_place(exchange: Exchange, name: str) -> None:
    """What a handler was given stays what it was, so forwarding it again is a replay."""
    with pytest.raises(AttributeError, match=name):
        setattr(exchange, name, None)


def test_nothing_is_added_to_an_exchange_or_taken_off_it(exchange: Exchange) -> None:
    """What belongs to one handler does not end up in the hands of another."""
    with pytest.raises(AttributeError):
        exchange.more = 1
    with pytest.raises(AttributeError):
        del exchange.url


def test_the_options_of_an_exchange_cannot_be_changed_in_place(exchange: Exchange) -> None:
    """A handler cannot alter by mistake what the next attempt sends."""
    with pytest.raises(TypeError):
        exchange.options["timeout"] = 1  # type: ignore[index]  # that is the point


DERIVATIONS = {
    "options": lambda exchange: exchange.with_options({"timeout": 1, "new": 2}),
    "headers": lambda exchange: exchange.with_headers({"x-one": "2", "X-Two": "2"}),
    "secret": lambda exchange: exchange.with_credential(
        Credential("header", "X-Key", "s3cret", frozenset())
    ),
    "deadline": lambda exchange: exchange.with_deadline(9.0),
    "unread": lambda exchange: exchange.streamed(),
    "late": lambda exchange: exchange.on_prepared(lambda request: None),
    "replace": lambda exchange: exchange.replace(method="PUT", url="http://x/", data=b"new"),
}


@pytest.mark.parametrize("derive", DERIVATIONS.values(), ids=DERIVATIONS.keys())
def test_deriving_leaves_the_exchange_itself_as_it_was(exchange: Exchange, derive: Any) -> None:
    """Handlers further out never see what those further in added."""
    before = contents(exchange)

    derived = derive(exchange)

    assert contents(exchange) == before
    assert contents(derived) != before
    assert derived.call is exchange.call


def test_derivations_add_up(exchange: Exchange) -> None:
    """Each handler adds to what came from further out, and loses nothing of it."""
    derived = exchange
    for derive in DERIVATIONS.values():
        derived = derive(derived)  # type: ignore[no-untyped-call]  # it ships no types

    assert (derived.method, derived.url) == ("PUT", "http://x/")
    assert (derived.stream, derived.deadline) == (True, 9.0)
    assert (len(derived.credentials), len(derived.steps)) == (1, 1)
    assert derived.option("data") == b"new"
    assert (derived.option("timeout"), derived.option("new")) == (1, 2)


def test_a_header_replaces_the_one_of_its_name_whatever_its_case(exchange: Exchange) -> None:
    """No request goes out with two contradicting headers."""
    derived = exchange.with_headers({"x-one": "2", "X-Two": "2"})

    assert derived.options["headers"] == {"x-one": "2", "X-Two": "2"}
    assert exchange.options["headers"] == {"X-One": "1"}


def test_headers_are_added_where_the_caller_gave_none() -> None:
    """A call without headers, or with None for them, takes those of a handler."""
    for options in ({}, {"headers": None}):
        derived = taken("GET", "x", **options).with_headers({"X-Two": "2"})

        assert derived.options["headers"] == {"X-Two": "2"}


def test_a_header_is_found_whatever_its_case_and_type(exchange: Exchange) -> None:
    """A handler that respects the caller's own header finds it."""
    odd = taken("GET", "x", headers={b"X-Bytes": "1", "X-None": None})

    assert exchange.header("x-ONE") == "1"
    assert exchange.header("X-Two") is None
    assert odd.header("X-BYTES") == "1"
    assert odd.header("x-none") is None


def test_an_option_has_a_default_only_where_it_was_not_given() -> None:
    """None is a value: ``timeout=None`` means for ever, not the usual."""
    exchange = taken("GET", "x", timeout=None)

    assert exchange.option("timeout", 5) is None
    assert exchange.option("verify", 5) == 5


def test_the_earlier_of_two_deadlines_wins(exchange: Exchange) -> None:
    """No handler can give itself more time than the caller gave."""
    assert exchange.with_deadline(9.0).with_deadline(5.0).deadline == 5.0
    assert exchange.with_deadline(5.0).with_deadline(9.0).deadline == 5.0


def test_a_prepared_request_is_copied_before_anything_is_changed() -> None:
    """The object that the caller prepared stays as the caller prepared it."""
    exchange = taken_prepared(data=b"old", headers={"X-One": "1"})
    before = (exchange.prepared.method, exchange.prepared.url, exchange.prepared.body)  # type: ignore[union-attr]  # it is there

    headed = exchange.with_headers({"X-One": "2"})
    replaced = exchange.replace(method="PUT", url="http://x/", data=b"newer")

    assert exchange.prepared is not None
    assert (exchange.prepared.method, exchange.prepared.url, exchange.prepared.body) == before
    assert (exchange.header("x-one"), headed.header("x-one")) == ("1", "2")
    assert replaced.prepared is not None
    assert (replaced.prepared.method, replaced.prepared.url) == ("PUT", "http://x/")
    assert replaced.prepared.body == b"newer"
    assert replaced.prepared.headers["Content-Length"] == "5"


def test_a_new_body_takes_the_place_of_every_old_one(exchange: Exchange) -> None:
    """JSON and files of the caller are not sent beside the body that replaces them."""
    replaced = exchange.replace(data=b"new")

    assert replaced.option("data") == b"new"
    assert not replaced.option("json")
    assert not replaced.option("files")


@pytest.mark.parametrize(
    "change", [{"method": "PUT"}, {"url": "http://x/"}, {"data": b"new"}, {}], ids=repr
)
def test_only_what_is_named_is_replaced(exchange: Exchange, change: dict[str, Any]) -> None:
    """Whatever else the call is made of stays as it is, in both ways to send."""
    plain = exchange.replace(**change)
    given = taken_prepared(data=b"old")
    assert given.prepared is not None
    prepared = given.replace(**change).prepared

    assert plain.method == change.get("method", "POST")
    assert plain.url == change.get("url", exchange.url)
    assert plain.option("data") == change.get("data")
    assert prepared is not None
    assert prepared.method == change.get("method", "POST")
    assert prepared.url == change.get("url", given.prepared.url)
    assert prepared.body == change.get("data", b"old")


def test_an_exchange_tells_whether_it_could_be_sent_again() -> None:
    """A handler knows beforehand, and keeps the answer that it has."""
    assert taken("POST", "x", data=b"x").replayable
    assert taken("POST", "x", data=io.BytesIO(b"x")).replayable
    assert not taken("POST", "x", data=(piece for piece in [b"x"])).replayable
    assert not taken_prepared(data=(piece for piece in [b"x"])).replayable


def test_an_open_answer_is_let_go_of_before_something_else_is_sent() -> None:
    """A pool of one connection is free for a token request after a refusal."""
    open_after: list[bool] = []

    class Releasing:
        def handle(self, exchange: Exchange, call_next: Any) -> requests.Response:
            refused: requests.Response = call_next(exchange.streamed())
            exchange.discard_response()
            exchange.discard_response()  # nothing is left to let go of
            open_after.append(not refused.raw.closed)
            answer: requests.Response = call_next(exchange)
            return answer

    with opened(lambda _: Reply(401, b"x" * 999), [Releasing()]) as (stack, server):
        stack.get("x")

        assert server.connections == 1
    assert open_after == [False]


def test_what_was_masked_stays_masked_in_every_text() -> None:
    """A log line about a call shows no key of its query, and no secret on its way."""
    exchange = taken("GET", "x?api_key=s3cret")
    secret = Credential("header", "X-Key", "s3cret", frozenset())

    for text in (repr(exchange), repr(exchange.record), repr(secret), exchange.record.url):
        assert "s3cret" not in text
    assert "X-Key" in repr(secret)
