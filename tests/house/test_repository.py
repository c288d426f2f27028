"""What the repository promises around the code: metadata, commands, addresses."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from tests.house.source import ROOT, listed, sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUIRED = {"requests", "urllib3", "cachetools", "msgspec"}
EXTRAS = {
    "arrow",
    "cache",
    "crypto",
    "django",
    "file",
    "keyring",
    "limits",
    "oauth",
    "otel",
    "prometheus",
    "pydantic",
    "redis",
    "rich",
    "sql",
    "testing",
}
FOLDERS = ("sessionkit", "tests", "docs", "examples", "benchmarks", ".ci")
SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ""}
URL_HOST = re.compile(r"https?://(?:[^\s/@\"'`<>]*@)?(\[[0-9a-fA-F:]+\]|[\w.-]+)")
FILE_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
# Texts to read, and nothing that is called by a program.
READ_ONLY = {"www.apache.org", "www.rfc-editor.org"}
RESERVED = ("example", "test", "invalid", "localhost")


def test_the_package_needs_four_libraries_and_python_3_11() -> None:
    """Installing sessionkit brings what every user needs, and no more."""
    project = _pyproject()["project"]

    assert project["name"] == "requests-sessionkit"
    assert project["requires-python"] == ">=3.11"
    assert {_name(line) for line in project["dependencies"]} == REQUIRED
    assert set(project["optional-dependencies"]) <= EXTRAS


def test_no_requirement_has_a_ceiling() -> None:
    """A user's other packages decide about versions; ours never stand in the way of an upgrade."""
    project = _pyproject()["project"]
    lines = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        lines += extra

    assert [line for line in lines if not re.fullmatch(r"[\w-]+(\[[\w,]+\])?>=[\d.]+", line)] == []


def test_each_exception_to_a_rule_has_its_reason_beside_it() -> None:
    """Whoever comes by later can tell whether it still holds."""
    bare = re.compile(r"# (?:noqa|type: ignore)(?::? ?[\w, \[\]-]+)?$")
    found = [
        f"{source}:{number}: {line.strip()}"
        for folder in ("sessionkit", "tests", "examples", "benchmarks", "docs")
        for source in sources(folder)
        for number, line in enumerate(source.text.splitlines(), 1)
        if bare.search(line)
    ]

    assert not found, "\n".join(found)


def test_the_readme_asks_for_two_commands() -> None:
    """From a fresh clone, ``make demo`` and ``make test`` are all there is to type."""
    readme = (ROOT / "README.md").read_text("utf-8")

    assert set(re.findall(r"\bmake ([a-z]+)", readme)) == {"demo", "test"}
    assert "pip install -e" not in readme


def test_the_readme_names_every_extra() -> None:
    """Whoever wants more than the core finds what it is called before an error says so."""
    readme = (ROOT / "README.md").read_text("utf-8")
    table = readme.partition("| extra |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", table)

    assert sorted(named) == sorted(_pyproject()["project"]["optional-dependencies"])


def test_the_architecture_shows_the_layers_that_hold() -> None:
    """The list that readers see is the one that import-linter checks."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    shown = text.partition("## The layers")[2].partition("```text\n")[2].partition("\n```")[0]
    contracts = _pyproject()["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each["id"] == "layers")

    assert shown.splitlines() == layers


def test_only_reserved_hosts_are_named() -> None:
    """No sample, test or tool talks to a server that belongs to somebody (RFC 2606, RFC 5737)."""
    real = [
        f"{path.relative_to(ROOT)}:{number}: {host}"
        for path in _texts()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for host in URL_HOST.findall(line)
        if not _is_reserved(host)
    ]

    assert not real, listed(real)


def test_every_link_to_a_file_leads_to_one() -> None:
    """Whoever follows a link on a page arrives."""
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in _texts()
        if path.suffix == ".md"
        for target in FILE_LINK.findall(path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]

    assert not broken, listed(broken)


@cache
def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def _name(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement, maxsplit=1)[0]


def _texts() -> Iterator[Path]:
    yield from (path for path in sorted(ROOT.iterdir()) if _is_text(path))
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if _is_text(path))


def _is_text(path: Path) -> bool:
    made = {"__pycache__", "_build"} & set(path.parts)
    hidden = path.parent == ROOT and path.name.startswith(".")
    return path.is_file() and path.suffix in SUFFIXES and not made and not hidden


def _is_reserved(host: str) -> bool:
    host = host.strip("[].").lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.split(".")
        return (
            host in READ_ONLY
            or len(labels) == 1
            # No top-level domain has one letter.
            or len(labels[-1]) == 1
            or labels[-1] in RESERVED
            or labels[-2:] in (["example", "com"], ["example", "net"], ["example", "org"])
        )
    return not address.is_global
