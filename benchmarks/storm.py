"""A storm: one token has ended, and everybody finds out at once.

``python -m benchmarks.storm [--rounds 1] [--threads 32] [--processes 16] [--peers 1]`` makes one
call in each of 32 threads over one client, then in each of 16 processes that share one login,
against a server with strict rotation of refresh tokens: once where the clients know that the token
has ended, once where only the server does. Prints one JSON object: for each client the calls that
were answered, the renewals and logins that the server granted, used refresh tokens that it saw
(each ends the login), how often the client still works afterwards, and the median seconds. Peers
that are not installed are left out; with ``--peers 0`` all are.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.side_by_side import Server, report, serving, told
from benchmarks.storm_clients import CLIENTS, Case

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier

#: What a client is imported by, where that is not its name.
MODULES = {
    "google-auth": "google.auth",
    "requests-oauthlib": "requests_oauthlib",
    "requests-auth": "requests_auth",
    "azure-core": "azure.core",
}
OURS = ("sessionkit", "sessionkit, JSON file")
LONGEST = 60.0


def attempt(call: Callable[[], int]) -> bool:
    """Make a call; whatever goes wrong is a call that was not answered."""
    try:
        return call() == 200
    except Exception:  # noqa: BLE001  # each client has errors of its own
        return False


def by_threads(name: str, case: Case, count: int) -> tuple[list[bool], float, bool]:
    """Make a call in each of *count* threads over one client."""
    call = CLIENTS[name](case)
    barrier = threading.Barrier(count + 1)
    answered: list[bool] = []

    def run() -> None:
        barrier.wait(LONGEST)
        answered.append(attempt(call))

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    barrier.wait(LONGEST)
    started = time.perf_counter()
    for thread in threads:
        thread.join(LONGEST)
    return answered, time.perf_counter() - started, attempt(call)


def in_process(name: str, case: Case, barrier: Barrier, answers: Any) -> None:
    """Make a call in a process of its own, with all others; then another one."""
    call = CLIENTS[name](case)
    barrier.wait(LONGEST)
    first = attempt(call)
    barrier.wait(LONGEST)
    answers.put((first, attempt(call)))


def by_processes(name: str, case: Case, count: int) -> tuple[list[bool], float, bool]:
    """Make a call in each of *count* processes that share a login."""
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(count + 1), context.Queue()
    processes = [
        context.Process(target=in_process, args=(name, case, barrier, answers))
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    barrier.wait(LONGEST)
    started = time.perf_counter()
    barrier.wait(LONGEST)
    seconds = time.perf_counter() - started
    told_by = [answers.get(timeout=LONGEST) for _ in processes]
    for process in processes:
        process.join(LONGEST)
    return [first for first, _ in told_by], seconds, all(after for _, after in told_by)


WAYS = {"threads": by_threads, "processes": by_processes}


def storm(
    server: Server, name: str, way: str, *, count: int, known: bool, rounds: int
) -> dict[str, Any]:
    """Return the sums of several rounds."""
    sums: dict[str, Any] = {"calls": 0, "ok": 0, "renewals": 0, "logins": 0, "reused": 0}
    seconds, after = [], 0
    for _ in range(rounds):
        pair = server.ask("begin")
        server.ask("end")
        with tempfile.TemporaryDirectory() as folder:
            case = Case(server.origin, pair, known=known, file=os.path.join(folder, "token"))  # noqa: PTH118  # a text is wanted
            answered, took, works = WAYS[way](name, case, count)
        figures = server.ask("figures")
        sums["calls"] += count
        sums["ok"] += sum(answered)
        for figure in ("renewals", "logins", "reused"):
            sums[figure] += figures[figure]
        seconds.append(took)
        after += works
    return {
        **sums,
        "works_after": f"{after}/{rounds}",
        "seconds": round(statistics.median(seconds), 3),
    }


def installed(*, peers: bool) -> dict[str, str]:
    """Return the versions of the clients that are there."""
    found = {}
    for name in CLIENTS:
        ours = name in OURS
        if not (ours or peers):
            continue
        module = "sessionkit" if ours else MODULES.get(name, name)
        if find_spec(module.partition(".")[0]) is None or find_spec(module) is None:
            continue
        try:
            found[name] = version("requests-sessionkit" if ours else name)
        except PackageNotFoundError:
            found[name] = "from source"
    return found


def main() -> None:
    """Make all storms, and report."""
    # oauthlib's own way to be used without TLS, on loopback.
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    options = told(__doc__, rounds=1, threads=32, processes=16, peers=1)
    clients = installed(peers=bool(options.peers))
    counts = {"threads": options.threads, "processes": options.processes}
    figures: dict[str, Any] = {}
    with serving("identity_server") as server:
        for way, count in counts.items():
            for known in (True, False):
                title = f"{count} {way}, the end is {'known' if known else 'not known'}"
                figures[title] = {
                    name: storm(server, name, way, count=count, known=known, rounds=options.rounds)
                    for name in clients
                }
    report({"python": platform.python_version(), "versions": clients, "storms": figures})
    ours = [s for storms in figures.values() for name, s in storms.items() if name in OURS]
    if any(s["ok"] != s["calls"] or s["renewals"] != options.rounds or s["reused"] for s in ours):
        sys.exit("sessionkit: not every call was answered by one renewal")


if __name__ == "__main__":
    main()
