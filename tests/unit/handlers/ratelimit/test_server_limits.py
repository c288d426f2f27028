"""Between two answers of a server, what is left of its budget is counted here."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from hypothesis import given, strategies as st

from sessionkit.handlers.ratelimit._server_limits import (
    MAX_HOLD,
    MAX_KEYS,
    MAX_WINDOWS,
    Permit,
    ResponseLimits,
    ServerLimits,
)
from sessionkit.headers._rate_limit import Quota


def left(remaining: int | None, reset: float | None = 10.0, **more: Any) -> ResponseLimits:
    """Return the news of one budget with so many requests left for so long."""
    return ResponseLimits((Quota("default", remaining, reset)._replace(**more),))


def knowing(*limits: ResponseLimits, now: float = 0.0) -> ServerLimits:
    """Return what has learned *news*, each by a request of its own."""
    server = ServerLimits()
    for each in limits:
        permit = server.acquire("one", now)
        assert permit.wait == 0
        server.release("one", each, now, number=permit.number)
    return server


def sent_until_held(server: ServerLimits, now: float = 0.0, *, at_most: int = 50) -> int:
    """Return how many requests may be sent now, none of them answered, up to *most*."""
    for count in range(at_most):
        if server.acquire("one", now).wait > 0:
            return count
    return at_most


def test_nothing_is_held_back_before_anything_is_known() -> None:
    """The first calls go out at once, numbered in order."""
    server = ServerLimits()

    assert [server.acquire("one", 0.0) for _ in range(3)] == [Permit(0.0, n) for n in (1, 2, 3)]


def test_a_spent_budget_holds_until_it_is_whole_again() -> None:
    """The next call waits for the reset instead of being refused."""
    server = knowing(left(0))

    assert server.acquire("one", 4.0).wait == 6.0
    assert server.acquire("one", 10.0).wait == 0.0


def test_requests_count_before_their_answers_arrive() -> None:
    """Three left and three sent: the fourth waits, though no answer has said so yet."""
    assert sent_until_held(knowing(left(3))) == 3


def test_requests_under_way_are_taken_off() -> None:
    """The answer to the first of four cannot know of the other three."""
    server = ServerLimits()
    for _ in range(4):
        server.acquire("one", 0.0)
    server.release("one", left(5), 0.0, number=1)

    assert sent_until_held(server) == 2


def test_requests_that_were_counted_already_are_not_taken_off_for_long() -> None:
    """The server took the last of four first: once all are answered, its word stands."""
    server = ServerLimits()
    for _ in range(4):
        server.acquire("one", 0.0)
    server.release("one", left(3), 0.0, number=1)
    assert server.acquire("one", 0.0).wait == 10.0
    for number, remaining in ((2, 4), (3, 5), (4, 6)):
        server.release("one", left(remaining), 0.0, number=number)

    assert sent_until_held(server) == 3


@pytest.mark.parametrize(
    ("limits", "count"),
    [(ResponseLimits(), 2), (ResponseLimits(counted=False), 3), (left(9), 3), (left(1), 1)],
)
def test_a_request_counts_unless_it_was_never_sent(limits: ResponseLimits, count: int) -> None:
    """Lost, or answered without a word: the server has counted it all the same."""
    server = knowing(left(3), limits)

    assert sent_until_held(server) == count


def test_what_others_took_is_taken_off() -> None:
    """A budget that is shared with another program is what the server says."""
    assert sent_until_held(knowing(left(30), left(2))) == 2


def test_a_later_reset_is_a_new_window() -> None:
    """A sliding budget that recovers is believed."""
    server = knowing(left(2, 10.0))
    number = server.acquire("one", 5.0).number
    server.release("one", left(40, 10.0), 5.0, number=number)

    assert sent_until_held(server, 5.0) == 40


def test_an_answer_of_the_last_window_changes_nothing_in_this_one() -> None:
    """A slow answer that says "nothing left" speaks of a budget that is whole again."""
    server = knowing(left(3, 10.0))
    slow, quick = server.acquire("one", 9.0).number, server.acquire("one", 10.0).number
    server.release("one", left(9, 10.0), 10.0, number=quick)
    server.release("one", left(0, 1.0), 10.0, number=slow)

    assert sent_until_held(server, 10.0) == 9


def test_whole_seconds_do_not_make_a_new_window() -> None:
    """Resets are told in whole seconds, so that of one window moves by up to one."""
    server = knowing(left(2, 10.0), now=0.1)
    number = server.acquire("one", 0.9).number
    server.release("one", left(9, 10.0), 0.9, number=number)

    assert sent_until_held(server, 0.9) == 2
    # The later of the two is kept: too early would be refused.
    assert server.acquire("one", 10.5).wait == pytest.approx(0.4)


def test_a_known_limit_holds_in_the_next_window_too() -> None:
    """Those who waited do not all go at once when the window ends."""
    server = knowing(left(0, limit=4, window=60.0))

    assert sent_until_held(server, 10.0) == 4
    assert server.acquire("one", 10.0).wait == 60.0


@pytest.mark.parametrize("more", [{"limit": 4}, {"window": 60.0}, {"limit": 0, "window": 60.0}])
def test_a_window_of_unknown_length_is_forgotten_at_its_end(more: dict[str, Any]) -> None:
    """What is not known is not made up."""
    assert sent_until_held(knowing(left(0, 10.0, **more)), 10.0) == 50


def test_a_period_stands_in_for_a_reset() -> None:
    """A gateway that tells the minute's rest but not its end is given the whole minute."""
    server = knowing(left(0, None, window=60.0))

    assert server.acquire("one", 1.0).wait == 59.0


@pytest.mark.parametrize("limits", [left(0, None), left(None, 10.0)])
def test_without_any_time_or_number_nothing_is_held(limits: ResponseLimits) -> None:
    """A rest of nothing for nobody knows how long is for the server to refuse."""
    assert sent_until_held(knowing(limits)) == 50


def test_the_tightest_of_several_budgets_counts() -> None:
    """The day's last request is not sent because the minute has room."""
    server = knowing(ResponseLimits((Quota("minute", 9, 60.0), Quota("day", 2, 5_000.0))))

    assert sent_until_held(server) == 2
    assert server.acquire("one", 0.0).wait == 5_000.0


def test_a_budget_that_an_answer_leaves_out_is_still_known() -> None:
    """A server may name the closest one only (draft-ietf-httpapi-ratelimit-headers, B.1.2)."""
    server = knowing(
        ResponseLimits((Quota("day", 2, 5_000.0),)), ResponseLimits((Quota("minute", 9, 60.0),))
    )

    assert sent_until_held(server) == 1


def test_another_part_of_the_service_takes_the_place_of_the_last() -> None:
    """A search budget that is spent does not hold back what the next answer says has room."""
    server = ServerLimits()
    server.acquire("one", 0.0)
    server.acquire("one", 0.0)
    server.release("one", left(0, partition="search"), 0.0, number=1)
    server.release("one", left(30, partition="core"), 0.0, number=2)

    assert sent_until_held(server) == 30


def test_a_hold_takes_the_place_of_all_budgets() -> None:
    """Retry-After takes precedence (draft-ietf-httpapi-ratelimit-headers, section 7)."""
    server = knowing(left(1, 60.0), ResponseLimits((Quota("default", 0, 60.0),), retry_after=5.0))

    assert server.acquire("one", 0.0).wait == 5.0
    assert sent_until_held(server, 5.0) == 50


def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    """Of two answers the one that asks for more is heeded."""
    server = ServerLimits()
    for hold in (30.0, 5.0):
        server.release("one", ResponseLimits(retry_after=hold), 0.0, number=1)

    assert server.acquire("one", 0.0).wait == 30.0


@pytest.mark.parametrize("limits", [ResponseLimits(retry_after=1e9), left(0, 1e9)])
def test_no_server_closes_itself_off_for_more_than_a_day(limits: ResponseLimits) -> None:
    """A wrong number does not stop a program for years."""
    assert knowing(limits).acquire("one", 0.0).wait == MAX_HOLD


def test_each_key_has_its_own_budget() -> None:
    """One account's spent budget holds no other account back."""
    assert knowing(left(0)).acquire("two", 0.0).wait == 0.0


def test_the_number_of_keys_and_of_their_budgets_is_bounded() -> None:
    """Neither many accounts nor a server that keeps renaming its budgets fill the memory."""
    server = knowing(left(0))
    for number in range(MAX_KEYS):
        server.acquire(str(number), 0.0)
    for number in range(100):
        server.release("0", ResponseLimits((Quota(str(number), 0, 10.0),)), 0.0, number=1)

    accounts = server._accounts.get().by_key
    assert len(accounts) == MAX_KEYS
    assert "one" not in accounts
    assert len(accounts["0"].windows) <= MAX_WINDOWS


def test_a_request_of_a_forgotten_key_ends_quietly() -> None:
    """A slow call whose account was forgotten meanwhile costs the next ones nothing."""
    server = ServerLimits()
    server.release("one", left(1), 0.0, number=7)

    assert sent_until_held(server) == 1


@given(st.integers(1, 20), st.lists(st.none() | st.integers(0, 9), max_size=80))
def test_a_client_alone_is_never_refused(limit: int, steps: list[int | None]) -> None:
    """Once one answer has told the budget, no more is sent, however late answers come and turned.

    A step is a request (None), or the arrival of one of the answers that are still on their way.
    """
    server = ServerLimits()
    first = server.acquire("one", 0.0)
    used, under_way = 1, []
    server.release("one", left(limit - used, 60.0), 0.0, number=first.number)

    for step in steps:
        if step is None:
            permit = server.acquire("one", 0.0)
            if permit.wait == 0:
                used += 1
                under_way.append((permit.number, limit - used))
                assert used <= limit
        elif under_way:
            number, remaining = under_way.pop(step % len(under_way))
            server.release("one", left(remaining, 60.0), 0.0, number=number)


def test_threads_share_what_is_left() -> None:
    """Sixteen threads send thirty requests of thirty, and not one more."""
    server = knowing(left(30))
    barrier = threading.Barrier(16)
    sent: list[int] = []

    def work() -> None:
        barrier.wait(30)
        sent.append(sum(server.acquire("one", 0.0).wait == 0 for _ in range(10)))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sum(sent) == 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_learns_anew() -> None:
    """A lock that was held at the fork does not hang the child."""
    server = knowing(left(0))
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with server._accounts.get().guard:
            held.set()
            free.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if server.acquire("one", 0.0) == Permit(0.0, 1) else 1)
    _, status = os.waitpid(child, 0)
    free.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0
