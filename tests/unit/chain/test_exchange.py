"""One logical call: what a handler sees of it, what it can derive, and what a handler is."""

from __future__ import annotations

import io
import threading
from functools import partial
from typing import Any

import pytest
import requests

from sessionkit import CallNext, Credential, Exchange, Handler, SessionStack
from sessionkit.testing import FakeClock
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.support.stacks import Keeper, opened, passing
from tests.support.threads import at_once

ATTRIBUTES = (
    *("method", "url", "options", "prepared", "credentials", "preparation_steps", "stream"),
    *("deadline", "_call"),
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
    assert (exchange.prepared, exchange.credentials, exchange.preparation_steps) == (None, (), ())
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
    assert derived._call is exchange._call


def test_derivations_add_up(exchange: Exchange) -> None:
    """Each handler adds to what came from further out, and loses nothing of it."""
    derived = exchange
    for derive in DERIVATIONS.values():
        derived = derive(derived)  # type: ignore[no-untyped-call]  # it ships no types

    assert (derived.method, derived.url) == ("PUT", "http://x/")
    assert (derived.stream, derived.deadline) == (True, 9.0)
    assert (len(derived.credentials), len(derived.preparation_steps)) == (1, 1)
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

    with opened(lambda _: ServerResponse(401, b"x" * 999), [Releasing()]) as (stack, server):
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


# -- What a handler may ask of the whole call


def test_a_handler_further_out_sees_the_credentials_placed_further_in() -> None:
    """It can keep them out of what it writes, with the word before a token and without."""
    seen: list[Exchange] = []

    def outer(exchange: Exchange, call_next: CallNext) -> requests.Response:
        seen.append(exchange)
        return call_next(exchange)

    def inner(exchange: Exchange, call_next: CallNext) -> requests.Response:
        origins = frozenset({exchange.base_origin or ""})
        credential = Credential("header", "Authorization", "Bearer s3cret", origins)
        return call_next(exchange.with_credential(credential))

    with opened(handlers=[outer, inner]) as (stack, _):
        stack.get("x?api_key=k3y-0f-m1ne")

    assert seen[0].credentials == ()
    assert [c.value for c in seen[0].placed_credentials] == ["Bearer s3cret"]
    assert set(seen[0].secret_values) == {"k3y-0f-m1ne", "Bearer s3cret", "s3cret"}


def test_a_handler_further_out_sees_the_deadline_set_further_in() -> None:
    """What it does after the call can end in time too."""
    seen: list[Exchange] = []

    def outer(exchange: Exchange, call_next: CallNext) -> requests.Response:
        seen.append(exchange)
        return call_next(exchange)

    def inner(exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_deadline(exchange.clock.monotonic() + 9))

    with opened(handlers=[outer, inner], clock=FakeClock(start=100.0)) as (stack, _):
        stack.get("x")

    assert (seen[0].deadline, seen[0].effective_deadline) == (None, 109.0)


def test_the_open_response_is_the_latest_until_it_is_discarded() -> None:
    """A handler that gives up on a response finds it without having kept it."""
    states: list[object] = []

    def handler(exchange: Exchange, call_next: CallNext) -> requests.Response:
        states.append(exchange.open_response)
        response = call_next(exchange.streamed())
        states.extend((exchange.open_response is response, exchange.is_read(response)))
        exchange.discard_response()
        states.append(exchange.open_response)
        return call_next(exchange)

    with opened(handlers=[handler]) as (stack, _):
        stack.get("x")

    assert states == [None, True, False, None]


def test_some_of_an_endless_body_is_read_and_nothing_is_raised() -> None:
    """An error's text is worth a moment, whatever becomes of the rest."""

    def endless(_: ServerRequest) -> ServerResponse:
        return ServerResponse(500, iter(lambda: b"x" * 4096, None))

    def handler(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange.streamed())
        exchange.read_some(response, timeout=5)
        return response

    with opened(endless, [handler]) as (stack, _):
        response = stack.get("x")

    assert len(response.content) == 65_536


# -- The contract of a handler


class Stamp:
    """Adds a header on the way down, and one on the way up."""

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange.with_headers({"X-Down": "yes"}))
        response.headers["X-Up"] = "yes"
        return response


def stamped(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Do what ``Stamp`` does, as a plain function."""
    return Stamp().handle(exchange, call_next)


def echo(seen: ServerRequest) -> ServerResponse:
    """Answer with what arrived."""
    return ServerResponse(200, {"down": seen.headers.get("x-down"), "path": seen.path})


def test_a_class_with_one_method_is_a_handler() -> None:
    """Nothing has to be inherited, registered or decorated."""
    handler: Handler = Stamp()
    with opened(echo, [handler]) as (stack, _):
        response = stack.get("x")

    assert response.json()["down"] == "yes"
    assert response.headers["X-Up"] == "yes"


def test_a_plain_function_is_a_handler() -> None:
    """Three lines are enough to look at every call."""
    with opened(echo, [stamped]) as (stack, _):
        response = stack.get("x")

    assert response.json()["down"] == "yes"
    assert response.headers["X-Up"] == "yes"


def test_any_callable_of_the_two_is_a_handler() -> None:
    """A method, a partial function and an object that can be called serve as well."""

    def labelled(label: str, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_headers({"X-Down": label}))

    for handler in (Stamp().handle, partial(labelled, "yes")):
        with opened(echo, {"any": handler}) as (stack, _):
            assert stack.get("x").json()["down"] == "yes"


def test_handlers_are_passed_from_the_outermost_in_and_back_out() -> None:
    """The order in which they were given is the order in which they work."""
    steps: list[str] = []

    def noting(name: str, exchange: Exchange, call_next: CallNext) -> requests.Response:
        steps.append(f"> {name}")
        response = call_next(exchange)
        steps.append(f"< {name}")
        return response

    handlers = {name: partial(noting, name) for name in ("outer", "inner")}
    with opened(handlers=handlers) as (stack, _):
        stack.get("x")

    assert steps == ["> outer", "> inner", "< inner", "< outer"]


def test_a_handler_may_answer_by_itself() -> None:
    """A cache or a test double keeps the call off the network."""

    def canned(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = requests.Response()
        response.status_code = 299
        response._content = b"canned"
        return response

    with opened(handlers=[passing, canned]) as (stack, server):
        response = stack.get("x")

        assert (response.status_code, response.text) == (299, "canned")
        assert server.requests == []


def test_a_handler_may_raise_what_it_likes() -> None:
    """An error of a handler reaches the caller, through those around it, unchanged."""
    error = KeyError("mine")

    def refusing(exchange: Exchange, call_next: CallNext) -> requests.Response:
        raise error

    with opened(handlers=[passing, refusing]) as (stack, server):
        with pytest.raises(KeyError) as caught:
            stack.get("x")

        assert caught.value is error
        assert server.requests == []


def test_one_handler_may_serve_many_stacks_and_threads() -> None:
    """What belongs to one call stays in its exchange, so nothing is mixed up."""
    shared = Stamp()
    meeting = threading.Barrier(8)

    def answer(seen: ServerRequest) -> ServerResponse:
        meeting.wait(10)
        return echo(seen)

    with opened(answer, [shared]) as (one, server), requests.Session() as other:
        stacks = [one, SessionStack(other, [shared], base_url=server.origin)]

        def ask(number: int) -> str:
            path: str = stacks[number % 2].get(f"call/{number}").json()["path"]
            return path

        assert at_once(8, ask) == [f"/call/{number}" for number in range(8)]


def test_an_option_that_a_handler_declares_is_its_own() -> None:
    """``stack.get(url, colour="red")`` configures the handler and never reaches the session."""
    colours: list[object] = []

    class Painted:
        options = frozenset({"colour"})

        def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
            colours.append(exchange.option("colour", "none"))
            return call_next(exchange)

    with opened(handlers=[Painted()]) as (stack, server):
        stack.request("GET", "x", colour="red")
        stack.get("y")
        stack.send(requests.Request("GET", server.origin).prepare(), colour="blue")

    assert colours == ["red", "none", "blue"]
