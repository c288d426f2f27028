"""A new token comes to rest in the store: through Ctrl-C, and later where the store fails now."""

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


class Keeping:
    """Saves the tokens of one account. To be used under the store's lock.

    A server that rotates refresh tokens takes the second use of one for theft and ends the whole
    login. So nobody may ask it with the token that is stored while a newer one waits to be saved.

    Args:
        store: Where the tokens rest.
        key: Their name there.
    """

    __slots__ = ("_key", "_owed", "_store")

    def __init__(self, store: TokenStore, key: str) -> None:
        self._store = store
        self._key = key
        self._owed: tuple[Token, Token | None] | None = None

    @property
    def owes(self) -> bool:
        """Whether there is a token that could not be saved yet; needs no lock."""
        return self._owed is not None

    def keep(self, token: Token, stored: Token | None) -> None:
        """Save *token*; a store that fails is warned of, and given it again later.

        Raising would throw the only copy away.

        Args:
            token: What the server gave.
            stored: What is stored in its place until then.
        """
        self._owed = token, stored
        try:
            self._save(token)
        except BaseException as stop:
            # Ctrl-C, which waits until the token is safe; another one does not. What it caught in
            # the taking of a lock is in no other hands, and would be waited for.
            from traceback import clear_frames

            clear_frames(stop.__traceback__)
            self._save(token)
            raise

    def caught_up(self, stored: Token | None) -> Token | None:
        """Return the newest token there is, saved if it was not and can be now.

        Args:
            stored: What was just loaded. If it is not what stood there when saving failed, somebody
                logged in or renewed since, and theirs is the newest.
        """
        if self._owed is None:
            return stored
        token, before = self._owed
        if stored != before:
            self._owed = None
            return stored
        self.keep(token, before)
        return token

    def again_at(self, now: float) -> float:
        """Return when to try again to save what could not be saved, in seconds since the epoch."""
        return now + COOL_DOWN if self.owes else inf

    def forget(self) -> None:
        """Forget a token that could not be saved: another one counts from now on, or none."""
        self._owed = None

    def _save(self, token: Token) -> None:
        try:
            self._store.save(self._key, token)
        except Exception as error:  # noqa: BLE001  # told in the log, and made up for later
            secrets = (token.value, token.refresh_token or "", *token.extra.values())
            # Databases quote the row that they refuse.
            _LOG.warning(
                "the renewed token could not be saved and lives in this process only; if that ends "
                "before the store works again, a new login may be needed: %s: %s",
                *(type(error).__name__, scrub(str(error), secrets)),
            )
        else:
            self._owed = None
