"""Calls counted, and their time added up by place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from sessionkit.chain._record import Attempt, CallRecord
from sessionkit.demo._figures import Span
from sessionkit.demo._tally import Tally, record_of, spans_of
from sessionkit.errors import NotFound, SessionKitError
from sessionkit.headers._server_timing import read_server_timing
from sessionkit.paging import Page
from sessionkit.paging._base import PageRequest


def answered(text: str = "", *, server: float | None = None) -> requests.Response:
    """An answer to a call of one second, half of it in ``auth``."""
    record = CallRecord("GET", "http://127.0.0.1/", ("errors", "auth"), 0.0)
    record.duration = 1.0
    record._inner_durations[:] = [0.9, 0.4]
    record.renewal_duration = 0.3
    if server is not None:
        record.server_timing = read_server_timing({"X-API-Time": f"{server}s"})
    response = requests.Response()
    response._content = text.encode()
    response.record = record  # type: ignore[attr-defined]  # as a stack does it
    return response


def page(number: int) -> Page[int]:
    """A page of a walk."""
    return Page([number], number, PageRequest("/"), None, None, answered(), [number])


def test_a_call_that_succeeds_is_counted_as_such() -> None:
    """The answer is handed on."""
    tally, response = Tally(), answered("whole")

    assert tally.call(lambda: response, proof="whole") is response
    assert (tally.calls, tally.calls_ok, tally.failures()) == (1, 1, ())


def test_an_answer_without_the_proof_is_a_failure() -> None:
    """A 200 to an empty upload does not count as a success."""
    tally = Tally()

    assert tally.call(lambda: answered("empty"), proof="whole") is None
    assert (tally.calls, tally.calls_ok) == (1, 0)
    assert tally.failures() == ("SessionKitError: the answer is not the one that was due",)


def test_a_failure_is_a_figure_and_not_an_exception() -> None:
    """The tour goes on to its end, and then tells the first few failures."""
    tally = Tally()

    def fail() -> requests.Response:
        raise NotFound("nothing here")

    for _ in range(9):
        assert tally.call(fail) is None
    assert (tally.calls, tally.calls_ok) == (9, 0)
    assert tally.failures() == ("NotFound: nothing here",) * 5


def test_the_text_of_a_foreign_error_is_not_told() -> None:
    """Only the library's own errors promise to hold no secret."""
    tally = Tally()

    tally.failed(ValueError("Bearer planted-secret"))

    assert tally.failures() == ("ValueError",)


def test_each_page_of_a_walk_is_a_call() -> None:
    """A walk that breaks counts the call that broke it, and ends."""
    tally = Tally()

    def pages() -> Iterator[Page[int]]:
        yield page(1)
        yield page(2)
        raise SessionKitError("the third page never came")

    assert [step.number for step in tally.walk(pages())] == [1, 2]
    assert (tally.calls, tally.calls_ok) == (3, 2)
    assert tally.failures() == ("SessionKitError: the third page never came",)


@pytest.mark.parametrize(("told", "server"), [(0.25, 0.25), (None, 0.0), (7.0, 0.4)])
def test_time_is_added_up_by_place(told: float | None, server: float) -> None:
    """Renewal and the server's own time are told apart from the handlers and the way."""
    tally, response = Tally(), answered(server=told)

    for _ in range(2):
        tally.call(lambda: response)

    shares = tally.shares()
    assert list(shares) == ["errors", "auth", "renewal", "wire", "server"]
    assert list(shares.values()) == pytest.approx([0.2, 0.4, 0.6, 0.8 - 2 * server, 2 * server])


def test_the_requests_of_a_call_stand_in_their_order() -> None:
    """A picture shows the refusal, the renewal and the replay one after the other."""
    record = record_of(answered())
    for requests_made, started, status in (
        (record.attempts, 0.0, 401),
        (record.attempts, 0.6, 201),
        (record.renewals, 0.3, 200),
    ):
        attempt = Attempt(len(requests_made) + 1, started)
        attempt.status, attempt.duration = status, 0.2
        requests_made.append(attempt)

    assert spans_of(record) == (
        Span("try 1", 401, 0.0, 0.2),
        Span("renewal", 200, 0.3, 0.2),
        Span("try 2", 201, 0.6, 0.2),
    )
