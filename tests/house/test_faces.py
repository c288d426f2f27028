"""The faces: each package shows its names, loads them late, and hides nothing by accident."""

from __future__ import annotations

import ast
import importlib

import pytest

from tests.house.source import Source, faces, listed, shown_names

ROOT_NAMES = {
    "ApiClient",
    "Attempt",
    "Clock",
    "Exchange",
    "CallNext",
    "Handler",
    "Handlers",
    "CallRecord",
    "Credential",
    "SessionKitError",
    "SessionStack",
    "Token",
    "recommended",
}
SHOWING = [face for face in faces() if shown_names(face)]
LAZY = [face for face in SHOWING if "sessionkit._lazy import lazy" in face.text]


def test_the_root_shows_the_names_of_the_core() -> None:
    """What a first program needs is one import away."""
    missing = ROOT_NAMES - set(importlib.import_module("sessionkit").__all__)

    assert not missing


@pytest.mark.parametrize("face", SHOWING, ids=str)
def test_every_name_of_a_face_can_be_had(face: Source) -> None:
    """``__all__`` promises nothing that an import then misses."""
    module = importlib.import_module(face.module)

    missing = [name for name in module.__all__ if not hasattr(module, name)]

    assert not missing


@pytest.mark.parametrize("face", LAZY, ids=str)
def test_checkers_and_users_see_the_same_names(face: Source) -> None:
    """What an editor completes is what the interpreter finds, and the other way round."""
    shown = set(shown_names(face))
    seen = _names_for_checkers(face)

    assert seen == shown, listed(sorted(seen ^ shown))


@pytest.mark.parametrize("face", SHOWING, ids=str)
def test_a_face_answers_dir_and_refuses_other_names(face: Source) -> None:
    """A lazy face still completes in a shell, and a typing error is an AttributeError."""
    module = importlib.import_module(face.module)

    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018  # looked up


def _names_for_checkers(face: Source) -> set[str]:
    names = {
        alias.asname or alias.name
        for node in ast.walk(face.tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("sessionkit")
        and node.module != "sessionkit._lazy"
        for alias in node.names
    }
    return {name for name in names if not name.startswith("_")}
