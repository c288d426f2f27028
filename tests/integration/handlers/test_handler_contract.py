"""A handler knows its exchange and ``call_next``, and nothing that a user's handler could not use.

The most demanding handlers are copied out of the package, into a package of a stranger that imports
public names only, and their own tests are run against the copies. Helpers that know nothing of a
call go along: a stranger could have written them.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tests.house.source import PACKAGE, ROOT, package

FACES = (
    *("sessionkit", "sessionkit.auth", "sessionkit.bodies", "sessionkit.errors"),
    *("sessionkit.errors.tools", "sessionkit.events", "sessionkit.handlers", "sessionkit.stores"),
)
#: Pure, or of the machine: dates, headers, numbers, texts, forks, files. None knows a call.
HELPERS = (
    *("sessionkit._checks", "sessionkit._clock", "sessionkit._fork", "sessionkit._optional"),
    *("sessionkit._origins", "sessionkit._redact", "sessionkit._tokens", "sessionkit.events"),
    "sessionkit.headers.",
    "sessionkit.stores.",
)
#: Each handler's module, the modules that are its own, and its tests.
HANDLERS = (
    ("sessionkit.handlers._errors", "", "handlers/test_errors.py"),
    ("sessionkit.handlers._retry", "sessionkit.handlers._", "handlers/test_retry.py"),
    (
        "sessionkit.handlers.cache._handler",
        "sessionkit.handlers.cache.",
        "handlers/cache/test_lookup.py",
    ),
    ("sessionkit.auth._handler", "sessionkit.auth.", "auth/test_handler.py"),
)


def public_names() -> dict[str, str]:
    """Return the face of each public name."""
    names: dict[str, str] = {}
    for face in FACES:
        for name in vars(import_module(face)).get("__all__", ()):
            names.setdefault(name, face)
    return names


class Stranger:
    """The package that handlers are copied to, and the modules that were."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.handlers = {module for module, _, _ in HANDLERS}
        self.own = tuple(own for _, own, _ in HANDLERS if own)
        self.copied: set[str] = set()
        self.public = public_names()

    def copy(self, module: str) -> None:
        """Copy *module*, and what it needs that is not public."""
        if module in self.copied:
            return
        self.copied.add(module)
        target = self.folder / self.place_of(module)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self.rewritten(_file_of(module).read_text("utf-8")), "utf-8")

    def rewritten(self, text: str) -> str:
        """Return a module with its imports from the faces, and from the stranger's own modules."""
        return self._with_imports(text, self.imported)

    def tested(self, text: str) -> str:
        """Return tests with what was copied imported from the copies, the rest as ever."""
        return self._with_imports(text, self.imported_by_tests)

    def _with_imports(self, text: str, imported: Callable[[ast.ImportFrom, ast.alias], str]) -> str:
        lines = text.split("\n")
        nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
        for node in sorted(nodes, key=lambda node: node.lineno, reverse=True):
            if (node.module or "").partition(".")[0] == "sessionkit":
                imports = [" " * node.col_offset + imported(node, name) for name in node.names]
                lines[node.lineno - 1 : node.end_lineno] = imports
        return "\n".join(lines)

    def imported(self, node: ast.ImportFrom, name: ast.alias) -> str:
        """Return the statement by which a stranger imports one name."""
        source = node.module or ""
        renamed = f" as {name.asname}" if name.asname else ""
        if _is_module(f"{source}.{name.name}"):
            module = f"{source}.{name.name}"
            if module in FACES:
                return f"from {source} import {name.name}{renamed}"
            self.need(module)
            return f"from {_own(source)} import {name.name}{renamed}"
        if name.name in self.public and source not in self.handlers:
            return f"from {self.public[name.name]} import {name.name}{renamed}"
        self.need(source)
        return f"from {_own(source)} import {name.name}{renamed}"

    def imported_by_tests(self, node: ast.ImportFrom, name: ast.alias) -> str:
        """Return the statement by which the tests import one name."""
        source = node.module or ""
        defined = getattr(import_module(source), name.name)
        module = getattr(defined, "__module__", source)
        is_copied = name.name not in self.public and source in self.copied
        if module in self.handlers:
            source = module
        place = _own(source) if is_copied or module in self.handlers else source
        return f"from {place} import {name.name}" + (f" as {name.asname}" if name.asname else "")

    def need(self, module: str) -> None:
        """Copy *module* along if a stranger could have it."""
        assert module.startswith(HELPERS + self.own), (
            f"{module} is not public, and not the stranger's own"
        )
        self.copy(module)

    def place_of(self, module: str) -> Path:
        """Return where *module* is copied to; each folder becomes a package."""
        parts = module.split(".")[1:]
        for depth in range(len(parts)):
            face = self.folder.joinpath("stranger", *parts[:depth], "__init__.py")
            face.parent.mkdir(parents=True, exist_ok=True)
            face.touch()
        return Path("stranger", *parts).with_suffix(".py")


def _file_of(module: str) -> Path:
    return PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")


def _is_module(module: str) -> bool:
    return _file_of(module).is_file()


def _own(module: str) -> str:
    return f"stranger{module.removeprefix('sessionkit')}"


def test_handlers_pass_their_tests_as_those_of_a_stranger(tmp_path: Path) -> None:
    """Whatever the library's own handlers can do, a user's handler can do."""
    stranger = Stranger(tmp_path)
    copies: list[str] = []
    for module, _, tests in HANDLERS:
        stranger.copy(module)
        tested = tmp_path / f"test_copied_{len(copies)}.py"
        text = stranger.tested(ROOT.joinpath("tests", "unit", tests).read_text("utf-8"))
        tested.write_text(text, "utf-8")
        copies.append(str(tested))
        assert _own(module) in text, f"{tests} does not use the copy of {module}"
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    options = ("-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"))

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), *copies],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]


def test_the_inside_of_a_call_is_used_by_the_chain_the_transport_and_the_stack_alone() -> None:
    """Handlers, grants and pages go by what is public."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = set(settings["tool"]["ruff"]["lint"]["flake8-self"]["extend-ignore-names"])
    inside = ("sessionkit.chain.", "sessionkit.transport.", "sessionkit._stack")
    users = [
        f"{source.at(node)}: {node.attr}"
        for source in package()
        if not source.module.startswith(inside)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr in names
    ]

    assert names
    assert not users, users
