"""What a stack shares with the light stacks derived from it: session, chain, wires."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter

from sessionkit._chain import Handlers, Link, compile_chain, declared_options
from sessionkit._wire import Wire

if TYPE_CHECKING:
    import requests

    from sessionkit._clock import Clock
    from sessionkit._handler import Forward


class Core:
    """What a stack shares with the light stacks that ``using`` derives from it."""

    __slots__ = ("_compiled", "_wires", "clock", "handlers", "owns", "pid", "session")

    def __init__(self, session: requests.Session, handlers: Handlers, clock: Clock) -> None:
        self.session = session
        self.handlers = handlers
        self.clock = clock
        self.owns = False
        self.pid = os.getpid()
        self._compiled = self._compile(handlers.links)
        self._wires: dict[str, Wire] = {}

    def _compile(
        self, links: tuple[Link, ...]
    ) -> tuple[tuple[Link, ...], Forward, tuple[str, ...], frozenset[str]]:
        forward = compile_chain(links, self.clock.monotonic)
        return links, forward, tuple(link.name for link in links), declared_options(links)

    def compiled(self) -> tuple[tuple[Link, ...], Forward, tuple[str, ...], frozenset[str]]:
        """Return the chain as it is now, bound once for each tuple of links."""
        compiled = self._compiled
        if compiled[0] is not self.handlers.links:
            compiled = self._compiled = self._compile(self.handlers.links)
        return compiled

    def wire(self, entry: str) -> Wire:
        """Return the wire for what the caller called: ``request``, ``send`` or a verb."""
        wire = self._wires.get(entry)
        if wire is None:
            wire = self._wires[entry] = Wire(self.session, entry)
        return wire

    def here(self) -> Core:
        """Return itself, ready for the process that asks."""
        if self.pid != os.getpid():
            self.after_fork()
        return self

    def after_fork(self) -> None:
        """Give a forked child connections of its own.

        An inherited connection is shared with the parent, and answers would go to either process.
        The pools are replaced, not closed: their locks may have been held while the fork was made.
        """
        for adapter in getattr(self.session, "adapters", {}).values():
            if isinstance(adapter, HTTPAdapter):
                adapter.__setstate__(adapter.__getstate__())
            else:
                adapter.close()
        # Last: another thread of the child must not take the old pools for new ones.
        self.pid = os.getpid()
