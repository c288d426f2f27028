"""What a stack and its light stacks share: the chain, compiled once, and the wires."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from sessionkit import SessionStack
from sessionkit._chain import Handlers
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._core import Core
from tests.loopback import Loopback, Reply
from tests.unit.stacks import passing

ROOT = Path(__file__).parents[2]


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


# In a process of its own: a fork beside the threads of a test run could lock up.
FORKING = """
import os, sys
import requests
from sessionkit import SessionStack

origin = sys.argv[1]
session = requests.Session()
stack = SessionStack(session, [lambda exchange, forward: forward(exchange)], base_url=origin)
assert stack.get("warm").text == "/warm"
child = os.fork()
name = "parent" if child else "child"
wrong = sum(stack.get(f"{name}/{n}").text != f"/{name}/{n}" for n in range(40))
wrong += stack.side(requests.Request("GET", f"{origin}/{name}/side")).text != f"/{name}/side"
wrong += stack.send(requests.Request("GET", f"{origin}/{name}").prepare()).text != f"/{name}"
session.close()
if not child:
    os._exit(wrong)
_, status = os.waitpid(child, 0)
sys.exit(wrong + os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_with_an_idle_connection_mixes_up_no_answers() -> None:
    """Parent and child go on with the inherited stack, and each gets its own answers."""
    with Loopback(lambda seen: Reply(200, seen.path.encode())) as server:
        command = [sys.executable, "-c", FORKING, server.origin]
        done = subprocess.run(command, cwd=ROOT, timeout=60, check=False, capture_output=True)

        assert (done.returncode, done.stderr) == (0, b"")
        assert len(server.seen) == 1 + 2 * 42


def test_light_stacks_share_one_core() -> None:
    """A handler that is added to the stack is there for all that was derived from it."""
    with requests.Session() as session:
        stack = SessionStack(session)
        light = stack.using(timeout=3)
        stack.handlers.add(passing)

        assert light.handlers is stack.handlers
        assert light.handlers.names == ("passing",)
