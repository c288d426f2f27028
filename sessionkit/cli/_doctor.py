"""``python -m sessionkit doctor``: what works on this machine, and what would have to be done."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict
from itertools import chain
from typing import TYPE_CHECKING

from sessionkit.cli._extras import extras, versions
from sessionkit.cli._pens import choose_pen
from sessionkit.cli._stores import given_store, local_stores

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit.cli._findings import Finding
    from sessionkit.cli._pens import Pen

_MARKS = {"works": "ok", "absent": "-", "fails": "NO"}
_STYLES = {"works": "", "absent": "dim", "fails": "red"}
#: Columns before what is found: of the mark, and of the name.
_MARK, _NAME = 5, 11


def doctor(url: str | None, *, as_json: bool) -> int:
    """Look at what is installed, which stores work, and at one that is given.

    Args:
        url: A store to be tried too.
        as_json: Print nothing but one object.

    Returns:
        The exit status: 0, or 1 if something that is there does not work.
    """
    given = [given_store(url)] if url else []
    return told(chain(versions(), extras(), local_stores(), given), as_json=as_json)


def told(findings: Iterable[Finding], *, as_json: bool) -> int:
    """Print findings, each when it is made; see :func:`doctor`."""
    made: list[Finding] = []
    pen = choose_pen(sys.stdout)
    for finding in findings:
        if not as_json:
            _tell(pen, finding, is_first=not made or made[-1].part != finding.part)
        made.append(finding)
    works = not any(finding.state == "fails" for finding in made)
    if as_json:
        print(json.dumps({"works": works, "findings": [asdict(finding) for finding in made]}))
    return 0 if works else 1


def _tell(pen: Pen, finding: Finding, *, is_first: bool) -> None:
    if is_first:
        pen.line(finding.part.capitalize(), "bold cyan")
    style = _STYLES[finding.state]
    head = f"  {_MARKS[finding.state]:{_MARK - 2}}"
    name = f"{finding.what:{_NAME}} "
    room = pen.width - _MARK - len(name)
    lines = textwrap.wrap(finding.detail, room, break_on_hyphens=False) or [""]
    pen.line(f"{head}{name}{lines[0]}".rstrip(), style)
    indent = " " * (_MARK + len(name))
    for line in lines[1:]:
        pen.line(f"{indent}{line}", style)
    # On lines of its own and, where it is a command, in one piece.
    for line in _cure(finding.cure, pen.width - _MARK):
        pen.line(f"{' ' * _MARK}{line}", style)


def _cure(cure: str, room: int) -> list[str]:
    return [cure] if cure.startswith("pip ") else textwrap.wrap(cure, room)
