"""``python -m sessionkit doctor``: check which libraries, extras and stores work here."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from sessionkit import __version__
from sessionkit.cli._findings import Finding, print_findings
from sessionkit.cli._stores import check_local_stores, check_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.cli._findings import State

DISTRIBUTION = "requests-sessionkit"
#: One line of the metadata (PEP 508), as far as this project writes such lines.
_LINE = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?\s*(?:>=\s*(?P<minimum>[\d.]+))?"
    r"\s*(?:;\s*extra\s*==\s*[\"'](?P<extra>[\w-]+)[\"'])?"
)


class Requirement(NamedTuple):
    """A library that the package or one of its extras requires.

    Attributes:
        extra: Which extra, empty for those that are always required.
        name: The library's.
        minimum: The oldest version that works; may be empty.
    """

    extra: str
    name: str
    minimum: str


def doctor(url: str | None, *, as_json: bool) -> int:
    """Check which libraries are installed and which stores work.

    Args:
        url: A further store to check.
        as_json: Print one JSON object.

    Returns:
        The exit status: 0, or 1 if something that is there does not work.
    """
    checked = [check_store(url)] if url else []
    return print_findings(
        chain(versions(), extras(), check_local_stores(), checked), as_json=as_json
    )


def versions() -> Iterator[Finding]:
    """Find which Python and which versions of the required libraries are here."""
    yield Finding("versions", "python", "works", platform.python_version())
    yield Finding("versions", DISTRIBUTION, "works", __version__)
    for requirement in requirements():
        if not requirement.extra:
            yield _finding("versions", requirement.name, [requirement])


def extras() -> Iterator[Finding]:
    """Find which extras can be used here."""
    by_extra: dict[str, list[Requirement]] = {}
    for requirement in requirements():
        if requirement.extra:
            by_extra.setdefault(requirement.extra, []).append(requirement)
    for extra, needed in sorted(by_extra.items()):
        yield _finding("extras", extra, needed)
    if not by_extra:
        message = "not known, because it runs from its source and is not installed"
        yield Finding("extras", DISTRIBUTION, "absent", message, "pip install . in its folder")


def requirements() -> list[Requirement]:
    """Return what the metadata of the distribution require; nothing where it is not installed."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return [requirement for line in lines if (requirement := parse_requirement(line)) is not None]


def parse_requirement(line: str) -> Requirement | None:
    """Return what one line of the metadata requires; None if it is not understood."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return None
    return Requirement(match["extra"] or "", match["name"], match["minimum"] or "")


def is_old(found: str, minimum: str) -> bool:
    """Return whether version *found* is older than *minimum*; unknown parts count as new."""
    return bool(minimum) and _numbers(found) < _numbers(minimum)


def _finding(part: str, what: str, needed: list[Requirement]) -> Finding:
    missing, old, there = [], [], []
    for requirement in needed:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            missing.append(requirement.name)
            continue
        there.append(found if requirement.name == what else f"{requirement.name} {found}")
        if is_old(found, requirement.minimum):
            old.append(f"{requirement.name} {found} is older than {requirement.minimum}")
    cure = f'pip install --upgrade "{DISTRIBUTION}[{what}]"' if part == "extras" else ""
    cure = cure or f"pip install --upgrade {DISTRIBUTION}"
    if old:
        return Finding(part, what, "fails", ", ".join(old), cure)
    if missing:
        state: State = "absent" if part == "extras" else "fails"
        message = ", ".join(f"{name} is not installed" for name in missing)
        return Finding(part, what, state, message, cure.replace("--upgrade ", ""))
    return Finding(part, what, "works", ", ".join(there))


def _numbers(text: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(?:\.\d+)*", text)
    parts = [int(part) for part in numbers[0].split(".")] if numbers else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)
