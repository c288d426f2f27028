"""Tokens encrypted at rest, in whatever store (extra ``crypto``)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from sessionkit._optional import require
from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores._base import ListableTokenStore
from sessionkit.stores._forms import take_options
from sessionkit.stores._open import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager

    from sessionkit.stores._base import TokenStore

__all__ = ["EncryptedTokenStore"]

_OPTION: Final = "keys_env"
_WRITE: Final = f"write encrypted+sqlite:///path.db?{_OPTION}=APP_TOKEN_KEYS"


class EncryptedTokenStore:
    """Keeps tokens encrypted (Fernet: AES-128 in CBC mode with HMAC-SHA256) in another store.

    The other store sees a token whose value is the ciphertext, and nothing else of it: neither
    its end nor its scope. What stays readable there is the key under which it is kept, most
    often a user's name, when it was encrypted, and about how long it is. A ciphertext that was
    moved to another key, changed, or replaced by a token in clear is refused.

    Thread-safe if the other store is. It refuses to be pickled, for the keys would be readable.

    Args:
        store: Where the tokens are kept. Its lock is the lock.
        keys: Keys from `new_key`. The first encrypts; all of them decrypt, so a new key is put in
            front, `rotate` called, and the old key then left out.

    Raises:
        ConfigError: There is no key, or one that is none. No message shows a key.
        ImportError: The extra ``crypto`` is not installed.
    """

    __slots__ = ("_count", "_fernet", "_invalid", "_store")

    def __init__(self, store: TokenStore, keys: Sequence[str | bytes]) -> None:
        if isinstance(keys, str | bytes) or not keys:
            raise ConfigError("an EncryptedTokenStore takes a list of one key or more")
        fernet: Any = require("cryptography.fernet", "crypto")
        try:
            self._fernet: Any = fernet.MultiFernet([fernet.Fernet(key) for key in keys])
        except (ValueError, TypeError, AttributeError):
            # From None: what the original says may hold the key.
            raise ConfigError(
                "a key of an EncryptedTokenStore is 32 random bytes in URL-safe base64",
                hint="make one with EncryptedTokenStore.new_key()",
            ) from None
        self._invalid: type[Exception] = fernet.InvalidToken
        self._store = store
        self._count = len(keys)

    @staticmethod
    def new_key() -> str:
        """Return a new random key; keep it where the tokens are not.

        Raises:
            ImportError: The extra ``crypto`` is not installed.
        """
        key: bytes = require("cryptography.fernet", "crypto").Fernet.generate_key()
        return key.decode("ascii")

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``encrypted+sqlite:///path.db?keys_env=APP_TOKEN_KEYS``.

        After ``encrypted+`` comes the URL of any other store. ``keys_env`` is the *name* of an
        environment variable that holds the keys, with blanks or commas between them.

        Raises:
            ConfigError: There is no other store, no such variable, or no key in it.
            ImportError: An extra is not installed.
            StoreError: What the other store raises.
        """
        inner, options = take_options(url.partition("+")[2], {_OPTION})
        name = options.get(_OPTION, "")
        if not inner or not name:
            raise ConfigError(
                "encrypted+ is followed by a store and says where its keys are", hint=_WRITE
            )
        keys = os.environ.get(name, "").replace(",", " ").split()
        if not keys:
            # Without the name, because some will have put the key itself in its place.
            raise ConfigError(
                f"the environment variable that {_OPTION} names is not set",
                hint=f"{_WRITE}, where APP_TOKEN_KEYS is the name of a variable, not the key",
            )
        return cls(open_store(inner), keys)

    def __repr__(self) -> str:
        return f"EncryptedTokenStore({self._store!r}, keys={self._count})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "an EncryptedTokenStore cannot be pickled, because its keys would be readable in the "
            "pickle; build it in the process that uses it"
        )

    def keys(self) -> list[str]:
        if not isinstance(self._store, ListableTokenStore):
            raise StoreError(
                "the store that holds the encrypted tokens cannot tell its keys",
                hint="keep them in one that can, such as a SqliteTokenStore",
                store=repr(self),
            )
        return self._store.keys()

    def load(self, key: str) -> Token | None:
        held = self._store.load(key)
        return None if held is None else self._opened(key, held)

    def save(self, key: str, token: Token) -> None:
        # With the name inside, so that no one who can write to the store gives one user's token
        # to another.
        content = json.dumps({"key": key, "token": token.to_dict()}).encode("ascii")
        self._store.save(key, Token(self._fernet.encrypt(content).decode("ascii")))

    def delete(self, key: str) -> None:
        self._store.delete(key)

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        return self._store.lock(key, timeout)

    def close(self) -> None:
        """Close the other store, if it is one that can be closed; it may be repeated."""
        close = getattr(self._store, "close", None)
        if close is not None:
            close()

    def rotate(self, keys: Iterable[str] | None = None, *, timeout: float = 30.0) -> int:
        """Encrypt tokens anew with the first key; return how many.

        Each is done under its lock, so a renewal under way loses nothing.

        Args:
            keys: Whose tokens; all by default.
            timeout: How long to wait for each lock, in seconds.

        Raises:
            LockTimedOut: A lock did not come free in time.
            StoreError: The other store cannot be reached, or cannot tell its keys.
            StoreUnreadable: Some could not be decrypted; all others are done.
        """
        done, refused = 0, []
        for key in self.keys() if keys is None else keys:
            with self.lock(key, timeout):
                try:
                    token = self.load(key)
                except StoreUnreadable as error:
                    refused.append(error)
                    continue
                if token is not None:
                    self.save(key, token)
                    done += 1
        if refused:
            raise StoreUnreadable(
                f"{done} tokens were encrypted anew, {len(refused)} could not be decrypted",
                store=repr(self),
                key=refused[0].key,
            ) from refused[0]
        return done

    def _opened(self, key: str, held: Token) -> Token:
        try:
            content = json.loads(self._fernet.decrypt(held.value.encode("ascii")))
            if content["key"] == key:
                return Token.from_dict(content["token"])
        except (self._invalid, ValueError, TypeError, KeyError):
            # From None, because the JSON error carries the text that was decrypted.
            raise self._unreadable(key, "is not encrypted with any of the keys given") from None
        raise self._unreadable(key, "was encrypted for another key of the store")

    def _unreadable(self, key: str, what: str) -> StoreUnreadable:
        return StoreUnreadable(
            f"the token under {key!r:.80} {what}",
            hint="add the key that it was encrypted with to the end of keys, "
            "or drop it with store.delete(key) and log in again",
            store=repr(self),
            key=key,
        )
