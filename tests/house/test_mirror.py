"""Where things are: each module has its test file."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house.source import ROOT, Source, listed, package

MODULES = [source for source in package() if source.path.name not in {"__init__.py", "__main__.py"}]


def test_every_module_has_its_test_file() -> None:
    """Who changes a file knows which tests speak of it: the one of the same name."""
    missing = [
        f"{source}: {twin.relative_to(ROOT)}"
        for source in MODULES
        if _does_something(source) and not (twin := _twin(source)).is_file()
    ]

    assert not missing, listed(missing)


def test_every_unit_test_file_has_its_module() -> None:
    """No test file outlives, or guesses at, the module that it is named for."""
    twins = {_twin(source) for source in package()}
    strays = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests" / "unit").rglob("test_*.py"))
        if path not in twins
    ]

    assert not strays, listed(strays)


def _twin(source: Source) -> Path:
    """Return the test file of a module: ``auth/_renewal`` has ``unit/auth/test_renewal``."""
    folders = source.module.split(".")[1:]
    if source.is_face:
        return ROOT.joinpath("tests", "unit", *folders, "test_init.py")
    name = folders.pop().strip("_")
    return ROOT.joinpath("tests", "unit", *folders, f"test_{name}.py")


def _does_something(source: Source) -> bool:
    """Tell whether a module holds more than protocols and types, which run nothing."""
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for _, function in source.functions
        for node in function.body
    )
