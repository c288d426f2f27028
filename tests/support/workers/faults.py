"""A process in which a renewal is stopped, or its store fails, at a step that the test names.

Run as ``python -m tests.support.workers.faults ORIGIN STORE``. Each line of input is a list in
JSON: the name of a method of `Program` and its arguments; one line of JSON tells what came of it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import RefreshToken
from sessionkit.errors import StoreError
from sessionkit.stores import TokenStore, open_store

#: The steps of a renewal, in order.
LOCK, LOAD, REQUEST, ANSWER, SAVE, SAVED = "lock", "load", "request", "answer", "save", "saved"


def away() -> None:
    """Fail as a store does that cannot be reached."""
    raise StoreError("the store is away")


#: What can be done at a step.
ACTS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "ctrl-c": lambda: signal.raise_signal(signal.SIGINT),
    "fail": away,
}


class Wire:
    """Does one thing at one step: once, or each time until it is cut.

    Attributes:
        step: Which step; an empty text for none.
        act: What is done there.
        part: Within the step `SAVE`: after which part of it, from 0 to 1.
        stays: Whether it is done each time.
        length: Of how many function calls a save is made, once that was measured.
    """

    def __init__(self) -> None:
        self.step = ""
        self.act: Callable[[], None] = away
        self.part = 0.0
        self.stays = False
        self.length = 0

    def reach(self, step: str) -> None:
        """Act if this is the step."""
        if step == self.step:
            self.step = self.step if self.stays else ""
            self.act()

    @contextmanager
    def along(self) -> Iterator[None]:
        """Act in the middle of what the block does, if its step is `SAVE`."""
        last = int(self.length * self.part) + 1 if self.step == SAVE else 0
        self.step = "" if self.step == SAVE else self.step
        passed = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal passed
            # Where the interpreter looks for signals: when a function begins, and after one in C.
            if event in {"call", "c_return"}:
                passed += 1
                if passed == last:
                    sys.setprofile(None)
                    self.act()

        sys.setprofile(count)
        try:
            yield
        finally:
            sys.setprofile(None)
        self.length = self.length or passed


class WiredStore:
    """A store with a wire at each step of a renewal."""

    def __init__(self, store: TokenStore, wire: Wire) -> None:
        self._store = store
        self._wire = wire

    def load(self, key: str) -> Token | None:
        """Load, unless the wire is here."""
        self._wire.reach(LOAD)
        return self._store.load(key)

    def save(self, key: str, token: Token) -> None:
        """Save, unless the wire is here or in the middle of it."""
        self._wire.reach(ANSWER)
        with self._wire.along():
            self._store.save(key, token)

    def delete(self, key: str) -> None:
        """Forget."""
        self._store.delete(key)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        """Lock, unless the wire is here or at the end of it."""
        self._wire.reach(LOCK)
        with self._store.lock(key, timeout):
            yield
            self._wire.reach(SAVED)


class WiredGrant:
    """A grant with a wire before its request."""

    renewable = True

    def __init__(self, grant: RefreshToken, wire: Wire) -> None:
        self._grant = grant
        self._wire = wire
        self.store_key = grant.store_key

    def steps(self, token: Token | None, rejected: Any) -> Generator[Any, Any, Token]:
        """Go the grant's steps, unless the wire is here."""
        self._wire.reach(REQUEST)
        return (yield from self._grant.steps(token, rejected))


class TurnedClock:
    """The machine's clock, and what was added to it.

    Attributes:
        added: Seconds that passed besides.
        turned: Seconds by which somebody set the time of day.
    """

    def __init__(self) -> None:
        self.added = 0.0
        self.turned = 0.0

    def monotonic(self) -> float:
        """Return seconds."""
        return SYSTEM_CLOCK.monotonic() + self.added

    def time(self) -> float:
        """Return seconds since the epoch."""
        return SYSTEM_CLOCK.time() + self.added + self.turned

    def sleep(self, seconds: float) -> None:
        """Wait."""
        SYSTEM_CLOCK.sleep(seconds)


class Program:
    """What the process can be told to do; each answers with something fit for JSON."""

    def __init__(self, origin: str, url: str) -> None:
        self._origin = origin
        self._url = url
        self._clock = TurnedClock()
        self.wire = Wire()
        self.start()

    def start(self) -> None:
        """Begin anew, as after the end of the process: nothing is left but the store."""
        grant = RefreshToken(f"{self._origin}/token", client_id="app")
        self._key = grant.store_key
        self._store = open_store(self._url)
        wired = WiredStore(self._store, self.wire)
        self._stack = SessionStack(
            requests.Session(),
            recommended(WiredGrant(grant, self.wire), store=wired),
            base_url=self._origin,
            clock=self._clock,
        )

    def seed(self, refresh: str, life: float | None = None) -> None:
        """Put a token into the store by no lock: one that ended long ago, or lives for *life* s."""
        ended = Token("access-0", refresh_token=refresh, expires_in=life)
        self._store.save(self._key, ended.with_expiry(self._clock.time()))

    def measure(self) -> None:
        """Learn how long a save is: that of the token there is."""
        token = self._store.load(self._key)
        assert token is not None
        with self.wire.along():
            self._store.save(self._key, token)

    def call(self, deadline: float = 60.0) -> str:
        """Call the API; return the status, or all that the error says."""
        try:
            return str(self._stack.with_options(total_timeout=deadline).get("/orders").status_code)
        except KeyboardInterrupt:
            return "KeyboardInterrupt"
        except requests.RequestException as error:
            return f"{type(error).__name__}: {error} | {getattr(error, 'hint', '')}"

    def login(self, refresh: str) -> None:
        """Log in with a token from elsewhere, as `LoginRequired` asks for."""
        token = Token("access-0", refresh_token=refresh)
        auth: Any = self._stack.handlers["auth"]
        auth.login(token=token)

    def arm(self, step: str, act: str, part: float = 0.0) -> None:
        """Do *act* the next time that *step* is reached."""
        self.wire.step, self.wire.act, self.wire.part = step, ACTS[act], part

    def cut_off(self, step: str) -> None:
        """Let *step* fail from now on; an empty text ends that."""
        self.arm(step, "fail")
        self.wire.stays = bool(step)

    def die(self) -> int:
        """Make the call in a child, and return by which signal it ended: 0 by none."""
        child = os.fork()
        if child == 0:
            self.call()
            os._exit(0)
        return os.WTERMSIG(os.waitpid(child, 0)[1])

    def quota(self, size: int) -> None:
        """Let no file grow beyond *size* bytes; -1 for no limit."""
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most if size < 0 else size, most))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.added += seconds

    def turn_at(self, step: str, seconds: float) -> None:
        """Set the time of day when *step* is reached."""
        self.wire.step, self.wire.act = step, partial(self.turn, seconds)

    def turn(self, seconds: float) -> None:
        """Set the time of day; nothing that measures a wait moves."""
        self._clock.turned += seconds


def main(origin: str, url: str) -> None:
    """Serve until the input ends."""
    program = Program(origin, url)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(program, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
