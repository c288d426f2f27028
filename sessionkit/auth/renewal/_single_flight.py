"""Single flight: a renewal under way, its deadline, and failures that several calls share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from sessionkit.errors import RenewalFailed, SessionKitError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token

_MAX_FAILURES = 32
#: How long an early renewal may take at most, in seconds; the old token is used after that.
EARLY_TIMEOUT = 5.0


class TokenSource(Protocol):
    """What one call gives the renewal: a way to obtain a token, and the limits of the call.

    Attributes:
        clock: The stack's clock.
        deadline: Moment of its ``monotonic`` until which the call can wait, or None.
        scope: What is asked for beyond the usual; there is one renewal at a time for each scope.
        entered_after: What :meth:`Renewal.enter` returned when the call came in.
    """

    clock: Clock
    deadline: float | None
    scope: str
    entered_after: int

    def obtain(self, held: Token | None) -> Token:
        """Obtain a token from the server, in place of *held*."""
        ...


class PendingRenewal:
    """A renewal under way, and its result: a token, an error, or neither if interrupted."""

    __slots__ = ("done", "early", "error", "leader", "lock_wait", "token")

    def __init__(self, *, early: bool = False) -> None:
        #: Begun while the old token is valid: its failure fails no call.
        self.early = early
        self.done = False
        self.leader = threading.get_ident()
        self.token: Token | None = None
        self.error: Exception | None = None
        #: Seconds spent waiting for the store's lock.
        self.lock_wait = 0.0


class Failures:
    """The latest failure for each scope. To be used under the renewal's lock.

    A failure is shared with the calls that came in before it ended, and no others: each holds the
    ``number`` of the last failure there was when it came.

    Attributes:
        number: How many failures there have been.
        permanent: The stored token that can only be replaced by a new login, and the error that
            said so.
    """

    __slots__ = ("_latest", "number", "permanent")

    def __init__(self) -> None:
        self.number = 0
        self.permanent: tuple[Token | None, Exception] | None = None
        self._latest: MutableMapping[str, tuple[int, Exception]] | None = None

    def add(self, scope: str, error: Exception) -> Exception:
        """Remember that a renewal for *scope* failed; return the copy that is remembered."""
        if self._latest is None:
            from cachetools import LRUCache  # needed by failures alone

            self._latest = LRUCache(_MAX_FAILURES)
        self.number += 1
        failure = detached_copy(error)
        self._latest[scope] = (self.number, failure)
        return failure

    def since(self, entered_after: int, scope: str) -> Exception | None:
        """Return the failure for *scope* that ended after a call came in, or None."""
        number, failure = (self._latest or {}).get(scope, (0, None))
        return failure if entered_after < number else None

    def clear(self, scope: str | None = None) -> None:
        """Forget the failure for *scope*, or all."""
        if scope is None:
            self._latest = self.permanent = None
        elif self._latest is not None:
            self._latest.pop(scope, None)


def early_renewal_deadline(source: TokenSource, token: Token) -> float:
    """Return the moment at which an early renewal is given up: half of the time left, or 5 s."""
    now = source.clock.monotonic()
    timeout = EARLY_TIMEOUT
    if source.deadline is not None:
        timeout = min(timeout, (source.deadline - now) / 2)
    if token.expires_at is not None:
        timeout = min(timeout, (token.expires_at - source.clock.time()) / 2)
    return now + max(timeout, 0.0)


def detached_copy(error: Exception) -> Exception:
    """Return a copy to remember, without its cause: tracebacks hold the locals of all callers."""
    copy = copy_for_waiter(error)
    if isinstance(error, SessionKitError) and isinstance(copy, SessionKitError):
        copy._cause_text = error.cause_text  # noqa: SLF001  # all that stays of the cause
    copy.__cause__ = copy.__context__ = None
    return copy


def copy_for_waiter(error: Exception) -> Exception:
    """Return a copy of a failure for another thread: a traceback belongs to one raise."""
    if isinstance(error, SessionKitError):
        return error.detached_copy()
    message = f"the renewal that this call waited for failed: {type(error).__name__}"
    return RenewalFailed(message, hint="the next call tries again")
