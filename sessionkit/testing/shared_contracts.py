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

__all__ = ["SharedTokenStoreContract"]


class Worker:
    """A process with a store of its own, driven from here.

    Args:
        opening: Python that makes the name ``store``.
        timeout: How long it may take to end, in seconds.
    """

    def __init__(self, opening: str, timeout: float) -> None:
        serving = "from sessionkit.testing._store_worker import serve\nserve(store)"
        self._timeout = timeout
        # The interpreter that runs the tests; what it runs is the test's own.
        self._process = subprocess.Popen(  # noqa: S603  # our own code, by the interpreter that runs
            [sys.executable, "-c", f"{opening}\n{serving}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, step: str, *arguments: Any) -> None:
        """Send a step of `sessionkit.testing._store_worker.Tasks`; do not wait for its result."""
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps([step, *arguments])}\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        """Wait for the end of a step, and return its result."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process ended; its error is in what was captured"
        return json.loads(line)

    def call(self, step: str, *arguments: Any) -> Any:
        """Send it a step, and return its result."""
        self.send(step, *arguments)
        return self.result()

    def kill(self) -> None:
        """Kill it, as the system does when memory runs out."""
        self._process.kill()
        self._process.communicate(timeout=self._timeout)

    def close(self) -> None:
        """Let it end; kill it if it does not."""
        try:
            self._process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired:
            self.kill()


class SharedTokenStoreContract:
    """What holds for a store that processes share. Inherit it, and give an ``opening`` fixture.

    Attributes:
        timeout: How long a step of a test may take, in seconds, before it counts as stuck.
        lease: For how long the lock of a killed process may stay held, in seconds; 0 where it is
            free at once.
    """

    timeout: float = 20.0
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
                worker = Worker(opening, self.timeout)
                workers.callback(worker.close)
                return worker

            yield started

    def test_what_one_process_saves_another_loads(self, start: Callable[[], Worker]) -> None:
        """One worker's login is every worker's, and so is its logout."""
        one, other = start(), start()
        token = Token("access-1", scope="read", extra={"id": "ключ 🔑"}).to_dict()

        assert other.call("load", "app") is None
        one.call("save", "app", token)
        assert other.call("load", "app") == token
        other.call("delete", "app")
        assert one.call("load", "app") is None

    def test_one_process_at_a_time_holds_a_lock(self, start: Callable[[], Worker]) -> None:
        """One worker renews; the others read meanwhile, and renew what is theirs."""
        one, other = start(), start()
        one.call("save", "app", Token("access-1").to_dict())

        assert one.call("hold", "app", self.timeout)
        assert not other.call("hold", "app", 0.0)
        assert not other.call("hold", "app", 0.05)
        assert other.call("hold", "other", self.timeout)
        assert other.call("load", "app") == {"value": "access-1"}
        one.call("free", "app")
        assert other.call("hold", "app", self.timeout)

    def test_a_waiting_process_gets_the_lock_when_it_comes_free(
        self, start: Callable[[], Worker]
    ) -> None:
        """No waiter waits out its timeout for a renewal that has ended, and all see its token."""
        one, other = start(), start()
        other.call("load", "app")

        assert one.call("hold", "app", self.timeout)
        other.send("hold", "app", self.timeout)
        one.call("save", "app", Token("renewed").to_dict())
        one.call("free", "app")
        assert other.result()
        assert other.call("load", "app") == {"value": "renewed"}

    def test_the_lock_of_a_killed_process_comes_free(self, start: Callable[[], Worker]) -> None:
        """A renewal that dies half-way holds others up no longer than the store's lease."""
        one, other = start(), start()
        assert one.call("hold", "app", self.timeout)
        assert not other.call("hold", "app", 0.0)

        one.kill()

        killed = SYSTEM_CLOCK.monotonic()
        assert other.call("hold", "app", self.lease + self.timeout if self.lease else 0.0)
        assert SYSTEM_CLOCK.monotonic() - killed <= self.lease + self.timeout

    def test_processes_that_renew_at_once_take_turns(self, start: Callable[[], Worker]) -> None:
        """Four workers in a race: no step of any is lost."""
        workers = [start() for _ in range(4)]
        for worker in workers:
            worker.send("count", "app", 10, self.timeout)
        for worker in workers:
            worker.result()

        assert workers[0].call("load", "app") == {"value": "40"}

    def test_processes_that_save_for_many_users_undo_nothing(
        self, start: Callable[[], Worker]
    ) -> None:
        """Four workers renew for a user each, all at once: every user's last token is there."""
        workers = {name: start() for name in ("ann", "bob", "cid", "dan")}
        for name, worker in workers.items():
            worker.send("count", name, 25, self.timeout)
        for worker in workers.values():
            worker.result()

        kept = {name: workers["ann"].call("load", name) for name in workers}
        assert kept == {name: {"value": "25"} for name in workers}
