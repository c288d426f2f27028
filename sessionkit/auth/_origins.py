"""Allowed origins: where credentials may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._origins import is_absolute, origin_of, origin_or_none
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit.chain._exchange import Exchange

#: Those of a foreign URL.
NO_ORIGINS: frozenset[str] = frozenset()


class AllowedOrigins:
    """The origins that credentials may go to. Immutable, hence thread-safe.

    Args:
        urls: As absolute URLs; None for the stack's ``base_url``, and for a relative URL the origin
            that the session resolves it to.

    Raises:
        ConfigError: An origin that is no absolute URL.
    """

    __slots__ = ("_origins",)

    def __init__(self, urls: Iterable[str] | None = None) -> None:
        self._origins: frozenset[str] | None = None
        if urls is None:
            return
        listed = [urls] if isinstance(urls, str) else list(urls)
        try:
            self._origins = frozenset(origin_of(url) for url in listed)
        except ValueError as error:
            message = f"an origin must be an absolute URL such as https://api.example: {error}"
            raise ConfigError(message) from error

    def for_exchange(self, exchange: Exchange) -> frozenset[str]:
        """Return the origins that credentials of *exchange* may go to; none for a foreign URL.

        Raises:
            ConfigError: Nothing says which origins are ours.
        """
        allowed = self._origins
        if allowed is None:
            home = exchange.base_origin
            if home is None and not is_absolute(exchange.url):
                home = exchange.session_origin()
            if home is None:
                message = "it is not known which origins the token may go to"
                hint = (
                    "give the stack a base_url, or the handler origins=['https://api.example']; "
                    "a token is never sent to whatever is asked for first"
                )
                raise ConfigError(message, hint=hint, method=exchange.method, url=exchange.url)
            allowed = frozenset((home,))
        if not is_absolute(exchange.url):
            return allowed  # the wire looks where it leads
        return allowed if is_allowed(exchange.url, allowed) else NO_ORIGINS

    def __repr__(self) -> str:
        return f", origins={sorted(self._origins)}" if self._origins else ""


def is_allowed(url: str | None, allowed: frozenset[str]) -> bool:
    """Return whether the origin of *url* is among *allowed*; False where it has none."""
    return origin_or_none(url) in allowed
