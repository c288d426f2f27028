"""The table of what can go wrong with a renewal: each row is a test, and each test a row."""

from __future__ import annotations

import re

from tests.house.source import ROOT, sources

PAGE = ROOT / "docs" / "explanation" / "when-a-renewal-fails.md"
#: Every test of this file is a row; rows may also be tests of the other one.
OWN = "tests/integration/auth/test_renewal_faults.py"
OTHER = "tests/integration/auth/test_renewal_processes.py"
ROW = re.compile(r"^\|.*\| `(test_\w+)` \|$", re.MULTILINE)


def test_every_row_about_a_renewal_is_a_test_and_every_test_a_row() -> None:
    """What the page promises was tried on this very version, and what was tried is told."""
    found = {name: _tests(name) for name in (OWN, OTHER)}
    rows = ROW.findall(PAGE.read_text("utf-8"))

    assert len(rows) == len(set(rows))
    assert found[OWN] <= set(rows)
    assert set(rows) <= found[OWN] | found[OTHER]


def _tests(file: str) -> set[str]:
    (source,) = (source for source in sources("tests") if str(source) == file)
    return {node.name for _, node in source.functions if node.name.startswith("test_")}
