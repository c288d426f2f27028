"""The most demanding handlers, copied out of the package: of the library they import public names.

A plugin of pytest: with ``-p tests.support.copied_handlers`` a run tests the copies. What a handler
imports from a private module is taken from the public module that offers it. What no public module
offers must be a tool that knows no call (text, numbers, files), as anybody may write one: it is
copied along. The chain, the transport and the stack are not.
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

#: Each with the public module that users import it from.
HANDLERS = {
    "ErrorHandler": ("sessionkit.handlers._errors", "sessionkit.handlers"),
    "RetryHandler": ("sessionkit.handlers._retry", "sessionkit.handlers"),
    "CacheHandler": ("sessionkit.handlers.cache._handler", "sessionkit.handlers.cache"),
}
_FACES = (
    *("sessionkit", "sessionkit.errors", "sessionkit.errors.tools", "sessionkit.bodies"),
    *("sessionkit.events", "sessionkit.stores", "sessionkit.testing"),
)
#: What knows of calls: a handler has it of its exchange, or not at all.
_NOT_COPIED = ("chain", "transport", "auth", "_stack", "_session_proxy", "_recommended", "_client")
_COPIES = "copied_handlers."


class _PublicImports(ast.NodeTransformer):
    """Makes imports of a module into imports of public names, or of copies."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> object:
        module = node.module or ""
        if module.partition(".")[0] != "sessionkit":
            return node
        return [
            ast.ImportFrom(self._source(module, alias.name), [alias], 0) for alias in node.names
        ]

    def _source(self, module: str, name: str) -> str:
        """Return the module to import *name* from."""
        if hasattr(import_module(module), "__path__") and find_spec(f"{module}.{name}"):
            return copied(f"{module}.{name}").rpartition(".")[0]
        wanted = getattr(import_module(module), name, None)  # None: known to type checkers alone
        if not module.startswith("sessionkit.handlers"):
            for face in (module, *_FACES):
                if "._" not in face and getattr(import_module(face), name, None) is wanted:
                    return face
        return copied(module)


def copied(name: str) -> str:
    """Copy the private module called *name*; return what the copy is called."""
    copy = _COPIES + name.replace("sessionkit.", "")
    if copy not in sys.modules:
        assert not name.removeprefix("sessionkit.").startswith(_NOT_COPIED), name
        path = Path(str(import_module(name).__file__))
        tree = ast.fix_missing_locations(_PublicImports().visit(ast.parse(path.read_text("utf-8"))))
        module = ModuleType(copy)
        parts = copy.split(".")
        for count in range(1, len(parts)):
            parent = ".".join(parts[:count])
            sys.modules.setdefault(parent, ModuleType(parent))
        _put(copy, module)
        exec(compile(tree, path, "exec"), vars(module))  # a copy of our own text
    return copy


def _put(name: str, module: ModuleType) -> None:
    """Make *module* the one that is called *name*."""
    sys.modules[name] = module
    parent, _, last = name.rpartition(".")
    setattr(sys.modules[parent], last, module)


def install() -> None:
    """Put the copies in the place of the handlers, and of what stands beside them."""
    for module, _ in HANDLERS.values():
        copied(module)
    for copy in [name for name in sys.modules if name.startswith(f"{_COPIES}handlers.")]:
        if "._" in copy:
            _put("sessionkit." + copy.removeprefix(_COPIES), sys.modules[copy])
    for handler, (_, face) in HANDLERS.items():
        assert getattr(import_module(face), handler).__module__.startswith(_COPIES), handler


install()
