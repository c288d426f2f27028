"""What a stack costs per call, against the bare session, in one interleaved run.

``python benchmarks/overhead.py [--rounds 31] [--calls 150]`` prints one JSON object: for each way
of making a call the medians of CPU and wall time in microseconds, and the medians of their ratios
to the bare session within a round. A server in its own process answers; ratios hold, microseconds
drift.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import StaticToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class PassThrough:
    """A handler that does nothing."""

    def handle(self, exchange: Any, forward: Any) -> Any:
        """Forward."""
        return forward(exchange)


@contextmanager
def server() -> Iterator[str]:
    """Start the fast server in its own process; yield its origin."""
    path = Path(__file__).with_name("fast_server.py")
    with subprocess.Popen(
        [sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.communicate()


def ways(origin: str, stack: ExitStack) -> dict[str, Callable[[], requests.Response]]:
    """Return the ways of making a call that are compared; each has a session of its own."""

    def stacked(handlers: Any) -> SessionStack:
        session = stack.enter_context(requests.Session())
        return SessionStack(session, handlers, base_url=origin)

    bare = stack.enter_context(requests.Session())
    stacks = {
        "transparent": stacked(()),
        "recommended": stacked(recommended(StaticToken(Token("t" * 40)))),
        "recommended, no auth": stacked(recommended()),
        "1 pass-through": stacked({"h": PassThrough()}),
        "8 pass-through": stacked({f"h{i}": PassThrough() for i in range(8)}),
        "16 pass-through": stacked({f"h{i}": PassThrough() for i in range(16)}),
    }
    url = f"{origin}/orders/7"
    calls: dict[str, Callable[[], requests.Response]] = {"bare": partial(bare.get, url)}
    for name, made in stacks.items():
        calls[name] = partial(made.get, url)
    return calls


def measure(call: Callable[[], requests.Response], calls: int) -> tuple[float, float]:
    """Return CPU and wall microseconds of one call, over *calls* of them."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call().json()
    return (
        (time.process_time() - cpu) / calls * 1e6,
        (time.perf_counter() - wall) / calls * 1e6,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--calls", type=int, default=150)
    options = parser.parse_args()
    figures: dict[str, list[tuple[float, float]]] = {}
    with server() as origin, ExitStack() as stack:
        compared = ways(origin, stack)
        for call in compared.values():
            measure(call, 50)
        for _ in range(options.rounds):
            for name, call in compared.items():
                figures.setdefault(name, []).append(measure(call, options.calls))
    print(json.dumps(report(figures), indent=2))


def report(figures: dict[str, list[tuple[float, float]]]) -> dict[str, Any]:
    """Reduce rounds to medians, and to ratios within each round."""
    bare = figures["bare"]
    rows: dict[str, Any] = {}
    for name, rounds in figures.items():
        pairs = list(zip(rounds, bare, strict=True))
        rows[name] = {
            "cpu_us": round(statistics.median(cpu for cpu, _ in rounds), 1),
            "wall_us": round(statistics.median(wall for _, wall in rounds), 1),
            "cpu_ratio": round(statistics.median(one[0] / other[0] for one, other in pairs), 3),
            "wall_ratio": round(statistics.median(one[1] / other[1] for one, other in pairs), 3),
        }
    slope = [
        (sixteen[0] - eight[0]) / 8
        for sixteen, eight in zip(
            figures["16 pass-through"], figures["8 pass-through"], strict=True
        )
    ]
    rows["one more pass-through handler, cpu_us"] = round(statistics.median(slope), 2)
    return rows


if __name__ == "__main__":
    main()
