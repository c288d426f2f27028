"""``python -m sessionkit doctor``: what is told of this machine, and how."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from sessionkit.cli import main
from sessionkit.cli._doctor import told
from sessionkit.cli._findings import Finding, State

CURE = 'pip install "requests-sessionkit[prometheus]"'


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


class Terminal(io.StringIO):
    """A terminal that can show colours."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True


def test_what_fails_is_red_and_columns_stay_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dim is what is not there; lines wrap under their own column, a command stays whole."""
    for name, value in {"COLUMNS": "40", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    cure = "make the folder, then look once more"
    findings = [
        Finding("extras", "rich", "works"),
        Finding("extras", "sql", "absent", "it misses sqlalchemy-and-more", CURE),
        Finding("stores", "file", "fails", "the folder is not there", cure),
    ]

    assert told(findings, as_json=False) == 1
    assert terminal.getvalue().replace("\x1b[0m", "").splitlines() == [
        "\x1b[1;36mExtras",
        "  ok rich",
        "\x1b[2m  -  sql         it misses",
        "\x1b[2m                 sqlalchemy-and-more",
        f"\x1b[2m     {CURE}",
        "\x1b[1;36mStores",
        "\x1b[31m  NO file        the folder is not there",
        "\x1b[31m     make the folder, then look once",
        "\x1b[31m     more",
    ]


def test_a_store_that_fails_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    """A deployment can stop before the program starts."""
    assert main(["doctor", "--store", "nowhere:x"]) == 1
    assert "  NO nowhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("state", "status", "mark"), [("works", 0, "ok"), ("absent", 0, "-"), ("fails", 1, "NO")]
)
def test_only_what_is_there_and_fails_is_a_failure(
    state: State, status: int, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An extra that nobody installed is none."""
    findings = [Finding("extras", "prometheus", state, "not installed " * 7, CURE)]

    assert told(findings, as_json=False) == status
    first, *_, last = capsys.readouterr().out.splitlines()[1:]
    assert first.split() == [mark, "prometheus", *first.split()[2:]]
    assert last == f"     {CURE}"

    assert told(findings, as_json=True) == status
    assert json.loads(capsys.readouterr().out) == {
        "works": status == 0,
        "findings": [
            {
                "part": "extras",
                "what": "prometheus",
                "state": state,
                "detail": "not installed " * 7,
                "cure": CURE,
            }
        ],
    }
