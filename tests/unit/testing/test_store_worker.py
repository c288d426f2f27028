"""The process that uses a store as it is told."""

from __future__ import annotations

import io
import json

import pytest

from sessionkit._tokens import Token
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing._store_worker import Tasks, serve


def test_each_line_is_a_step_and_has_an_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A test in another process knows when a step is done, and what came of it."""
    steps = [
        ["load", "app"],
        ["save", "app", {"value": "a"}],
        ["load", "app"],
        ["delete", "app"],
        ["load", "app"],
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{json.dumps(s)}\n" for s in steps)))

    serve(MemoryTokenStore())

    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert answers == [None, None, {"value": "a"}, None, None]


def test_a_lock_is_kept_until_it_is_freed() -> None:
    """Another process finds it held for as long as the test wants."""
    store = MemoryTokenStore()
    one, other = Tasks(store), Tasks(store)

    assert one.hold("app", 1.0)
    assert not other.hold("app", 0.0)
    one.free("app")
    assert other.hold("app", 0.0)


def test_counting_starts_where_the_last_one_stopped() -> None:
    """Each step is seen by the next, or the count would be too low."""
    store = MemoryTokenStore()
    Tasks(store).count("app", 3, 1.0)
    Tasks(store).count("app", 2, 1.0)

    assert store.load("app") == Token("5")
