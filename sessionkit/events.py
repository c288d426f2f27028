"""Renewal events: what happens to tokens, for metrics, alerts and audits.

Register a listener with :meth:`add_listener <sessionkit.auth.AuthHandler.add_listener>` of the auth
handler. It is called in the thread where the event happened, with no lock held, after the fact;
what it raises is logged and costs the call nothing. No event holds a token.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger("sessionkit.auth")

__all__ = ["Event", "TokenAdopted", "TokenRenewalFailed", "TokenRenewed", "TokenWaited"]


class TokenRenewed(NamedTuple):
    """A token was obtained and saved, by this process.

    Attributes:
        store_key: Name under which it is stored.
        duration: Seconds from asking for the lock until the token was saved.
        waited: Seconds of that which went in waiting for the store's lock.
        early: Whether the token before it was still valid.
    """

    store_key: str
    duration: float
    waited: float
    early: bool


class TokenAdopted(NamedTuple):
    """A token was found in the store that another process had renewed meanwhile.

    Attributes:
        store_key: Name under which it is stored.
        duration: Seconds that it took, nearly all of it waiting for the store's lock.
    """

    store_key: str
    duration: float


class TokenWaited(NamedTuple):
    """A call waited for the renewal that another thread had under way.

    Attributes:
        store_key: Name under which the token is stored.
        duration: Seconds that this call waited for a token, or a failure.
    """

    store_key: str
    duration: float


class TokenRenewalFailed(NamedTuple):
    """A renewal ended without a token; one event, however many calls had waited for it.

    Attributes:
        store_key: Name under which the token is stored.
        duration: Seconds that it took.
        early: Whether the old token was still valid, so that no call failed for it.
        error: The error, as the calls raise it.
    """

    store_key: str
    duration: float
    early: bool
    error: Exception


Event: TypeAlias = TokenRenewed | TokenAdopted | TokenWaited | TokenRenewalFailed


class Listeners:
    """The listeners of one account's renewal events. Thread-safe: appending to a list is one step.

    Args:
        store_key: Name under which the token is stored that all events are about.
    """

    __slots__ = ("_listeners", "_store_key")

    def __init__(self, store_key: str) -> None:
        self._store_key = store_key
        self._listeners: list[Callable[[Event], object]] = []

    def add(self, listener: Callable[[Event], object]) -> None:
        """Call *listener* with every event from now on.

        Raises:
            ConfigError: It is no function.
        """
        if not callable(listener):
            message = f"a listener is a function of the event, not {type(listener).__name__}"
            raise ConfigError(message)
        self._listeners.append(listener)

    def renewed(self, duration: float, waited: float, *, early: bool) -> None:
        """Report a token that this process obtained."""
        self.send(TokenRenewed(self._store_key, duration, waited, early))

    def adopted(self, duration: float) -> None:
        """Report a token that was found in the store."""
        self.send(TokenAdopted(self._store_key, duration))

    def failed(self, duration: float, error: Exception, *, early: bool) -> None:
        """Report a renewal that ended without a token."""
        self.send(TokenRenewalFailed(self._store_key, duration, early, error))

    def waited(self, duration: float) -> None:
        """Report a call that waited for another thread's renewal."""
        self.send(TokenWaited(self._store_key, duration))

    def send(self, event: Event) -> None:
        """Call each listener with *event*; one that fails costs the call and the others nothing."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # whatever is wrong with it, the call goes on
                _LOG.warning("a listener failed on %s", type(event).__name__, exc_info=True)
