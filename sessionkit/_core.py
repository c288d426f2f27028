"""What a stack shares with the light stacks derived from it: session, chain, wires."""

from __future__ import annotations

import os
import threading
from copy import copy, deepcopy
from http.cookiejar import CookieJar
from queue import Queue
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import PoolManager

from sessionkit.chain._chain import Handlers, Link, compile_chain, declared_options
from sessionkit.chain._exchange import Call
from sessionkit.chain._record import CallRecord
from sessionkit.transport._wire import Wire

if TYPE_CHECKING:
    import requests

    from sessionkit._clock import Clock
    from sessionkit.chain._exchange import CallNext


class Core:
    """What a stack shares with the light stacks that ``with_options`` derives from it."""

    __slots__ = ("_compiled", "_wires", "clock", "handlers", "pid", "session")

    def __init__(self, session: requests.Session, handlers: Handlers, clock: Clock) -> None:
        self.session = session
        self.handlers = handlers
        self.clock = clock
        self.pid = os.getpid()
        self._compiled = self._compile(handlers.links)
        self._wires: dict[str, Wire] = {}

    def _compile(
        self, links: tuple[Link, ...]
    ) -> tuple[tuple[Link, ...], CallNext, tuple[str, ...], frozenset[str]]:
        call_next = compile_chain(links, self.clock.monotonic)
        return links, call_next, tuple(link.name for link in links), declared_options(links)

    def compiled(self) -> tuple[tuple[Link, ...], CallNext, tuple[str, ...], frozenset[str]]:
        """Return the chain as it is now, bound once for each tuple of links."""
        compiled = self._compiled
        if compiled[0] is not self.handlers.links:
            compiled = self._compiled = self._compile(self.handlers.links)
        return compiled

    def begin(
        self, entry: str, method: str, *, url: str, home: str | None
    ) -> tuple[Call, CallNext]:
        """Return what the attempts of a new call share, and the way through the chain."""
        _, call_next, names, private = self.compiled()
        record = CallRecord(method, url, names, self.clock.monotonic())
        call = Call(record, self.wire(entry), self.clock, home)
        call.handler_options = private
        return call, call_next

    def wire(self, entry: str) -> Wire:
        """Return the wire for what the caller called: ``request``, ``send`` or a verb."""
        wire = self._wires.get(entry)
        if wire is None:
            wire = self._wires[entry] = Wire(self.session, entry)
        return wire

    def for_this_process(self) -> Core:
        """Return itself, ready for the process that asks."""
        if self.pid != os.getpid():
            self.after_fork()
        return self

    def after_fork(self) -> None:
        """Give a forked child connections of its own.

        An inherited connection is shared with the parent, and answers would go to either process.
        The pools are replaced, not closed: their locks may have been held while the fork was made,
        by a thread that the child does not have. For the same reason all other locks are made anew.
        """
        self.handlers._unlock()
        jar = getattr(self.session, "cookies", None)
        if isinstance(jar, CookieJar):
            # The lock of the standard library's jar, which requests itself drops to pickle one.
            jar._cookies_lock = threading.RLock()  # type: ignore[attr-defined]  # noqa: SLF001  # the parent's may be held
        for adapter in getattr(self.session, "adapters", {}).values():
            if isinstance(adapter, HTTPAdapter):
                _unlock(getattr(adapter, "poolmanager", None))
                for manager in getattr(adapter, "proxy_manager", {}).values():
                    _unlock(manager)
                adapter.__setstate__(adapter.__getstate__())
            if type(adapter).close is not HTTPAdapter.close:
                adapter.close()  # it may keep connections of its own
        # Last: another thread of the child must not take the old pools for new ones.
        self.pid = os.getpid()

    def __copy__(self) -> Core:
        return self._over(copy(self.session))

    def __deepcopy__(self, memo: dict[int, Any]) -> Core:
        return self._over(deepcopy(self.session, memo))

    def _over(self, session: requests.Session) -> Core:
        """Return a core over another session: a chain of its own, of the very same handlers.

        Handlers are never copied: two that held the same refresh token would both use it.
        """
        chain = {link.name: link.handler for link in self.for_this_process().handlers.links}
        return Core(session, Handlers(chain), self.clock)


def _unlock(manager: object) -> None:
    """Free the locks of inherited pools; the interpreter takes them when it collects a pool."""
    if not isinstance(manager, PoolManager):
        return  # an adapter that pools in its own way
    manager.pools.lock = threading.RLock()
    for key in manager.pools.keys():  # noqa: SIM118  # it refuses to be iterated
        waiting = manager.pools[key].pool
        if isinstance(waiting, Queue) and waiting.mutex.locked():
            connections = waiting.queue
            waiting.__init__(waiting.maxsize)  # type: ignore[misc]  # all its locks at once
            waiting.queue = connections
