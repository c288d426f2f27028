"""What a stack costs per call, against the bare session, in one interleaved run.

``python -m benchmarks.overhead [--rounds 31] [--calls 150]`` prints one JSON object: for each way
of making a call the medians of CPU and wall time in microseconds, and the medians of their ratios
to the bare session within a round.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.side_by_side import (
    Cost,
    PassThrough,
    cost,
    interleaved,
    median,
    ratio,
    report,
    serving,
    told,
)
from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import StaticToken

if TYPE_CHECKING:
    from collections.abc import Callable


def ways(origin: str, stack: ExitStack) -> dict[str, Callable[[], Any]]:
    """Return the ways of making a call that are compared; each has a session of its own."""

    def stacked(handlers: Any) -> SessionStack:
        session = stack.enter_context(requests.Session())
        return SessionStack(session, handlers, base_url=origin)

    sessions: dict[str, requests.Session] = {
        "bare": stack.enter_context(requests.Session()),
        "transparent": stacked(()),
        "recommended": stacked(recommended(StaticToken(Token("t" * 40)))),
        "recommended, no auth": stacked(recommended()),
        "1 pass-through": stacked({"h": PassThrough()}),
        "8 pass-through": stacked({f"h{i}": PassThrough() for i in range(8)}),
        "16 pass-through": stacked({f"h{i}": PassThrough() for i in range(16)}),
    }
    return {name: partial(call, session, origin) for name, session in sessions.items()}


def call(session: requests.Session, origin: str) -> None:
    """Make one call, as a user does."""
    session.get(f"{origin}/orders/7").json()


def reduced(figures: dict[str, list[Cost]]) -> dict[str, Any]:
    """Reduce rounds to medians, and to ratios within each round."""
    bare = figures["bare"]
    rows: dict[str, Any] = {
        name: {
            "cpu_us": median(one.cpu for one in rounds),
            "wall_us": median(one.wall for one in rounds),
            "cpu_ratio": ratio((one.cpu for one in rounds), (one.cpu for one in bare)),
            "wall_ratio": ratio((one.wall for one in rounds), (one.wall for one in bare)),
        }
        for name, rounds in figures.items()
    }
    pairs = zip(figures["16 pass-through"], figures["8 pass-through"], strict=True)
    slope = ((sixteen.cpu - eight.cpu) / 8 for sixteen, eight in pairs)
    rows["one more pass-through handler, cpu_us"] = median(slope, 2)
    return rows


def main() -> None:
    """Measure and print."""
    options = told(__doc__, rounds=31, calls=150)
    with serving() as server, ExitStack() as stack:
        compared = ways(server.origin, stack)
        for one in compared.values():
            cost(one, 50)
        measured = {name: partial(cost, one, options.calls) for name, one in compared.items()}
        figures = interleaved(measured, options.rounds)
    report(reduced(figures))


if __name__ == "__main__":
    main()
