"""The contract of shared stores: it finds the bad (see tests/integration for the good)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from sessionkit.testing import SharedTokenStoreContract
from sessionkit.testing.shared_contracts import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SQLITE = "from sessionkit.stores import SqliteTokenStore as Base"
SPOILT = {
    "keeps to itself": """
from sessionkit.stores import MemoryTokenStore
store = MemoryTokenStore()
""",
    "locks threads only": f"""
{SQLITE}, MemoryTokenStore
class Store(Base):
    threads = MemoryTokenStore()
    def lock(self, key, timeout):
        return self.threads.lock(key, timeout)
store = Store(PATH)
""",
    "one lock for all": f"""
{SQLITE}
class Store(Base):
    def lock(self, key, timeout):
        return super().lock("all", timeout)
store = Store(PATH)
""",
    "outlives its process": f"""
{SQLITE}
import os, contextlib
from sessionkit.errors import LockTimedOut
class Store(Base):
    @contextlib.contextmanager
    def lock(self, key, timeout):
        try:
            os.mkdir(PATH + ".held")
        except FileExistsError:
            raise LockTimedOut() from None
        yield
        os.rmdir(PATH + ".held")
store = Store(PATH)
""",
}


@contextmanager
def starting(opening: str) -> Iterator[Callable[[], Worker]]:
    workers: list[Worker] = []

    def start() -> Worker:
        workers.append(Worker(opening, 20.0))
        return workers[-1]

    try:
        yield start
    finally:
        for worker in workers:
            worker.close()


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("keeps to itself", "test_what_one_process_saves_another_loads"),
        ("locks threads only", "test_one_process_at_a_time_holds_a_lock"),
        ("one lock for all", "test_one_process_at_a_time_holds_a_lock"),
        ("keeps to itself", "test_a_waiting_process_gets_the_lock_when_it_comes_free"),
        ("outlives its process", "test_the_lock_of_a_killed_process_comes_free"),
        ("keeps to itself", "test_processes_that_renew_at_once_take_turns"),
        ("keeps to itself", "test_processes_that_save_for_many_users_undo_nothing"),
    ],
)
def test_a_store_that_breaks_a_rule_is_found_out(tmp_path: Path, name: str, test: str) -> None:
    """Who passes the contract can share a login between workers."""
    opening = f"PATH = {str(tmp_path / 'tokens.db')!r}\n{SPOILT[name]}"
    contract = SharedTokenStoreContract()
    contract.timeout = 1.0

    with starting(opening) as start, pytest.raises(AssertionError):
        getattr(contract, test)(start)


def test_a_store_that_cannot_be_made_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """Who made a mistake in the opening reads Python's own error."""
    with starting("store = Missing()") as start, pytest.raises(AssertionError, match="captured"):
        start().call("load", "app")
    assert "Missing" in capfd.readouterr().err


def test_a_contract_without_an_opening_says_what_is_missing() -> None:
    """Who forgets the fixture is told."""
    given = SharedTokenStoreContract.opening.__wrapped__  # type: ignore[attr-defined]  # set by pytest
    with pytest.raises(NotImplementedError, match="fixture named opening"):
        given(SharedTokenStoreContract())


@pytest.mark.parametrize(
    "name", [name for name in dir(SharedTokenStoreContract) if name[:5] == "test_"]
)
def test_each_test_of_the_contract_says_what_the_user_gains(name: str) -> None:
    """A red contract is understood by somebody who did not write it."""
    assert getattr(SharedTokenStoreContract, name).__doc__
