"""Renewal events, and those who listen."""

from __future__ import annotations

import logging
import pickle
from typing import get_args

import pytest

from sessionkit.errors import ConfigError, RenewalFailed
from sessionkit.events import (
    Event,
    Listeners,
    TokenAdopted,
    TokenRenewalFailed,
    TokenRenewed,
    TokenWaited,
)

EVENTS = [
    TokenRenewed("app", 0.5, 0.1, early=False),
    TokenAdopted("app", 0.1),
    TokenWaited("app", 0.1),
    TokenRenewalFailed("app", 0.5, early=True, error=RenewalFailed("no")),
]

EVENT = TokenAdopted("app", 0.1)


def test_there_is_an_example_of_each_event() -> None:
    """No event escapes the tests below."""
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_travels_to_another_process(event: Event) -> None:
    """A listener may hand it to a queue."""
    copy = pickle.loads(pickle.dumps(event))

    assert type(copy) is type(event)
    assert copy[:2] == event[:2]


def test_each_listener_is_told_in_turn() -> None:
    """Metrics and an audit can listen side by side."""
    told: list[tuple[str, Event]] = []
    listeners = Listeners("app")
    listeners.add(lambda event: told.append(("first", event)))
    listeners.add(lambda event: told.append(("second", event)))

    listeners.send(EVENT)

    assert told == [("first", EVENT), ("second", EVENT)]


def test_what_cannot_listen_is_refused_at_once() -> None:
    """Not by a warning in a log at each renewal."""
    with pytest.raises(ConfigError, match="not str"):
        Listeners("app").add("print")  # type: ignore[arg-type]  # wrong on purpose


def test_a_listener_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in a metric costs no call, and is seen in the log."""
    told: list[Event] = []

    def failing(event: Event) -> None:
        raise ValueError("no such metric")

    listeners = Listeners("app")
    listeners.add(failing)
    listeners.add(told.append)
    with caplog.at_level(logging.WARNING, "sessionkit.auth"):
        listeners.send(EVENT)

    assert told == [EVENT]
    assert "a listener failed on TokenAdopted" in caplog.text
