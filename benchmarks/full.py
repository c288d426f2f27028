"""What takes too long for each change: foreign suites, storms, soak, memory, instruction counts.

``python -m benchmarks.full [--list] [NAME ...]`` runs the parts (or those named) one after the
other, and writes what each printed to ``benchmarks/results/NAME.txt``, under a line with the
version of Python and the commit. Run it before an issue is closed, and commit the results. Fails
where a part fails. ``--list`` prints the parts and runs nothing.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


class Part(NamedTuple):
    """One thing to run: what it shows, and its command behind ``python -m``."""

    shows: str
    command: str


PARTS = {
    "foreign_suites": Part(
        "the suites of requests, requests-toolbelt, requests-mock and responses through a stack",
        "tests.compat.foreign_suites",
    ),
    "storm": Part(
        "one renewal in each of 50 rounds of 32 threads in 16 processes, on SQLite and a file",
        "benchmarks.storm --rounds 50 --peers 0",
    ),
    "fleet": Part(
        "the same on Redis, PostgreSQL, MariaDB and a Django cache, with two identity servers",
        "benchmarks.fleet --rounds 50",
    ),
    "soak": Part("20,000 calls on a server that fails one in ten", "benchmarks.soak"),
    "memory": Part("memory over 100,000 calls", "benchmarks.memory"),
    "handlers": Part(
        "instructions that each handler costs, by callgrind",
        "benchmarks.handlers --rounds 5 --instructions 1",
    ),
    "overhead": Part("the cost of a call against a bare session", "benchmarks.overhead"),
    "trips": Part("files, functions and changes of file on four ways", "benchmarks.trips"),
}


def python_for(name: str, scratch: Path) -> Path:
    """Return the Python that runs a part: the foreign suites need an environment of their own."""
    if name != "foreign_suites":
        return Path(sys.executable)
    subprocess.run([sys.executable, "-m", "venv", scratch], check=True)
    made = scratch / "bin" / "python"
    needs = scratch / "requirements.txt"
    with needs.open("w") as file:
        listing = [sys.executable, "-m", PARTS[name].command, "--requirements"]
        subprocess.run(listing, check=True, cwd=ROOT, stdout=file)
    install = [str(made), "-m", "pip", "-qq", "install", "--requirement", str(needs), "--editable"]
    subprocess.run([*install, "."], check=True, cwd=ROOT)
    return made


def run(name: str) -> bool:
    """Run one part, keep what it printed, and return whether it ended well."""
    command = PARTS[name].command
    with tempfile.TemporaryDirectory() as scratch:
        python = python_for(name, Path(scratch))
        started = time.monotonic()
        ended = subprocess.run(
            [python, "-m", *command.split()],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    took = time.monotonic() - started
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    head = (
        f"python -m {command}\n"
        f"commit {commit.stdout.strip()}, Python {platform.python_version()}, {took:.0f} s, "
        f"exit status {ended.returncode}\n\n"
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.txt").write_text(head + ended.stdout, "utf-8")
    print(f"{name}: exit status {ended.returncode} in {took:.0f} s", flush=True)
    return ended.returncode == 0


def main() -> None:
    """Run the parts, or list them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="print the parts, run nothing")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PARTS))
    given = parser.parse_args()
    if unknown := set(given.names) - PARTS.keys():
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    names = given.names or list(PARTS)
    if given.list:
        for name in names:
            print(f"{name}: {PARTS[name].shows} (python -m {PARTS[name].command})")
        return
    ended_well = [run(name) for name in names]
    if not all(ended_well):
        sys.exit("a part failed; what it printed is in benchmarks/results")


if __name__ == "__main__":
    main()
