"""What a stack and its light stacks share: the chain, compiled once, and the wires."""

from __future__ import annotations

import copy
import threading
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from sessionkit import SessionStack
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._core import Core
from sessionkit.chain._chain import Handlers
from tests.support.servers.loopback import Loopback, Reply
from tests.support.stacks import passing


def core(session: requests.Session | None = None) -> Core:
    """Return the core of a stack with one handler."""
    return Core(session or requests.Session(), Handlers([passing]), SYSTEM_CLOCK)


def test_a_chain_is_bound_once_for_each_order_of_handlers() -> None:
    """A call costs no more for a chain that nobody changed."""
    shared = core()
    first = shared.compiled()

    assert shared.compiled() is first
    shared.handlers.add(passing, name="second")

    assert shared.compiled() is not first
    assert shared.compiled()[2] == ("passing", "second")
    assert shared.compiled() is shared.compiled()


def test_a_wire_is_made_once_for_each_way_in() -> None:
    """What the caller called is what the wire calls, and it is not looked up anew each time."""
    shared = core()

    assert shared.wire("request") is shared.wire("request")
    assert shared.wire("request") is not shared.wire("send")


class Kept(HTTPAdapter):
    """An adapter with a setting of its own, as users write them."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        super().__init__(pool_maxsize=7)


class Odd(BaseAdapter):
    """An adapter that is not requests' own."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_forked_child_gets_pools_of_its_own() -> None:
    """The settings of each adapter survive; only connections are made anew."""
    session = requests.Session()
    kept, odd = Kept("mine"), Odd()
    session.mount("http://", kept)
    session.mount("odd://", odd)
    pools = kept.poolmanager

    core(session).after_fork()

    assert session.adapters["http://"] is kept
    assert kept.poolmanager is not pools
    assert (kept.tag, kept.poolmanager.connection_pool_kw["maxsize"]) == ("mine", 7)
    assert odd.closed == 1


def test_a_session_without_adapters_can_be_forked_too() -> None:
    """A session of another make is wrapped as far as it goes."""

    class Bare(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            del self.adapters

    core(Bare()).after_fork()


def test_a_forked_child_makes_its_pools_once() -> None:
    """After its first call it keeps its connections as any process does."""
    shared = core()
    adapter: Any = shared.session.adapters["http://"]
    inherited = adapter.poolmanager
    shared.pid = -1
    fresh = shared.for_this_process().session.adapters["http://"].poolmanager  # type: ignore[attr-defined]  # as all have

    assert fresh is not inherited
    shared.for_this_process()
    assert adapter.poolmanager is fresh


class OwnPool(HTTPAdapter):
    """An adapter that keeps connections where nobody knows, as those of unix sockets do."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_an_adapter_with_connections_of_its_own_lets_go_of_them_too() -> None:
    """Its own ``close`` is the one thing that knows where they are."""
    session, adapter = requests.Session(), OwnPool()
    session.mount("http+own://", adapter)

    core(session).after_fork()

    assert adapter.closed == 1
    assert session.get_adapter("http://x").__class__ is HTTPAdapter


def test_an_adapter_without_pools_can_be_forked_too() -> None:
    """Stand-ins of tests, and adapters to other libraries, leave out what they do not need."""

    class Without(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            """Do without."""

    session = requests.Session()
    session.mount("http://", Without())

    core(session).after_fork()


def hold(*locks: Any) -> None:
    """Lock by a thread that then is no more, as is every thread but one in a forked child."""
    thread = threading.Thread(target=lambda: [lock.acquire() for lock in locks])
    thread.start()
    thread.join(20)


def is_free(lock: Any) -> bool:
    """Tell whether the calling thread can have *lock* at once."""
    free: bool = lock.acquire(blocking=False)
    return free


def test_locks_that_a_thread_of_the_parent_held_are_free_in_the_child() -> None:
    """A worker forked from a busy server does not wait for threads that it does not have."""
    with Loopback(lambda _: Reply()) as server, requests.Session() as session:
        shared = core(session)
        manager = session.adapters["http://"].poolmanager  # type: ignore[attr-defined]  # as all have
        session.get(server.origin)
        queue = manager.connection_from_url(server.origin).pool
        kept = list(queue.queue)
        hold(queue.mutex, manager.pools.lock, session.cookies._cookies_lock)
        hold(shared.handlers._lock)

        shared.after_fork()

        locks = (queue.mutex, manager.pools.lock, session.cookies._cookies_lock)
        assert all(map(is_free, (*locks, shared.handlers._lock)))
        assert queue.queue == kept
        queue.mutex.release()
        # What collects the inherited pool can empty it.
        manager.clear()
        assert [c for c in kept if c is not None and c.sock is not None] == []


def test_pools_of_proxies_are_freed_as_well() -> None:
    """Connections over a proxy wait in pools of their own."""
    session = requests.Session()
    adapter: Any = session.adapters["http://"]
    manager = adapter.proxy_manager_for("http://127.0.0.1:9")
    hold(manager.pools.lock)

    core(session).after_fork()

    assert is_free(manager.pools.lock)
    assert adapter.proxy_manager == {}


def test_a_copied_core_has_a_chain_of_its_own_with_the_same_handlers() -> None:
    """Adding a handler to a copy does not add it to what was copied."""
    shared = core()
    for twin in (copy.copy(shared), copy.deepcopy(shared)):
        twin.handlers.add(passing, name="second")

        assert twin.handlers["passing"] is shared.handlers["passing"]
        assert twin.session is not shared.session
        assert twin.clock is shared.clock
    assert shared.handlers.names == ("passing",)


def test_a_core_copied_in_a_forked_child_inherits_no_connections() -> None:
    """The copy counts as made here, so what it copies must be this process's own already."""
    shared = core()
    adapter: Any = shared.session.adapters["http://"]
    pools = adapter.poolmanager
    shared.pid = -1

    copy.copy(shared)

    assert adapter.poolmanager is not pools


def test_light_stacks_share_one_core() -> None:
    """A handler that is added to the stack is there for all that was derived from it."""
    with requests.Session() as session:
        stack = SessionStack(session)
        light = stack.with_options(timeout=3)
        stack.handlers.add(passing)

        assert light.handlers is stack.handlers
        assert light.handlers.names == ("passing",)
