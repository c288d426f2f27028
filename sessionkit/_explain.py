"""What ``stack.explain()`` says: the chain with its settings, and what defeats itself in it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sessionkit._defaults import ORDER
from sessionkit._redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit._chain import Handlers


def explain_stack(session: Any, handlers: Handlers, base_url: str | None) -> str:
    """Describe a stack in plain lines; never a secret."""
    lines = [f"SessionStack over {type(session).__module__}.{type(session).__qualname__}"]
    lines.append(f"base_url: {redact_url(base_url) if base_url else 'none'}")
    lines.append("handlers, outermost first:" if len(handlers) else "handlers: none (transparent)")
    width = max(map(len, handlers.names), default=0)
    for number, link in enumerate(handlers.links, 1):
        lines.append(f"  {number}. {link.name:<{width}}  {_settings(link.handler)}")
    lines.extend(f"warning: {text}" for text in _warnings(session, handlers))
    return "\n".join(lines)


def _settings(handler: Any) -> str:
    while isinstance(handler, partial):
        handler = handler.func  # its own repr would show the arguments, secrets among them
    if hasattr(handler, "__qualname__"):
        return f"function {handler.__module__}.{handler.__qualname__}"
    kind: Any = type(handler)
    if kind.__repr__ is object.__repr__:
        # The default repr would show an address, which tells nobody anything.
        return f"{kind.__module__}.{kind.__qualname__}"
    return repr(handler)


def _warnings(session: Any, handlers: Handlers) -> Iterator[str]:
    placed = [name for name in handlers.names if name in ORDER]
    for outer, inner in pairwise(placed):
        if ORDER.index(outer) > ORDER.index(inner):
            yield f"{outer!r} stands outside {inner!r}; recommended is the other way round"
    if "retry" not in handlers:
        return
    for prefix, adapter in getattr(session, "adapters", {}).items():
        total = getattr(getattr(adapter, "max_retries", None), "total", 0)
        if total:
            yield (
                f"the adapter at {prefix} retries {total} times by itself, inside each attempt of "
                f"'retry'; mount it with max_retries=0, or take 'retry' out"
            )
