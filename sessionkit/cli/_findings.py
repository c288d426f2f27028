"""What the checks of this machine found, and how it is printed."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from sessionkit.cli._output import choose_output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit.cli._output import Output

State = Literal["works", "absent", "fails"]
_MARKS = {"works": "ok", "absent": "-", "fails": "NO"}
_STYLES = {"works": "", "absent": "dim", "fails": "red"}
#: Columns before what is found: of the mark, and of the name.
_MARK, _NAME = 5, 11


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        part: The group it belongs to, such as ``stores``.
        what: The name of what was checked.
        state: Whether it works; ``absent`` is no failure.
        detail: Versions, or what is wrong.
        cure: The command or step that mends it, if any.
    """

    part: str
    what: str
    state: State
    detail: str = ""
    cure: str = ""


def print_findings(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Print findings as they come, or all as one JSON object; return the exit status."""
    done: list[Finding] = []
    output = choose_output(sys.stdout)
    for finding in findings:
        if not as_json:
            _print_finding(output, finding, is_first=not done or done[-1].part != finding.part)
        done.append(finding)
    works = not any(finding.state == "fails" for finding in done)
    if as_json:
        print(json.dumps({"works": works, "findings": [asdict(finding) for finding in done]}))
    return 0 if works else 1


def _print_finding(output: Output, finding: Finding, *, is_first: bool) -> None:
    if is_first:
        output.line(finding.part.capitalize(), "bold cyan")
    style = _STYLES[finding.state]
    head = f"  {_MARKS[finding.state]:{_MARK - 2}}"
    name = f"{finding.what:{_NAME}} "
    room = output.width - _MARK - len(name)
    lines = textwrap.wrap(finding.detail, room, break_on_hyphens=False) or [""]
    output.line(f"{head}{name}{lines[0]}".rstrip(), style)
    indent = " " * (_MARK + len(name))
    for line in lines[1:]:
        output.line(f"{indent}{line}", style)
    # On lines of its own and, where it is a command, in one piece.
    for line in _wrap_cure(finding.cure, output.width - _MARK):
        output.line(f"{' ' * _MARK}{line}", style)


def _wrap_cure(cure: str, room: int) -> list[str]:
    return [cure] if cure.startswith("pip ") else textwrap.wrap(cure, room)
