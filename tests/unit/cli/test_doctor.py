"""``python -m sessionkit doctor``: what is installed and what works."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from sessionkit import __version__
from sessionkit.cli import main
from sessionkit.cli._doctor import DISTRIBUTION, extras, is_old, parse_requirement, versions

ROOT = Path(__file__).parents[3]
METADATA = f"""Metadata-Version: 2.1
Name: {DISTRIBUTION}
Version: 0.1.0
Provides-Extra: rich
Requires-Dist: requests>=2.32
Requires-Dist: urllib3>=999
Requires-Dist: rich>=13; extra == "rich"
Requires-Dist: no-such-library>=1; extra == "some"
Requires-Dist: rich>=999; extra == "some"
Requires-Dist: PyJWT[crypto]>=2.8; extra == 'gone'
Requires-Dist: no-such-library>=1; extra == "gone"
"""


def install(folder: Path, metadata: str) -> None:
    """Have the distribution say that of itself."""
    place = folder / "requests_sessionkit-0.1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text(metadata)


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation of which some is missing and some is old."""
    install(tmp_path, METADATA)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("planted")
def test_each_extra_is_found_or_named_with_the_line_that_installs_it() -> None:
    """Nobody has to look for the name of an extra."""
    found = {finding.what: finding for finding in extras()}

    assert list(found) == ["gone", "rich", "some"]
    assert (found["rich"].state, found["rich"].detail) == ("works", version("rich"))
    gone = found["gone"]
    assert (gone.state, gone.detail) == ("absent", "no-such-library is not installed")
    assert gone.cure == f'pip install "{DISTRIBUTION}[gone]"'


@pytest.mark.usefixtures("planted")
def test_a_library_that_is_too_old_does_not_work() -> None:
    """What would fail later with an odd error is told now."""
    found = {finding.what: finding for finding in (*versions(), *extras())}

    assert found["some"].state == "fails"
    assert "is older than 999" in found["some"].detail
    assert found["some"].cure == f'pip install --upgrade "{DISTRIBUTION}[some]"'
    assert found["urllib3"].state == "fails"
    assert found["urllib3"].cure == f"pip install --upgrade {DISTRIBUTION}"
    assert (found["requests"].state, found["requests"].detail) == ("works", version("requests"))
    assert found[DISTRIBUTION].detail == __version__


def test_every_requirement_of_this_project_is_understood() -> None:
    """No extra is left out for the way its requirement is written."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = dict.fromkeys(project["dependencies"], "")
    for extra, needed in project["optional-dependencies"].items():
        lines |= {f'{line}; extra == "{extra}"': extra for line in needed}

    for line, extra in lines.items():
        requirement = parse_requirement(line)
        assert requirement is not None, line
        assert (requirement.extra, bool(requirement.minimum)) == (extra, True), line


@pytest.mark.parametrize("line", ["rich>=13,<15", 'rich>=13; python_version < "3.12"'])
def test_a_requirement_that_is_not_understood_is_left_alone(line: str) -> None:
    """Nothing is told that may be wrong."""
    assert parse_requirement(line) is None
    assert parse_requirement(" rich>=13 ") == ("", "rich", "13")


def test_a_distribution_that_needs_nothing_has_no_extras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it was repacked without them."""
    install(tmp_path, f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert [finding.what for finding in versions()] == ["python", DISTRIBUTION]


def test_several_libraries_of_an_extra_are_told_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what everybody needs is no extra: where it is missing nothing works."""
    extra = 'Requires-Dist: requests>=2; extra == "both"\nRequires-Dist: rich; extra == "both"\n'
    install(tmp_path, f"Metadata-Version: 2.1\nRequires-Dist: no-such-library\n{extra}")
    monkeypatch.syspath_prepend(tmp_path)

    (both,) = extras()
    assert both.detail == f"requests {version('requests')}, rich {version('rich')}"
    *_, missing = versions()
    assert (missing.state, missing.detail) == ("fails", "no-such-library is not installed")
    assert missing.cure == f"pip install {DISTRIBUTION}"


def test_what_is_not_installed_as_a_distribution_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that brings the source along is not told that all extras are missing."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (finding,) = extras()

    assert (finding.state, finding.what) == ("absent", DISTRIBUTION)
    assert "not installed" in finding.detail


@pytest.mark.parametrize(
    ("found", "least", "old"),
    [
        ("2.32", "2.32", False),
        ("2.32.0", "2.32", False),
        ("2.32", "2.32.0", False),
        ("2.9", "2.32", True),
        ("10", "9.9.9", False),
        ("4.0rc1", "4", False),
        ("3.9.dev0", "4", True),
        ("unknown", "", False),
    ],
)
def test_versions_are_compared_by_their_numbers(found: str, least: str, old: bool) -> None:
    """2.9 is older than 2.32."""
    assert is_old(found, least) is old


def test_all_parts_are_told_in_sixty_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It reads well in a terminal, a pipe and a bug report."""
    monkeypatch.setenv("COLUMNS", "60")
    status = main(["doctor", "--store", f"sqlite://{tmp_path}/tokens.db"])

    text, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    lines = text.splitlines()
    titles = [line for line in lines if not line.startswith(" ")]
    assert titles == ["Versions", "Extras", "Stores", "The store given"]
    assert max(map(len, lines)) <= 60
    assert "\x1b" not in text
    assert str(tmp_path) not in text


def test_without_a_store_to_try_none_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what this machine has by itself."""
    assert main(["doctor"]) == 0
    assert "The store given" not in capsys.readouterr().out


def test_a_store_that_fails_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """A deployment can stop before the program starts."""
    assert main(["doctor", "--store", "nowhere:x"]) == 1
    assert "  NO nowhere" in capsys.readouterr().out
