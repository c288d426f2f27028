"""One logical call: what a handler sees of it, and what it can derive."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sessionkit import Exchange, SessionStack
from sessionkit._exchange import Attempt, Record, Secret
from sessionkit.testing import FakeClock
from tests.loopback import Reply
from tests.unit.stacks import Again, Keeper, opened, passing

ATTRIBUTES = (
    *("method", "url", "options", "prepared", "secrets", "steps", "stream", "deadline", "call"),
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
    assert (exchange.prepared, exchange.secrets, exchange.steps) == (None, (), ())
    assert (exchange.stream, exchange.deadline) == (False, None)


def test_an_exchange_knows_the_home_of_its_stack(exchange: Exchange) -> None:
    """Whoever places a secret knows which origin is ours."""
    assert exchange.home == exchange.url.removesuffix("/orders")


def test_a_stack_without_a_base_has_no_home() -> None:
    """The first URL that is asked for is not trusted for being first."""
    keeper = Keeper()
    with opened(handlers=[keeper], base="") as (stack, server):
        stack.get(server.origin)

    assert keeper.only.home is None


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
    "secret": lambda exchange: exchange.with_secret(
        Secret("header", "X-Key", "s3cret", frozenset())
    ),
    "deadline": lambda exchange: exchange.with_deadline(9.0),
    "unread": lambda exchange: exchange.unread(),
    "late": lambda exchange: exchange.late(lambda request: None),
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
        derived = derive(derived)  # type: ignore[no-untyped-call]

    assert (derived.method, derived.url) == ("PUT", "http://x/")
    assert (derived.stream, derived.deadline) == (True, 9.0)
    assert (len(derived.secrets), len(derived.steps)) == (1, 1)
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
    before = (exchange.prepared.method, exchange.prepared.url, exchange.prepared.body)  # type: ignore[union-attr]

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
        def handle(self, exchange: Exchange, forward: Any) -> requests.Response:
            refused: requests.Response = forward(exchange.unread())
            exchange.release()
            exchange.release()  # nothing is left to let go of
            open_after.append(not refused.raw.closed)
            answer: requests.Response = forward(exchange)
            return answer

    with opened(lambda _: Reply(401, b"x" * 999), [Releasing()]) as (stack, server):
        stack.get("x")

        assert server.connections == 1
    assert open_after == [False]


def test_what_was_masked_stays_masked_in_every_text() -> None:
    """A log line about a call shows no key of its query, and no secret on its way."""
    exchange = taken("GET", "x?api_key=s3cret")
    secret = Secret("header", "X-Key", "s3cret", frozenset())

    for text in (repr(exchange), repr(exchange.record), repr(secret), exchange.record.url):
        assert "s3cret" not in text
    assert "X-Key" in repr(secret)


def test_a_record_tells_what_happened_to_the_call() -> None:
    """Attempts, statuses and times of a call are there afterwards, on its answer."""
    replies = iter([Reply(503), Reply(200)])
    clock = FakeClock(start=100.0)

    class Waiting(Again):
        def handle(self, exchange: Exchange, forward: Any) -> requests.Response:
            clock.advance(1)
            response = super().handle(exchange, forward)
            clock.advance(2)
            return response

    with opened(lambda _: next(replies), [Waiting(2)], clock=clock) as (stack, _):
        record: Record = stack.get("x").exchange  # type: ignore[attr-defined]

    assert (record.method, record.started, record.seconds) == ("GET", 100.0, 3.0)
    assert [(attempt.number, attempt.status) for attempt in record.attempts] == [(1, 503), (2, 200)]
    assert [attempt.started for attempt in record.attempts] == [1.0, 1.0]
    assert record.handlers == {"waiting": 3.0, "wire": 0.0}
    assert (record.renewals, record.renewal_seconds, record.from_cache) == ([], 0.0, False)


def test_a_record_divides_the_time_among_the_handlers() -> None:
    """It can be seen which handler took the time, and what was left for the wire."""
    clock = FakeClock()

    def slow(exchange: Exchange, forward: Any) -> requests.Response:
        clock.advance(0.5)
        answer: requests.Response = forward(exchange)
        return answer

    def answer(_: object) -> Reply:
        clock.advance(2)
        return Reply()

    with opened(answer, {"out": passing, "slow": slow, "in": passing}, clock=clock) as (stack, _):
        record: Record = stack.get("x").exchange  # type: ignore[attr-defined]

    assert record.handlers == {"out": 0.0, "slow": 0.5, "in": 0.0, "wire": 2.0}
    assert sum(record.handlers.values()) == record.seconds


class SlowBody:
    """The raw side of an answer, whose one piece takes two seconds to come."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._left = [b"{}"]

    def read1(self, amt: int, *, decode_content: bool) -> bytes:
        self._clock.advance(2)
        return self._left.pop() if self._left else b""

    def stream(self, amt: int, *, decode_content: bool) -> Iterator[bytes]:
        self._clock.advance(2)
        yield self._left.pop()

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("deadline", [None, 60.0])
@pytest.mark.parametrize("reader", ["nobody", "first", "out", "mid", "in"])
def test_the_time_of_a_body_is_the_wires(reader: str, deadline: float | None) -> None:
    """Whoever reads it: a handler that looked at the answer first did not take the time."""
    clock = FakeClock()

    def reading(exchange: Exchange, forward: Any) -> requests.Response:
        clock.advance(1)
        answer: requests.Response = forward(exchange.unread())
        exchange.read(answer)
        return answer

    def first(exchange: Exchange, forward: Any) -> requests.Response:
        """Ask for the answer unread and leave it to those who called the stack."""
        if deadline is not None:
            exchange = exchange.with_deadline(clock.monotonic() + deadline)
        unread = exchange.unread() if reader == "first" else exchange
        answer: requests.Response = forward(unread)
        return answer

    def bottom(exchange: Exchange, forward: Any) -> requests.Response:
        answer: requests.Response = forward(exchange.unread())
        answer.raw = SlowBody(clock)
        answer._content = False  # type: ignore[assignment]
        answer._content_consumed = False  # type: ignore[attr-defined]
        return answer

    middle = {n: reading if n == reader else passing for n in ("out", "mid", "in")}
    handlers = {"first": first, **middle, "bottom": bottom}
    with opened(handlers=handlers, clock=clock) as (stack, _):
        record: Record = stack.get("x").exchange  # type: ignore[attr-defined]

    expected = dict.fromkeys([*handlers, "wire"], 0.0)
    expected["wire"] = 2.0 if deadline is None or reader == "first" else 4.0
    if reader in middle:
        expected[reader] = 1.0
    assert record.handlers == expected
    assert sum(record.handlers.values()) == record.seconds


def test_a_body_that_a_handler_brought_itself_is_the_wires_time_too() -> None:
    """No handler comes out with less than no time, also where nothing was forwarded."""
    clock = FakeClock()

    def canned(exchange: Exchange, forward: Any) -> requests.Response:
        answer = requests.Response()
        answer.raw = SlowBody(clock)
        exchange.read(answer)
        return answer

    with opened(handlers={"a": passing, "b": passing, "canned": canned}, clock=clock) as (stack, _):
        record: Record = stack.get("x").exchange  # type: ignore[attr-defined]

    assert record.handlers == {"a": 0.0, "b": 0.0, "canned": 0.0, "wire": 2.0}


def test_an_attempt_that_failed_names_its_error() -> None:
    """A connection that was refused is told from an answer of the server."""
    keeper = Keeper()
    with requests.Session() as session:
        stack = SessionStack(session, [keeper])
        with pytest.raises(requests.ConnectionError):
            stack.get("http://127.0.0.1:9/")

    (attempt,) = keeper.only.record.attempts
    assert (attempt.status, attempt.error) == (None, "ConnectionError")
    assert "ConnectionError" in repr(attempt)


def test_an_attempt_whose_body_failed_names_that_error() -> None:
    """A record does not show a success where the answer broke off."""
    keeper = Keeper(lambda exchange: exchange.unread())
    cut = Reply(200, iter([b"cut"]), {"Content-Length": "100"})
    with (
        opened(lambda _: cut, [keeper]) as (stack, _),
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        stack.get("x")

    (attempt,) = keeper.only.record.attempts
    assert (attempt.status, attempt.error) == (200, "ChunkedEncodingError")


def test_reading_an_answer_that_was_never_sent_changes_no_record() -> None:
    """A handler that answers by itself may hand out what it likes."""
    response = requests.Response()
    response._content = b"canned"

    def canned(exchange: Exchange, forward: Any) -> requests.Response:
        exchange.read(response)
        return response

    with opened(handlers=[canned]) as (stack, _):
        assert stack.get("x").text == "canned"
    assert response.exchange.attempts == []  # type: ignore[attr-defined]


def test_a_record_is_plain_data() -> None:
    """It can be kept, copied and pickled after the answer is gone."""
    with opened(handlers=[passing]) as (stack, _):
        record: Record = stack.get("x").exchange  # type: ignore[attr-defined]

    for twin in (copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert twin.method == "GET"
        assert [type(attempt) for attempt in twin.attempts] == [Attempt]
        assert twin.handlers == record.handlers
