"""The measures that the other house tests rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.house.source import Source

if TYPE_CHECKING:
    from pathlib import Path

TEXT = '''"""A module's
docstring."""

# a comment
LIMIT = 3  # counted: there is code before it


class Thing:
    """A docstring."""

    def act(
        self,
        times: int,
    ) -> str:
        """Another."""

        def inner() -> str:
            return """text
            in lines"""

        return inner() * times
'''


def test_code_lines_leave_out_what_explains_the_code(tmp_path: Path) -> None:
    """Nobody saves on docstrings, comments or blank lines to keep within a limit."""
    path = tmp_path / "thing.py"
    path.write_text(TEXT)

    assert len(Source(path).code_lines) == 10


def test_a_function_is_measured_without_its_signature(tmp_path: Path) -> None:
    """A signature that is written one parameter a line does not make its function long."""
    path = tmp_path / "thing.py"
    path.write_text(TEXT)
    lines = {node.name: Source(path).body_lines(node) for _, node in Source(path).functions}

    assert lines == {"act": 4, "inner": 2}


def test_only_reachable_names_are_public(tmp_path: Path) -> None:
    """Rules for public names leave alone what no user can reach."""
    path = tmp_path / "thing.py"
    path.write_text(TEXT)
    public = [item.name for item in Source(path).definitions if item.is_public]

    assert public == ["Thing", "Thing.act"]
