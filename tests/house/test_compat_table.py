"""The table of what runs on a stack: made of test results, and never behind the tests."""

from __future__ import annotations

import ast
import re

from tests.compat.table import BEGIN, END, KINDS, PAGE
from tests.house.source import sources

ROW = re.compile(
    r"^\| .*? \| (?P<name>[\w.-]+) \| [\w.]+ \| \d+ \| (?P<files>.*) \|$", re.MULTILINE
)
#: In an environment of its own, by a script of its own.
APART = {"niquests"}


def marked() -> set[str]:
    """Return the packages that tests name in so many words when they say what they are about."""
    found = set(APART)
    for source in sources("tests/compat"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.package":
                name, kind = node.args
                assert ast.literal_eval(kind) in KINDS, source.at(node)
                if isinstance(name, ast.Constant):
                    found.add(str(name.value))
    return found


def test_every_package_that_is_tested_has_its_row() -> None:
    """Who looks for the session or the SDK that they use finds it, and what shows it."""
    text = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = {row["name"]: row["files"] for row in ROW.finditer(text)}

    assert marked() <= set(rows)
    for files in rows.values():
        for file in re.findall(r"`(.+?)`", files):
            assert (PAGE.parents[2] / "tests" / "compat" / file).is_file()
