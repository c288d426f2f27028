"""One renewal over processes, on one store, and what is left when one of them is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

ROOT = Path(__file__).parents[3]


class Worker:
    """A process of tests/support/workers/renewal.py."""

    def __init__(self, origin: str, store: str, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.workers.renewal", origin, store, str(threads)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, path: str) -> None:
        """Let all threads of the process call *path*."""
        assert self._process.stdin is not None
        self._process.stdin.write(path + "\n")
        self._process.stdin.flush()

    def results(self) -> list[str]:
        """Wait for what came back."""
        assert self._process.stdout is not None
        results: list[str] = json.loads(self._process.stdout.readline())
        return results

    def kill(self) -> None:
        """Kill it, as the kernel would for want of memory."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(30)

    def close(self) -> None:
        """Let it end."""
        self._process.communicate(timeout=30)


@contextmanager
def workers(count: int, *, origin: str, store: str, threads: int) -> Iterator[list[Worker]]:
    """Start *count* processes that share one store."""
    with ExitStack() as stack:
        started = []
        for _ in range(count):
            worker = Worker(origin, store, threads)
            stack.callback(worker.close)
            started.append(worker)
        yield started


def everywhere(processes: list[Worker], path: str) -> list[str]:
    """Call *path* in all threads of all processes at once."""
    for worker in processes:
        worker.start(path)
    return [result for worker in processes for result in worker.results()]


@pytest.mark.parametrize(
    "store",
    [
        "sqlite://{}/tokens",
        "file://{}/tokens",
        "encrypted+sqlite://{}/tokens?keys_env=TEST_TOKEN_KEYS",
    ],
)
def test_four_processes_of_four_threads_renew_once_for_each_of_five_expiries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    """80 of 80 calls succeed with 5 renewals, at a server that ends the family on any reuse."""
    monkeypatch.setenv("TEST_TOKEN_KEYS", EncryptedTokenStore.new_key())
    identity = IdentityProvider()
    url = store.format(tmp_path)
    with (
        LoopbackServer(identity.respond) as server,
        workers(4, origin=server.origin, store=url, threads=4) as processes,
    ):
        everywhere(processes, "/login")
        renewals = identity.renewals
        results = []
        for number in range(5):
            identity.expire()
            results += everywhere(processes, f"/round/{number}")

        assert results == ["200"] * 80
        assert identity.renewals - renewals == 5
        assert identity.reuse_detected == 0
    assert (tmp_path / "tokens").stat().st_mode & 0o777 == 0o600


class Holding(IdentityProvider):
    """An identity server that can hold a renewal, before or after it has consumed the token."""

    def __init__(self, *, consume: bool) -> None:
        super().__init__()
        self.consume = consume
        self.armed = False
        self.caught = threading.Event()
        self.go_on = threading.Event()

    def token(self, seen: ServerRequest) -> ServerResponse:
        """Answer a token request; the first one after ``armed`` is held and never answered."""
        with self.lock:
            held, self.armed = self.armed, False
        if not held:
            return super().token(seen)
        if self.consume:
            super().token(seen)
        self.caught.set()
        self.go_on.wait(30)
        return ServerResponse(503)


def killed_in_the_middle(tmp_path: Path, identity: Holding) -> tuple[list[str], Any]:
    """Kill the process that renews; return what the others' calls came to, then and later."""
    with (
        LoopbackServer(identity.respond) as server,
        workers(
            3, origin=server.origin, store=f"sqlite://{tmp_path}/tokens.db", threads=4
        ) as processes,
    ):
        victim, *others = processes
        everywhere(processes, "/login")
        identity.expire()
        identity.armed = True
        victim.start("/victim")
        assert identity.caught.wait(30)
        for worker in others:
            worker.start("/others")
        victim.kill()
        identity.go_on.set()
        results = [result for worker in others for result in worker.results()]
        return results, everywhere(others, "/later")


def test_a_process_killed_before_the_server_acted_costs_the_others_nothing(tmp_path: Path) -> None:
    """Its lock is free at once; another one renews, and all calls end well."""
    identity = Holding(consume=False)

    results, later = killed_in_the_middle(tmp_path, identity)

    assert results == ["200"] * 8
    assert later == ["200"] * 8
    assert identity.renewals == 2
    assert identity.reuse_detected == 0


def test_a_process_killed_after_the_server_acted_leaves_one_clear_error(tmp_path: Path) -> None:
    """The successor is lost with the process; everybody is told so, and how to go on."""
    identity = Holding(consume=True)

    results, later = killed_in_the_middle(tmp_path, identity)

    for result in results + later:
        assert result.startswith("LoginRequired")
        assert "stopped before it could save" in result
        assert "handlers['auth'].login()" in result
        assert "***" not in result
    # Asked once by each process that came to know, never again.
    assert identity.reuse_detected <= 2
