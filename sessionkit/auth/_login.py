"""One login at a time: whoever logs in while another thread does shares what comes of that."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sessionkit._fork import PerProcess
from sessionkit.auth.renewal._single_flight import Flight, kept, shared
from sessionkit.errors import ConfigError, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long a thread waits for another one's login, in seconds: no code for a user lives longer.
PATIENCE = 3600.0


class Logins:
    """The logins of one account, which may take as long as a user types.

    They hold up nobody but each other: calls and renewals go on. Thread-safe; a forked child has
    none under way.

    Args:
        patience: How long to wait for another thread's, in seconds.
    """

    __slots__ = ("_patience", "_states")

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._states: PerProcess[_State] = PerProcess(lambda _parents: _State())

    def share(self, log_in: Callable[[], None]) -> None:
        """Call *log_in*, or wait for the login under way; its failure is everybody's.

        Raises:
            ConfigError: The login under way is this thread's own.
            RenewalFailed: That of another thread did not end in time.
            Exception: What *log_in* raised, here or there.
        """
        state, mine = self._states.get(), Flight()
        try:
            with state.changed:
                while state.login is not None:
                    other = state.login
                    self._wait(state, other)
                    if other.error is not None:
                        raise shared(other.error) from other.error
                    if other.done:
                        return
                    # Interrupted, by a Ctrl-C that was not ours: we log in.
                state.login = mine
            self._lead(mine, log_in)
        finally:
            # Not what was taken above: the login itself may have forked, and this be the child.
            state = self._states.get()
            if state.login is mine:
                with state.changed:
                    state.login = None
                    state.changed.notify_all()

    def _wait(self, state: _State, other: Flight) -> None:
        if other.leader == threading.get_ident():
            message = "login() was called by what shows the user the login"
            raise ConfigError(message, hint="let that return; the login goes on by itself")
        if not state.changed.wait_for(lambda: state.login is not other, self._patience):
            message = "another thread's login was not done in time"
            raise RenewalFailed(message, hint="is there a user who was asked?")

    def _lead(self, mine: Flight, log_in: Callable[[], None]) -> None:
        try:
            log_in()
        except Exception as error:
            mine.error = kept(error)
            raise
        mine.done = True


class _State:
    """The login under way, and those who wait for its end."""

    __slots__ = ("changed", "login")

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.login: Flight | None = None
