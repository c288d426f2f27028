"""No window of the given length, wherever it begins, holds more requests than the rate says."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from sessionkit.errors import ConfigError
from sessionkit.handlers.ratelimit._window import MAX_KEYS, Rate, SlidingWindow, read_rate
from sessionkit.testing import FakeClock
from tests.support.virtual_time import VirtualTime

#: Rounding of floating-point moments.
ROUNDING = 1e-6
#: A window of a second, and its margin.
WINDOW = 1.05


def count_in_any_window(moments: list[float], seconds: float) -> int:
    """Return the largest number of *moments* in any window of that length, its end left out."""
    moments = sorted(moments)
    return max(
        sum(start <= moment < start + seconds - ROUNDING for moment in moments) for start in moments
    )


def caller(
    window: SlidingWindow, clock: VirtualTime, pauses: list[float]
) -> Callable[[], list[float]]:
    """Return a thread's work: one request after each pause, noting when it may be sent."""

    def work() -> list[float]:
        moments = []
        for pause in pauses:
            clock.sleep(pause)
            for wait in window.waits("one", clock):
                clock.sleep(wait)
            moments.append(clock.monotonic())
        return moments

    return work


def run(rate: Rate, threads: list[list[float]]) -> list[float]:
    """Return when requests were sent by threads that pause as told between them."""
    window, clock = SlidingWindow(rate), VirtualTime()
    results = clock.run([caller(window, clock, pauses) for pauses in threads])
    moments: list[float] = []
    for result in results:
        assert isinstance(result, list), result
        moments += result
    return moments


@settings(max_examples=60)
@given(
    st.builds(Rate, st.integers(1, 12), st.sampled_from([0.1, 1.0, 7.3, 60.0])),
    st.lists(
        st.lists(st.floats(0, 3), min_size=1, max_size=12),
        min_size=1,
        max_size=8,
    ),
)
def test_no_window_holds_more_than_the_rate(rate: Rate, threads: list[list[float]]) -> None:
    """Whatever threads ask and when: the largest count in any window stays within the budget."""
    moments = run(rate, threads)

    assert len(moments) == sum(map(len, threads))
    assert count_in_any_window(moments, rate.period) <= rate.limit


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_the_rate_is_used_to_the_full(threads: int) -> None:
    """64 requests at 10 a second wait for six windows, and no more, however many threads ask."""
    moments = run(Rate(10, 1.0), [[0.0] * (64 // threads)] * threads)

    # A wait is never shorter than the clock can tell, so a little may be lost to rounding.
    assert max(moments) == pytest.approx(6 * WINDOW, abs=0.1)
    assert count_in_any_window(moments, WINDOW) == 10


@pytest.mark.parametrize(
    ("seconds", "margin"), [(0.1, 0.005), (1.0, 0.05), (60.0, 0.05), (3600.0, 0.05)]
)
def test_a_window_has_a_margin_for_requests_that_are_long_on_their_way(
    seconds: float, margin: float
) -> None:
    """What leaves at the end of one window and the start of the next does not arrive in one."""
    window, clock = SlidingWindow(Rate(1, seconds)), FakeClock()
    first_wait(window, clock)

    assert first_wait(window, clock) == pytest.approx(seconds + margin)


def first_wait(window: SlidingWindow, clock: FakeClock, key: str = "one") -> float:
    """Ask once, send if there is room, and give up if there is not."""
    waits = window.waits(key, clock)
    wait = next(iter(waits), 0.0)
    waits.close()  # type: ignore[attr-defined]  # a generator
    return wait


def test_a_burst_up_to_the_whole_rate_waits_for_nothing() -> None:
    """A quiet program may send its whole budget at once."""
    window, clock = SlidingWindow(Rate(10, 1.0)), FakeClock()

    assert [first_wait(window, clock) for _ in range(11)] == [0.0] * 10 + [WINDOW]


def test_room_comes_back_request_by_request() -> None:
    """There is no edge of a window at which twice the rate could pass."""
    window, clock = SlidingWindow(Rate(2, 1.0)), FakeClock()
    first_wait(window, clock)
    clock.advance(0.75)
    first_wait(window, clock)
    clock.advance(WINDOW - 0.75)

    assert first_wait(window, clock) == 0.0
    assert first_wait(window, clock) == 0.75


def test_whoever_waits_is_served_in_turn() -> None:
    """The next caller is told how long the whole queue takes, and nobody jumps it."""
    window, clock = SlidingWindow(Rate(2, 1.0)), FakeClock()
    first_wait(window, clock)
    clock.advance(0.25)
    first_wait(window, clock)
    queue = [window.waits("one", clock) for _ in range(5)]

    turns = [0.0, 0.25, WINDOW, WINDOW + 0.25, 2 * WINDOW]
    assert [next(waits) for waits in queue] == pytest.approx([t + WINDOW - 0.25 for t in turns])
    clock.advance(WINDOW - 0.25)
    # One place is free, but four calls came earlier.
    assert next(window.waits("one", clock)) > 0
    assert list(queue[0]) == []


def test_whoever_gives_up_leaves_the_queue() -> None:
    """A call that cannot wait does not make the others wait for it."""
    window, clock = SlidingWindow(Rate(1, 1.0)), FakeClock()
    first_wait(window, clock)

    assert [first_wait(window, clock) for _ in range(3)] == [WINDOW] * 3


def test_each_key_has_its_own_window() -> None:
    """One tenant's burst costs another nothing."""
    window, clock = SlidingWindow(Rate(1, 1.0)), FakeClock()

    assert first_wait(window, clock, "one") == 0.0
    assert first_wait(window, clock, "two") == 0.0
    assert first_wait(window, clock, "one") == WINDOW


def test_the_number_of_keys_is_bounded() -> None:
    """A crawler that meets a million hosts keeps its memory; who waits is never forgotten."""
    window, clock = SlidingWindow(Rate(1, 1.0)), FakeClock()
    first_wait(window, clock, "waited for")
    waiting = window.waits("waited for", clock)
    next(waiting)
    first_wait(window, clock, "first")

    for number in range(MAX_KEYS):
        first_wait(window, clock, str(number))

    windows = window._windows.get()
    assert len(windows.idle) == MAX_KEYS
    assert list(windows.waited_for) == ["waited for"]
    assert "first" not in windows.idle
    waiting.close()  # type: ignore[attr-defined]  # a generator
    assert not windows.waited_for
    assert "waited for" in windows.idle


def test_a_wait_that_rounding_swallows_is_still_a_wait() -> None:
    """A clock that cannot count so small a time is not asked for ever."""
    window, clock = SlidingWindow(Rate(1, 0.1)), FakeClock(start=1e9)
    first_wait(window, clock)
    clock.advance(0.1049999)

    assert first_wait(window, clock) == 0.001


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_a_window_of_its_own() -> None:
    """A lock that was held at the fork does not hang the child."""
    window, clock = SlidingWindow(Rate(1, 1.0)), FakeClock()
    first_wait(window, clock)
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with window._windows.get().guard:
            held.set()
            free.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if first_wait(window, clock) == 0.0 else 1)
    _, status = os.waitpid(child, 0)
    free.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/second", (10, 1.0)),
        ("10 per second", (10, 1.0)),
        ("10/s", (10, 1.0)),
        ("100/15 minutes", (100, 900.0)),
        ("100/15min", (100, 900.0)),
        ("5000 per hour", (5000, 3600.0)),
        ("15 / 900 seconds", (15, 900.0)),
        ("1/Day", (1, 86400.0)),
        ((10, 1.0), (10, 1.0)),
        ((3, 0.5), (3, 0.5)),
        (Rate(3, 2), (3, 2)),
    ],
)
def test_a_rate_is_written_as_people_write_it(text: object, rate: tuple[int, float]) -> None:
    """The text of an API's documentation can be taken over."""
    assert read_rate(text) == rate


@pytest.mark.parametrize(
    "value",
    [
        *("", "10", "10/", "/second", "ten/second", "10/month", "10/fortnight", "-1/second"),
        *("0/second", "10/0 seconds", "1.5/second", 10, None, (10,), (1.5, 1.0), ("10", 1.0)),
        *((0, 1.0), (10, 0.0), (10, -1.0), (10, float("nan")), (10, float("inf")), (1, 2, 3)),
    ],
)
def test_what_is_no_rate_is_refused(value: object) -> None:
    """A wrong rate is told where it is given, with examples of right ones."""
    with pytest.raises(ConfigError, match="is no rate of requests") as caught:
        read_rate(value)

    assert "10/second" in caught.value.hint


@given(st.text(max_size=30))
def test_no_text_makes_the_reader_of_rates_fail(text: str) -> None:
    """What is read is a rate; everything else is one clear error."""
    try:
        rate = read_rate(text)
    except ConfigError:
        return
    assert rate.limit >= 1
    assert rate.period > 0


def test_it_shows_its_rate() -> None:
    """explain() tells how many, and in how many seconds."""
    assert repr(SlidingWindow(Rate(10, 1.0))) == "10 in 1 s"
