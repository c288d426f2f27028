"""No call waits for ever, and a budget is a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from urllib3.exceptions import ReadTimeoutError

from sessionkit.errors import ConfigError, DeadlineExceeded
from sessionkit.handlers import RetryHandler, TimeoutHandler
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Reply, Script, stack_over


def stalling(seconds: float, error: Exception, clock: FakeClock) -> Callable[[], Reply]:
    """Raise *error* after *seconds* of *clock*."""

    def respond() -> Reply:
        clock.advance(seconds)
        raise error

    return respond


def test_a_call_gets_time_outs() -> None:
    """Plain requests would wait for ever; here 5 seconds to connect and 30 to answer."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler())

    stack.get("tasks")

    assert script.timeouts == [(5.0, 30.0)]


@pytest.mark.parametrize("given", [7, (1, 2), None])
def test_a_timeout_of_the_call_is_kept(given: object) -> None:
    """Who says how long to wait, for ever included, is heeded."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler())

    stack.request("GET", "tasks", timeout=given)

    assert script.timeouts == [given]


def test_a_prepared_request_gets_time_outs_too() -> None:
    """Both ways into a session are guarded."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler(connect=1, read=2))

    stack.send(requests.Request("GET", "http://api.example/").prepare())

    assert script.timeouts == [(1, 2)]


def test_without_time_outs_the_session_keeps_its_own() -> None:
    """connect=None with read=None leaves the matter to the session."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler(connect=None, read=None))

    stack.get("tasks")

    assert script.timeouts == [None]


def test_one_limit_may_be_lifted() -> None:
    """A long poll waits for its answer, but not for its connection."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler(read=None))

    stack.get("tasks")

    assert script.timeouts == [(5.0, None)]


def test_time_outs_shrink_to_what_is_left_of_the_budget() -> None:
    """The second attempt may not take longer than the call has left."""
    clock = FakeClock()
    script = Script(Reply(503, {"Retry-After": "6"}), 200)
    stack, _ = stack_over(script, TimeoutHandler(10), RetryHandler(), clock=clock)

    stack.get("tasks")

    assert script.timeouts == [(5.0, 10), (4.0, 4.0)]


def test_a_call_can_bring_its_own_budget() -> None:
    """total_timeout= on the call beats the handler's total."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler(100))

    stack.request("GET", "tasks", total_timeout=2)

    assert script.timeouts == [(2, 2)]


def test_a_light_stack_can_bring_a_budget() -> None:
    """with_options(total_timeout=...) holds for all its calls, each counted from its own start."""
    clock = FakeClock()
    script = Script(200, 200)
    stack, _ = stack_over(script, TimeoutHandler(), clock=clock)
    hasty = stack.with_options(total_timeout=2)

    hasty.get("tasks")
    clock.advance(60)
    hasty.get("tasks")

    assert script.timeouts == [(2, 2), (2, 2)]


def test_deadline_none_lifts_the_budget() -> None:
    """One long call needs no second stack."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler(2))

    stack.request("GET", "tasks", total_timeout=None)

    assert script.timeouts == [(5.0, 30.0)]


@pytest.mark.parametrize("spent", [0, -0.5])
def test_a_spent_budget_sends_nothing(spent: float) -> None:
    """What is left of a larger budget can be handed on without looking at it."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler())

    with pytest.raises(DeadlineExceeded):
        stack.request("GET", "tasks", total_timeout=spent)

    assert script.sent == 0


@pytest.mark.parametrize(
    "error",
    [
        requests.ReadTimeout("read timed out"),
        requests.ConnectTimeout("connect timed out"),
        requests.ConnectionError(ReadTimeoutError(None, None, "stalled in the body")),  # type: ignore[arg-type]  # only kept or printed
    ],
)
def test_a_time_out_at_the_deadline_is_a_deadline_exceeded(error: Exception) -> None:
    """The error names what ended the call, and the timeout stands behind it."""
    clock = FakeClock()
    stack, _ = stack_over(Script(stalling(3, error, clock)), TimeoutHandler(3), clock=clock)

    with pytest.raises(DeadlineExceeded) as caught:
        stack.get("tasks")

    assert caught.value.__cause__ is error
    assert isinstance(caught.value, requests.Timeout)
    assert (caught.value.attempts, caught.value.duration) == (1, 3.0)
    assert caught.value.method == "GET"


def test_only_a_connect_time_out_says_that_nothing_was_sent() -> None:
    """Whether the server may have acted is told."""
    for error, sent in ((requests.ReadTimeout(), "maybe"), (requests.ConnectTimeout(), "no")):
        clock = FakeClock()
        stack, _ = stack_over(Script(stalling(3, error, clock)), TimeoutHandler(3), clock=clock)
        with pytest.raises(DeadlineExceeded) as caught:
            stack.post("tasks")

        assert caught.value.sent == sent


def test_an_earlier_attempt_may_have_acted() -> None:
    """That the last attempt reached nobody says nothing about the one before it."""
    clock = FakeClock()
    attempts = (requests.ReadTimeout("slow"), stalling(3, requests.ConnectTimeout("slow"), clock))
    stack, _ = stack_over(Script(*attempts), TimeoutHandler(3), RetryHandler(1), clock=clock)

    with pytest.raises(DeadlineExceeded) as caught:
        stack.get("tasks")

    assert (caught.value.attempts, caught.value.sent) == (2, "maybe")


def test_a_time_out_before_the_deadline_stays_what_it_is() -> None:
    """A slow server is not blamed on the budget."""
    clock = FakeClock()
    slow = requests.ReadTimeout("slow")
    stack, _ = stack_over(Script(stalling(3, slow, clock)), TimeoutHandler(60), clock=clock)

    with pytest.raises(requests.ReadTimeout) as caught:
        stack.get("tasks")

    assert caught.value is slow


def test_another_failure_at_the_deadline_stays_what_it_is() -> None:
    """A refused connection is a refused connection, however late."""
    clock = FakeClock()
    refused = requests.ConnectionError("refused")
    stack, _ = stack_over(Script(stalling(3, refused, clock)), TimeoutHandler(3), clock=clock)

    with pytest.raises(requests.ConnectionError) as caught:
        stack.get("tasks")

    assert caught.value is refused


def test_an_answer_that_stands_at_the_deadline_is_returned() -> None:
    """A 503 says more than a deadline does."""
    script = Script(Reply(503, {"Retry-After": "20"}))
    stack, _ = stack_over(script, TimeoutHandler(10), RetryHandler())

    assert stack.get("tasks").status_code == 503


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e10, "5", True, [5]])
@pytest.mark.parametrize("name", ["total", "connect", "read"])
def test_a_number_without_sense_is_refused_at_once(name: str, value: Any) -> None:
    """The mistake shows where it is made, with its name and value."""
    with pytest.raises(ConfigError, match=name) as caught:
        TimeoutHandler(**{name: value})

    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e10, "5", True])
def test_a_deadline_without_sense_is_refused_at_the_call(value: Any) -> None:
    """Nothing is sent under a budget that cannot be kept."""
    script = Script(200)
    stack, _ = stack_over(script, TimeoutHandler())

    with pytest.raises(ConfigError, match="total_timeout"):
        stack.request("GET", "tasks", total_timeout=value)

    assert script.sent == 0


def test_it_shows_its_settings() -> None:
    """explain() tells which limits hold."""
    assert repr(TimeoutHandler(60)) == "TimeoutHandler(60, connect=5.0, read=30.0)"
