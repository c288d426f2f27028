"""What happens to tokens, told to those who listen: for metrics, alerts and audits.

Register a listener with :meth:`AuthHandler.listen <sessionkit.auth.AuthHandler.listen>`. It is
called in the thread where the event happened, with no lock held, after the fact; what it raises is
logged and costs the call nothing. No event holds a token.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class TokenRenewed(NamedTuple):
    """A token was obtained and saved, by this process.

    Attributes:
        key: Name under which it is stored.
        seconds: What it took, from asking for the lock until the token was saved.
        waited: Seconds of that which went in waiting for the store's lock.
        early: Whether the token before it still lived.
    """

    key: str
    seconds: float
    waited: float
    early: bool


class TokenAdopted(NamedTuple):
    """A token was found in the store that another process had renewed meanwhile.

    Attributes:
        key: Name under which it is stored.
        seconds: What it took, nearly all of it waiting for the store's lock.
    """

    key: str
    seconds: float


class TokenWaited(NamedTuple):
    """A call waited for the renewal that another thread had under way.

    Attributes:
        key: Name under which the token is stored.
        seconds: How long this call took to get a token, or a failure.
    """

    key: str
    seconds: float


class TokenRenewalFailed(NamedTuple):
    """A renewal ended without a token; told once, however many calls had waited for it.

    Attributes:
        key: Name under which the token is stored.
        seconds: What it took.
        early: Whether the old token still lived, so that no call failed for it.
        error: The error, as the calls raise it.
    """

    key: str
    seconds: float
    early: bool
    error: Exception


Event: TypeAlias = TokenRenewed | TokenAdopted | TokenWaited | TokenRenewalFailed
