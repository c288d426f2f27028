"""What is installed: the libraries that sessionkit needs, and those of its extras."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING, NamedTuple

from sessionkit import __version__
from sessionkit.cli._findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.cli._findings import State

DISTRIBUTION = "requests-sessionkit"
#: One line of the metadata (PEP 508), as far as this project writes such lines.
_LINE = re.compile(
    r"(?P<name>[\w.-]+)(?:\[[^\]]*\])?\s*(?:>=\s*(?P<least>[\d.]+))?"
    r"\s*(?:;\s*extra\s*==\s*[\"'](?P<extra>[\w-]+)[\"'])?"
)


class Need(NamedTuple):
    """A library that is needed, or that an extra brings.

    Attributes:
        extra: Which extra, or an empty text for those that everybody needs.
        name: The library's.
        least: The oldest version that will do, or an empty text.
    """

    extra: str
    name: str
    least: str


def versions() -> Iterator[Finding]:
    """Find which Python and which versions of the required libraries are here."""
    yield Finding("versions", "python", "works", platform.python_version())
    yield Finding("versions", DISTRIBUTION, "works", __version__)
    for need in needs():
        if not need.extra:
            yield _finding("versions", need.name, [need])


def extras() -> Iterator[Finding]:
    """Find which extras can be used here."""
    by_extra: dict[str, list[Need]] = {}
    for need in needs():
        if need.extra:
            by_extra.setdefault(need.extra, []).append(need)
    for extra, brought in sorted(by_extra.items()):
        yield _finding("extras", extra, brought)
    if not by_extra:
        told = "not known, because it runs from its source and is not installed"
        yield Finding("extras", DISTRIBUTION, "absent", told, "pip install . in its folder")


def needs() -> list[Need]:
    """Return what the metadata of the distribution ask for; nothing where it is not installed."""
    try:
        lines = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    return [need for line in lines if (need := read_need(line)) is not None]


def read_need(line: str) -> Need | None:
    """Return what one line of the metadata asks for; None if it is not understood."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return None
    return Need(match["extra"] or "", match["name"], match["least"] or "")


def is_old(found: str, least: str) -> bool:
    """Tell whether version *found* is older than *least*; unknown parts count as new."""
    return bool(least) and _numbers(found) < _numbers(least)


def _finding(part: str, what: str, brought: list[Need]) -> Finding:
    missing, old, there = [], [], []
    for need in brought:
        try:
            found = version(need.name)
        except PackageNotFoundError:
            missing.append(need.name)
            continue
        there.append(found if need.name == what else f"{need.name} {found}")
        if is_old(found, need.least):
            old.append(f"{need.name} {found} is older than {need.least}")
    cure = f'pip install --upgrade "{DISTRIBUTION}[{what}]"' if part == "extras" else ""
    cure = cure or f"pip install --upgrade {DISTRIBUTION}"
    if old:
        return Finding(part, what, "fails", ", ".join(old), cure)
    if missing:
        state: State = "absent" if part == "extras" else "fails"
        told = ", ".join(f"{name} is not installed" for name in missing)
        return Finding(part, what, state, told, cure.replace("--upgrade ", ""))
    return Finding(part, what, "works", ", ".join(there))


def _numbers(text: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(?:\.\d+)*", text)
    parts = [int(part) for part in numbers[0].split(".")] if numbers else []
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)
