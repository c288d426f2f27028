"""One renewal, however many threads and processes find a token expired at once. No HTTP here.

Look, lock, look again: a caller that finds no good token leads a flight or joins the one under way;
the leader takes the store's lock, looks whether another process has renewed meanwhile, and only
then obtains a token. It is saved before anybody uses it.
"""

from __future__ import annotations

import logging
import os
import threading
from math import inf
from typing import TYPE_CHECKING

from sessionkit.auth._listeners import Listeners
from sessionkit.auth.renewal._policy import COOL_DOWN, DEFAULT_POLICY, RenewalPolicy
from sessionkit.auth.renewal._saving import Keeping
from sessionkit.auth.renewal._single_flight import Failures, Flight, brief, kept, shared
from sessionkit.errors import LockTimedOut, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from sessionkit._clock import Clock
    from sessionkit._tokens import Token
    from sessionkit.auth.renewal._single_flight import Ask
    from sessionkit.stores._base import TokenStore

_LOG = logging.getLogger("sessionkit.auth")

#: How long a caller without a deadline waits for another one's renewal, in seconds.
PATIENCE = 60.0


class Renewal:
    """Keeps the token of one account alive. Shared by all threads that use that account.

    Args:
        store: Where the token rests, and the lock around its renewal.
        key: Its name there.
        policy: When it is renewed.

    Attributes:
        listeners: Those who are told of renewals.
    """

    __slots__ = (
        *("_changed", "_dead", "_early_again", "_era", "_failures", "_flights"),
        *("_held", "_keeping", "_key", "_logged_out", "_pid", "_policy", "_refused", "_renew_at"),
        *("_store", "_unproven", "_young", "_young_until", "listeners"),
    )

    def __init__(self, store: TokenStore, key: str, policy: RenewalPolicy = DEFAULT_POLICY) -> None:
        self._store = store
        self._key = key
        self._policy = policy
        self._keeping = Keeping(store, key)
        self.listeners = Listeners(key)
        self._held: Token | None = None
        self._renew_at = 0.0
        self._failures = Failures()
        self._dead: tuple[Token | None, Exception] | None = None
        self._logged_out = False
        self._early_again = 0.0
        self._refused: Token | None = None
        self._unproven: Token | None = None
        self._young: Token | None = None
        self._young_until = 0.0
        self._era = 0
        self._fresh_locks()

    def _fresh_locks(self) -> None:
        # A lock that another thread held while the process forked is never released in the child.
        self._changed = threading.Condition()
        self._flights: dict[str, Flight] = {}
        # Last, so that no other thread of the child takes the old ones for these.
        self._pid = os.getpid()

    def enter(self) -> int:
        """Return a ticket: only failures that end after this moment answer its holder."""
        return self._failures.number

    def ready(self, clock: Clock) -> Token | None:
        """Return the token if nothing has to be done for it; no lock, no store."""
        held = self._held
        if held is None or held is self._refused or self._logged_out:
            return None
        return held if self._renew_at == inf or clock.time() < self._renew_at else None

    def current(self, ask: Ask) -> Token:
        """Return a token to send, obtained or renewed if need be.

        Raises:
            LoginRequired: Only a new login can help; or ``logout()`` was called.
            RenewalFailed: No token could be had this time.
            StoreError: The store cannot be read, or its lock was not free in time.
        """
        held = self._held
        if held is None or self._logged_out or not self._policy.is_usable(held, ask.clock.time()):
            return self._fetch(ask, None)
        if held is self._refused:
            return self._fetch(ask, held)
        if ask.clock.time() < self._renew_at or ask.clock.monotonic() < self._early_again:
            return held
        return self._early(ask, held)

    def replaceable(self, refused: Token, clock: Clock) -> bool:
        """Tell whether renewing is worth trying, now that *refused* was refused.

        A token that was renewed moments ago and that no answer has ever proved good would be
        refused again: a server that always says 401 would cost a renewal for each call.
        """
        unproven = self._unproven
        if unproven is None or unproven.value != refused.value:
            return True
        return clock.monotonic() >= self._young_until

    def is_young(self, token: Token, clock: Clock) -> bool:
        """Tell whether *token* was obtained by us within the last ten seconds."""
        young = self._young
        return (
            young is not None
            and young.value == token.value
            and clock.monotonic() < self._young_until
        )

    def successor(self, ask: Ask, refused: Token) -> Token:
        """Return a token other than *refused*: the one there is by now, or a renewed one.

        Raises:
            LoginRequired: Only a new login can help; or ``logout()`` was called.
            RenewalFailed: No token could be had this time.
            StoreError: The store cannot be read, or its lock was not free in time.
        """
        return self._fetch(ask, refused)

    def refuse(self, token: Token) -> None:
        """Note that *token* was refused where it could not be replaced; the next call does it."""
        self._refused = token

    def accepted(self, token: Token) -> None:
        """Note that an answer proved *token* good."""
        if self._unproven is token:
            self._unproven = None

    def extend(self, token: Token, seconds: float, clock: Clock) -> None:
        """Note that *token* lives on for *seconds* from now: a session that slides.

        In this process only. Another one learns it from its own answers, and until then renews
        where it need not have.
        """
        with self._locks():
            held = self._held
            # By value: of calls that are answered together, each extends what the last one left.
            if held is not None and held.value == token.value and held is not self._refused:
                fields = {**held.to_dict(), "expires_at": clock.time() + seconds}
                self._hold(type(held).from_dict(fields), clock)

    def login(self, token: Token | None, clock: Clock) -> None:
        """Take *token* as the one to use from now on, or allow obtaining one again."""
        # Under the store's lock, or a renewal that is just ending would be saved over it.
        with self._store.lock(self._key, PATIENCE), self._locks():
            if token is not None:
                self._store.save(self._key, token)
                self._hold(token, clock)
            self._era += 1
            self._logged_out = False
            self._dead = None
            self._failures.forget()
            self._changed.notify_all()

    def logout(self) -> None:
        """Forget the token, here and in the store; nobody is logged in again unasked."""
        with self._store.lock(self._key, PATIENCE):
            self._store.forget(self._key)
            self._keeping.forget()
            with self._locks():
                self._era += 1
                self._held = self._unproven = None
                self._logged_out = True

    @property
    def logged_out(self) -> bool:
        """Whether ``logout()`` was the last word."""
        return self._logged_out

    def peek(self) -> Token | None:
        """Return the token held or stored, whatever its state; None after ``logout()``."""
        if self._logged_out:
            return None
        return self._held or self._store.load(self._key)

    # Below here: one flight

    def _locks(self) -> threading.Condition:
        if self._pid != os.getpid():
            self._fresh_locks()
        return self._changed

    def _early(self, ask: Ask, held: Token) -> Token:
        """Renew ahead of the end: one caller does, the others and all failures use what lives."""
        full = ask.deadline
        try:
            with self._locks():
                dead = self._dead is not None and self._dead[0] == held
                if dead or self._flights or ask.clock.monotonic() < self._early_again:
                    return held
                flight = self._flights[ask.want] = Flight(early=True)
            ask.deadline = brief(ask, held)
            # One that could not be saved is saved now, and lives on.
            return self._lead(ask, None if self._keeping.owes else held, flight)
        except Exception as error:  # noqa: BLE001  # it costs no call anything while the token lives
            self._early_again = ask.clock.monotonic() + COOL_DOWN
            _LOG.warning("early renewal failed, the token is used while it lives: %s", error)
            return held
        finally:
            ask.deadline = full
            self._end_mine()

    def _fetch(self, ask: Ask, refused: Token | None) -> Token:
        """Return a good token: join the flight under way, or lead one."""
        changed = self._locks()
        started, waited = ask.clock.monotonic(), False
        end = ask.deadline if ask.deadline is not None else started + PATIENCE
        try:
            with changed:
                while True:
                    held = self._held
                    if not self._logged_out and self._suits(held, refused, ask):
                        assert held is not None  # noqa: S101  # what suits is a token
                        return held
                    self._raise_known(ask)
                    flight = self._flights.get(ask.want)
                    if flight is None:
                        flight = self._flights[ask.want] = Flight()
                        break
                    waited = True
                    self._wait(flight, end - ask.clock.monotonic())
                    if flight.token is not None:
                        return flight.token
                    if flight.error is not None:
                        raise shared(flight.error) from flight.error
                    # Abandoned by a leader that was interrupted: somebody else leads.
            return self._lead(ask, refused, flight)
        finally:
            self._end_mine()
            if waited:
                self.listeners.waited(ask.clock.monotonic() - started)

    def _end_mine(self) -> None:
        """Land what this thread leads and has not landed: Ctrl-C may come between any two lines.

        It is no failure of the renewal; another waiter leads.
        """
        mine = threading.get_ident()
        if any(flight.leader == mine for flight in self._flights.copy().values()):
            with self._changed:
                for want, flight in list(self._flights.items()):
                    if flight.leader == mine:
                        self._land(want, flight)

    def _wait(self, flight: Flight, seconds: float) -> None:
        if flight.leader == threading.get_ident():
            message = "obtaining a token needs a token: the grant called through its own handler"
            hint = "send its requests by another session, or yield them as steps of a grant"
            raise RenewalFailed(message, hint=hint)
        if not self._changed.wait_for(lambda: flight.done, max(seconds, 0.0)):
            message = "another thread's renewal of the token was not done in time"
            hint = "is the token endpoint slow? give the call a longer deadline"
            raise LockTimedOut(message, hint=hint, key=self._key)

    def _raise_known(self, ask: Ask) -> None:
        """Raise what is known already: logged out, a dead grant, or a failure waited for."""
        if self._logged_out:
            message = "logged out: nothing logs in again until login() is called"
            raise LoginRequired(message, hint="call stack.handlers['auth'].login(stack)")
        if self._dead is not None:
            token, error = self._dead
            if self._store.load(self._key) == token:
                raise shared(error)
            self._dead = None  # somebody logged in, perhaps another process
        failure = self._failures.answer(ask.want, ask.ticket)
        if failure is not None:
            raise shared(failure)

    def _lead(self, ask: Ask, refused: Token | None, flight: Flight) -> Token:
        era, started = self._era, ask.clock.monotonic()
        try:
            token, fresh = self._renewed(ask, refused, flight)
        except Exception as error:
            end = ask.deadline
            with self._changed:
                # Out of time is the leader's own trouble: others may have more of it, and lead.
                if not flight.early and (end is None or ask.clock.monotonic() < end):
                    flight.error = self._failures.note(ask.want, error)
                self._land(ask.want, flight)
            self.listeners.failed(flight, ask.clock.monotonic() - started, error)
            raise
        with self._changed:
            if era == self._era:
                self._hold(token, ask.clock)
                self._failures.forget(ask.want)
                if fresh:
                    self._unproven = self._young = token
                    self._young_until = ask.clock.monotonic() + COOL_DOWN
            flight.token = token
            self._land(ask.want, flight)
        self.listeners.ended(flight, ask.clock.monotonic() - started, fresh=fresh)
        return token

    def _land(self, want: str, flight: Flight) -> None:
        flight.done = True
        self._flights.pop(want, None)
        self._changed.notify_all()

    def _renewed(self, ask: Ask, refused: Token | None, flight: Flight) -> tuple[Token, bool]:
        """Under the store's lock: adopt what another process renewed, or obtain and save.

        Returns:
            The token, and whether it was obtained just now.
        """
        started = ask.clock.monotonic()
        end = ask.deadline if ask.deadline is not None else started + PATIENCE
        with self._store.lock(self._key, max(end - started, 0.0)):
            flight.waited = ask.clock.monotonic() - started
            found = self._store.load(self._key)
            stored = self._keeping.caught_up(found)
            if self._suits(stored, refused, ask):
                assert stored is not None  # noqa: S101  # what suits is a token
                return stored, False
            # The stored one even if its access token has ended: its refresh token is the newest.
            held = stored or refused or self._held
            try:
                token = ask.obtain(held)
            except LoginRequired as error:
                self._dead = (found, kept(error))
                raise
            self._keeping.keep(token, found)
            return token, True

    def _suits(self, token: Token | None, refused: Token | None, ask: Ask) -> bool:
        if token is None or not self._policy.is_usable(token, ask.clock.time()):
            return False
        if ask.want and not set(ask.want.split()) <= set((token.scope or "").split()):
            return False
        return refused is None or token.value != refused.value

    def _hold(self, token: Token, clock: Clock) -> None:
        self._refused = None
        now = clock.time()
        self._renew_at = min(self._policy.renewal_time(token, now), self._keeping.again_at(now))
        self._held = token
