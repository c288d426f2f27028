"""Budgets of requests over real sockets, in many threads, and in four processes on one Redis."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack, recommended
from sessionkit.errors import RateLimited, RateLimitExhausted
from sessionkit.handlers import RateLimitHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.servers.real import redis_server
from tests.support.virtual_time import VirtualTime

ROOT = Path(__file__).parents[3]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session with a connection for each thread."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=16))
        yield session


class Metered:
    """An API with a budget of ten requests in each ten seconds; says so as it is told to."""

    def __init__(self, clock: Any, style: str) -> None:
        self._clock = clock
        self._style = style
        self._lock = threading.Lock()
        self._window = -1
        self._used = 0
        self.refused = 0

    def __call__(self, _: ServerRequest) -> ServerResponse:
        with self._lock:
            now = self._clock.monotonic()
            if now // 10 != self._window:
                self._window, self._used = now // 10, 0
            self._used += 1
            left, wait = 10 - self._used, (self._window + 1) * 10 - now
            self.refused += left < 0
        # By the server's own clock, which is the machine's, and years from the client's.
        epoch = math.ceil(time.time() + wait)
        fields: dict[str, dict[str, str]] = {
            "draft": {
                "RateLimit-Policy": '"default";q=10;w=10',
                "RateLimit": f'"default";r={max(left, 0)};t={wait:.0f}',
            },
            "three": {
                "RateLimit-Limit": "10, 10;w=10",
                "RateLimit-Remaining": f"{max(left, 0)}",
                "RateLimit-Reset": f"{wait:.0f}",
            },
            "epoch": {
                "X-RateLimit-Limit": "10",
                "X-RateLimit-Remaining": f"{max(left, 0)}",
                "X-RateLimit-Reset": f"{epoch}",
            },
            "refusal": {"Retry-After": f"{wait:.0f}"} if left < 0 else {},
        }
        status = 200 if left >= 0 else 429
        return ServerResponse(status, {}, fields[self._style])


@pytest.mark.parametrize("style", ["draft", "three", "epoch"])
def test_eight_threads_are_never_refused_by_a_server_that_tells_its_budget(
    session: requests.Session, style: str
) -> None:
    """96 calls against 10 in 10 s: all succeed at the first attempt, in 90 s or little more."""
    clock = VirtualTime()
    api = Metered(clock, style)
    with LoopbackServer(api) as server:
        stack = SessionStack(
            session, [RateLimitHandler(max_wait=1_000)], base_url=server.origin, clock=clock
        )
        results = clock.run(
            [lambda: [stack.get("x").status_code for _ in range(12)] for _ in range(8)]
        )

    assert results == [[200] * 12] * 8
    assert api.refused == 0
    assert 90.0 <= clock.monotonic() <= 120.0


@pytest.mark.parametrize("style", ["draft", "three", "epoch", "refusal"])
def test_with_retries_every_call_succeeds_whatever_the_server_tells(
    session: requests.Session, style: str
) -> None:
    """Where a server tells less, a few are refused, wait their time and succeed."""
    clock = VirtualTime()
    api = Metered(clock, style)
    with LoopbackServer(api) as server:
        stack = SessionStack(session, recommended(), base_url=server.origin, clock=clock)
        stack.handlers.add(RateLimitHandler(max_wait=1_000))
        results = clock.run(
            [lambda: [stack.get("x").status_code for _ in range(12)] for _ in range(8)]
        )

    assert results == [[200] * 12] * 8
    # Who is told nothing beforehand finds out by refusals, a few threads at a time.
    assert api.refused <= (8 * 12 if style == "refusal" else 0)


def test_a_rate_holds_over_threads_at_the_server(session: requests.Session) -> None:
    """What arrives is what was given leave: never more than ten in any second."""
    clock = VirtualTime()
    arrived: list[float] = []

    def respond(_: ServerRequest) -> ServerResponse:
        arrived.append(clock.monotonic())
        return ServerResponse(200)

    with LoopbackServer(respond) as server:
        stack = SessionStack(
            session, [RateLimitHandler("10/second")], base_url=server.origin, clock=clock
        )
        clock.run([lambda: [stack.get("x").status_code for _ in range(6)] for _ in range(8)])

    arrived.sort()
    assert len(arrived) == 48
    assert all(
        later - earlier >= 1.0 - 1e-6 for earlier, later in zip(arrived, arrived[10:], strict=False)
    )
    assert arrived[-1] < 4.3


def test_a_deadline_ends_a_wait_before_it_begins(session: requests.Session) -> None:
    """With the recommended handlers: the error is ours, at once, and nothing was sent."""
    clock = FakeClock()
    with LoopbackServer(lambda _: ServerResponse(200)) as server:
        stack = SessionStack(session, recommended(), base_url=server.origin, clock=clock)
        stack.handlers.add(RateLimitHandler((1, 30.0)))
        stack.get("x")
        with pytest.raises(RateLimitExhausted) as caught:
            stack.get("x", total_timeout=5.0)

    assert caught.value.retry_after == 30.05
    assert caught.value.duration == 0.0
    assert len(server.requests) == 1


def test_a_refusal_that_nobody_waits_for_stops_the_others(session: requests.Session) -> None:
    """After a 429 for an hour, the next calls fail here instead of at the server."""
    with LoopbackServer(lambda _: ServerResponse(429, {}, {"Retry-After": "3600"})) as server:
        stack = SessionStack(session, recommended(), base_url=server.origin, clock=FakeClock())
        stack.handlers.add(RateLimitHandler())
        with pytest.raises(RateLimited):
            stack.get("x")
        for _ in range(5):
            with pytest.raises(RateLimitExhausted):
                stack.get("x")

    assert len(server.requests) == 1


class Worker:
    """A process of tests/support/workers/rate.py."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.workers.rate", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        """Wait for the next line that it says."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def start(self) -> None:
        """Let all its threads call."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Let it end."""
        self._process.communicate(timeout=30)


def test_four_processes_of_four_threads_keep_one_rate(tmp_path: Path) -> None:
    """160 calls at 40 a second: in no second, wherever it begins, are more than 40 let through."""
    with (
        redis_server(tmp_path) as redis,
        LoopbackServer(lambda _: ServerResponse(200)) as server,
        ExitStack() as stack,
    ):
        workers = []
        for _ in range(4):
            worker = Worker(server.origin, redis, "40", "4", "10")
            stack.callback(worker.close)
            workers.append(worker)
        assert [worker.line() for worker in workers] == ["ready\n"] * 4
        for worker in workers:
            worker.start()
        sent_moments = sorted(
            sent_at for worker in workers for sent_at in json.loads(worker.line())
        )

        assert len(server.requests) == len(sent_moments) == 160
    # Each of 160 leaves was given more than a second after the fortieth before it. When they
    # arrive is up to the load of this machine, so that is not what is asked here.
    assert all(
        later - earlier > 1.0 - 1e-6
        for earlier, later in zip(sent_moments, sent_moments[40:], strict=False)
    )
