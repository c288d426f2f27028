"""One token store between processes: renewals in turn, kills at any moment, forks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import LockTimedOut
from sessionkit.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sessionkit.stores import TokenStore

ROOT = Path(__file__).resolve().parents[3]
SECONDS: Final = 60.0
"""How long anything here may take before it counts as stuck."""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

START = f"""
import os, random, signal, sys, threading, warnings
from sessionkit._tokens import Token
from sessionkit.errors import LockTimedOut
from sessionkit.stores import MemoryTokenStore, open_store

# Later versions of Python warn of what is tested here: forks with threads about.
warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
# Nothing here outlives its test, whatever goes wrong.
if hasattr(signal, "alarm"):
    signal.alarm({SECONDS:.0f})
url = sys.argv[1]
store = open_store(url)

def say(text):
    print(text, flush=True)

def hear():
    return sys.stdin.readline().strip()

def child(work):
    # Forked: ends here, with 0 only if all went well.
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.alarm({SECONDS:.0f})
        work()
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
    finally:
        os._exit(1)

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.fixture(params=["sqlite", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}://{tmp_path}/tokens"


@contextmanager
def program(text: str, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run *text* in a process of its own; it is gone at the end, well or ill."""
    # Warnings are errors there, too.
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", START + text, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def tell(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin
    process.stdin.write(f"{text}\n")
    process.stdin.flush()


def finished(process: subprocess.Popen[str]) -> str:
    """Return what a program still said, once it ended well."""
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    return said.strip()


def is_free(store: TokenStore, key: str) -> bool:
    try:
        with store.lock(key, 0.0):
            return True
    except LockTimedOut:
        return False


HOLD = """
with store.lock("app", 20.0):
    say("held")
    hear()
say("free")
hear()
"""


def test_a_token_saved_by_one_process_is_loaded_by_another(url: str) -> None:
    """A worker logs in for all others."""
    store = open_store(url)
    with program('store.save("app", Token("a", extra={"id": "ключ"}))', url) as process:
        finished(process)

    assert store.load("app") == Token("a", extra={"id": "ключ"})


def test_one_process_at_a_time_renews_a_key(url: str) -> None:
    """Others wait for this renewal, read meanwhile, and renew what is theirs."""
    store = open_store(url)
    store.save("app", Token("a"))
    with program(HOLD, url) as process:
        assert heard(process) == "held"
        assert not is_free(store, "app")
        assert is_free(store, "other")
        assert store.load("app") == Token("a")
        store.save("app", Token("b"))
        tell(process, "let go")
        assert heard(process) == "free"

        assert is_free(store, "app")


def test_a_waiting_process_goes_on_when_the_lock_comes_free(url: str) -> None:
    """Nobody waits out a time-out for a renewal that has ended."""
    wait = """
say("waiting")
with store.lock("app", 20.0):
    say(store.load("app").value)
"""
    store = open_store(url)
    with program(wait, url) as process:
        with store.lock("app", 20.0):
            assert heard(process) == "waiting"
            store.save("app", Token("renewed"))
        assert finished(process) == "renewed"


def test_sixteen_workers_take_turns(url: str, tmp_path: Path) -> None:
    """Four processes of four threads renew one after the other: no step of any is lost."""
    work = """
count = sys.argv[1].partition("://")[2] + ".count"
def work():
    for _ in range(5):
        with store.lock("app", 50.0):
            with open(count) as file:
                before = int(file.read())
            with open(count, "w") as file:
                file.write(str(before + 1))
            store.save("app", Token(f"token-{before + 1}"))
say("ready")
hear()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    count = tmp_path / "tokens.count"
    count.write_text("0")
    with (
        program(work, url) as a,
        program(work, url) as b,
        program(work, url) as c,
        program(work, url) as d,
    ):
        processes = (a, b, c, d)
        assert [heard(process) for process in processes] == ["ready"] * 4
        for process in processes:
            tell(process, "go")
        for process in processes:
            finished(process)

    assert count.read_text() == "80"
    assert open_store(url).load("app") == Token("token-80")


# -- Killed ---------------------------------------------------------------------------------------


def test_the_lock_of_a_killed_process_is_free_at_once(url: str, tmp_path: Path) -> None:
    """A renewal that dies with its machine's memory full holds nobody up."""
    store = open_store(url)
    with program(HOLD, url) as process:
        assert heard(process) == "held"
        assert not is_free(store, "app")
        process.kill()
        process.wait(SECONDS)

        assert is_free(store, "app")
    assert {file.stat().st_size for file in tmp_path.glob("*.lock*")} == {0}


@needs_fork
def test_a_process_killed_at_any_moment_leaves_a_whole_token(url: str, tmp_path: Path) -> None:
    """Whatever a kill interrupts, the last token that was safe is there, or the one after it."""
    rounds = """
def save(last, pipe):
    for number in range(last + 1, last + 1000):
        text = str(number)
        pad = text * random.choice([1, 2000])
        store.save("app", Token(text, refresh_token=text, extra={"pad": pad}))
        os.write(pipe, f"{number}\\n".encode())

last = 0
for _ in range(60):
    out, back = os.pipe()
    pid = child(lambda: save(last, back))
    os.close(back)
    said = open(out)
    for _ in range(random.randrange(1, 6)):
        said.readline()
    for _ in range(random.randrange(20_000)):
        pass  # into the middle of the next save
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    safe = [int(line) for line in said if line.endswith("\\n")]
    said.close()
    token = store.load("app")
    number = int(token.value)
    assert number >= max([last, *safe]), (number, safe)
    assert token.refresh_token == token.value
    assert token.extra["pad"].replace(token.value, "") == ""
    last = number
say(last)
"""
    with program(rounds, url) as process:
        last = int(finished(process))

    assert last >= 60
    token = open_store(url).load("app")
    assert token is not None
    assert token.value == str(last)
    assert not list(tmp_path.glob("*.corrupt-*"))
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(tmp_path / "tokens")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@needs_fork
def test_a_process_killed_while_it_makes_the_file_leaves_an_empty_store(
    url: str, tmp_path: Path
) -> None:
    """The very first login may be cut off like any other."""
    rounds = """
for number in range(60):
    fresh = open_store(f"{url}.{number}")
    out, back = os.pipe()
    def first():
        os.write(back, b".")
        fresh.save("app", Token("a"))
        os.write(back, b".")
    pid = child(first)
    os.close(back)
    os.read(out, 1)
    for _ in range(random.randrange(12_000)):
        pass
    os.kill(pid, signal.SIGKILL)
    ended(pid)
    safe = os.read(out, 1)
    os.close(out)
    assert fresh.load("app") == Token("a") or (not safe and fresh.load("app") is None)
    fresh.save("app", Token("b"))
    assert fresh.load("app") == Token("b")
"""
    with program(rounds, url) as process:
        finished(process)

    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


# -- Forked ---------------------------------------------------------------------------------------


@needs_fork
def test_a_child_forked_during_a_renewal_neither_has_nor_breaks_the_lock(url: str) -> None:
    """A pool of workers may be started at any moment; the renewal under way stays alone."""
    fork = """
def other_process_is_shut_out():
    say("ask")
    return hear() == "locked"

go = threading.Event()
started = threading.Event()
def renew():
    with store.lock("app", 20.0):
        started.set()
        go.wait(20)
thread = threading.Thread(target=renew)
thread.start()
started.wait(20)

again = open_store(url)
ready, told = os.pipe()
def work():
    for one in (store, again):
        try:
            with one.lock("app", 0.05):
                raise AssertionError("held by the parent")
        except LockTimedOut:
            pass
    with store.lock("other", 5.0):
        store.save("child", Token("c"))
    os.write(told, b".")
    with store.lock("app", 20.0):
        pass

pid = child(work)
os.read(ready, 1)
assert other_process_is_shut_out()
go.set()
thread.join()
assert ended(pid) == 0
assert store.load("child") == Token("c")
with store.lock("app", 0.0):
    say("done")
"""
    store = open_store(url)
    with program(fork, url) as process:
        assert heard(process) == "ask"
        tell(process, "free" if is_free(store, "app") else "locked")
        assert finished(process) == "done"


@needs_fork
def test_a_child_forked_inside_the_lock_leaves_it_to_its_parent(url: str) -> None:
    """A fork within a renewal, and the child's way out of it, do not open it for others."""
    fork = """
with store.lock("app", 20.0):
    pid = os.fork()
if pid == 0:
    os._exit(0)
assert ended(pid) == 0

held = store.lock("app", 20.0)
held.__enter__()
def leave():
    held.__exit__(None, None, None)
    try:
        with store.lock("app", 0.0):
            raise AssertionError("held by the parent")
    except LockTimedOut:
        pass
assert ended(child(leave)) == 0
say("held")
assert hear() == "locked"
held.__exit__(None, None, None)
"""
    store = open_store(url)
    with program(fork, url) as process:
        assert heard(process) == "held"
        tell(process, "free" if is_free(store, "app") else "locked")
        finished(process)


@needs_fork
def test_children_forked_in_the_thick_of_it_can_use_the_store(url: str) -> None:
    """A server that forks its workers while its threads read, save and renew loses none."""
    fork = """
stop = threading.Event()
def save(key):
    while not stop.is_set():
        store.save(key, Token("a"))
def load():
    while not stop.is_set():
        store.load("app")
def renew(key):
    while not stop.is_set():
        with store.lock(key, 20.0):
            pass
works = [(save, "app"), (save, "app"), (load,), (load,), (renew, "x"), (renew, "x"), (renew, "y")]
threads = [threading.Thread(target=work, args=arguments) for work, *arguments in works]
for thread in threads:
    thread.start()

def work():
    with store.lock("x", 30.0), store.lock("mine", 30.0):
        store.save("app", Token("b"))
        assert store.load("app") is not None
        store.delete("nobody")

codes = [ended(child(work)) for _ in range(25)]
pids = [child(work) for _ in range(8)]
codes += [ended(pid) for pid in pids]
stop.set()
for thread in threads:
    thread.join()
assert codes == [0] * 33, codes
with store.lock("x", 1.0), store.lock("y", 1.0):
    store.save("app", Token("c"))
"""
    store = open_store(url)
    with program(fork, url) as process:
        finished(process)

    assert store.load("app") == Token("c")


@needs_fork
def test_a_child_has_a_copy_of_the_tokens_in_memory(url: str) -> None:
    """A worker starts with its parent's login, even if a thread was in the middle of saving."""
    fork = """
memory = MemoryTokenStore(max_tokens=50)
memory.save("app", Token("a"))
stop = threading.Event()
def save():
    while not stop.is_set():
        for number in range(10):
            memory.save(f"key-{number}", Token("b"))
            memory.delete(f"key-{number}")
def renew():
    while not stop.is_set():
        with memory.lock("app", 20.0):
            memory.load("app")
threads = [threading.Thread(target=work) for work in (save, save, renew)]
for thread in threads:
    thread.start()
def work():
    with memory.lock("app", 10.0):
        assert memory.load("app") == Token("a")
        for number in range(100):
            memory.save(f"key-{number}", Token("c"))
            memory.delete(f"key-{number}")
        memory.save("app", Token("c"))
codes = [ended(child(work)) for _ in range(30)]
stop.set()
for thread in threads:
    thread.join()
assert codes == [0] * 30, codes
assert memory.load("app") == Token("a")
"""
    with program(fork, url) as process:
        finished(process)
