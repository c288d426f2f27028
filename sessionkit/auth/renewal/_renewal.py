"""Renew a token once, however many threads and processes find it expired at once. No HTTP here.

A call that finds no good token leads a renewal, or waits for the one under way. The leader takes
the store's lock, looks whether another process has renewed meanwhile, and only then obtains a
token. It is saved before any call uses it.

The states of an account, all in one value (``_State``) that is replaced as a whole::

                        +----------------- renewed by a leader ------------------+
                        v                                                        |
    NO TOKEN -----> UNCONFIRMED --confirmed--> IN USE --renew_at--> EARLY --expires--> SPENT
        |  renewed   |                         ^ ^   |                |             ^
        |            +-------- 10 s -----------+ |   +-- rejected ----+-- rejected -+
        +--- adopted from the store, login() ----+
        ^
        +-- login() -- LOGGED OUT <-- logout() -- (any state)

    NO TOKEN     the next call leads or joins a renewal
    UNCONFIRMED  used; a rejection renews nothing, since it was renewed less than 10 s ago
    IN USE       read without a lock; a rejection leads or joins a renewal
    EARLY        one call renews ahead, the others use the token; a failure puts off `renew_at`
    SPENT        expired or rejected: each call leads or joins a renewal
    LOGGED OUT   each call fails until login()

A renewal that fails leaves the state as it is. If only a new login can help (LoginRequired), the
failure is permanent: it is raised again until another token is stored.
"""

from __future__ import annotations

import logging
import threading
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from sessionkit._fork import PerProcess
from sessionkit._tokens import Token
from sessionkit.auth.renewal._policy import COOL_DOWN, DEFAULT_POLICY, RenewalPolicy
from sessionkit.auth.renewal._saving import TokenSaver
from sessionkit.auth.renewal._single_flight import (
    Failures,
    PendingRenewal,
    copy_for_waiter,
    detached_copy,
    early_renewal_deadline,
)
from sessionkit.errors import LockTimedOut, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from sessionkit._clock import Clock
    from sessionkit.auth.renewal._single_flight import TokenSource
    from sessionkit.events import Event, Listeners
    from sessionkit.stores._base import TokenStore

_LOG = logging.getLogger("sessionkit.auth")

#: How long a call without a deadline waits for another one's renewal, in seconds.
WAIT_TIMEOUT = 60.0
_MAX_PAUSES = 256

#: Method and URL of a call.
Target = tuple[str, str]


class _State(NamedTuple):
    """The token in use and what is known of it. Replaced as a whole, under the lock."""

    token: Token | None = None
    #: Seconds since the epoch from which a call looks closer; before, the token is used as it is.
    renew_at: float = -inf
    #: Moment of the clock's ``monotonic`` until which the token counts as just renewed.
    renewed_until: float = -inf
    #: Whether a response proved the token good since it was renewed.
    confirmed: bool = False
    rejected: bool = False
    logged_out: bool = False
    #: Number of logins and logouts: a renewal that began before one of them does not count.
    generation: int = 0


class _Threads:
    """What the threads of one process share: the lock, and the renewals under way by scope."""

    __slots__ = ("changed", "pending")

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.pending: dict[str, PendingRenewal] = {}


class Renewal:
    """Keeps the token of one account good. Shared by all threads that use that account.

    Args:
        store: Where the token is stored, with the lock around its renewal.
        key: Its name there.
        policy: When it is renewed.
    """

    __slots__ = (
        *("_failures", "_key", "_listeners", "_pauses", "_policy", "_saver"),
        *("_state", "_store", "_threads"),
    )

    def __init__(self, store: TokenStore, key: str, policy: RenewalPolicy = DEFAULT_POLICY) -> None:
        self._store = store
        self._key = key
        self._policy = policy
        self._saver = TokenSaver(store, key)
        self._state = _State()
        self._failures = Failures()
        self._pauses: MutableMapping[Target, bool] | None = None
        self._listeners: Listeners | None = None
        self._threads = PerProcess(lambda _parent: _Threads())

    def add_listener(self, listener: Callable[[Event], object]) -> None:
        """Call *listener* with every renewal event from now on.

        Raises:
            ConfigError: It is no function.
        """
        from sessionkit.events import Listeners  # needed by those who listen alone

        with self._threads.get().changed:
            self._listeners = self._listeners or Listeners(self._key)
            self._listeners.add(listener)

    # What a call asks

    def enter(self) -> int:
        """Return a ticket: only failures that end after this moment are shared with its holder."""
        return self._failures.number

    def ready(self, clock: Clock) -> Token | None:
        """Return the token if nothing has to be done for it; no lock, no store."""
        state = self._state
        return state.token if state.renew_at == inf or clock.time() < state.renew_at else None

    def current(self, source: TokenSource) -> Token:
        """Return a token to send, obtained or renewed if need be.

        Raises:
            LoginRequired: Only a new login can help; or ``logout()`` was called.
            RenewalFailed: No token could be had this time.
            StoreError: The store cannot be read, or its lock was not free in time.
        """
        state, now = self._state, source.clock.time()
        token = state.token
        if token is None or not self._policy.is_usable(token, now):
            return self._join_or_lead(source, None)
        if state.rejected:
            return self._join_or_lead(source, token)
        if now < state.renew_at:
            return token
        return self._renew_early(source, token)

    def successor(self, source: TokenSource, rejected: Token) -> Token:
        """Return a token other than *rejected*: the one there is by now, or a renewed one.

        Raises:
            LoginRequired: Only a new login can help; or ``logout()`` was called.
            RenewalFailed: No token could be had this time.
            StoreError: The store cannot be read, or its lock was not free in time.
        """
        return self._join_or_lead(source, rejected)

    def is_worth_renewing(self, rejected: Token, clock: Clock) -> bool:
        """Return whether a new token may help where *rejected* was rejected.

        Not where it was renewed here within the last ten seconds and no response has proved it
        good, or a target went on rejecting good tokens meanwhile: a server that always says 401
        would cost a renewal for each call.
        """
        state = self._state
        if state.token is None or state.token.value != rejected.value:
            return True
        if clock.monotonic() >= state.renewed_until:
            return True
        return state.confirmed and not self._has_pauses()

    # What a call found out

    def reject(self, token: Token) -> None:
        """Note that *token* was rejected and could not be replaced; the next call does it."""
        with self._threads.get().changed:
            held = self._state.token
            if held is not None and held.value == token.value:
                self._state = self._state._replace(rejected=True, renew_at=-inf)

    def confirm(self, token: Token) -> None:
        """Note that a response proved *token* good."""
        if self._state.confirmed:
            return
        with self._threads.get().changed:
            held = self._state.token
            if held is not None and held.value == token.value:
                self._state = self._state._replace(confirmed=True)

    def extend(self, token: Token, lifetime: float, clock: Clock) -> None:
        """Note that *token* is valid for *lifetime* seconds from now: a sliding session.

        In this process only. Another one learns it from its own responses, and until then renews
        where it need not have.
        """
        with self._threads.get().changed:
            held, rejected = self._state.token, self._state.rejected
            # By value: of calls that return together, each extends what the last one left.
            if held is not None and held.value == token.value and not rejected:
                fields = {**held.to_dict(), "expires_at": clock.time() + lifetime}
                self._use(type(held).from_dict(fields), clock)

    def pause(self, target: Target, clock: Clock) -> None:
        """Let rejections of *target* renew nothing for ten seconds.

        A server that says 401 for a missing permission would otherwise cost renewals with each
        call, and each would end the token of all others.
        """
        with self._threads.get().changed:
            if self._pauses is None:
                from cachetools import TTLCache  # needed by targets that reject good tokens alone

                self._pauses = TTLCache(_MAX_PAUSES, COOL_DOWN, timer=clock.monotonic)
            self._pauses[target] = True

    def is_paused(self, target: Target) -> bool:
        """Return whether :meth:`pause` was called for *target* within the last ten seconds."""
        if self._pauses is None:
            return False
        with self._threads.get().changed:
            return target in self._pauses

    def _has_pauses(self) -> bool:
        if self._pauses is None:
            return False
        with self._threads.get().changed:
            return next(iter(self._pauses), None) is not None

    # Login and logout

    def login(self, token: Token | None, clock: Clock) -> None:
        """Take *token* as the one to use from now on, or allow obtaining one again."""
        # Under the store's lock, or a renewal that is just ending would be saved over it.
        with self._store.lock(self._key, WAIT_TIMEOUT):
            threads = self._threads.get()
            with threads.changed:
                if token is not None:
                    self._store.save(self._key, token)
                    self._use(token, clock)
                generation = self._state.generation + 1
                self._state = self._state._replace(logged_out=False, generation=generation)
                self._failures.clear()
                threads.changed.notify_all()

    def logout(self) -> None:
        """Forget the token, here and in the store; no automatic login follows."""
        with self._store.lock(self._key, WAIT_TIMEOUT):
            self._store.delete(self._key)
            self._saver.forget()
            with self._threads.get().changed:
                generation = self._state.generation + 1
                self._state = _State(logged_out=True, generation=generation)

    @property
    def logged_out(self) -> bool:
        """Whether ``logout()`` was called and no ``login()`` since."""
        return self._state.logged_out

    def peek(self) -> Token | None:
        """Return the token in use or stored, whatever its state; None after ``logout()``."""
        state = self._state
        return None if state.logged_out else state.token or self._store.load(self._key)

    # The caller's side: lead a renewal, or wait for one

    def _renew_early(self, source: TokenSource, token: Token) -> Token:
        """Renew ahead of the end: one call does, the others and all failures use *token*."""
        full, clock = source.deadline, source.clock
        threads = self._threads.get()
        try:
            with threads.changed:
                permanent = self._failures.permanent
                if permanent is not None and permanent[0] == token:
                    return token
                if threads.pending or clock.time() < self._state.renew_at:
                    return token
                pending = threads.pending[source.scope] = PendingRenewal(early=True)
            source.deadline = early_renewal_deadline(source, token)
            # One that could not be saved is saved now, and stays in use.
            rejected = None if self._saver.has_unsaved else token
            return self._renew_as_leader(source, rejected, pending)
        except Exception as error:  # noqa: BLE001  # it fails no call while the token is valid
            self._put_off(token, clock.time())
            _LOG.warning("early renewal failed, the token is used while it lives: %s", error)
            return token
        finally:
            source.deadline = full
            self._abandon()

    def _join_or_lead(self, source: TokenSource, rejected: Token | None) -> Token:
        """Return a good token: wait for the renewal under way, or lead one."""
        threads = self._threads.get()
        started, waited = source.clock.monotonic(), False
        deadline = source.deadline if source.deadline is not None else started + WAIT_TIMEOUT
        try:
            with threads.changed:
                while True:
                    state = self._state
                    if state.token is not None and self._suits(state.token, rejected, source):
                        return state.token
                    self._raise_known_failure(source)
                    pending = threads.pending.get(source.scope)
                    if pending is None:
                        pending = threads.pending[source.scope] = PendingRenewal()
                        break
                    waited = True
                    self._wait_for(pending, deadline - source.clock.monotonic())
                    if pending.token is not None:
                        return pending.token
                    if pending.error is not None:
                        raise copy_for_waiter(pending.error) from pending.error
                    # Abandoned by a leader that was interrupted: another waiter leads.
            return self._renew_as_leader(source, rejected, pending)
        finally:
            self._abandon()
            if waited and self._listeners is not None:
                self._listeners.waited(source.clock.monotonic() - started)

    def _wait_for(self, pending: PendingRenewal, timeout: float) -> None:
        if pending.leader == threading.get_ident():
            message = "obtaining a token needs a token: the grant called through its own handler"
            hint = "send its requests by another session, or yield them as steps of a grant"
            raise RenewalFailed(message, hint=hint)
        if not self._threads.get().changed.wait_for(lambda: pending.done, max(timeout, 0.0)):
            message = "another thread's renewal of the token was not done in time"
            hint = "is the token endpoint slow? give the call a longer total_timeout"
            raise LockTimedOut(message, hint=hint, key=self._key)

    def _raise_known_failure(self, source: TokenSource) -> None:
        """Raise what is known already: logged out, a permanent failure, or one to be shared."""
        if self._state.logged_out:
            message = "logged out: nothing logs in again until login() is called"
            raise LoginRequired(message, hint="call stack.handlers['auth'].login(stack)")
        if self._failures.permanent is not None:
            token, error = self._failures.permanent
            if self._store.load(self._key) == token:
                raise copy_for_waiter(error)
            self._failures.permanent = None  # somebody logged in, perhaps another process
        failure = self._failures.since(source.entered_after, source.scope)
        if failure is not None:
            raise copy_for_waiter(failure)

    def _abandon(self) -> None:
        """End what this thread leads and has not finished: Ctrl-C may come between any two lines.

        It is no failure of the renewal; another waiter leads.
        """
        threads, me = self._threads.get(), threading.get_ident()
        if any(pending.leader == me for pending in threads.pending.copy().values()):
            with threads.changed:
                for scope, pending in list(threads.pending.items()):
                    if pending.leader == me:
                        self._finish(scope, pending)

    # The leader's side

    def _renew_as_leader(
        self, source: TokenSource, rejected: Token | None, pending: PendingRenewal
    ) -> Token:
        """Obtain a token, or adopt the stored one; tell the waiters and the listeners."""
        listeners = self._listeners
        generation, started = self._state.generation, source.clock.monotonic()
        try:
            token, fresh = self._obtain_under_lock(source, rejected, pending)
        except Exception as error:
            deadline = source.deadline
            with self._threads.get().changed:
                # Out of time is the leader's own trouble: others may have more of it, and lead.
                if not pending.early and (deadline is None or source.clock.monotonic() < deadline):
                    pending.error = self._failures.add(source.scope, error)
                self._finish(source.scope, pending)
            if listeners is not None:
                listeners.failed(source.clock.monotonic() - started, error, early=pending.early)
            raise
        with self._threads.get().changed:
            if generation == self._state.generation:
                self._use(token, source.clock, fresh=fresh)
                self._failures.clear(source.scope)
            pending.token = token
            self._finish(source.scope, pending)
        if listeners is not None:
            duration = source.clock.monotonic() - started
            if fresh:
                listeners.renewed(duration, pending.lock_wait, early=pending.early)
            else:
                listeners.adopted(duration)
        return token

    def _finish(self, scope: str, pending: PendingRenewal) -> None:
        threads = self._threads.get()
        pending.done = True
        threads.pending.pop(scope, None)
        threads.changed.notify_all()

    def _obtain_under_lock(
        self, source: TokenSource, rejected: Token | None, pending: PendingRenewal
    ) -> tuple[Token, bool]:
        """Adopt what another process renewed, or obtain a token and save it.

        Returns:
            The token, and whether it was obtained just now.
        """
        started = source.clock.monotonic()
        deadline = source.deadline if source.deadline is not None else started + WAIT_TIMEOUT
        with self._store.lock(self._key, max(deadline - started, 0.0)):
            pending.lock_wait = source.clock.monotonic() - started
            found = self._store.load(self._key)
            stored = self._saver.retry_pending(found)
            if stored is not None and self._suits(stored, rejected, source):
                return stored, False
            # The stored one even if its access token has expired: its refresh token is the newest.
            held = stored or rejected or self._state.token
            try:
                token = source.obtain(held)
            except LoginRequired as error:
                self._failures.permanent = (found, detached_copy(error))
                raise
            self._saver.save(token, found)
            return token, True

    # The state; to be called under the lock

    def _suits(self, token: Token, rejected: Token | None, source: TokenSource) -> bool:
        if not self._policy.is_usable(token, source.clock.time()):
            return False
        if source.scope and not set(source.scope.split()) <= set((token.scope or "").split()):
            return False
        return rejected is None or token.value != rejected.value

    def _use(self, token: Token, clock: Clock, *, fresh: bool = False) -> None:
        state, now = self._state, clock.time()
        if fresh:
            state = state._replace(renewed_until=clock.monotonic() + COOL_DOWN, confirmed=False)
        elif state.token is None or state.token.value != token.value:
            state = state._replace(renewed_until=-inf, confirmed=True)
        renew_at = min(self._policy.renewal_time(token, now), self._saver.next_retry(now))
        self._state = state._replace(token=token, renew_at=renew_at, rejected=False)

    def _put_off(self, token: Token, now: float) -> None:
        """Let no early renewal of *token* begin for ten seconds, or until it expires."""
        later = now + COOL_DOWN
        if token.expires_at is not None and not self._policy.is_usable(token, later):
            later = token.expires_at
        with self._threads.get().changed:
            if self._state.token is token and not self._state.rejected:
                self._state = self._state._replace(renew_at=later)
