"""Renewal events: what happens to tokens, for metrics, alerts and audits.

Register a listener with :meth:`add_listener <sessionkit.auth.AuthHandler.add_listener>` of the auth
handler. It is called in the thread where the event happened, with no lock held, after the fact;
what it raises is logged and costs the call nothing. No event holds a token.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

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
    """A renewal ended without a token; told once, however many calls had waited for it.

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
