"""Modules of extras: the line that installs what is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sessionkit._optional import require


def test_an_extra_that_is_there_is_just_imported() -> None:
    """Whoever installed it notices nothing."""
    assert require("json", "anything") is json


def test_a_missing_extra_names_the_line_that_installs_it() -> None:
    """The message can be pasted into a shell."""
    with pytest.raises(ImportError) as caught:
        require("sessionkit_missing.part", "redis")

    assert str(caught.value) == (
        'sessionkit_missing is not installed: pip install "requests-sessionkit[redis]"'
    )
    assert caught.value.name == "sessionkit_missing.part"
    assert caught.value.__cause__ is not None


def test_an_extra_that_is_broken_is_reported_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told to install what is installed, while the fault is elsewhere."""
    (tmp_path / "sessionkit_broken.py").write_text("import sessionkit_not_there_either\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ModuleNotFoundError, match="sessionkit_not_there_either"):
        require("sessionkit_broken", "redis")
    assert "sessionkit_broken" not in sys.modules
