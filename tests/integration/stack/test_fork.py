"""A stack in forked processes: each gets its own answers, and waits for no thread it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

ROOT = Path(__file__).parents[3]
SECONDS: Final = 60
"""How long anything here may take before it counts as stuck."""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# Each in a process of its own: a fork beside the threads of a test run could lock up.
START = f"""
import os, signal, sys, threading, warnings
import requests
from sessionkit import SessionStack, recommended
from sessionkit.auth import ClientCredentials
from tests.support.threads import at_once

# Later versions of Python warn of what is tested here: forks with threads about.
warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
signal.alarm({SECONDS})
origin = sys.argv[1]
session = requests.Session()
stack = SessionStack(session, [lambda exchange, call_next: call_next(exchange)], base_url=origin)

def wrong(name, calls):
    # How many of that many calls got another call's answer.
    return sum(stack.get(f"{{name}}/{{n}}").text != f"/{{name}}/{{n}}" for n in range(calls))

def child(work):
    # Forked: ends with what the work returned; without an end of its own, by the alarm.
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        signal.alarm({SECONDS // 2})
        code = work() or 0
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        os._exit(code)

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def run(program: str, *arguments: str) -> None:
    """Run a program to its end, which must be a good one and a silent one."""
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", START + program, *arguments],
        cwd=ROOT,
        timeout=2 * SECONDS,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def echo(seen: ServerRequest) -> ServerResponse:
    """Answer with the path, and with cookies to keep."""
    return ServerResponse(200, seen.path.encode(), {"Set-Cookie": "a=b"})


def test_ten_forks_with_idle_connections_mix_up_no_answers() -> None:
    """Parent and child go on at the same time with the inherited stack: 0 of 10 runs go wrong."""
    with LoopbackServer(echo) as server:
        run(
            """
for number in range(10):
    # As many idle connections as threads will ask for.
    at_once(4, lambda n: stack.get(f"warm/{n}"))
    def work():
        mixed = sum(at_once(4, lambda n: wrong(f"child/{number}/{n}", 10)))
        request = requests.Request("GET", f"{origin}/child/direct")
        mixed += stack.send_direct(request).text != "/child/direct"
        sent = requests.Request("GET", f"{origin}/child/sent").prepare()
        return mixed + (stack.send(sent).text != "/child/sent")
    pid = child(work)
    assert sum(at_once(4, lambda n: wrong(f"parent/{number}/{n}", 10))) == 0
    assert ended(pid) == 0
session.close()
""",
            server.origin,
        )

        assert len(server.requests) == 10 * (4 + 40 + 40 + 2)


def test_a_child_of_a_child_has_connections_of_its_own_too() -> None:
    """A worker may start workers."""
    with LoopbackServer(echo) as server:
        run(
            """
stack.get("warm")
def work():
    mixed = wrong("child", 5)
    pid = child(lambda: wrong("grandchild", 20))
    return mixed + wrong("child", 20) + ended(pid)
pid = child(work)
assert wrong("parent", 20) == 0
assert ended(pid) == 0
session.close()
""",
            server.origin,
        )


LOCKS = {
    "connections": "pool.connection_from_url(origin).pool.mutex",
    "pools": "pool.pools.lock",
    "cookies": "session.cookies._cookies_lock",
    "handlers": "stack.handlers._lock",
}


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_a_lock_held_by_a_thread_of_the_parent_is_free_in_the_child(lock: str) -> None:
    """Whatever the parent's threads were doing at that moment, the child can go on at once."""
    with LoopbackServer(echo) as server:
        run(
            f"""
stack.get("warm")
pool = session.get_adapter(origin).poolmanager
lock = {lock}
held, go = threading.Event(), threading.Event()
def hold():
    with lock:
        held.set()
        go.wait(20)
thread = threading.Thread(target=hold)
thread.start()
held.wait(20)
del pool

def work():
    stack.handlers.add(lambda exchange, call_next: call_next(exchange), name="second")
    mixed = wrong("child", 3)
    session.close()
    return mixed
pid = child(work)
assert ended(pid) == 0
go.set()
thread.join()
assert wrong("parent", 3) == 0
session.close()
""",
            server.origin,
        )


def test_children_forked_in_the_thick_of_it_get_their_own_answers() -> None:
    """A server that forks its workers under load, whatever its threads hold at that moment."""
    with LoopbackServer(echo) as server:
        run(
            """
stop = threading.Event()
mixed = []
def load(name):
    while not stop.is_set():
        mixed.append(wrong(name, 1))
threads = [threading.Thread(target=load, args=(f"parent/{n}",)) for n in range(6)]
for thread in threads:
    thread.start()
codes = []
for number in range(10):
    codes.append(ended(child(lambda: sum(at_once(4, lambda n: wrong(f"child/{number}/{n}", 3))))))
stop.set()
for thread in threads:
    thread.join()
assert (codes, sum(mixed)) == ([0] * 10, 0), (codes, sum(mixed))
session.close()
""",
            server.origin,
        )


def test_a_child_forked_during_a_renewal_renews_for_itself() -> None:
    """The thread that holds the renewal's lock is not in the child, which waits for nobody."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server:
        run(
            """
login = ClientCredentials(f"{origin}/token", "app", client_secret="s3cret")
stack = SessionStack(session, recommended(login), base_url=origin)
asked, go = threading.Event(), threading.Event()
real = session.send
def send(request, **options):
    # The parent's renewal has begun, and stands still.
    if request.path_url == "/token" and threading.current_thread() is thread:
        asked.set()
        go.wait(20)
    return real(request, **options)
session.send = send
thread = threading.Thread(target=lambda: stack.get("parent"))
thread.start()
asked.wait(20)
assert ended(child(lambda: stack.get("child").status_code != 200)) == 0
go.set()
thread.join()
session.close()
""",
            server.origin,
        )

        assert [seen.bearer for seen in server.requests_to("/child")] == ["access-1"]
