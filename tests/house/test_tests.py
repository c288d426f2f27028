"""What the tests themselves must be like."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.house.source import dotted, listed, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.house.source import Definition, Function

WORDS = 3
WAITING = {"time.sleep", "asyncio.sleep", "gevent.sleep", "sleep"}
PATCHING = {"patch", "mock.patch", "setattr", "delattr"}


def test_every_test_says_what_the_user_gains() -> None:
    """A red test is understood from its first line, without reading its code."""
    silent = [str(definition) for definition, node in _tests() if not ast.get_docstring(node)]

    assert not silent, listed(silent)


def test_every_test_is_named_by_a_sentence() -> None:
    """The list of tests reads as the list of promises."""
    terse = [
        str(definition)
        for definition, node in _tests()
        if len(node.name.removeprefix("test_").split("_")) < WORDS
    ]

    assert not terse, listed(terse)


def test_no_test_waits_for_time_to_pass() -> None:
    """The suite is quick, and its results do not hang on the load of the machine."""
    waiting = [
        f"{source.at(node)}: {name}"
        for source in sources("tests")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and (name := dotted(node.func)) in WAITING
    ]

    assert not waiting, listed(waiting)


def test_no_test_patches_our_own_code() -> None:
    """What is tested is what users run; a part is exchanged by handing in another."""
    patching = [
        f"{source.at(node)}: {target}"
        for source in sources("tests")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and dotted(node.func).rpartition(".")[2] in PATCHING
        and node.args
        and isinstance(target := getattr(node.args[0], "value", None), str)
        and target.startswith("sessionkit.")
    ]

    assert not patching, listed(patching)


def _tests() -> Iterator[tuple[Definition, Function]]:
    for source in sources("tests"):
        for definition, node in source.functions:
            if node.name.startswith("test_") and source.path.name.startswith("test_"):
                yield definition, node
