"""What the checks found is printed in columns, or as JSON."""

from __future__ import annotations

import io
import json
import sys

import pytest

from sessionkit.cli._findings import Finding, State, print_findings

CURE = 'pip install "requests-sessionkit[prometheus]"'


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

    assert print_findings(findings, as_json=False) == 1
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


@pytest.mark.parametrize(
    ("state", "status", "mark"), [("works", 0, "ok"), ("absent", 0, "-"), ("fails", 1, "NO")]
)
def test_only_what_is_there_and_fails_is_a_failure(
    state: State, status: int, mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An extra that nobody installed is none."""
    findings = [Finding("extras", "prometheus", state, "not installed " * 7, CURE)]

    assert print_findings(findings, as_json=False) == status
    first, *_, last = capsys.readouterr().out.splitlines()[1:]
    assert first.split() == [mark, "prometheus", *first.split()[2:]]
    assert last == f"     {CURE}"

    assert print_findings(findings, as_json=True) == status
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
