"""Time-outs capped by what a deadline leaves."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from urllib3.util.timeout import Timeout

from sessionkit.errors import DeadlineExceeded
from sessionkit.testing import FakeClock
from tests.support.stacks import Keeper
from tests.unit.handlers.scripted import Script, stack_over


@pytest.mark.parametrize(
    ("given", "capped"),
    [
        ({}, 10.0),
        ({"timeout": None}, 10.0),
        ({"timeout": 3}, 3),
        ({"timeout": 30}, 10.0),
        ({"timeout": (5, 30)}, (5, 10.0)),
        ({"timeout": (None, 3)}, (10.0, 3)),
    ],
)
def test_no_time_out_is_longer_than_the_time_that_is_left(
    given: dict[str, Any], capped: object
) -> None:
    """A call with ten seconds to go does not wait thirty for its answer."""
    clock = FakeClock(start=100.0)
    script = Script(200, 200)
    limited = Keeper(lambda exchange: exchange.with_deadline(110.0))
    stack, _ = stack_over(script, limited, clock=clock)

    stack.get("x", **given)
    stack.send(requests.Request("GET", "http://api.example/").prepare(), **given)

    assert script.timeouts == [capped, capped]


def test_nothing_is_sent_after_the_deadline() -> None:
    """A call whose time is up costs the server nothing, and says what it is about."""
    clock = FakeClock(start=100.0)
    script = Script()
    stack, _ = stack_over(
        script, Keeper(lambda exchange: exchange.with_deadline(100.0)), clock=clock
    )

    with pytest.raises(DeadlineExceeded) as caught:
        stack.get("x?key=s3cret")

    assert script.sent == 0
    assert caught.value.sent == "no"
    assert "s3cret" not in str(caught.value)


def test_a_time_out_of_urllib3s_own_is_kept_and_capped_in_total() -> None:
    """Whoever builds one has thought about its parts; the budget holds all the same."""
    own = Timeout(connect=1, read=60)
    script = Script(200)
    limited = Keeper(lambda exchange: exchange.with_deadline(10.0))
    stack, _ = stack_over(script, limited, clock=FakeClock())

    stack.get("x", timeout=own)

    used: Any
    (used,) = script.timeouts
    assert (used.total, used.connect_timeout, own.total) == (10.0, 1, None)


@pytest.mark.parametrize(("given", "used"), [((5, None), (5, 10.0)), ((60, 1), (10.0, 1))])
def test_the_least_of_two_times_is_taken_for_each_part(given: Any, used: Any) -> None:
    """A part without a limit gets the one that there is."""
    script = Script(200)
    limited = Keeper(lambda exchange: exchange.with_deadline(10.0))
    stack, _ = stack_over(script, limited, clock=FakeClock())

    stack.get("x", timeout=given)

    assert script.timeouts == [used]
