"""The table of what came before: every row is there, and every test that it names."""

from __future__ import annotations

import re

from tests.house.source import ROOT, listed, sources

PAGE = ROOT / "docs" / "explanation" / "forebears.md"
ROW = re.compile(r"^\| ([FG]\d+) \|.*\| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(\w[\w/]*\.py)::(test_\w+)`")
ROWS = [*(f"F{number}" for number in range(1, 12)), *(f"G{number}" for number in range(1, 10))]


def test_every_row_of_the_forebears_names_tests_that_there_are() -> None:
    """What is claimed to be there can be looked up, and was run."""
    rows = dict(ROW.findall(PAGE.read_text("utf-8")))
    known = {
        (str(source).removeprefix("tests/"), node.name)
        for source in sources("tests")
        for _, node in source.functions
    }
    wrong = [
        f"{row}: {file}::{name}"
        for row, cell in rows.items()
        for file, name in TEST.findall(cell)
        if (file, name) not in known
    ]

    assert list(rows) == ROWS
    assert all(TEST.search(cell) for cell in rows.values())
    assert not wrong, listed(wrong)
