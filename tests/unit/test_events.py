"""What happens to tokens, told to those who listen."""

from __future__ import annotations

import pickle
from typing import get_args

import pytest

from sessionkit.errors import RenewalFailed
from sessionkit.events import (
    Event,
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


def test_there_is_an_example_of_each_event() -> None:
    """No event escapes the tests below."""
    assert {type(event) for event in EVENTS} == set(get_args(Event))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_travels_to_another_process(event: Event) -> None:
    """A listener may hand it to a queue."""
    copy = pickle.loads(pickle.dumps(event))

    assert type(copy) is type(event)
    assert copy[:2] == event[:2]
