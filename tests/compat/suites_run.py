"""One run of a foreign suite: its tests taken from the index, run by pytest, and read back."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.compat.suites import Suite

HERE = Path(__file__).resolve().parent
#: Where source distributions are kept.
CACHE = Path(os.environ.get("SESSIONKIT_CACHE", HERE.parents[1] / ".cache" / "foreign"))
#: Seconds for one run; the longest takes about 60.
LONGEST_RUN = 170
LOG, REPORT = "log.txt", "report.xml"
#: Stands in a test's name for the folder that its run is in.
ROOT = "<root>"


class BrokenOffError(Exception):
    """A run that did not come to its end."""


@dataclass
class Run:
    """A suite in one mode, in a folder of its own, and what came of each test."""

    suite: Suite
    mode: str
    root: Path
    calls: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return sum(outcome == "passed" for outcome in self.outcomes.values())

    def go(self) -> None:
        """Unpack the tests, run them and read the report."""
        unpack(source_of(self.suite.name), self.suite.unpacked, self.root)
        # Nobody's settings, neither theirs nor those of a folder above.
        self.root.joinpath("pytest.ini").write_text("[pytest]\n", "utf-8")
        self.outcomes, self.calls = self._pytest(self.suite.selected)

    def again(self, tests: Iterable[str]) -> None:
        """Run *tests* once more: what comes of them now counts."""
        self.outcomes |= self._pytest(test.replace(ROOT, str(self.root)) for test in tests)[0]

    def _pytest(self, selected: Iterable[str]) -> tuple[dict[str, str], int]:
        """Run *selected* in a process of their own; return the outcomes, and the calls."""
        self.root.joinpath(REPORT).unlink(missing_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "stacked", "-p", "no:cacheprovider"]
        command += [f"--junit-xml={REPORT}", *self.suite.options]
        command += [*(f"--deselect={test}" for test in self.suite.left_out), *selected]
        status: object
        with self.root.joinpath(LOG).open("wb") as log:
            try:
                status = subprocess.run(
                    command,
                    cwd=self.root,
                    env=self._environment(),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=LONGEST_RUN,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired as error:
                status = error
        if status not in {0, 1} or not self.root.joinpath(REPORT).is_file():
            log_text = self.root.joinpath(LOG).read_text("utf-8", "replace")
            message = f"{log_text}\n{self.suite.name}, {self.mode}: pytest ended with {status}"
            raise BrokenOffError(message)
        return self._read(ET.parse(self.root / REPORT).getroot())

    def _environment(self) -> dict[str, str]:
        """Return this process's environment without what requests would read there."""
        ends = ("_proxy", "_ca_bundle", "netrc")
        bare = {k: v for k, v in os.environ.items() if not k.lower().endswith(ends)}
        own = {"SESSIONKIT_MODE": self.mode, "PYTHONPATH": str(HERE), "HOME": str(self.root)}
        return {**bare, **own, **self.suite.settings}

    def _read(self, report: ET.Element) -> tuple[dict[str, str], int]:
        """Return what the report says: outcomes by test, and how many calls a stack saw."""
        outcomes: dict[str, str] = {}
        for case in report.iter("testcase"):
            name = self._name(case)
            # Failed in the test and again after it: two entries, the worse one counts.
            if outcomes.get(name, "passed") == "passed":
                outcomes[name] = _outcome(case)
        return outcomes, sum(map(int, _written(report, "calls")))

    def _name(self, case: ET.Element) -> str:
        """Return the name of a test; some hold the folder that the tests are in."""
        names = _written(case, "test")
        name = names[0] if names else f"{case.get('classname')}::{case.get('name')}"
        return name.replace(str(self.root), ROOT)


def _written(element: ET.Element, name: str) -> list[str]:
    """Return what the plugin wrote into the report under *name*."""
    entries = [entry for entry in element.iter("property") if entry.get("name") == name]
    return [entry.get("value", "") for entry in entries]


def _outcome(case: ET.Element) -> str:
    """Return what came of a test, in one word."""
    return next((e.tag for e in case if e.tag in {"failure", "error", "skipped"}), "passed")


def source_of(name: str) -> Path:
    """Return the source distribution of the installed version of *name*, downloaded once."""
    wanted = f"{name}-{version(name)}.tar.gz"
    CACHE.mkdir(parents=True, exist_ok=True)
    # The index has it under either spelling.
    there = {file.name.replace("_", "-"): file for file in CACHE.iterdir()}
    if wanted in there:
        return there[wanted]
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", "download"]
    command += ["--no-deps", "--no-binary", name, f"{name}=={version(name)}", "--dest", str(CACHE)]
    subprocess.run(command, check=True)
    return next(file for file in CACHE.iterdir() if file.name.replace("_", "-") == wanted)


def unpack(source: Path, wanted: tuple[str, ...], root: Path) -> None:
    """Unpack the files below *root* whose paths start with one of *wanted*."""
    with tarfile.open(source) as archive:
        for member in archive.getmembers():
            member.name = member.name.partition("/")[2]
            if member.name.startswith(wanted):
                archive.extract(member, root, filter="data")
