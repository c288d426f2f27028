"""A server that fails again and again is left alone, and found again when it is back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sessionkit import SessionStack
from sessionkit.errors import CircuitOpen, ConfigError, RateLimitExhausted
from sessionkit.handlers import CircuitBreakerHandler, RetryHandler
from sessionkit.handlers._breaker import MAX_ORIGINS
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Item, Reply, Script, stack_over

ORIGIN = "http://api.example:80"


def calls(stack: SessionStack, count: int) -> list[object]:
    """Return what *count* calls came to: statuses, or the names of errors."""
    results: list[object] = []
    for _ in range(count):
        try:
            results.append(stack.get("tasks").status_code)
        except requests.RequestException as error:
            results.append(type(error).__name__)
    return results


def broken(
    *items: Item, **settings: Any
) -> tuple[SessionStack, CircuitBreakerHandler, FakeClock, Script]:
    """Return a stack whose breaker of two failures has just opened; *items* come next."""
    breaker = CircuitBreakerHandler(2, **settings)
    script = Script(503, 503, *items)
    stack, clock = stack_over(script, breaker)
    assert calls(stack, 2) == [503, 503]
    assert breaker.states == {ORIGIN: "open"}
    return stack, breaker, clock, script


def test_after_five_failures_in_a_row_nothing_is_sent() -> None:
    """A server in trouble is not hit harder, and callers do not wait for it in vain."""
    script = Script(*[503] * 5)
    stack, _ = stack_over(script, CircuitBreakerHandler())

    assert calls(stack, 8) == [503] * 5 + ["CircuitOpen"] * 3
    assert script.sent == 5


def test_a_success_between_starts_the_count_anew() -> None:
    """A server that fails now and then is not cut off."""
    stack, _ = stack_over(Script(*[503, 503, 200] * 5), CircuitBreakerHandler(3))

    assert calls(stack, 15) == [503, 503, 200] * 5


def test_the_error_tells_when_and_why() -> None:
    """The caller knows how long to wait, what had failed, and that nothing was sent."""
    stack, _, clock, _ = broken()
    clock.advance(12)

    with pytest.raises(CircuitOpen) as caught:
        stack.get("tasks")

    error = caught.value
    assert error.retry_after == 18.0
    assert error.sent == "no"
    assert error.retryable
    assert error.attempts == 0
    assert (error.method, error.url) == ("GET", "http://api.example/tasks")
    assert error.message == (
        "the circuit of http://api.example:80 is open after failures, the last of them status 503"
    )
    assert error.hint.startswith("the next call is let through in 18 s")


def test_a_trial_that_succeeds_closes_the_circuit() -> None:
    """After the cooldown one call finds out, and all others follow."""
    stack, breaker, clock, _ = broken(200, 200, 200)
    clock.advance(30)
    assert breaker.states == {ORIGIN: "half-open"}

    assert calls(stack, 3) == [200] * 3
    assert breaker.states == {}


def test_a_trial_that_fails_opens_it_again_for_longer_each_time() -> None:
    """A server that stays down is asked ever less often, up to the longest cooldown."""
    stack, _, clock, script = broken(*[503] * 5, max_recovery_timeout=70)

    waits = []
    for _ in range(5):
        with pytest.raises(CircuitOpen) as caught:
            stack.get("tasks")
        waits.append(caught.value.retry_after)
        clock.advance(waits[-1] or 0)
        assert calls(stack, 1) == [503]

    assert waits == [30, 60, 70, 70, 70]
    assert script.sent == 7


def test_a_success_forgets_earlier_openings() -> None:
    """After a good time the next trouble is cooled down from the start."""
    stack, breaker, clock, _ = broken(503, 200, 503, 503)
    clock.advance(30)
    calls(stack, 1)
    clock.advance(60)
    assert calls(stack, 3) == [200, 503, 503]
    clock.advance(30)

    assert breaker.states == {ORIGIN: "half-open"}


class Nested:
    """Makes another call of the stack while its first one is under way."""

    def __init__(self, outcome: Item = 200) -> None:
        self.stack: SessionStack | None = None
        self.others = 0
        self.results: list[object] = []
        self._outcome = outcome

    def __call__(self) -> Reply:
        assert self.stack
        self.results += calls(self.stack, self.others)
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        assert isinstance(self._outcome, int)
        return Reply(self._outcome)


def test_one_trial_is_under_way_at_a_time() -> None:
    """A server that comes back meets one call, not all that waited for it."""
    trial = Nested()
    stack, breaker, clock, script = broken(trial)
    trial.stack, trial.others = stack, 2
    clock.advance(30)

    assert calls(stack, 1) == [200]
    assert trial.results == ["CircuitOpen"] * 2
    assert script.sent == 3
    assert breaker.states == {}


def test_a_trial_under_way_shows_as_half_open() -> None:
    """A health page sees that the server is being tried."""
    seen: list[object] = []

    def trial() -> Reply:
        seen.append(breaker.states)
        return Reply()

    stack, breaker, clock, _ = broken(trial)
    clock.advance(30)
    calls(stack, 1)

    assert seen == [{ORIGIN: "half-open"}]


def test_three_probes_let_three_through_and_no_fourth() -> None:
    """The number of trials is a number, not a minimum."""
    innermost = Nested()
    second, first = Nested(), Nested()
    stack, breaker, clock, script = broken(first, second, innermost, half_open_max_calls=3)
    for trial in (first, second, innermost):
        trial.stack, trial.others = stack, 1
    clock.advance(30)

    assert calls(stack, 1) == [200]
    assert first.results == [200]
    assert second.results == [200]
    assert innermost.results == ["CircuitOpen"]
    assert script.sent == 5
    assert breaker.states == {}


def test_trials_of_one_opening_count_as_one_opening() -> None:
    """Three trials that fail together do not make the cooldown four times as long."""
    second, first = Nested(503), Nested(503)
    stack, _, clock, _ = broken(first, second, 503, half_open_max_calls=3)
    for trial in (first, second):
        trial.stack, trial.others = stack, 1
    clock.advance(30)
    assert calls(stack, 1) == [503]

    with pytest.raises(CircuitOpen) as caught:
        stack.get("tasks")
    assert caught.value.retry_after == 60.0


def test_a_trial_that_hangs_is_replaced() -> None:
    """One lost call does not close a server off for ever."""
    clock_of: list[FakeClock] = []

    class Hanging(Nested):
        def __call__(self) -> Reply:
            clock_of[0].advance(30)
            return super().__call__()

    trial = Hanging()
    stack, breaker, clock, _ = broken(trial, 200)
    clock_of.append(clock)
    trial.stack, trial.others = stack, 1
    clock.advance(30)

    assert calls(stack, 1) == [200]
    assert trial.results == [200]
    assert breaker.states == {}


def test_a_late_failure_of_a_replaced_trial_opens_nothing() -> None:
    """Who closed the circuit is right; a trial that hung says nothing about now."""
    clock_of: list[FakeClock] = []

    class Hanging(Nested):
        def __call__(self) -> Reply:
            clock_of[0].advance(30)
            return super().__call__()

    trial = Hanging(503)
    stack, breaker, clock, _ = broken(trial, 200)
    clock_of.append(clock)
    trial.stack, trial.others = stack, 1
    clock.advance(30)

    assert calls(stack, 1) == [503]
    assert breaker.states == {}


@pytest.mark.parametrize(
    "outcome",
    [requests.exceptions.InvalidHeader("bad"), RateLimitExhausted(""), KeyError("bug")],
)
def test_a_trial_that_says_nothing_leaves_its_place_to_the_next(outcome: Exception) -> None:
    """A call that ended for reasons of its own is no verdict on the server."""
    stack, breaker, clock, _ = broken(outcome, 200)
    clock.advance(30)
    with pytest.raises(type(outcome)):
        stack.get("tasks")
    assert breaker.states == {ORIGIN: "half-open"}

    assert calls(stack, 1) == [200]
    assert breaker.states == {}


def test_a_replaced_trial_that_says_nothing_changes_nothing() -> None:
    """A call that was given up frees no second place in the next opening."""
    clock_of: list[FakeClock] = []

    class Hanging(Nested):
        def __call__(self) -> Reply:
            clock_of[0].advance(30)
            super().__call__()
            raise KeyError("bug")

    trial = Hanging()
    stack, breaker, clock, _ = broken(trial, 503)
    clock_of.append(clock)
    trial.stack, trial.others = stack, 1
    clock.advance(30)
    with pytest.raises(KeyError):
        stack.get("tasks")

    assert trial.results == [503]
    assert breaker.states == {ORIGIN: "open"}


def test_a_trial_that_is_interrupted_leaves_its_place_to_the_next() -> None:
    """Ctrl-C in the one trial does not close a server off."""

    def interrupted() -> Reply:
        raise KeyboardInterrupt

    stack, _, clock, _ = broken(interrupted, 200)
    clock.advance(30)
    with pytest.raises(KeyboardInterrupt):
        stack.get("tasks")

    assert calls(stack, 1) == [200]


def test_one_of_three_trials_that_says_nothing_frees_one_place() -> None:
    """Places are counted one by one."""
    stack, breaker, clock, _ = broken(KeyError("bug"), half_open_max_calls=3)
    clock.advance(30)
    with pytest.raises(KeyError):
        stack.get("tasks")

    circuit = breaker._circuits.get()._by_origin[ORIGIN]
    assert circuit.trials == 0


@pytest.mark.parametrize(
    "fault",
    [
        requests.ConnectionError("reset"),
        requests.ConnectTimeout("slow"),
        requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.ContentDecodingError("garbage"),
        *(500, 502, 503, 504),
    ],
)
def test_faults_of_transport_and_of_the_server_are_failures(fault: Item) -> None:
    """Whatever shape the trouble has, it counts."""
    stack, _ = stack_over(Script(fault, fault), CircuitBreakerHandler(2))

    assert calls(stack, 3)[2] == "CircuitOpen"


@pytest.mark.parametrize(
    "outcome",
    [
        *(200, 202, 400, 401, 404, 409, 429, 501),
        requests.exceptions.InvalidURL("no host"),
        requests.TooManyRedirects("loop"),
        RateLimitExhausted("spent"),
    ],
)
def test_what_the_server_decides_is_no_failure(outcome: Item) -> None:
    """A wrong request, a missing thing or a spent budget cuts nobody off."""
    breaker = CircuitBreakerHandler(2)
    stack, _ = stack_over(Script(*[outcome] * 9), breaker)

    assert "CircuitOpen" not in calls(stack, 9)
    assert breaker.states == {}


def test_the_statuses_can_be_chosen() -> None:
    """Where 429 means "overloaded", it counts; and 500 may mean "bad input"."""
    stack, _ = stack_over(Script(500, 429, 429), CircuitBreakerHandler(2, statuses={429, 503}))

    assert calls(stack, 4) == [500, 429, 429, "CircuitOpen"]


def test_what_began_before_the_opening_does_not_close_it() -> None:
    """A slow success from better times says nothing about now."""
    slow = Nested()
    breaker = CircuitBreakerHandler(2)
    stack, _ = stack_over(Script(slow, 503, 503), breaker)
    slow.stack, slow.others = stack, 2

    assert calls(stack, 1) == [200]
    assert slow.results == [503, 503]
    assert breaker.states == {ORIGIN: "open"}


def test_what_began_before_the_opening_does_not_lengthen_it() -> None:
    """Sixteen calls that fail together open the circuit once."""
    slow = Nested(503)
    breaker = CircuitBreakerHandler(2)
    stack, _ = stack_over(Script(slow, 503, 503), breaker)
    slow.stack, slow.others = stack, 2
    calls(stack, 1)

    with pytest.raises(CircuitOpen) as caught:
        stack.get("tasks")
    assert caught.value.retry_after == 30.0


def test_a_server_may_ask_for_a_longer_rest() -> None:
    """A Retry-After beyond the cooldown is kept, within the longest one."""
    for told, wait in (("5", 30), ("90", 90), ("9000", 300), ("soon", 30)):
        busy = Reply(503, {"Retry-After": told})
        stack, _ = stack_over(Script(busy), CircuitBreakerHandler(1))
        calls(stack, 1)
        with pytest.raises(CircuitOpen) as caught:
            stack.get("tasks")
        assert caught.value.retry_after == wait


def test_each_origin_has_its_own_circuit() -> None:
    """One host in trouble does not take the others along."""
    stack, _ = stack_over(Script(503, 503, 200, 200), CircuitBreakerHandler(2))
    calls(stack, 2)

    assert stack.get("http://other.example/").status_code == 200
    assert stack.get("http://api.example:8080/").status_code == 200
    assert calls(stack, 1) == ["CircuitOpen"]


def test_a_call_without_an_origin_is_for_requests_to_refuse() -> None:
    """A URL that cannot be sent fails as it always does."""
    stack, _ = stack_over(Script(), CircuitBreakerHandler())

    with pytest.raises(requests.exceptions.InvalidURL):
        stack.get("http://")


def test_an_answer_without_a_request_counts_neither_way() -> None:
    """An answer that a handler further in made says nothing of the server."""
    response = requests.Response()
    response.status_code = 503
    breaker = CircuitBreakerHandler(1)
    stack, _ = stack_over(Script(), breaker, lambda *_: response)

    assert calls(stack, 3) == [503] * 3
    assert breaker.states == {}


def test_an_answer_from_a_cache_of_the_session_counts_neither_way() -> None:
    """A cached page neither closes a circuit nor opens one."""

    def cached(exchange: Any, call_next: Any) -> requests.Response:
        response: requests.Response = call_next(exchange)
        exchange.record.from_cache = True
        return response

    breaker = CircuitBreakerHandler(1)
    stack, clock = stack_over(Script(503, 503), breaker)
    calls(stack, 1)
    stack.handlers.add(cached)
    clock.advance(30)
    calls(stack, 1)

    assert breaker.states == {ORIGIN: "half-open"}


def test_retries_stop_when_the_circuit_opens() -> None:
    """A call that failed before says that it was sent, though its last attempt was not."""
    script = Script(503, 503)
    stack, _ = stack_over(script, RetryHandler(9), CircuitBreakerHandler(2))

    with pytest.raises(CircuitOpen) as caught:
        stack.get("tasks")

    assert script.sent == 2
    assert caught.value.attempts == 2
    assert caught.value.sent == "maybe"


def test_the_number_of_origins_is_bounded() -> None:
    """A crawler that meets a million dead hosts keeps its memory."""
    breaker = CircuitBreakerHandler(1)
    stack, _ = stack_over(Script(*[503] * (MAX_ORIGINS + 2)), breaker)

    for number in range(MAX_ORIGINS + 2):
        stack.get(f"http://host{number}.example/")

    assert len(breaker.states) == MAX_ORIGINS
    assert "http://host1.example:80" not in breaker.states
    assert "http://host2.example:80" in breaker.states


def test_an_origin_that_never_failed_costs_no_memory() -> None:
    """Only trouble is remembered."""
    breaker = CircuitBreakerHandler()
    stack, _ = stack_over(Script(*[200] * 5), breaker)

    for number in range(5):
        stack.get(f"http://host{number}.example/")

    assert breaker.states == {}


def test_before_the_first_call_there_is_nothing_to_tell() -> None:
    """A health page may ask at any time."""
    assert CircuitBreakerHandler().states == {}


def test_a_closed_circuit_with_failures_shows_as_closed() -> None:
    """Two failures of five are no reason for an alarm."""
    breaker = CircuitBreakerHandler()
    stack, _ = stack_over(Script(503), breaker)
    calls(stack, 1)

    assert breaker.states == {ORIGIN: "closed"}


@pytest.fixture
def held() -> Iterator[tuple[CircuitBreakerHandler, SessionStack]]:
    """A breaker whose lock another thread holds."""
    breaker = CircuitBreakerHandler(1)
    stack, _ = stack_over(Script(503, 200), breaker)
    calls(stack, 1)
    taken, free = threading.Event(), threading.Event()

    def hold() -> None:
        with breaker._circuits.get()._guard:
            taken.set()
            free.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(30)
    yield breaker, stack
    free.set()
    thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_starts_with_all_circuits_closed(
    held: tuple[CircuitBreakerHandler, SessionStack],
) -> None:
    """A lock that was held at the fork does not hang the child."""
    breaker, stack = held
    child = os.fork()
    if not child:
        os._exit(0 if not breaker.states and calls(stack, 1) == [200] else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"failure_threshold": 0},
        {"failure_threshold": 2.5},
        {"failure_threshold": True},
        {"half_open_max_calls": 0},
        {"recovery_timeout": -1},
        {"recovery_timeout": float("nan")},
        {"max_recovery_timeout": float("inf")},
        {"recovery_timeout": "30"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """A wrong number is told where it is given."""
    with pytest.raises(ConfigError):
        CircuitBreakerHandler(**settings)


def test_it_shows_its_settings() -> None:
    """explain() tells when it opens, and for how long."""
    assert repr(CircuitBreakerHandler()) == (
        "CircuitBreakerHandler(5, recovery_timeout=30, max_recovery_timeout=300, "
        "half_open_max_calls=1, statuses=[500, 502, 503, 504])"
    )
