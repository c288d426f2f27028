"""One login at a time: threads that log in meanwhile share its success or failure."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sessionkit._fork import PerProcess
from sessionkit.auth.renewal._single_flight import PendingRenewal, copy_for_waiter, detached_copy
from sessionkit.errors import ConfigError, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long a thread waits for another one's login, in seconds: no code for a user lives longer.
LOGIN_TIMEOUT = 3600.0


class SharedLogin:
    """The logins of one account, which may take as long as a user types.

    They block no calls or renewals, only each other. Thread-safe; a forked child has none under
    way.

    Args:
        timeout: How long to wait for another thread's, in seconds.
    """

    __slots__ = ("_states", "_timeout")

    def __init__(self, timeout: float = LOGIN_TIMEOUT) -> None:
        self._timeout = timeout
        self._states: PerProcess[_State] = PerProcess(lambda _parents: _State())

    def run(self, log_in: Callable[[], None]) -> None:
        """Call *log_in*, or wait for the login under way and share its result.

        Raises:
            ConfigError: The login under way is this thread's own.
            RenewalFailed: That of another thread did not end in time.
            Exception: What *log_in* raised, here or there.
        """
        state, mine = self._states.get(), PendingRenewal()
        try:
            with state.changed:
                while state.login is not None:
                    other = state.login
                    self._wait_for(state, other)
                    if other.error is not None:
                        raise copy_for_waiter(other.error) from other.error
                    if other.done:
                        return
                    # Interrupted, by a Ctrl-C that was not ours: we log in.
                state.login = mine
            self._log_in_as_leader(mine, log_in)
        finally:
            # Not what was taken above: the login itself may have forked, and this be the child.
            state = self._states.get()
            if state.login is mine:
                with state.changed:
                    state.login = None
                    state.changed.notify_all()

    def _wait_for(self, state: _State, other: PendingRenewal) -> None:
        if other.leader == threading.get_ident():
            message = "login() was called by the function that shows the user the login"
            raise ConfigError(message, hint="let that return; the login goes on by itself")
        if not state.changed.wait_for(lambda: state.login is not other, self._timeout):
            message = "another thread's login was not done in time"
            raise RenewalFailed(message, hint="is there a user who was asked?")

    def _log_in_as_leader(self, mine: PendingRenewal, log_in: Callable[[], None]) -> None:
        try:
            log_in()
        except Exception as error:
            mine.error = detached_copy(error)
            raise
        mine.done = True


class _State:
    """The login under way, and what its waiters wait on."""

    __slots__ = ("changed", "login")

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.login: PendingRenewal | None = None
