"""Who imports whom beyond what import-linter can say, and what an import costs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.house.source import ROOT, Source, faces, listed, package, shown_names

if TYPE_CHECKING:
    from collections.abc import Iterator

CORE = "from sessionkit import SessionStack, recommended"
# Loaded by the part that needs it and at the moment it does, so that the core starts at once.
NOT_BY_THE_CORE = {
    "cachetools",
    "concurrent.futures",
    "dataclasses",
    "inspect",
    "msgspec",
    "rich",
    "sqlite3",
    "vcr",
    "sessionkit.auth._handler",
    "sessionkit.cli",
    "sessionkit.demo",
    "sessionkit.mapping",
    "sessionkit.paging",
    "sessionkit.resources",
    "sessionkit.testing",
}
# Third-party packages that come with an extra, never with the package itself.
EXTRAS = {
    "cryptography",
    "django",
    "hishel",
    "jwt",
    "keyring",
    "limits",
    "opentelemetry",
    "platformdirs",
    "prometheus_client",
    "pyarrow",
    "pydantic",
    "pytest",
    "redis",
    "rich",
    "sqlalchemy",
    "vcr",
}
# These use the library as its users do.
ABOVE_THE_ROOT = (
    "sessionkit.__main__",
    "sessionkit.cli",
    "sessionkit.contrib",
    "sessionkit.demo",
    "sessionkit.testing",
)
# The errors are one tree: who needs a leaf needs its branch.
LAZY = [face for face in faces() if face.module != "sessionkit.errors"]


def test_the_core_loads_nothing_that_it_does_not_need() -> None:
    """A program that only sends requests pays for no mapping, database or terminal library."""
    loaded = _loaded_by(CORE, after="import requests")

    assert not loaded & NOT_BY_THE_CORE


def test_a_stack_whose_calls_succeed_loads_nothing_that_makes_errors() -> None:
    """What an error is built of is loaded when a call fails."""
    stack = "SessionStack(handlers=recommended(StaticToken('a')))"
    code = f"{CORE}\nfrom sessionkit.auth import StaticToken\n{stack}"
    loaded = _loaded_by(code, after="import requests")

    own = {name for name in loaded if name.startswith("sessionkit.errors.")}
    assert own == {f"sessionkit.errors.{name}" for name in ("_base", "_tree", "tools")}


def test_no_extra_is_needed_to_import_anything_public() -> None:
    """What was not installed is missed only by who asks for it."""
    everything = "; ".join(
        f"import {face.module}; [getattr({face.module}, name) for name in {face.module}.__all__]"
        for face in faces()
        if shown_names(face) and not face.module.startswith("sessionkit.testing")
    )

    loaded = _loaded_by(everything, after="import requests")

    assert not loaded & EXTRAS


@pytest.mark.parametrize("face", LAZY, ids=str)
def test_a_face_loads_only_what_is_asked_of_it(face: Source) -> None:
    """Importing a package costs one file; a name loads its module when it is first used."""
    loaded = _loaded_by(f"import {face.module}")

    own = {name for name in loaded if name.startswith(f"{face.module}.")}
    assert own <= {"sessionkit._lazy"}


def test_nothing_below_the_root_imports_it() -> None:
    """The root stands on the modules that it shows, so none of them may stand on the root."""
    modules = {source.module for source in package()}
    upward = [
        f"{source.at(node)}: {name}"
        for source in package()
        if not source.module.startswith(ABOVE_THE_ROOT)
        for node, name in _imported(source)
        if name == "sessionkit" or (name.count(".") == 1 and name not in modules)
    ]

    assert not upward, listed(upward)


def _loaded_by(code: str, *, after: str = "pass") -> set[str]:
    """Return the modules that *code* loads in a fresh interpreter, beyond those of *after*."""
    program = (
        f"import json, sys\n{after}\nbefore = set(sys.modules)\n{code}\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    # Coverage starts itself in child processes by a variable, and loads much of the library.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout))


def _imported(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Yield each import of something of ours, by its full dotted name."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == "sessionkit":
                yield node, name
