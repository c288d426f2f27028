"""Test classes to inherit for stores that several processes share. Needs pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Worker:
    """A process with a store of its own, driven from here.

    Args:
        opening: Python that makes the name ``store``.
        patience: How long it may take to end, in seconds.
    """

    def __init__(self, opening: str, patience: float) -> None:
        serving = "from sessionkit.testing._store_worker import serve\nserve(store)"
        self._patience = patience
        # The interpreter that runs the tests; what it runs is the test's own.
        self._process = subprocess.Popen(  # noqa: S603  # our own code, by the interpreter that runs
            [sys.executable, "-c", f"{opening}\n{serving}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, step: str, *arguments: Any) -> None:
        """Have it do a step of `sessionkit.testing._store_worker.Tasks`, and do not wait for it."""
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps([step, *arguments])}\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the end of a step, and return what came of it."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process ended; its error is in what was captured"
        return json.loads(line)

    def ask(self, step: str, *arguments: Any) -> Any:
        """Have it do a step, and return what came of it."""
        self.tell(step, *arguments)
        return self.answer()

    def kill(self) -> None:
        """End it as the system would for want of memory."""
        self._process.kill()
        self._process.communicate(timeout=self._patience)

    def close(self) -> None:
        """Let it end, or end it."""
        try:
            self._process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired:
            self.kill()


class SharedTokenStoreContract:
    """What holds for a store that processes share. Inherit it, and give an ``opening`` fixture.

    Attributes:
        patience: How long a step of a test may take, in seconds, before it counts as stuck.
        lease: For how long the lock of a killed process may stay held, in seconds; 0 where it is
            free at once.
    """

    patience: float = 20.0
    lease: float = 0.0

    @pytest.fixture
    def opening(self) -> str:
        """Return Python that makes the name ``store``, the same in each process; to be overridden.

        Such as ``from shop import MyStore; store = MyStore("shared://...")``.
        """
        raise NotImplementedError("give a fixture named opening")

    @pytest.fixture
    def start(self, opening: str) -> Iterator[Callable[[], Worker]]:
        """Return what starts a process; all are gone when the test ends."""
        with ExitStack() as workers:

            def started() -> Worker:
                worker = Worker(opening, self.patience)
                workers.callback(worker.close)
                return worker

            yield started

    def test_what_one_process_saves_another_loads(self, start: Callable[[], Worker]) -> None:
        """One worker's login is every worker's, and so is its logout."""
        one, other = start(), start()
        token = Token("access-1", scope="read", extra={"id": "ключ 🔑"}).to_dict()

        assert other.ask("load", "app") is None
        one.ask("save", "app", token)
        assert other.ask("load", "app") == token
        other.ask("forget", "app")
        assert one.ask("load", "app") is None

    def test_one_process_at_a_time_holds_a_lock(self, start: Callable[[], Worker]) -> None:
        """One worker renews; the others read meanwhile, and renew what is theirs."""
        one, other = start(), start()
        one.ask("save", "app", Token("access-1").to_dict())

        assert one.ask("hold", "app", self.patience)
        assert not other.ask("hold", "app", 0.0)
        assert not other.ask("hold", "app", 0.05)
        assert other.ask("hold", "other", self.patience)
        assert other.ask("load", "app") == {"value": "access-1"}
        one.ask("free", "app")
        assert other.ask("hold", "app", self.patience)

    def test_a_waiting_process_gets_the_lock_when_it_comes_free(
        self, start: Callable[[], Worker]
    ) -> None:
        """Nobody waits out a time-out for a renewal that has ended, and all see its token."""
        one, other = start(), start()
        other.ask("load", "app")

        assert one.ask("hold", "app", self.patience)
        other.tell("hold", "app", self.patience)
        one.ask("save", "app", Token("renewed").to_dict())
        one.ask("free", "app")
        assert other.answer()
        assert other.ask("load", "app") == {"value": "renewed"}

    def test_the_lock_of_a_killed_process_comes_free(self, start: Callable[[], Worker]) -> None:
        """A renewal that dies half-way holds up nobody, or no longer than the store's lease."""
        one, other = start(), start()
        assert one.ask("hold", "app", self.patience)
        assert not other.ask("hold", "app", 0.0)

        one.kill()

        killed = SYSTEM_CLOCK.monotonic()
        assert other.ask("hold", "app", self.lease + self.patience if self.lease else 0.0)
        assert SYSTEM_CLOCK.monotonic() - killed <= self.lease + self.patience

    def test_processes_that_renew_at_once_take_turns(self, start: Callable[[], Worker]) -> None:
        """Four workers in a race: no step of any is lost."""
        workers = [start() for _ in range(4)]
        for worker in workers:
            worker.tell("count", "app", 10, self.patience)
        for worker in workers:
            worker.answer()

        assert workers[0].ask("load", "app") == {"value": "40"}

    def test_processes_that_save_for_many_users_undo_nothing(
        self, start: Callable[[], Worker]
    ) -> None:
        """Four workers renew for a user each, all at once: every user's last token is there."""
        workers = {name: start() for name in ("ann", "bob", "cid", "dan")}
        for name, worker in workers.items():
            worker.tell("count", name, 25, self.patience)
        for worker in workers.values():
            worker.answer()

        kept = {name: workers["ann"].ask("load", name) for name in workers}
        assert kept == {name: {"value": "25"} for name in workers}
