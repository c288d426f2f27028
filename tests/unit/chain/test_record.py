"""What happened to one call, and where its time went."""

from __future__ import annotations

import contextlib
import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sessionkit import Exchange, SessionStack
from sessionkit.chain._record import Attempt, CallRecord
from sessionkit.errors import NotFound
from sessionkit.testing import FakeClock
from sessionkit.testing.server import ServerResponse
from tests.support.stacks import Again, Keeper, opened, passing
from tests.unit.handlers.scripted import Script, stack_over


def test_a_record_tells_what_happened_to_the_call() -> None:
    """Attempts, statuses and times of a call are there afterwards, on its answer."""
    replies = iter([ServerResponse(503), ServerResponse(200)])
    clock = FakeClock(start=100.0)

    class Waiting(Again):
        def handle(self, exchange: Exchange, call_next: Any) -> requests.Response:
            clock.advance(1)
            response = super().handle(exchange, call_next)
            clock.advance(2)
            return response

    with opened(lambda _: next(replies), [Waiting(2)], clock=clock) as (stack, _):
        record: CallRecord = stack.get("x").record

    assert (record.method, record.started, record.duration) == ("GET", 100.0, 3.0)
    assert [(attempt.number, attempt.status) for attempt in record.attempts] == [(1, 503), (2, 200)]
    assert [attempt.started for attempt in record.attempts] == [1.0, 1.0]
    assert record.handlers == {"waiting": 3.0, "wire": 0.0}
    assert (record.renewals, record.renewal_duration, record.from_cache) == ([], 0.0, False)


def test_a_record_divides_the_time_among_the_handlers() -> None:
    """It can be seen which handler took the time, and what was left for the wire."""
    clock = FakeClock()

    def slow(exchange: Exchange, call_next: Any) -> requests.Response:
        clock.advance(0.5)
        answer: requests.Response = call_next(exchange)
        return answer

    def answer(_: object) -> ServerResponse:
        clock.advance(2)
        return ServerResponse()

    with opened(answer, {"out": passing, "slow": slow, "in": passing}, clock=clock) as (stack, _):
        record: CallRecord = stack.get("x").record

    assert record.handlers == {"out": 0.0, "slow": 0.5, "in": 0.0, "wire": 2.0}
    assert sum(record.handlers.values()) == record.duration


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

    def reading(exchange: Exchange, call_next: Any) -> requests.Response:
        clock.advance(1)
        answer: requests.Response = call_next(exchange.streamed())
        exchange.read(answer)
        return answer

    def first(exchange: Exchange, call_next: Any) -> requests.Response:
        """Ask for the answer unread and leave it to those who called the stack."""
        if deadline is not None:
            exchange = exchange.with_deadline(clock.monotonic() + deadline)
        unread = exchange.streamed() if reader == "first" else exchange
        answer: requests.Response = call_next(unread)
        return answer

    def bottom(exchange: Exchange, call_next: Any) -> requests.Response:
        answer: requests.Response = call_next(exchange.streamed())
        answer.raw = SlowBody(clock)
        answer._content = False
        answer._content_consumed = False
        return answer

    middle = {n: reading if n == reader else passing for n in ("out", "mid", "in")}
    handlers = {"first": first, **middle, "bottom": bottom}
    with opened(handlers=handlers, clock=clock) as (stack, _):
        record: CallRecord = stack.get("x").record

    expected = dict.fromkeys([*handlers, "wire"], 0.0)
    expected["wire"] = 2.0 if deadline is None or reader == "first" else 4.0
    if reader in middle:
        expected[reader] = 1.0
    assert record.handlers == expected
    assert sum(record.handlers.values()) == record.duration


@pytest.mark.parametrize("reads", [True, False])
def test_a_body_that_a_handler_brought_itself_is_that_handlers_time(reads: bool) -> None:
    """What comes out of a cache took the cache's time, whoever reads it."""
    clock = FakeClock()

    def canned(exchange: Exchange, call_next: Any) -> requests.Response:
        answer = requests.Response()
        answer.raw = SlowBody(clock)
        if reads:
            exchange.read(answer)
        return answer

    with opened(handlers={"a": passing, "b": passing, "canned": canned}, clock=clock) as (stack, _):
        record: CallRecord = stack.get("x").record

    assert record.handlers == {"a": 0.0, "b": 0.0, "canned": 2.0, "wire": 0.0}


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
    keeper = Keeper(lambda exchange: exchange.streamed())
    cut = ServerResponse(200, iter([b"cut"]), {"Content-Length": "100"})
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

    def canned(exchange: Exchange, call_next: Any) -> requests.Response:
        exchange.read(response)
        return response

    with opened(handlers=[canned]) as (stack, _):
        assert stack.get("x").text == "canned"
    assert response.record.attempts == []  # type: ignore[attr-defined]  # set by the stack


def test_a_record_is_plain_data() -> None:
    """It can be kept, copied and pickled after the answer is gone."""
    with opened(handlers=[passing]) as (stack, _):
        record: CallRecord = stack.get("x").record

    for twin in (copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        assert twin.method == "GET"
        assert [type(attempt) for attempt in twin.attempts] == [Attempt]
        assert twin.handlers == record.handlers


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        ([200], "yes"),
        ([401], "no"),
        ([503, requests.ConnectTimeout()], "yes"),
        ([requests.ReadTimeout(), requests.ConnectTimeout()], "maybe"),
        ([requests.ReadTimeout(), 401], "maybe"),
        ([requests.ConnectTimeout(), 503], "yes"),
        ([requests.ConnectTimeout()], "no"),
        ([NotFound("of a stack below")], "yes"),
        ([KeyError("of an adapter")], "maybe"),
    ],
)
def test_a_record_tells_whether_the_server_may_have_acted(script: Any, sent: str) -> None:
    """On any attempt, not on the last one alone; a refusal is no action."""
    records = []

    def keep(exchange: Exchange, call_next: Any) -> Any:
        records.append(exchange.record)
        for last in [False] * (len(script) - 1) + [True]:
            with contextlib.suppress(Exception):
                call_next(exchange)
            if last:
                raise LookupError

    with pytest.raises(LookupError):
        stack_over(Script(*script), keep)[0].post("x")

    assert records[0].sent == sent


def test_a_call_that_was_never_sent_did_nothing() -> None:
    """Before the first attempt there is nothing to be unsure of."""
    assert CallRecord("POST", "http://api.example/", (), 0.0).sent == "no"
