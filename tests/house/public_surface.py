"""Every public name with its signature, as text: ``python -m tests.house.public_surface``.

The text stands beside this file, so that a change of the surface is seen in review.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.house.source import package, shown_names

SNAPSHOT = Path(__file__).with_suffix(".txt")


def surface() -> str:
    """Return the surface as it is now."""
    lines: list[str] = []
    for source in sorted(package(), key=lambda source: source.module):
        names = () if "._" in source.module else shown_names(source)
        if names:
            module = import_module(source.module)
            lines += ["", f"# {source.module}", ""]
            for name in sorted(names):
                lines += _described(name, getattr(module, name))
    return "\n".join(lines[1:]) + "\n"


def _described(name: str, value: Any) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"{name}{_signature(value)}" if inspect.isroutine(value) else f"{name}: constant"
        return
    bases = ", ".join(base.__name__ for base in value.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    own = vars(value)
    if "__init__" in own and not getattr(value, "_is_protocol", False):
        yield f"    __init__{_signature(own['__init__'])}"
    elif hasattr(value, "_fields"):
        yield f"    __new__{_signature(value.__new__)}"
    slots = own.get("__slots__", ())
    attributes = sorted(slot for slot in slots if not slot.startswith("_"))
    if attributes and not isinstance(slots, str):
        yield f"    attributes: {', '.join(attributes)}"
    for member, found in sorted(own.items()):
        if not member.startswith("_"):
            yield from _member(member, found)


def _member(name: str, found: Any) -> Iterator[str]:
    if isinstance(found, property):
        annotations = getattr(found.fget, "__annotations__", {})
        yield f"    {name}: {annotations.get('return', 'Any')}"
    elif isinstance(found, classmethod | staticmethod):
        yield f"    {type(found).__name__} {name}{_signature(found.__func__)}"
    elif inspect.isfunction(found):
        yield f"    {name}{_signature(found)}"


def _signature(function: Any) -> str:
    try:
        text = str(inspect.signature(function, follow_wrapped=False))
    except (TypeError, ValueError):
        return "(...)"
    # Annotations are text already; quotes would only stand in the way. Addresses change.
    text = re.sub(r" at 0x[0-9a-f]+", "", text.replace("'", ""))
    return re.sub(r"ForwardRef\((\w+)\)", r"\1", text)


if __name__ == "__main__":
    SNAPSHOT.write_text(surface(), "utf-8")
