"""Suites that others wrote for ``requests.Session``, run through a stack and compared.

Run as ``python -m tests.compat.foreign_suites`` by a Python that has sessionkit and what the
suites need (printed by ``--requirements``). Each suite of ``suites.py`` comes from the source
distribution of the installed version, which is kept in ``SESSIONKIT_CACHE`` (by default
``.cache/foreign``). It runs bare and in the three modes of ``stacked.py``; the outcomes are
compared test by test (what differs is looked at once more), and a table is printed. Fails on every
difference that is not reviewed, and on a reviewed one that is no longer there. Names of suites as
arguments: these alone.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.compat.suites import MODES, SUITES, requirements
from tests.compat.suites_run import BrokenOffError, Run, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.compat.suites import Suite

#: How many runs at once. The longest come first; most of their time goes in waits for time-outs.
SIDE_BY_SIDE = 6


class Comparison:
    """A suite, its bare run, and its runs through the stacks."""

    def __init__(self, suite: Suite, scratch: Path) -> None:
        self.suite = suite
        self.runs = {mode: Run(suite, mode, scratch / suite.name / mode) for mode in MODES}
        self.bare = Run(suite, "bare", scratch / suite.name / "bare")

    @property
    def all_runs(self) -> list[Run]:
        """The bare run and the others."""
        return [self.bare, *self.runs.values()]

    def differences(self, mode: str) -> dict[str, str]:
        """Return what came out otherwise than bare, by test."""
        bare, stacked = self.bare.outcomes, self.runs[mode].outcomes
        return {
            name: f"{was} bare, {now} through the stack"
            for name in sorted(bare.keys() | stacked.keys())
            if (was := bare.get(name, "missing")) != (now := stacked.get(name, "missing"))
        }

    def unreviewed(self, mode: str) -> dict[str, str]:
        """Return the differences for which there is no reason yet."""
        found = self.differences(mode)
        return {k: v for k, v in found.items() if self.suite.reviews(mode, k) is None}

    def look_again(self) -> None:
        """Run what differs once more, one mode at a time: some tests count on short waits.

        What is reviewed is not run again; what still differs is a difference.
        """
        tests = {name for mode in MODES for name in self.unreviewed(mode)}
        for run in self.all_runs:
            # All that it has: a test that one side lacks stays a difference.
            if known := sorted(tests & run.outcomes.keys()):
                run.again(known)
        for name in sorted(tests):
            print(f"run again, on its own: {self.suite.name}: {name}")

    def rows(self) -> Iterator[str]:
        """Give the lines of the table."""
        for mode, run in self.runs.items():
            new = len(self.unreviewed(mode))
            known = len(self.differences(mode)) - new
            title = f"{self.suite.name} {version(self.suite.name)}"
            cells = (title, mode, self.bare.passed, run.passed, run.calls)
            yield f"| {' | '.join(map(str, cells))} | {new}, and {known} reviewed |"

    def notes(self) -> Iterator[str]:
        """Give what else there is to know: bare failures, and reasons."""
        for name, outcome in self.bare.outcomes.items():
            if outcome in {"failure", "error"}:
                yield f"not passed bare either: {name}"
        for name, reason in self.suite.left_out.items():
            yield f"left out: {name}: {reason}"
        for name, known in self.suite.reviewed.items():
            yield f"reviewed: {', '.join(known.modes)}: {name}: {known.reason}"

    def complaints(self) -> Iterator[str]:
        """Give what makes the comparison fail."""
        if not self.bare.passed:
            yield "bare: no test passed"
        for mode, run in self.runs.items():
            if not run.calls:
                yield f"{mode}: no call went through the stack"
            for name, what in self.unreviewed(mode).items():
                yield f"{mode}: {name}: {what}"
            for name in self.suite.reviewed.keys() - self.differences(mode).keys():
                if self.suite.reviews(mode, name):
                    yield f"{mode}: {name}: no longer differs; take it off the reviewed list"


def compare(suites: list[Suite], scratch: Path) -> list[Comparison]:
    """Run *suites* side by side, and what differs once more with nothing beside it."""
    comparisons = [Comparison(suite, scratch) for suite in suites]
    for suite in suites:
        source_of(suite.name)
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        for done in [pool.submit(run.go) for each in comparisons for run in each.all_runs]:
            done.result()
    finally:
        pool.shutdown(cancel_futures=True)
    for comparison in comparisons:
        comparison.look_again()
    return comparisons


def main() -> None:
    """Run, print, and fail where a difference is not reviewed."""
    names = [suite.name for suite in SUITES]
    parser = argparse.ArgumentParser(prog="foreign_suites", description="Compare foreign suites.")
    parser.add_argument("--requirements", action="store_true", help="print what to install")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"one of {', '.join(names)}")
    given = parser.parse_args()
    if unknown := set(given.suites) - set(names):
        parser.error(f"no suite is called {', '.join(sorted(unknown))}")
    wanted = [suite for suite in SUITES if suite.name in (given.suites or names)]
    if given.requirements:
        print(*requirements(wanted), sep="\n")
        return
    started = time.monotonic()
    try:
        with TemporaryDirectory() as scratch:
            comparisons = compare(wanted, Path(scratch))
    except BrokenOffError as error:
        sys.exit(str(error))
    report(comparisons, time.monotonic() - started)
    if wrong := [
        f"{each.suite.name}: {what}" for each in comparisons for what in each.complaints()
    ]:
        sys.exit("\n".join(wrong))


def report(comparisons: list[Comparison], seconds: float) -> None:
    """Print the table, what it was made with, and what is known of the tests."""
    print("| suite | stack | passed bare | passed through it | calls through it | differences |")
    print("|---|---|---|---|---|---|")
    print(*(row for each in comparisons for row in each.rows()), sep="\n")
    used = ", ".join(f"{name} {version(name)}" for name in ("urllib3", "pytest", "httpbin"))
    print(f"\nPython {platform.python_version()}, {used}; {seconds:.0f} s")
    print(*(note for each in comparisons for note in each.notes()), sep="\n")


if __name__ == "__main__":
    main()
