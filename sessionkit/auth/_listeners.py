"""Those who want to hear of renewals, and what they are told."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.auth.renewal._single_flight import Flight
    from sessionkit.events import Event

_LOG = logging.getLogger("sessionkit.auth")


class Listeners:
    """Functions that are told of events. Thread-safe: to append to a list is one step.

    Args:
        key: Name under which the token is stored that all of it is about.
    """

    __slots__ = ("_key", "_listeners")

    def __init__(self, key: str) -> None:
        self._key = key
        self._listeners: list[Callable[[Event], object]] = []

    def add(self, listener: Callable[[Event], object]) -> None:
        """Tell *listener* of every event from now on.

        Raises:
            ConfigError: It is no function.
        """
        if not callable(listener):
            message = f"a listener is a function of the event, not {type(listener).__name__}"
            raise ConfigError(message)
        self._listeners.append(listener)

    def ended(self, flight: Flight, seconds: float, *, fresh: bool) -> None:
        """Tell that a flight brought a token: a *fresh* one, or one that was stored meanwhile."""
        if self._listeners:
            # Events are loaded for those alone who listen.
            from sessionkit.events import TokenAdopted, TokenRenewed

            renewed = TokenRenewed(self._key, seconds, flight.waited, flight.early)
            self.tell(renewed if fresh else TokenAdopted(self._key, seconds))

    def failed(self, flight: Flight, seconds: float, error: Exception) -> None:
        """Tell that a flight brought none."""
        if self._listeners:
            from sessionkit.events import TokenRenewalFailed

            self.tell(TokenRenewalFailed(self._key, seconds, flight.early, error))

    def waited(self, seconds: float) -> None:
        """Tell that a call waited for another thread's flight."""
        if self._listeners:
            from sessionkit.events import TokenWaited

            self.tell(TokenWaited(self._key, seconds))

    def tell(self, event: Event) -> None:
        """Tell all of them; one that fails costs neither the call nor the others anything."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # whatever is wrong with it, the call goes on
                _LOG.warning("a listener failed on %s", type(event).__name__, exc_info=True)
