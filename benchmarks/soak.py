"""Many calls on a server that fails one in ten, in ten ways: each ends well or in our error.

``python -m benchmarks.soak [--calls 20000] [--threads 8]`` prints the sums as one JSON object, and
fails where a call ended in anything but the right answer or a ``SessionKitError``, or where
threads, connections or memory stayed behind.
"""

from __future__ import annotations

import gc
import io
import itertools
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from urllib3.util import Retry

from benchmarks.side_by_side import report, resident, serving, told
from sessionkit import SessionKitError, SessionStack, recommended
from sessionkit.auth import ClientCredentials
from sessionkit.handlers import RetryHandler, TimeoutHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.side_by_side import Server

#: Seconds a stalled answer is waited for; far more than a whole one takes.
READ_TIMEOUT = 0.2
UPLOAD = b"x" * 5_000
#: Calls before the first count: they load what is loaded once, and fill the pool.
WARM = 250
#: Growth that is no leak: what caches, the allocator and the collector hold by chance.
MOST_KIB = 4_096
MOST_BLOCKS = 2_000


class Soak:
    """Calls from many threads through one stack, and what became of them."""

    def __init__(self, stack: SessionStack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self.ended: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.attempts = 0

    def run(self, calls: int, threads: int) -> None:
        """Make so many calls from so many threads."""
        numbers = itertools.count()

        def work() -> None:
            while (number := next(numbers)) < calls:
                self._one(KINDS[number % len(KINDS)])

        crew = [threading.Thread(target=work) for _ in range(threads)]
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()

    def _one(self, kind: Callable[[SessionStack], tuple[requests.Response, bool]]) -> None:
        wrong = ""
        try:
            response, whole = kind(self._stack)
        except SessionKitError as error:
            end, attempts = type(error).__name__, error.attempts or 0
        except Exception as error:  # noqa: BLE001  # counted, and the end of the run
            end, attempts, wrong = "wrong", 0, f"{type(error).__name__}: {error}"
        else:
            end, attempts = "success", len(response.record.attempts)  # type: ignore[attr-defined]  # set by the stack
            wrong = "" if whole else "an answer that is not the whole one"
        with self._lock:
            self.ended[end] += 1
            self.attempts += attempts
            if wrong:
                self.wrong[wrong] += 1


def plain(stack: SessionStack) -> tuple[requests.Response, bool]:
    """Ask for one object."""
    response = stack.get("orders/7")
    return response, response.json() == {"size": 0}


def streamed(stack: SessionStack) -> tuple[requests.Response, bool]:
    """Read an answer as it comes."""
    with stack.get("orders", stream=True) as response:
        body = b"".join(response.iter_content(8))
    return response, body == b'{"size": 0}'


def uploaded(stack: SessionStack) -> tuple[requests.Response, bool]:
    """Send a file: what is not idempotent is tried again only if it was surely not done."""
    response = stack.post("uploads", data=io.BytesIO(UPLOAD))
    return response, response.json() == {"size": len(UPLOAD)}


def hurried(stack: SessionStack) -> tuple[requests.Response, bool]:
    """Replace an object within a deadline."""
    response = stack.put("uploads/7", data=UPLOAD, total_timeout=10.0)
    return response, response.json() == {"size": len(UPLOAD)}


KINDS = (plain, streamed, uploaded, hurried)


def stacked(session: requests.Session, origin: str) -> SessionStack:
    """Return the recommended stack, with a login and with hardly a wait between two attempts."""
    login = ClientCredentials(f"{origin}/token", client_id="app", client_secret="secret")
    handlers = recommended(login)
    handlers["timeout"] = TimeoutHandler(connect=5.0, read=READ_TIMEOUT)
    statuses = {429, 502, 503, 504}
    handlers["retry"] = RetryHandler(Retry(3, backoff_factor=0.001, status_forcelist=statuses))
    return SessionStack(session, handlers, base_url=origin)


def held() -> dict[str, int]:
    """Return what this process holds."""
    gc.collect()
    return {
        "threads": threading.active_count(),
        "descriptors": len(list(Path("/dev/fd").iterdir())),
        "kib": resident() or 0,
        "blocks": sys.getallocatedblocks(),
    }


def soak(server: Server, calls: int, threads: int) -> dict[str, Any]:
    """Make the calls; return the sums, with what is wrong in them."""
    before = held()
    with requests.Session() as session:
        made = Soak(stacked(session, server.origin))
        made.run(WARM, threads)
        warm = held()
        began = time.perf_counter()
        made.run(calls, threads)
        seconds = time.perf_counter() - began
        later = held()
    after = held()
    sums = {
        "calls": calls + WARM,
        "ended": dict(made.ended.most_common()),
        "attempts": made.attempts,
        "faults": server.ask("faults"),
        "renewals": server.ask("renewals"),
        "calls_per_second": round(calls / seconds),
        "growth": {name: later[name] - warm[name] for name in later},
        "left_open": {
            "threads": after["threads"] - before["threads"],
            "descriptors": after["descriptors"] - before["descriptors"],
            "connections": still_open(server),
        },
    }
    return {**sums, "violations": violations(sums, made.wrong)}


def still_open(server: Server) -> int:
    """Return the connections that the server still sees, once it had time to see them close."""
    end = time.monotonic() + 5
    while (count := int(server.ask("open"))) and time.monotonic() < end:
        time.sleep(0.01)
    return count


def violations(sums: dict[str, Any], wrong: Counter[str]) -> list[str]:
    """Return what must not be, in words."""
    found = [f"{count} x {what}" for what, count in wrong.items()]
    if sum(sums["ended"].values()) != sums["calls"]:
        found.append("calls are missing from the sums")
    found += [f"{count} {what} left open" for what, count in sums["left_open"].items() if count]
    if sums["growth"]["threads"]:
        found.append("threads stayed behind")
    if sums["growth"]["kib"] > MOST_KIB or sums["growth"]["blocks"] > MOST_BLOCKS:
        found.append("memory grew")
    return found


def main() -> None:
    """Soak and print."""
    options = told(__doc__, calls=20_000, threads=8)
    with serving("faulty_server") as server:
        sums = soak(server, options.calls, options.threads)
    report(sums)
    sys.exit(bool(sums["violations"]))


if __name__ == "__main__":
    main()
