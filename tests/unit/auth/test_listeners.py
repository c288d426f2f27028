"""Those who want to hear of renewals."""

from __future__ import annotations

import logging

import pytest

from sessionkit.auth._listeners import Listeners
from sessionkit.errors import ConfigError
from sessionkit.events import Event, TokenAdopted

EVENT = TokenAdopted("app", 0.1)


def test_each_listener_is_told_in_turn() -> None:
    """Metrics and an audit can listen side by side."""
    told: list[tuple[str, Event]] = []
    listeners = Listeners("app")
    listeners.add(lambda event: told.append(("first", event)))
    listeners.add(lambda event: told.append(("second", event)))

    listeners.tell(EVENT)

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
        listeners.tell(EVENT)

    assert told == [EVENT]
    assert "a listener failed on TokenAdopted" in caplog.text
