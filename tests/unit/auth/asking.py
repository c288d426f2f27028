"""Calls that want a token, for tests of the renewal: no HTTP, real stores, real threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from sessionkit import Token
from sessionkit._clock import Clock
from sessionkit.auth.renewal._renewal import Renewal
from sessionkit.testing import FakeClock

T = TypeVar("T")

#: Seconds after which a test that waits for another thread has failed.
LIMIT = 20.0


class Asking:
    """One call that wants a token, entered now; what it obtains is up to the test."""

    def __init__(
        self,
        renewal: Renewal,
        obtain: Callable[[Token | None], Token],
        *,
        clock: Clock | None = None,
        scope: str = "",
        deadline: float | None = None,
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.deadline = deadline
        self.scope = scope
        self.entered_after = renewal.enter()
        self._obtain = obtain

    def obtain(self, held: Token | None) -> Token:
        """Obtain a token in place of *held*."""
        return self._obtain(held)


class Server:
    """An identity server as the renewal sees it: a function that is called.

    Args:
        life: ``expires_in`` of its tokens, in seconds.
        clock: By which its tokens are stamped, as they are at the end of a real token request.
    """

    def __init__(self, clock: Clock, life: float | None = 3600) -> None:
        self.clock = clock
        self.life = life
        self.asked: list[Token | None] = []
        self.error: BaseException | None = None
        self.scope: str | None = None

    def __call__(self, held: Token | None) -> Token:
        """Answer one token request."""
        self.asked.append(held)
        if self.error is not None:
            raise self.error
        number = len(self.asked)
        token = Token(
            f"access-{number}",
            expires_in=self.life,
            refresh_token=f"refresh-{number}",
            scope=self.scope,
        )
        return token.with_expiry(self.clock.time())


class Gate:
    """Holds whoever passes until it is opened, and tells that somebody is there."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def pass_through(self) -> None:
        """Say that somebody is there, and wait."""
        self._reached.set()
        assert self._open.wait(LIMIT), "nobody opened the gate"

    def until_reached(self) -> None:
        """Wait until somebody is there."""
        assert self._reached.wait(LIMIT), "nobody came to the gate"

    def open(self) -> None:
        """Let everybody pass from now on."""
        self._open.set()


class Later(threading.Thread):
    """A call made by another thread, whose result or error is asked for later."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: object = None
        self.start()

    def run(self) -> None:
        """Make the call."""
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            self.result = error

    def outcome(self) -> object:
        """Wait for the end of the call; an error is returned, not raised."""
        self.join(LIMIT)
        assert not self.is_alive(), "the call never came back"
        return self.result
