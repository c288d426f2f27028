"""The table of session kinds and SDKs in ``docs/explanation/compatibility.md``, from test reports.

``python -m tests.compat.table REPORT...`` reads reports in JUnit's form, as ``pytest tests/compat
--junit-xml=REPORT`` and ``python -m tests.compat.niquests_leg REPORT`` write them, and puts the
table into the page. Fails where a test about one of the packages did not pass.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "compatibility.md"
BEGIN, END = "<!-- made by tests/compat/table.py: begin -->\n", "<!-- end -->\n"
KINDS = {
    "session": "Sessions",
    "authentication": "Authentication",
    "recorder": "Stand-ins and recorders",
    "sdk": "SDKs",
}
#: What a test writes of itself: name, version, kind, file.
Entry = tuple[str, str, str, str]


def entries(report: Path) -> Iterator[Entry]:
    """Return what the tests of *report* say they are about; ends where one did not pass."""
    for case in ET.parse(report).getroot().iter("testcase"):
        for entry in case.iter("property"):
            if entry.get("name") == "package":
                if any(child.tag in {"failure", "error", "skipped"} for child in case):
                    sys.exit(f"not passed: {case.get('classname')}::{case.get('name')}")
                name, version, kind, file = str(entry.get("value")).split("|")
                yield name, version, kind, file


def table(found: Iterable[Entry]) -> str:
    """Return the table in Markdown, grouped by kind, sorted by name."""
    tests: Counter[tuple[str, str, str]] = Counter()
    files: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
    for name, version, kind, file in found:
        tests[kind, name, version] += 1
        files[kind, name, version].add(file)
    lines = ["| | package | version | tests passed | shown by |", "|---|---|---|---|---|"]
    order = list(KINDS)
    last = ""
    for kind, name, version in sorted(tests, key=lambda row: (order.index(row[0]), row[1].lower())):
        key = kind, name, version
        shown = ", ".join(f"`{file}`" for file in sorted(files[key]))
        group = "" if kind == last else f"**{KINDS[kind]}**"
        lines.append(f"| {group} | {name} | {version} | {tests[key]} | {shown} |")
        last = kind
    return "\n".join(lines) + "\n"


def write(text: str) -> None:
    """Put *text* into the page, between its two marks."""
    page = PAGE.read_text("utf-8")
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")


def main() -> None:
    """Read all reports, write the table."""
    found = [entry for report in sys.argv[1:] for entry in entries(Path(report))]
    if not found:
        sys.exit(__doc__)
    text = table(found)
    write(text)
    print(text, end="")


if __name__ == "__main__":
    main()
