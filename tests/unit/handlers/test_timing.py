"""Every answer tells how long its call took, as the caller saw it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from sessionkit import CallNext, Exchange
from sessionkit.handlers import RetryHandler, TimingHandler
from sessionkit.headers._server_timing import ServerTiming
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Reply, Script, stack_over


def taking(seconds: float, reply: Reply, clock: FakeClock) -> Callable[[], Reply]:
    """Answer with *reply* after *seconds* of *clock*."""

    def respond() -> Reply:
        clock.advance(seconds)
        return reply

    return respond


def test_the_time_of_a_call_stands_in_its_headers() -> None:
    """One look at the answer tells seconds and attempts."""
    clock = FakeClock()
    stack, _ = stack_over(Script(taking(0.125, Reply(), clock)), TimingHandler(), clock=clock)

    headers = stack.get("tasks").headers

    assert headers["X-Client-Time"] == "0.125s"
    assert headers["X-Client-Attempts"] == "1"
    assert headers["X-Client-Renewal-Time"] == "0.000s"


def test_attempts_and_waits_are_part_of_the_time() -> None:
    """The figure is what the caller waited, not what the last attempt took."""
    clock = FakeClock()
    busy = taking(1, Reply(503, {"Retry-After": "5"}), clock)
    script = Script(busy, taking(0.5, Reply(), clock))
    stack, _ = stack_over(script, TimingHandler(), RetryHandler(), clock=clock)

    headers = stack.get("tasks").headers

    assert headers["X-Client-Time"] == "6.500s"
    assert headers["X-Client-Attempts"] == "2"


def test_renewal_time_is_told_apart() -> None:
    """Slow identity servers show in their own figure."""

    def renewing(exchange: Exchange, call_next: CallNext) -> requests.Response:
        exchange.clock.sleep(0.25)
        exchange.record.renewal_duration += 0.25
        return call_next(exchange)

    stack, _ = stack_over(Script(200), TimingHandler(), renewing)

    headers = stack.get("tasks").headers

    assert headers["X-Client-Renewal-Time"] == "0.250s"
    assert headers["X-Client-Time"] == "0.250s"


def test_a_spoofed_header_is_overwritten() -> None:
    """No server can make up the client's own figures, in whatever case it writes them."""
    lies = {"x-client-time": "9s", "X-CLIENT-ATTEMPTS": "9", "X-Client-Renewal-Time": "9s"}
    stack, _ = stack_over(Script(Reply(200, lies)), TimingHandler())

    headers = stack.get("tasks").headers

    assert headers["X-Client-Time"] == "0.000s"
    assert headers["X-Client-Attempts"] == "1"
    assert headers["X-Client-Renewal-Time"] == "0.000s"
    assert len(headers) == 3


def test_an_error_status_is_timed_too() -> None:
    """A failure tells how long it took."""
    clock = FakeClock()
    stack, _ = stack_over(Script(taking(2, Reply(500), clock)), TimingHandler(), clock=clock)

    assert stack.get("tasks").headers["X-Client-Time"] == "2.000s"


def test_an_exception_passes_as_it_is() -> None:
    """Without an answer there is nothing to write on, and nothing is hidden."""
    lost = requests.ConnectionError("lost")
    stack, _ = stack_over(Script(lost), TimingHandler())

    with pytest.raises(requests.ConnectionError) as caught:
        stack.get("tasks")

    assert caught.value is lost


def test_what_the_server_says_of_its_time_stands_on_the_record() -> None:
    """Server and client figures lie side by side on response.record."""
    server_headers = {"X-API-Time": "0.100s", "server-timing": "db;dur=5"}
    stack, _ = stack_over(Script(Reply(200, server_headers)), TimingHandler())

    record = stack.get("tasks").record

    assert isinstance(record.server_timing, ServerTiming)
    assert record.server_timing.api_time == 0.1
    assert record.server_timing.entries[0].duration == 0.005


def test_a_server_that_says_nothing_leaves_none() -> None:
    """None is told from a zero."""
    stack, _ = stack_over(Script(Reply(200, {"Content-Type": "text/plain"})), TimingHandler())

    assert stack.get("tasks").record.server_timing is None


def test_a_second_answer_keeps_its_own_figures() -> None:
    """One handler serves all calls and remembers none of them."""
    clock = FakeClock()
    script = Script(taking(1, Reply(), clock), taking(2, Reply(), clock))
    stack, _ = stack_over(script, TimingHandler(), clock=clock)

    first, second = stack.get("tasks"), stack.get("tasks")

    assert first.headers["X-Client-Time"] == "1.000s"
    assert second.headers["X-Client-Time"] == "2.000s"


def test_it_shows_itself() -> None:
    """The listing of a stack is readable."""
    assert repr(TimingHandler()) == "TimingHandler()"
