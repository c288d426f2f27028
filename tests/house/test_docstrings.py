"""What must be written down, and where."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.house.source import (
    ROOT,
    Definition,
    Source,
    decorators,
    dotted,
    faces,
    listed,
    package,
    shown_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

# The command line is used by its commands, not by its names.
READ = [face for face in faces() if face.module != "sessionkit.cli"]


def test_every_module_says_what_it_is_about() -> None:
    """The first line of a file tells whether it is the one that was looked for."""
    silent = [str(source) for source in package() if not ast.get_docstring(source.tree)]

    assert not silent, listed(silent)


def test_every_public_name_has_a_docstring() -> None:
    """``help()`` answers for each name without an underscore."""
    silent = [
        str(definition)
        for source in package()
        for definition in source.definitions
        if definition.is_public
        and not ast.get_docstring(definition.node)
        and not _is_described_elsewhere(definition)
    ]

    assert not silent, listed(silent)


@pytest.mark.parametrize("face", READ, ids=str)
def test_every_public_name_is_in_the_reference(face: Source) -> None:
    """Whatever can be imported is looked up in docs/reference."""
    missing = [name for name in shown_names(face) if not _is_in_reference(name)]

    assert not missing, f"{face.module} in docs/reference:" + listed(missing)


def test_the_reference_shows_no_private_module() -> None:
    """What is described can be imported from a place that stays, types of arguments too."""
    private = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in sorted((ROOT / "docs" / "reference").rglob("*.md"))
        for name in re.findall(
            r"^\.\. .*:: (sessionkit[\w.]*\._\w[\w.]*)", page.read_text("utf-8"), re.MULTILINE
        )
    ]

    assert not private, listed(private)


def _is_described_elsewhere(definition: Definition) -> bool:
    """Tell whether a method's text stands at the protocol it fulfils, or at a foreign parent."""
    node = definition.node
    if isinstance(node, ast.ClassDef):
        return False
    marks = decorators(node)
    if "overload" in marks or any(mark.endswith((".setter", ".deleter")) for mark in marks):
        return True
    if not definition.is_method or len(definition.parents) > 1:
        return False
    if node.name in _protocol_methods():
        return True
    owner = vars(importlib.import_module(definition.source.module))[definition.parents[0].name]
    return any(
        inspect.getdoc(vars(parent)[node.name])
        for parent in owner.__mro__[1:]
        if node.name in vars(parent)
    )


@cache
def _protocol_methods() -> frozenset[str]:
    return frozenset(
        definition.node.name
        for source in package()
        for definition, _ in source.functions
        if definition.is_method and _is_protocol(definition.parents[-1])
    )


def _is_protocol(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(
        dotted(base).rpartition(".")[2] == "Protocol" for base in _plain_bases(node)
    )


def _plain_bases(node: ast.ClassDef) -> Iterator[ast.expr]:
    for base in node.bases:
        yield base.value if isinstance(base, ast.Subscript) else base


@cache
def _reference() -> str:
    pages = sorted((ROOT / "docs" / "reference").rglob("*.md"))
    return "\n".join(page.read_text("utf-8") for page in pages)


def _is_in_reference(name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", _reference()) is not None
