"""Laws of the chain: whatever is done to it, names stay unique and the order is what was asked."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sessionkit import CallNext, Exchange
from sessionkit.chain._chain import Handlers
from sessionkit.errors import ConfigError

NAMES = st.sampled_from(["errors", "retry", "auth", "cache", "mine", "a b", "ä"])
PLACES = st.sampled_from([(), ("outermost",), ("before",), ("after",), ("before", "after")])


class Numbered:
    """A handler that can be told from all others."""

    made = 0

    def __init__(self) -> None:
        Numbered.made += 1
        self.number = Numbered.made

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange)


class ChainEdits(RuleBasedStateMachine):
    """Edits of a chain beside the same edits of a plain list, which is the law."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = Handlers()
        self.model: list[tuple[str, Numbered]] = []
        self.taken: list[tuple[Any, tuple[str, ...]]] = []

    def index(self, name: str) -> int | None:
        """Return the place that *name* should have."""
        return next((at for at, (known, _) in enumerate(self.model) if known == name), None)

    @rule(name=NAMES, place=PLACES, anchor=NAMES)
    def add(self, name: str, place: tuple[str, ...], anchor: str) -> None:
        """Add a handler in any way, possible or not."""
        handler, at = Numbered(), self.index(anchor)
        places: dict[str, Any] = {word: True if word == "outermost" else anchor for word in place}
        needs_anchor = "before" in place or "after" in place
        if self.index(name) is not None or len(place) > 1 or (needs_anchor and at is None):
            with pytest.raises(ConfigError):
                self.chain.add(handler, name=name, **places)
            return
        self.chain.add(handler, name=name, **places)
        where = len(self.model)
        if place == ("outermost",):
            where = 0
        elif at is not None and needs_anchor:
            where = at + (place == ("after",))
        self.model.insert(where, (name, handler))

    @rule(name=NAMES)
    def replace(self, name: str) -> None:
        """Put another handler in the place of one that may be there."""
        handler, at = Numbered(), self.index(name)
        if at is None:
            with pytest.raises(ConfigError):
                self.chain.replace(name, handler)
            return
        self.chain.replace(name, handler)
        self.model[at] = (name, handler)

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        """Take out a handler that may be there."""
        at = self.index(name)
        if at is None:
            with pytest.raises(ConfigError):
                self.chain.remove(name)
            return
        self.chain.remove(name)
        del self.model[at]

    @rule()
    def look(self) -> None:
        """Keep what the chain is now, as a call under way does."""
        self.taken.append((self.chain._links, self.chain.names))

    @invariant()
    def names_are_unique_and_in_order(self) -> None:
        """The chain is what the edits that succeeded make of it."""
        assert self.chain.names == tuple(name for name, _ in self.model)
        assert list(self.chain) == [handler for _, handler in self.model]
        assert len(set(self.chain.names)) == len(self.chain) == len(self.model)
        assert all(self.chain[name] is handler for name, handler in self.model)
        assert all(name in self.chain for name, _ in self.model)

    @invariant()
    def what_was_taken_stays(self) -> None:
        """No edit touches a chain that a call already has."""
        for links, names in self.taken:
            assert tuple(link.name for link in links) == names


def test_any_sequence_of_edits_keeps_names_unique_and_in_order() -> None:
    """A chain can be edited by a program, in any order, and is never left half changed."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(ChainEdits)
