"""The source tree as the house tests see it: parsed once, with code lines counted."""

from __future__ import annotations

import ast
import io
import tokenize
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sessionkit"

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Documented: TypeAlias = ast.Module | ast.ClassDef | Function

_SILENT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
)


@dataclass(frozen=True)
class Definition:
    """A function or class with the dotted names around it, such as ``Outer.method``."""

    source: Source
    node: ast.ClassDef | Function
    parents: tuple[ast.ClassDef | Function, ...]

    @property
    def name(self) -> str:
        return ".".join([*(parent.name for parent in self.parents), self.node.name])

    @property
    def is_public(self) -> bool:
        """Part of what a reader may use: no underscore on the way, not inside a function."""
        inside_function = any(isinstance(parent, Function) for parent in self.parents)
        return not inside_function and not any(
            part.startswith("_") for part in self.name.split(".")
        )

    @property
    def is_method(self) -> bool:
        return bool(self.parents) and isinstance(self.parents[-1], ast.ClassDef)

    def __str__(self) -> str:
        return f"{self.source.at(self.node)} {self.name}"


@dataclass(frozen=True)
class Source:
    """One Python file of the repository."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def __hash__(self) -> int:
        return hash(self.path)

    def at(self, node: ast.AST) -> str:
        """Return where *node* is, as ``file:line``."""
        return f"{self}:{getattr(node, 'lineno', 1)}"

    @property
    def module(self) -> str:
        """The dotted name, as ``sessionkit.auth.renewal._renewal``."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_face(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        return self.module if self.is_face else self.module.rpartition(".")[0]

    @cached_property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """Numbers of the lines that hold code: no blanks, comments or docstrings."""
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in _SILENT:
                lines.update(range(token.start[0], token.end[0] + 1))
        for node in ast.walk(self.tree):
            if isinstance(node, Documented) and (text := _docstring(node)):
                lines.difference_update(_span(text))
        return frozenset(lines)

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(self._walk(self.tree, ()))

    @property
    def classes(self) -> Iterator[tuple[Definition, ast.ClassDef]]:
        for definition in self.definitions:
            if isinstance(definition.node, ast.ClassDef):
                yield definition, definition.node

    @property
    def functions(self) -> Iterator[tuple[Definition, Function]]:
        for definition in self.definitions:
            if isinstance(definition.node, Function):
                yield definition, definition.node

    def body_lines(self, node: Function) -> int:
        """Count the code lines of a function, without its signature and docstring."""
        first = node.body[0].lineno
        return len(self.code_lines.intersection(range(first, (node.end_lineno or first) + 1)))

    def _walk(
        self, node: ast.AST, parents: tuple[ast.ClassDef | Function, ...]
    ) -> Iterator[Definition]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | Function):
                yield Definition(self, child, parents)
                yield from self._walk(child, (*parents, child))
            else:
                yield from self._walk(child, parents)


@cache
def sources(folder: str) -> tuple[Source, ...]:
    """Return all Python files under *folder* of the repository, in order."""
    return tuple(Source(path) for path in sorted((ROOT / folder).rglob("*.py")))


def package() -> tuple[Source, ...]:
    """Return the modules of sessionkit, faces included."""
    return sources("sessionkit")


def faces() -> tuple[Source, ...]:
    """Return the faces: each ``__init__.py`` of the package."""
    return tuple(source for source in package() if source.is_face)


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether *node* is ``if TYPE_CHECKING:``."""
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def decorators(node: ast.ClassDef | Function) -> set[str]:
    """Return the names of the decorators, calls and attributes unwrapped."""
    return {
        dotted(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list
    }


def dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for a chain of attributes on a name, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        start = dotted(node.value)
        return f"{start}.{node.attr}" if start else ""
    return ""


def shown_names(source: Source) -> tuple[str, ...]:
    """Return what a module shows: its literal ``__all__``, or the names given to ``lazy``."""
    shown = literal_names(source, "__all__")
    for node in [] if shown else source.tree.body:
        call = node.value if isinstance(node, ast.Assign) else None
        if isinstance(call, ast.Call) and dotted(call.func) == "lazy":
            table = ast.literal_eval(call.args[1])
            shown = tuple(name for names in table.values() for name in names)
    return shown


def literal_names(source: Source, variable: str) -> tuple[str, ...]:
    """Return the strings in a module-level list or tuple, such as ``__all__``; () without it."""
    for node in source.tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == variable for target in targets):
            value = node.value
            assert isinstance(value, ast.List | ast.Tuple), f"{source}: {variable} is no literal"
            return tuple(ast.literal_eval(value))
    return ()


def listed(problems: list[str]) -> str:
    """Return *problems* one a line, for the message of an assertion."""
    return "\n" + "\n".join(problems)


def _docstring(node: Documented) -> ast.Expr | None:
    first = node.body[0] if node.body else None
    is_text = (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    )
    return first if is_text and isinstance(first, ast.Expr) else None


def _span(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)
