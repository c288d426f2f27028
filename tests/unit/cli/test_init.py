"""The command line as a whole: what it says of itself, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import pytest

from sessionkit import __version__
from sessionkit.cli import _guarded, main
from sessionkit.errors import ConfigError


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Who does not know what there is, is told."""
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug report can say which version it is about."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"sessionkit {__version__}\n"


def test_a_command_that_does_not_exist_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing error gets the names there are."""
    with pytest.raises(SystemExit) as ended:
        main(["dmeo"])

    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 1])
def test_a_command_s_own_status_is_the_exit_status(status: int) -> None:
    """A script can tell whether all went as promised."""
    assert _guarded(lambda: status) == status


def ended_by(error: BaseException) -> Callable[[], int]:
    """A command that *error* ends."""

    def run() -> int:
        raise error

    return run


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Stopping is not a failure to be explained."""
    assert _guarded(ended_by(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\nstopped\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError("no server", hint="start it"), "sessionkit: no server\nstart it\n"),
        (ConnectionRefusedError("refused"), "sessionkit: refused\n"),
    ],
)
def test_an_error_is_told_in_its_own_words(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened, and what to do next; nothing of our own insides."""
    assert _guarded(ended_by(error)) == 1
    assert capsys.readouterr().err == said


def test_a_fault_of_our_own_keeps_its_traceback() -> None:
    """A bug can be reported."""
    with pytest.raises(ZeroDivisionError):
        _guarded(ended_by(ZeroDivisionError()))


def test_a_reader_who_went_away_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """``| head -1`` is a fair thing to do."""
    reading, writing = os.pipe()
    os.close(reading)

    def run() -> int:
        sys.stdout.write("a line\n")
        return 0

    with os.fdopen(writing, "w") as gone, redirect_stdout(gone):
        assert _guarded(run) == 141
    assert capsys.readouterr().err == ""
