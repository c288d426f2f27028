"""What all benchmarks share: a server in its own process, interleaved rounds, medians, one report.

Ways of doing one thing are measured in turn within each round, because a shared machine drifts by
a third within minutes: ratios inside a round hold, microseconds do not.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

T = TypeVar("T")


class Cost(NamedTuple):
    """What one call costs, in microseconds."""

    cpu: float
    wall: float


class Server:
    """A server in a process of its own.

    Attributes:
        origin: Where it listens.
    """

    def __init__(self, process: subprocess.Popen[str], origin: str) -> None:
        self._process = process
        self.origin = origin

    def ask(self, what: str) -> Any:
        """Return the figure that the server has under the name *what*."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(what, file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


class PassThrough:
    """A handler that does nothing."""

    def handle(self, exchange: Any, call_next: Any) -> Any:
        """Forward."""
        return call_next(exchange)


@contextmanager
def serving(name: str = "fast_server", *arguments: str) -> Iterator[Server]:
    """Start the server of that name; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Server(process, f"http://127.0.0.1:{process.stdout.readline().strip()}")
        process.communicate()


def answer_questions(figures: Mapping[str, Callable[[], Any]], port: int) -> None:
    """Be the server that :class:`Server` asks: say the port, then figures, until the input ends."""
    print(port, flush=True)
    for line in sys.stdin:
        print(json.dumps(figures[line.strip()]()), flush=True)
    # Threads wait in accept and recv; nothing of theirs is worth a farewell.
    os._exit(0)


def cost(call: Callable[[], Any], calls: int) -> Cost:
    """Return what one call costs, over *calls* of them."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Cost(cpu / calls * 1e6, wall / calls * 1e6)


def interleaved(ways: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return what each way gave in each round; within a round they take turns."""
    given: dict[str, list[T]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            given[name].append(way())
    return given


def median(values: Iterable[float], digits: int = 1) -> float:
    """Return the median, rounded."""
    return round(statistics.median(values), digits)


def ratio(rounds: Iterable[float], base: Iterable[float]) -> float:
    """Return the median of the ratios within each round."""
    return median((one / other for one, other in zip(rounds, base, strict=True)), 3)


def garbage(call: Callable[[], Any], calls: int) -> float:
    """Return how many objects a call leaves for the collector of cycles."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(calls):
            call()
        return round(gc.collect() / calls, 2)
    finally:
        gc.enable()


def resident() -> int | None:
    """Return the memory this process holds, in KiB; None where /proc does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def told(text: str | None, **numbers: int) -> argparse.Namespace:
    """Return the options of the command line: whole numbers, each with its default."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, number in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=number, help=f"default: {number}")
    return parser.parse_args()


def report(figures: Any) -> None:
    """Print the one JSON object that a benchmark is for."""
    print(json.dumps(figures, indent=2))
