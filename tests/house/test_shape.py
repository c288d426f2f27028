"""What the code is made of: names, inheritance, state, time and output."""

from __future__ import annotations

import ast
import importlib
import re
from typing import TYPE_CHECKING

import pytest

from tests.house.source import Source, dotted, is_type_checking, listed, package

if TYPE_CHECKING:
    from collections.abc import Iterator

FORBIDDEN_WORDS = {
    "abstract",
    "common",
    "helper",
    "helpers",
    "manager",
    "meta",
    "mixin",
    "util",
    "utils",
}
# The tree of errors is the one place where what a class *is* matters; contracts are inherited.
TREES = ("sessionkit.errors", "sessionkit.testing")

TIME = re.compile(
    r"time\.(sleep|time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns)"
    r"|(datetime\.)?datetime\.(now|utcnow|today)|(datetime\.)?date\.today"
)
CLOCK = "sessionkit._clock"
# The standard output of these children is the pipe to their parent.
CHILDREN = ("sessionkit.demo._server", "sessionkit.testing._store_worker")
PRINTING = ("sessionkit.cli", *CHILDREN)

CONTAINERS = {"dict", "list", "set", "bytearray"}
# These are made to be changed, whatever they are called.
STATE = {
    "Condition",
    "ContextVar",
    "Counter",
    "Event",
    "LRUCache",
    "Lock",
    "OrderedDict",
    "RLock",
    "Semaphore",
    "TTLCache",
    "WeakKeyDictionary",
    "WeakSet",
    "WeakValueDictionary",
    "count",
    "defaultdict",
    "deque",
    "local",
}


def test_no_name_says_nothing() -> None:
    """A name tells what a thing is for; "manager" or "utils" would fit anything."""
    empty = [
        f"{place}: {name} ({', '.join(sorted(words))})"
        for source in package()
        for place, name in _names(source)
        if (words := FORBIDDEN_WORDS & set(_words(name)))
    ]

    assert not empty, listed(empty)


def test_inheritance_is_one_level_deep() -> None:
    """What a class does is found in it or in one other place."""
    deep = [
        f"{definition}: {' > '.join(parent.__name__ for parent in own)}"
        for source in package()
        if not source.module.startswith(TREES)
        for definition, _ in source.classes
        if not definition.parents and len(own := _own_parents(source.module, definition.name)) > 1
    ]

    assert not deep, listed(deep)


def test_modules_keep_no_state() -> None:
    """Two stacks in one program never meet, and an import changes nothing."""
    stateful = [
        f"{source.at(node)}: {names}"
        for source in package()
        for node in _top_level(source.tree.body)
        if (names := ", ".join(_stateful_names(node)))
    ]
    stateful += [
        f"{source.at(node)}: global {', '.join(node.names)}"
        for source in package()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Global)
    ]

    assert not stateful, listed(stateful)


def test_time_comes_from_a_clock() -> None:
    """A test may turn the time as it likes, and nothing in the library waits behind its back."""
    elsewhere = [
        f"{source.at(node)}: {name}"
        for source in package()
        if source.module != CLOCK
        for node in ast.walk(source.tree)
        for name in _asks_the_time(node)
    ]

    assert not elsewhere, listed(elsewhere)


def test_only_the_command_line_prints() -> None:
    """A library that writes to the terminal spoils the output of the program around it."""
    printing = [
        f"{source.at(node)}: {name}"
        for source in package()
        if not source.module.startswith(PRINTING)
        for node in ast.walk(source.tree)
        if (name := dotted(node)) in {"print", "pprint", "sys.stdout", "sys.stderr"}
    ]

    assert not printing, listed(printing)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cache = {}", True),
        ("seen: list[str] = []", True),
        ("_CACHE = OrderedDict()", True),
        ("_PORTS = {'http': 80}", False),
        ("ports: Final = {'http': 80}", False),
        ("__all__ = ['a']", False),
        ("pair = (1, 2)", False),
    ],
)
def test_the_rule_on_state_knows_a_constant_from_a_cache(text: str, found: bool) -> None:
    """The rule can be trusted in both directions."""
    (node,) = ast.parse(text).body

    assert bool(_stateful_names(node)) is found


def _names(source: Source) -> Iterator[tuple[str, str]]:
    yield str(source), source.module
    for definition in source.definitions:
        yield source.at(definition.node), definition.node.name
    for node in _top_level(source.tree.body):
        for name in _assigned(node):
            yield source.at(node), name


def _words(name: str) -> list[str]:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace(".", "_").split("_")


def _own_parents(module: str, name: str) -> list[type]:
    # A class for type checkers alone is not there.
    kind = vars(importlib.import_module(module)).get(name, object)
    return [parent for parent in kind.__mro__[1:] if parent.__module__.startswith("sessionkit.")]


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and not is_type_checking(node):
            yield from _top_level([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from _top_level([*node.body, *node.orelse, *node.finalbody])
        else:
            yield node


def _assigned(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return
    for target in targets:
        for item in target.elts if isinstance(target, ast.Tuple) else [target]:
            if isinstance(item, ast.Name):
                yield item.id


def _stateful_names(node: ast.stmt) -> list[str]:
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if value is None:
        return []
    called = dotted(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else ""
    if called in STATE:
        return list(_assigned(node))
    literals = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
    if not isinstance(value, literals) and called not in CONTAINERS:
        return []
    annotation = ast.unparse(node.annotation) if isinstance(node, ast.AnnAssign) else ""
    if re.search(r"\bFinal\b", annotation):
        return []
    return [name for name in _assigned(node) if not (name.isupper() or name.startswith("__"))]


def _asks_the_time(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Attribute) and TIME.fullmatch(name := dotted(node)):
        return [name]
    if isinstance(node, ast.ImportFrom) and node.module == "time":
        return [f"from time import {alias.name}" for alias in node.names]
    return []
