"""``python -m sessionkit``."""

from __future__ import annotations

import importlib
import runpy
import sys

import pytest


def test_the_package_runs_as_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No script has to be on the path."""
    monkeypatch.setattr(sys, "argv", ["sessionkit"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_module("sessionkit", run_name="__main__")

    assert ended.value.code == 0
    assert "python -m sessionkit" in capsys.readouterr().out


def test_importing_it_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Tools that import every module start no program."""
    sys.modules.pop("sessionkit.__main__", None)
    importlib.import_module("sessionkit.__main__")
    # runpy warns where a module that it is to run has been imported before.
    del sys.modules["sessionkit.__main__"]

    assert capsys.readouterr().out == ""
