"""Suites that others wrote for ``requests.Session``, run through a stack and compared.

Run as ``python -m tests.compat.foreign_suites`` by a Python that has sessionkit and what the
suites need (``REQUIREMENTS``, also printed by ``--requirements``). The suite of requests comes from
the source distribution of the installed version, which is kept in ``SESSIONKIT_CACHE`` (by default
``.cache/foreign``). It runs bare and in the three modes of ``stacked.py`` side by side; the
outcomes are compared test by test (what differs is looked at once more), and a table is printed.
Fails on every difference that is not ``REVIEWED``, and on a reviewed one that is no longer there.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("SESSIONKIT_CACHE", HERE.parents[1] / ".cache" / "foreign"))
#: What the suite of requests asks for, as its own requirements-dev.txt has it.
REQUIREMENTS = ("pytest<10", "pytest-httpbin==2.1.0", "httpbin~=0.10.0", "trustme", "pysocks")
MODES = ("transparent", "passing", "recommended")
#: Seconds for one run; it takes about 40.
LONGEST_RUN = 170
LOG, REPORT = "log.txt", "report.xml"
#: Stands in a test's name for the folder that its run is in.
ROOT = "<root>"

#: These connect to an address of a private network to see nobody answer. Never run, not even bare.
ELSEWHERE = (
    "tests/test_requests.py::TestTimeout::test_connect_timeout",
    "tests/test_requests.py::TestTimeout::test_total_timeout_connect",
)
_REFUSES_PICKLE = "by design: a stack with handlers is not pickled, it would carry tokens and locks"
_TRIED_AGAIN = (
    "by design: an answer to a GET that is cut short is tried again; this server answers once and"
    " is gone, so the last error is the refused connection's"
)
#: Differences that stand, by mode and test, each with its reason.
REVIEWED = {
    ("passing", "tests/test_requests.py::TestRequests::test_session_pickling"): _REFUSES_PICKLE,
    ("recommended", "tests/test_requests.py::TestRequests::test_session_pickling"): _REFUSES_PICKLE,
    ("recommended", "tests/test_lowlevel.py::test_chunked_encoding_error"): _TRIED_AGAIN,
}


@dataclass
class Run:
    """One run: its process, and what came of each test."""

    process: subprocess.Popen[bytes]
    root: Path
    calls: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(outcome == "passed" for outcome in self.outcomes.values())

    def finish(self) -> None:
        """Wait for the end, and read the report; a run that broke off ends this program."""
        try:
            status: int | str = self.process.wait(LONGEST_RUN)
        except subprocess.TimeoutExpired:
            status = f"no answer within {LONGEST_RUN} s"
        if status not in {0, 1} or not self.root.joinpath(REPORT).is_file():
            log = self.root.joinpath(LOG).read_text("utf-8", "replace")
            sys.exit(f"{log}\npytest in {self.root}: ended with {status}")
        report = ET.parse(self.root / REPORT).getroot()
        self.outcomes = {}
        for case in report.iter("testcase"):
            name = self._name(case)
            # Failed in the test and again after it: two entries, the worse one counts.
            if self.outcomes.get(name, "passed") == "passed":
                self.outcomes[name] = _outcome(case)
        self.calls = sum(int(entry.get("value", 0)) for entry in _properties(report, "calls"))

    def _name(self, case: ET.Element) -> str:
        """Return the name of a test; some hold the folder that the tests are in."""
        names = [entry.get("value", "") for entry in _properties(case, "test")]
        name = names[0] if names else f"{case.get('classname')}::{case.get('name')}"
        return name.replace(str(self.root), ROOT)


def _properties(element: ET.Element, name: str) -> list[ET.Element]:
    """Return what the plugin wrote into the report under *name*."""
    return [entry for entry in element.iter("property") if entry.get("name") == name]


def _outcome(case: ET.Element) -> str:
    """Return what came of a test, in one word."""
    return next((e.tag for e in case if e.tag in {"failure", "error", "skipped"}), "passed")


def source_of(name: str) -> Path:
    """Return the source distribution of the installed version of *name*, downloaded once."""
    file = CACHE / f"{name}-{version(name)}.tar.gz"
    if not file.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download"]
        command += ["--no-deps", "--no-binary", name, f"{name}=={version(name)}"]
        subprocess.run([*command, "--dest", CACHE], check=True)
    return file


def unpack_tests(source: Path, folder: Path) -> Path:
    """Unpack the tests alone, so that what they import is what is installed; return their root."""
    with tarfile.open(source) as archive:
        for member in archive.getmembers():
            inside = member.name.partition("/")[2]
            if inside.startswith("tests/") or inside == "requirements-dev.txt":
                archive.extract(member, folder, filter="data")
    (root,) = folder.iterdir()
    # Nobody's settings, neither theirs nor those of a folder above.
    root.joinpath("pytest.ini").write_text("[pytest]\n", "utf-8")
    return root


def start(mode: str, root: Path, tests: Iterable[str] = ("tests",)) -> Run:
    """Start *tests* in a home and a process of their own."""
    root.joinpath(REPORT).unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "stacked", "-p", "no:cacheprovider"]
    command += [f"--junit-xml={REPORT}", *(f"--deselect={test}" for test in ELSEWHERE)]
    command += [test.replace(ROOT, str(root)) for test in tests]
    own = {"SESSIONKIT_MODE": mode, "PYTHONPATH": str(HERE), "HOME": str(root.parent)}
    with root.joinpath(LOG).open("wb") as log:
        process = subprocess.Popen(
            command, cwd=root, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT
        )
    return Run(process, root)


def run_all(source: Path, scratch: Path) -> dict[str, Run]:
    """Run all modes side by side: most of the time goes in waits for time-outs."""
    runs: dict[str, Run] = {}
    try:
        for mode in ("bare", *MODES):
            runs[mode] = start(mode, unpack_tests(source, scratch / mode))
        for run in runs.values():
            run.finish()
    finally:
        for run in runs.values():
            run.process.kill()
            run.process.wait()
    return runs


def look_again(runs: dict[str, Run]) -> None:
    """Run what differs once more, one mode at a time: these tests count on waits of half a second.

    What is reviewed is not run again; what still differs is a difference.
    """
    tests = {n for mode in MODES for n in differences(runs["bare"], runs[mode])}
    tests -= {name for _, name in REVIEWED}
    for mode, run in runs.items():
        # All that it has: a test that one side lacks stays a difference.
        if known := sorted(tests & run.outcomes.keys()):
            again = start(mode, run.root, known)
            again.finish()
            run.outcomes |= again.outcomes
    for name in sorted(tests):
        print(f"run again, on its own: {name}")


def differences(bare: Run, stacked: Run) -> dict[str, str]:
    """Return what came out otherwise than bare, by test."""
    return {
        name: f"{was} bare, {now} through the stack"
        for name in sorted(bare.outcomes.keys() | stacked.outcomes.keys())
        if (was := bare.outcomes.get(name, "missing"))
        != (now := stacked.outcomes.get(name, "missing"))
    }


def table(suite: str, runs: dict[str, Run], found: dict[str, dict[str, str]]) -> str:
    """Return the comparison as a table in Markdown."""
    lines = [
        "| suite | stack | passed bare | passed through it | calls through it | differences |",
        "|---|---|---|---|---|---|",
    ]
    for mode in MODES:
        run = runs[mode]
        known = sum((mode, name) in REVIEWED for name in found[mode])
        new = len(found[mode]) - known
        cells = (suite, mode, runs["bare"].passed, run.passed, run.calls)
        lines.append(f"| {' | '.join(map(str, cells))} | {new}, and {known} reviewed |")
    return "\n".join(lines)


def complaints(runs: dict[str, Run], found: dict[str, dict[str, str]]) -> list[str]:
    """Return what makes the comparison fail."""
    new = [
        f"{mode}: {name}: {what}"
        for mode, names in found.items()
        for name, what in names.items()
        if (mode, name) not in REVIEWED
    ]
    over = [
        f"{mode}: {name}: no longer differs; take it off the reviewed list"
        for mode, name in REVIEWED
        if name not in found[mode]
    ]
    past = [f"{mode}: no call went through the stack" for mode in MODES if not runs[mode].calls]
    empty = [] if runs["bare"].passed else ["bare: no test passed"]
    return new + over + past + empty


def main() -> None:
    """Run, print, and fail where a difference is not reviewed."""
    if "--requirements" in sys.argv:
        print(*REQUIREMENTS, sep="\n")
        return
    started = time.monotonic()
    with TemporaryDirectory() as scratch:
        runs = run_all(source_of("requests"), Path(scratch))
        look_again(runs)
    found = {mode: differences(runs["bare"], runs[mode]) for mode in MODES}
    print(table(f"requests {version('requests')}", runs, found))
    used = ", ".join(f"{name} {version(name)}" for name in ("urllib3", "pytest", "httpbin"))
    print(f"\nPython {platform.python_version()}, {used}; {time.monotonic() - started:.0f} s")
    for name, outcome in runs["bare"].outcomes.items():
        if outcome in {"failure", "error"}:
            print(f"not passed bare either: {name}")
    for (mode, name), reason in REVIEWED.items():
        print(f"reviewed: {mode}: {name}: {reason}")
    if wrong := complaints(runs, found):
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
