"""What each handler costs per call, on top of a stack without any.

``python -m benchmarks.handlers [--rounds 75] [--calls 30] [--instructions 0]`` prints one JSON
object: for each handler alone on a stack, medians of the CPU time that it adds to a call in
microseconds, over a transparent stack (which makes no exchange and keeps no record) and over a
handler that does nothing (so what it costs itself). ``--instructions 1`` counts instructions too,
by valgrind's callgrind: they repeat to 0.01 % on any machine, and take half a minute a handler.

Handlers are found in ``sessionkit.handlers``; one that cannot be made without arguments has its
line in ``MADE``.
"""

from __future__ import annotations

import gc
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

import sessionkit.handlers
from benchmarks.side_by_side import (
    Cost,
    PassThrough,
    cost,
    interleaved,
    median,
    report,
    serving,
    told,
)
from sessionkit import SessionStack, Token
from sessionkit.auth import AuthHandler, StaticToken

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSPARENT, PASS_THROUGH = "transparent", "pass-through"
#: How to make the handlers that need to be told something.
MADE: dict[str, Callable[[], Any]] = {
    "AuthHandler": lambda: AuthHandler(StaticToken(Token("t" * 40))),
    "SizeHandler": lambda: sessionkit.handlers.SizeHandler(1_000_000),
}
#: Calls under callgrind: what the longer run has more is what its further calls cost.
FEW, MANY = 40, 140


def makers() -> dict[str, Callable[[], Any]]:
    """Return how to make each handler that there is, by the name of its class."""
    names = [name for name in sessionkit.handlers.__all__ if name.endswith("Handler")]
    found = {name: getattr(sessionkit.handlers, name) for name in names}
    return {PASS_THROUGH: PassThrough, **found, **MADE}


def stacked(name: str, origin: str, stack: ExitStack) -> Callable[[], Any]:
    """Return a call through a stack with that handler alone."""
    handlers = () if name == TRANSPARENT else [makers()[name]()]
    session = stack.enter_context(requests.Session())
    return partial(SessionStack(session, handlers, base_url=origin).get, f"{origin}/orders/7")


def reduced(figures: dict[str, list[Cost]]) -> dict[str, Any]:
    """Reduce rounds to the medians of what each handler added within a round."""

    def added(name: str, base: str) -> float:
        pairs = zip(figures[name], figures[base], strict=True)
        return median(one.cpu - other.cpu for one, other in pairs)

    return {
        name: {
            "cpu_us_over_transparent": added(name, TRANSPARENT),
            "cpu_us_over_pass_through": added(name, PASS_THROUGH),
        }
        for name in figures
        if name != TRANSPARENT
    }


def instructions(name: str, origin: str) -> int:
    """Return the instructions of one call through a stack with that handler alone."""
    few, many = (_collected(name, origin, calls) for calls in (FEW, MANY))
    return (many - few) // (MANY - FEW)


def _collected(name: str, origin: str, calls: int) -> int:
    code = f"from benchmarks.handlers import repeat; repeat({name!r}, {origin!r}, {calls})"
    plain = [sys.executable, "-c", code]
    _run(plain)  # compiles what was changed since the last run
    counted = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    told_by_valgrind = _run([*counted, *plain])
    found = re.search(r"Collected : (\d+)", told_by_valgrind)
    assert found is not None, told_by_valgrind
    return int(found[1])


def _run(command: list[str]) -> str:
    """Run *command* in the root of the repository; return what it says of itself."""
    return subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stderr


def repeat(name: str, origin: str, calls: int) -> None:
    """Make so many calls; what callgrind runs."""
    gc.disable()  # it runs now and then, and would be counted with whoever made the last object
    with ExitStack() as stack:
        call = stacked(name, origin, stack)
        for _ in range(calls):
            call()


def main() -> None:
    """Measure and print."""
    options = told(__doc__, rounds=75, calls=30, instructions=0)
    names = [TRANSPARENT, *makers()]
    with serving() as server, ExitStack() as stack:
        calls = {name: stacked(name, server.origin, stack) for name in names}
        for call in calls.values():
            cost(call, 50)
        measured = {name: partial(cost, call, options.calls) for name, call in calls.items()}
        rows = reduced(interleaved(measured, options.rounds))
        if options.instructions and shutil.which("valgrind"):
            base = instructions(TRANSPARENT, server.origin)
            for name, row in rows.items():
                row["instructions_over_transparent"] = instructions(name, server.origin) - base
    report(rows)


if __name__ == "__main__":
    main()
