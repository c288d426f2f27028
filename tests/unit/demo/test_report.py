"""The figures of a tour, their promises, and the statistics of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import requests

from sessionkit.chain._record import Attempt, CallRecord
from sessionkit.demo._report import CallStatistics, Figures, Span, record_of, spans_of
from sessionkit.errors import NotFound, SessionKitError
from sessionkit.headers._server_timing import read_server_timing
from sessionkit.paging import Page
from sessionkit.paging._base import PageRequest

GOOD = Figures(
    calls=100,
    calls_ok=100,
    expiries=5,
    renewals=5,
    reuse_detected=0,
    replayed_posts=4,
    replayed_posts_intact=4,
    pages=48,
    objects=480,
    errors_mapped=2,
    seconds=5.0,
)


def test_good_figures_keep_every_promise() -> None:
    """The demo ends with status 0 only if all of this holds."""
    assert all(GOOD.promises().values())
    assert "one renewal per ended token (5 for 5)" in GOOD.promises()


@pytest.mark.parametrize(
    "figures",
    [
        replace(GOOD, calls_ok=99),
        replace(GOOD, calls=0, calls_ok=0),
        replace(GOOD, renewals=6),
        replace(GOOD, renewals=0, expiries=0),
        replace(GOOD, reuse_detected=1),
        replace(GOOD, replayed_posts_intact=3),
        replace(GOOD, replayed_posts=0, replayed_posts_intact=0),
        replace(GOOD, objects=479),
        replace(GOOD, errors_mapped=1),
    ],
)
def test_each_wrong_figure_breaks_one_promise(figures: Figures) -> None:
    """No figure can go wrong, or be empty, without the demo failing."""
    assert list(figures.promises().values()).count(False) == 1


def recorded_response(text: str = "", *, server: float | None = None) -> requests.Response:
    """The response to a call of one second, half of it in ``auth``."""
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
    return Page([number], number, PageRequest("/"), None, None, recorded_response(), [number])


def test_a_call_that_succeeds_is_counted_as_such() -> None:
    """The answer is handed on."""
    statistics, response = CallStatistics(), recorded_response("whole")

    assert statistics.call(lambda: response, proof="whole") is response
    assert (statistics.calls, statistics.calls_ok, statistics.failures()) == (1, 1, ())


def test_an_answer_without_the_proof_is_a_failure() -> None:
    """A 200 to an empty upload does not count as a success."""
    statistics = CallStatistics()

    assert statistics.call(lambda: recorded_response("empty"), proof="whole") is None
    assert (statistics.calls, statistics.calls_ok) == (1, 0)
    assert statistics.failures() == ("SessionKitError: the response is not the one that was due",)


def test_a_failure_is_a_figure_and_not_an_exception() -> None:
    """The tour goes on to its end, and then tells the first few failures."""
    statistics = CallStatistics()

    def fail() -> requests.Response:
        raise NotFound("nothing here")

    for _ in range(9):
        assert statistics.call(fail) is None
    assert (statistics.calls, statistics.calls_ok) == (9, 0)
    assert statistics.failures() == ("NotFound: nothing here",) * 5


def test_the_text_of_a_foreign_error_is_not_told() -> None:
    """Only the library's own errors promise to hold no secret."""
    statistics = CallStatistics()

    statistics.failed(ValueError("Bearer planted-secret"))

    assert statistics.failures() == ("ValueError",)


def test_each_page_of_a_walk_is_a_call() -> None:
    """A walk that breaks counts the call that broke it, and ends."""
    statistics = CallStatistics()

    def pages() -> Iterator[Page[int]]:
        yield page(1)
        yield page(2)
        raise SessionKitError("the third page never came")

    assert [step.number for step in statistics.walk(pages())] == [1, 2]
    assert (statistics.calls, statistics.calls_ok) == (3, 2)
    assert statistics.failures() == ("SessionKitError: the third page never came",)


@pytest.mark.parametrize(("told", "server"), [(0.25, 0.25), (None, 0.0), (7.0, 0.4)])
def test_time_is_added_up_by_place(told: float | None, server: float) -> None:
    """Renewal and the server's own time are told apart from the handlers and the way."""
    statistics, response = CallStatistics(), recorded_response(server=told)

    for _ in range(2):
        statistics.call(lambda: response)

    shares = statistics.shares()
    assert list(shares) == ["errors", "auth", "renewal", "wire", "server"]
    assert list(shares.values()) == pytest.approx([0.2, 0.4, 0.6, 0.8 - 2 * server, 2 * server])


def test_the_requests_of_a_call_stand_in_their_order() -> None:
    """A picture shows the refusal, the renewal and the replay one after the other."""
    record = record_of(recorded_response())
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
