"""Save renewed tokens: not interrupted by Ctrl-C, and again later where the store fails now."""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING

from sessionkit._redact import scrub
from sessionkit.auth.renewal._policy import COOL_DOWN

if TYPE_CHECKING:
    from sessionkit._tokens import Token
    from sessionkit.stores._base import TokenStore

_LOG = logging.getLogger("sessionkit.auth")


class TokenSaver:
    """Saves the tokens of one account. To be used under the store's lock.

    A server that rotates refresh tokens takes the second use of one for theft and ends the whole
    login. So the stored one may not be used while a newer one waits to be saved.

    Args:
        store: Where the tokens are stored.
        key: Their name there.
    """

    __slots__ = ("_key", "_store", "_unsaved")

    def __init__(self, store: TokenStore, key: str) -> None:
        self._store = store
        self._key = key
        self._unsaved: tuple[Token, Token | None] | None = None

    @property
    def has_unsaved(self) -> bool:
        """Whether there is a token that could not be saved yet; needs no lock."""
        return self._unsaved is not None

    def save(self, token: Token, stored: Token | None) -> None:
        """Save *token*; a store that fails is logged, and given the token again later.

        Raising would throw the only copy away.

        Args:
            token: What the server gave.
            stored: What is stored in its place until then.
        """
        self._unsaved = token, stored
        try:
            self._try_save(token)
        except BaseException as stop:
            # Ctrl-C, which waits until the token is safe; another one does not. What it caught in
            # the taking of a lock is in no other hands, and would be waited for.
            from traceback import clear_frames

            clear_frames(stop.__traceback__)
            self._try_save(token)
            raise

    def retry_pending(self, stored: Token | None) -> Token | None:
        """Return the newest token there is, saved if it was not and can be now.

        Args:
            stored: What was just loaded. If it is not what stood there when saving failed, there
                was a login or renewal since, and its token is the newest.
        """
        if self._unsaved is None:
            return stored
        token, before = self._unsaved
        if stored != before:
            self._unsaved = None
            return stored
        self.save(token, before)
        return token

    def next_retry(self, now: float) -> float:
        """Return when to try again to save, in seconds since the epoch; infinity for never."""
        return now + COOL_DOWN if self.has_unsaved else inf

    def forget(self) -> None:
        """Forget a token that could not be saved: another one counts from now on, or none."""
        self._unsaved = None

    def _try_save(self, token: Token) -> None:
        try:
            self._store.save(self._key, token)
        except Exception as error:  # noqa: BLE001  # logged, and retried later
            secrets = (token.value, token.refresh_token or "", *token.extra.values())
            # Databases quote the row that they refuse.
            _LOG.warning(
                "the renewed token could not be saved and lives in this process only; if that ends "
                "before the store works again, a new login may be needed: %s: %s",
                *(type(error).__name__, scrub(str(error), secrets)),
            )
        else:
            self._unsaved = None
