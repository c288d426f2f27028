"""The demo's failures on demand."""

from __future__ import annotations

import json

import pytest

from sessionkit.demo._faults import Faults
from sessionkit.demo._messages import Ask
from sessionkit.testing import FakeClock


def ask(**query: str) -> Ask:
    """A request with *query*."""
    return Ask("GET", "/api/flaky", query)


@pytest.mark.parametrize(("query", "after"), [({}, "1"), ({"after": "7"}, "7")])
def test_a_busy_server_says_when_to_come_back(query: dict[str, str], after: str) -> None:
    """A 503 with the Retry-After that the client chose."""
    reply = Faults(clock=FakeClock()).busy(ask(**query))

    assert (reply.status, reply.headers["Retry-After"]) == (503, after)


def test_a_flaky_server_recovers_for_each_key_by_itself() -> None:
    """A retry can be shown, by several threads at once."""
    faults = Faults(clock=FakeClock())

    first = [faults.flaky(ask(key="a", times="2")) for _ in range(3)]

    assert [reply.status for reply in first] == [503, 503, 200]
    assert json.loads(first[-1].body) == {"key": "a", "tries": 3}
    assert faults.flaky(ask(key="b")).status == 503
    assert faults.flaky(ask(key="b")).status == 200


@pytest.mark.parametrize(
    ("query", "seconds"), [({}, 0.1), ({"ms": "40"}, 0.04), ({"ms": "9999"}, 5.0)]
)
def test_a_slow_answer_takes_its_time(query: dict[str, str], seconds: float) -> None:
    """Slowness is bounded, so that no test hangs on it."""
    clock = FakeClock()
    begun = clock.monotonic()

    assert Faults(clock=clock).slow(ask(**query)).status == 200
    assert clock.monotonic() - begun == pytest.approx(seconds)
