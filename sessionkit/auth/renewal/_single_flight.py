"""One renewal under way: who asks for it, how long it may take, and how its failure is shared."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from sessionkit.errors import RenewalFailed, SessionKitError

if TYPE_CHECKING:
    from sessionkit._clock import Clock
    from sessionkit._tokens import Token

_MOST_FAILED = 32
#: How long an early renewal may take at most, in seconds; the old token is used after that.
EARLY_PATIENCE = 5.0


class Ask(Protocol):
    """What one call wants of a renewal.

    Attributes:
        clock: The stack's clock.
        deadline: Moment of its ``monotonic`` until which the call can wait, or None.
        want: What is asked for beyond the usual, such as a scope; flights are keyed by it.
        ticket: What :meth:`Renewal.enter` returned when the call came in.
    """

    clock: Clock
    deadline: float | None
    want: str
    ticket: int

    def obtain(self, held: Token | None) -> Token:
        """Obtain a token from the server, in place of *held*."""
        ...


class Flight:
    """A renewal under way, and what came of it."""

    __slots__ = ("done", "early", "error", "leader", "token", "waited")

    def __init__(self, *, early: bool = False) -> None:
        #: Ahead of the old token's end: its failure concerns nobody.
        self.early = early
        self.done = False
        self.leader = threading.get_ident()
        self.token: Token | None = None
        self.error: Exception | None = None
        #: Seconds that went in waiting for the store's lock.
        self.waited = 0.0


class Failures:
    """Renewals that failed, by what was asked for. To be used under the renewal's lock.

    A failure answers the calls that came in before it ended, and no others: each holds the
    ``number`` of the last failure there was when it came.
    """

    __slots__ = ("_last", "number")

    def __init__(self) -> None:
        self.number = 0
        self._last: dict[str, tuple[int, Exception]] = {}

    def note(self, want: str, error: Exception) -> Exception:
        """Remember that asking for *want* failed; return what is remembered."""
        self.number += 1
        if len(self._last) >= _MOST_FAILED:
            self._last.clear()
        failure = kept(error)
        self._last[want] = (self.number, failure)
        return failure

    def answer(self, want: str, ticket: int) -> Exception | None:
        """Return the failure that answers a call with this *ticket*, if there is one."""
        number, failure = self._last.get(want, (0, None))
        return failure if ticket < number else None

    def forget(self, want: str | None = None) -> None:
        """Forget the failures of *want*, or all."""
        if want is None:
            self._last.clear()
        else:
            self._last.pop(want, None)


def brief(ask: Ask, held: Token) -> float:
    """Return until when an early renewal may take: what it is for still lives, and calls wait."""
    now = ask.clock.monotonic()
    seconds = EARLY_PATIENCE
    if ask.deadline is not None:
        seconds = min(seconds, (ask.deadline - now) / 2)
    if held.expires_at is not None:
        seconds = min(seconds, (held.expires_at - ask.clock.time()) / 2)
    return now + max(seconds, 0.0)


def kept(error: Exception) -> Exception:
    """Return a copy to remember, without its cause: tracebacks hold the locals of all callers."""
    copy = shared(error)
    if isinstance(error, SessionKitError) and isinstance(copy, SessionKitError):
        copy._cause_text = error.cause_text  # noqa: SLF001  # all that stays of the cause
    copy.__cause__ = copy.__context__ = None
    return copy


def shared(error: Exception) -> Exception:
    """Return a fresh copy of a failure for another thread: a traceback belongs to one raise."""
    if isinstance(error, SessionKitError):
        return error.detached_copy()
    message = f"the renewal that this call waited for failed: {type(error).__name__}"
    return RenewalFailed(message, hint="the next call tries again")
