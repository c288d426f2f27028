"""What holds for every store that processes share over a network: tests to inherit, and programs.

A program is a process of its own: a text that finds ``store`` there, opened from the URL that the
test's store has.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from sessionkit import StackSpec, Token
from sessionkit.errors import LockTimedOut, StoreError
from sessionkit.stores import open_store
from sessionkit.testing.server import IdentityProvider, LoopbackServer
from tests.support.workers.fleet import Fleet
from tests.support.workers.stacks import with_client

ROOT = Path(__file__).parents[2]
SECONDS: Final = 60.0
"""How long anything here may take before it counts as stuck."""

_START: Final = f"""
import gc, os, signal, sys, threading, warnings
# Nothing here outlives its test, whatever goes wrong.
signal.alarm({SECONDS:.0f})
from sessionkit import Token
from sessionkit.errors import LockTimedOut, StoreError
from sessionkit.stores import open_store
from tests.support.shared_stores import configure_django

# Later versions of Python warn of what is tested here: forks with threads about.
warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
url = os.environ["TOKEN_STORE"]
if url.startswith("django-cache:"):
    configure_django()
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

def is_free(key):
    try:
        with store.lock(key, 0.0):
            return True
    except LockTimedOut:
        return False
"""

HOLD: Final = """
with store.lock("app", 20.0):
    say("held")
    hear()
say("free")
hear()
"""

SAVE_LATE: Final = """
with store.lock("app", 20.0):
    say("held")
    hear()
    try:
        store.save("app", Token("older"))
        say("saved")
    except StoreError as error:
        say(str(error))
"""


def configure_django() -> None:
    """Set Django up in this process, its cache on the Redis that ``DJANGO_REDIS`` names, if any."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(CACHES=django_caches(os.environ.get("DJANGO_REDIS", "")))


def django_caches(redis_url: str) -> dict[str, Any]:
    """Return the setting of a cache on Redis, or of none that is shared."""
    backend = "redis.RedisCache" if redis_url else "dummy.DummyCache"
    return {"default": {"BACKEND": f"django.core.cache.backends.{backend}", "LOCATION": redis_url}}


class Program:
    """A process of its own that works on a store; gone at the end, well or ill.

    Args:
        text: What it does.
        url: Of the store.
    """

    def __init__(self, text: str, url: str) -> None:
        # Warnings are errors there, too.
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", _START + text],
            cwd=ROOT,
            env={**os.environ, "TOKEN_STORE": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def heard(self) -> str:
        """Return the next line that it says."""
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def tell(self, text: str) -> None:
        """Say a line to it."""
        assert self._process.stdin
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def finished(self) -> str:
        """Return what it still said, once it ended well."""
        said, _ = self._process.communicate(timeout=SECONDS)
        assert self._process.returncode == 0
        return said.strip()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """Kill it, if it is still there."""
        self._process.kill()
        self._process.communicate(timeout=SECONDS)


@contextmanager
def program(text: str, url: str) -> Iterator[Program]:
    """Run *text* in a process of its own."""
    running = Program(text, url)
    try:
        yield running
    finally:
        running.end()


def opened(url: str, lease: float = 0) -> str:
    """Return Python that makes the name ``store``, for ``SharedTokenStoreContract``."""
    if url.startswith("django-cache:"):
        return (
            "from tests.support.shared_stores import configure_django\nconfigure_django()\n"
            "from sessionkit.stores.django import DjangoCacheTokenStore\n"
            f"store = DjangoCacheTokenStore(lease={lease})"
        )
    return f"from sessionkit.stores import open_store\nstore = open_store({url!r})"


def is_free(store: Any, key: str) -> bool:
    """Return whether the lock of *key* can be had at once."""
    try:
        with store.lock(key, 0.0):
            return True
    except LockTimedOut:
        return False


class FleetStoreContract:
    """What ``SharedTokenStoreContract`` leaves out: forks, stacks, ends. Give a ``url`` fixture."""

    @pytest.fixture
    def url(self) -> str:
        """Return the URL of a new, empty store; to be overridden."""
        raise NotImplementedError("give a fixture named url")

    @pytest.fixture
    def store(self, url: str) -> Iterator[Any]:
        """The store, in this process."""
        store: Any = open_store(url)
        yield store
        store.close()

    def test_a_child_forked_in_the_middle_of_a_renewal_leaves_it_alone(
        self, store: Any, url: str
    ) -> None:
        """A pool of workers may be started at any moment: what its parent holds stays held."""
        fork = """
store.save("app", Token("a"))
with store.lock("app", 20.0):
    def inside():
        assert not is_free("app")
        assert store.load("app") == Token("a")
        with store.lock("mine", 20.0):
            store.save("mine", Token("c"))
        store.close()
    assert ended(child(inside)) == 0
    store.save("app", Token("b"))

held = store.lock("app", 20.0)
held.__enter__()
def leave():
    held.__exit__(None, None, None)
    gc.collect()
    assert not is_free("app")
assert ended(child(leave)) == 0
say("held")
assert hear() == "locked"
held.__exit__(None, None, None)
assert is_free("app")
"""
        with program(fork, url) as process:
            assert process.heard() == "held"
            process.tell("free" if is_free(store, "app") else "locked")
            process.finished()

        assert store.load("app") == Token("b")
        assert store.load("mine") == Token("c")

    def test_children_forked_in_the_thick_of_it_can_use_the_store(
        self, store: Any, url: str
    ) -> None:
        """A server that forks its workers while its threads read, save and renew loses none."""
        fork = """
# A fork while a thread imports a module would leave the child without that module.
store.load("app")
stop = threading.Event()
def save():
    while not stop.is_set():
        store.save("app", Token("a"))
def load():
    while not stop.is_set():
        store.load("app")
def renew():
    while not stop.is_set():
        with store.lock("x", 20.0):
            pass
threads = [threading.Thread(target=work) for work in (save, load, renew, renew)]
for thread in threads:
    thread.start()

def work():
    with store.lock("x", 30.0), store.lock("mine", 30.0):
        store.save("other", Token("b"))
        assert store.load("other") == Token("b")
        store.delete("nobody")

pids = [child(work) for _ in range(12)]
codes = [ended(pid) for pid in pids]
stop.set()
for thread in threads:
    thread.join()
assert codes == [0] * 12, codes
"""
        with program(fork, url) as process:
            process.finished()

        assert store.load("other") == Token("b")
        assert store.load("app") == Token("a")

    def test_eight_processes_renew_once_for_each_of_three_expiries(self, url: str) -> None:
        """24 of 24 calls succeed with 3 renewals, at a server that ends the family on any reuse.

        Sixteen processes and fifty expiries on each engine: ``python -m benchmarks.fleet``.
        """
        identity = IdentityProvider()
        with (
            LoopbackServer(identity.respond) as server,
            Fleet(server.origin, url, processes=8) as fleet,
        ):
            assert fleet.call("/login") == ["200"] * 8
            renewals, results = identity.renewals, []
            for number in range(3):
                identity.expire()
                results += fleet.call(f"/round/{number}")

        assert results == ["200"] * 24
        assert identity.renewals - renewals == 3
        assert identity.reuse_detected == 0

    def test_closing_twice_and_going_on_is_fine(self, store: Any) -> None:
        """A program that ends by several ways need not keep count."""
        store.save("app", Token("a"))
        store.close()
        store.close()

        assert store.load("app") == Token("a")

    def test_no_text_of_it_shows_the_password(self, store: Any) -> None:
        """A log line or a report of an error gives no access to the tokens."""
        assert "planted-password" not in f"{store!r} {store}"

    def test_a_worker_builds_its_stack_from_a_variable(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A StackSpec names where the URL is, and closing the stack closes the store."""
        monkeypatch.setenv("TOKEN_STORE", url)
        monkeypatch.setenv("APP_SECRET", "planted")
        spec = StackSpec(
            with_client,
            kwargs={
                "base_url": "http://127.0.0.1:9/",
                "token_url": "http://127.0.0.1:9/token",
                "client_id": "app",
            },
            env={"client_secret": "APP_SECRET", "store": "TOKEN_STORE"},
        )

        with spec.build() as stack:
            assert "planted" not in repr(stack.handlers)


class LockHolderContract:
    """What holds for a process in a renewal, alive or not. Give fixtures ``store`` and ``url``.

    Attributes:
        prelude: What the process does first, such as to open a store with short leases.
        lease: For how long the lock of a stopped process stays held, in seconds.
    """

    prelude: str = ""
    lease: float = 0.1

    @pytest.fixture
    def losing_lock(self) -> Callable[[Program], AbstractContextManager[None]]:
        """Return what takes its lock from a process for as long as a block runs."""
        return stopped

    def test_a_renewal_may_take_longer_than_the_lease(self, store: Any, url: str) -> None:
        """While its holder lives a lock stays held, however slow the token endpoint is."""
        with program(self.prelude + HOLD, url) as process:
            assert process.heard() == "held"

            with pytest.raises(LockTimedOut), store.lock("app", 2.5 * self.lease):
                raise AssertionError("two hold it")

    def test_a_process_that_lost_its_lock_cannot_overwrite_the_newer_token(
        self, store: Any, url: str, losing_lock: Callable[[Program], AbstractContextManager[None]]
    ) -> None:
        """A machine that was suspended in a renewal wakes up to an error, and the fleet goes on."""
        store.save("app", Token("old"))
        with program(self.prelude + SAVE_LATE, url) as process:
            assert process.heard() == "held"
            assert not is_free(store, "app")
            with losing_lock(process), store.lock("app", 20.0):
                store.save("app", Token("newer"))
            process.tell("save")

            assert "a newer one was" in process.finished()

        assert store.load("app") == Token("newer")
        assert is_free(store, "app")

    def test_a_process_that_lost_its_lock_to_a_failure_may_still_save(
        self, store: Any, url: str, losing_lock: Callable[[Program], AbstractContextManager[None]]
    ) -> None:
        """If the one who took over got no token, the late one is the only copy, and is kept."""
        store.save("app", Token("old"))
        with program(self.prelude + SAVE_LATE, url) as process:
            assert process.heard() == "held"
            with losing_lock(process), store.lock("app", 20.0):
                pass  # the token endpoint failed
            process.tell("save")

            assert process.finished() == "saved"

        assert store.load("app") == Token("older")


@contextmanager
def stopped(process: Program) -> Iterator[None]:
    """Stop a process for as long as the block runs."""
    process.signal(signal.SIGSTOP)
    yield
    process.signal(signal.SIGCONT)


def refused(store: Any, key: str, token: Token) -> bool:
    """Return whether a save is refused for coming too late."""
    try:
        store.save(key, token)
    except StoreError as error:
        return "newer" in str(error)
    return False
