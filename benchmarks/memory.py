"""What many calls leave behind: memory, and objects for the collector of cycles.

``python -m benchmarks.memory [--calls 100000]`` prints one JSON object about calls made one after
the other through ``recommended`` with a token, and fails where they leave something behind:

- growth of the process (RSS) and of its blocks of memory from the first tenth of the calls to the
  last;
- growth that tracemalloc finds over 2,000 further calls;
- objects of cyclic garbage per call over 1,000 more, with the collector switched off, beside those
  of the bare session.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING, Any

import requests

from benchmarks.side_by_side import garbage, report, resident, serving, told
from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import StaticToken

if TYPE_CHECKING:
    from collections.abc import Callable

#: What may be left after 100,000 calls, in KiB (less than a byte for each) and in blocks.
MOST_GROWTH = 64
MOST_BLOCKS = 500
TRACED = 2_000
COLLECTED = 1_000


def held() -> tuple[int | None, int]:
    """Return the KiB and the blocks of memory in use."""
    gc.collect()
    return resident(), sys.getallocatedblocks()


def growth(call: Callable[[], Any], calls: int) -> dict[str, Any]:
    """Return what *calls* of it left, of which a tenth is made first."""
    for _ in range(calls // 10):
        call()
    kib, blocks = held()
    for _ in range(calls - calls // 10):
        call()
    later, more = held()
    return {
        "calls": calls,
        "resident_kib": later,
        "resident_growth_kib": None if kib is None or later is None else later - kib,
        "blocks_growth": more - blocks,
    }


def traced_growth(call: Callable[[], Any], calls: int) -> int:
    """Return the bytes that tracemalloc sees left behind by *calls* of it."""
    tracemalloc.start()
    try:
        for _ in range(calls // 10):
            call()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(calls):
            call()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def call(session: requests.Session, url: str) -> None:
    """Make one call, as a user does."""
    session.get(url).json()


def main() -> None:
    """Measure and print."""
    calls = told(__doc__, calls=100_000).calls
    with serving() as server, requests.Session() as bare, requests.Session() as session:
        url = f"{server.origin}/orders/7"
        token = StaticToken(Token("t" * 40))
        stack = SessionStack(session, recommended(token), base_url=server.origin)
        ours, plain = partial(call, stack, url), partial(call, bare, url)
        figures = growth(ours, calls)
        figures["traced_growth_bytes"] = traced_growth(ours, TRACED)
        figures["traced_calls"] = TRACED
        plain()
        figures["garbage_per_call"] = garbage(ours, COLLECTED)
        figures["garbage_per_call_bare"] = garbage(plain, COLLECTED)
    figures["flat"] = is_flat(figures)
    report(figures)
    sys.exit(not figures["flat"])


def is_flat(figures: dict[str, Any]) -> bool:
    """Tell whether the calls left nothing behind that grows with their number."""
    return (
        (figures["resident_growth_kib"] or 0) <= MOST_GROWTH
        and figures["blocks_growth"] <= MOST_BLOCKS
        and figures["traced_growth_bytes"] < TRACED
        and figures["garbage_per_call"] == 0
    )


if __name__ == "__main__":
    main()
