"""Calls per second of many threads on one stack, against as many on one bare session.

``python -m benchmarks.throughput [--rounds 3] [--delay 5]`` prints one JSON object. The server
takes *delay* milliseconds for an answer. For 1, 8, 32 and 64 threads, over the default pool (10
connections) and, where that is too small, over one with a connection for each thread: medians of
calls per second, of their ratio to the bare session within a round, and of the connections opened
for a call, as the server counted them. ``steady``: each thread calls on and on; ``burst``: all
threads start each call at once, as a fan-out does.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter

from benchmarks.side_by_side import interleaved, median, ratio, report, serving, told
from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import StaticToken

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.side_by_side import Server

THREADS = (1, 8, 32, 64)
#: Calls of each thread in a round; fewer where there are more, so that a round stays short.
CALLS = {1: 50, 8: 30, 32: 10, 64: 6}


class Rate(NamedTuple):
    """What many threads came to: calls per second, and connections opened for one call."""

    calls: float
    opened: float


def sessions(origin: str, pool: int, stack: ExitStack) -> dict[str, requests.Session]:
    """Return the sessions that are compared, each over a pool of its own."""

    def plain() -> requests.Session:
        session = stack.enter_context(requests.Session())
        session.mount("http://", HTTPAdapter(pool_maxsize=pool))
        return session

    token = StaticToken(Token("t" * 40))
    return {
        "bare": plain(),
        "transparent": SessionStack(plain(), base_url=origin),
        "recommended": SessionStack(plain(), recommended(token), base_url=origin),
    }


def rate(session: requests.Session, server: Server, threads: int, *, burst: bool) -> Rate:
    """Have *threads* call through one session; return what came of it."""
    gate, step = threading.Barrier(threads + 1), threading.Barrier(threads)
    failed: list[BaseException] = []

    def work() -> None:
        gate.wait()
        try:
            for number in range(CALLS[threads]):
                if burst and number:
                    step.wait()
                session.get(f"{server.origin}/orders/7").json()
        except BaseException as error:  # noqa: BLE001  # raised where the crew is waited for
            failed.append(error)
            step.abort()

    crew = [threading.Thread(target=work) for _ in range(threads)]
    for thread in crew:
        thread.start()
    opened = server.ask("connections")
    gate.wait()
    began = time.perf_counter()
    for thread in crew:
        thread.join()
    seconds = time.perf_counter() - began
    if failed:
        raise failed[0]
    calls = threads * CALLS[threads]
    return Rate(calls / seconds, (server.ask("connections") - opened) / calls)


def reduced(figures: dict[str, list[Rate]]) -> dict[str, Any]:
    """Reduce rounds to medians, and to ratios within each round."""
    bare = figures["bare"]
    return {
        name: {
            "calls_per_second": median(one.calls for one in rounds),
            "ratio_to_bare": ratio((one.calls for one in rounds), (one.calls for one in bare)),
            "connections_per_call": median((one.opened for one in rounds), 3),
        }
        for name, rounds in figures.items()
    }


def compared(server: Server, threads: int, pool: int, *, burst: bool, rounds: int) -> Any:
    """Compare the sessions with so many threads over such a pool."""
    with ExitStack() as stack:
        ways: dict[str, Callable[[], Rate]] = {
            name: partial(rate, session, server, threads, burst=burst)
            for name, session in sessions(server.origin, pool, stack).items()
        }
        interleaved(ways, 1)
        return reduced(interleaved(ways, rounds))


def main() -> None:
    """Measure and print."""
    options = told(__doc__, rounds=3, delay=5)
    with serving("fast_server", str(options.delay)) as server:
        report(
            {
                f"{threads} threads": {
                    pool: {
                        manner: compared(server, threads, size, burst=burst, rounds=options.rounds)
                        for manner, burst in (("steady", False), ("burst", True))
                        if threads > 1 or not burst
                    }
                    for pool, size in pools(threads).items()
                }
                for threads in THREADS
            }
        )


def pools(threads: int) -> dict[str, int]:
    """Return the sizes of pool worth looking at for so many threads."""
    sizes = {"default pool": DEFAULT_POOLSIZE}
    return sizes if threads <= DEFAULT_POOLSIZE else {**sizes, "pool_maxsize = threads": threads}


if __name__ == "__main__":
    main()
