"""Tokens in the keyring of the operating system (extra ``keyring``)."""

from __future__ import annotations

import hashlib
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import unquote

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._optional import require
from sessionkit.errors import ConfigError, StoreError
from sessionkit.stores._forms import from_text, to_text
from sessionkit.stores._local_locks import LocalLocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from keyring.backend import KeyringBackend

    from sessionkit._clock import Clock
    from sessionkit._tokens import Token

__all__ = ["KeyringTokenStore"]

T = TypeVar("T")

#: UTF-16 characters in the largest secret that the Windows Credential Manager takes (2,560 bytes).
_SMALLEST_LIMIT: Final = 1280
_WAY_OUT: Final = (
    "use a SqliteTokenStore, or an EncryptedTokenStore whose key comes from your deployment; "
    "`python -m keyring diagnose` tells what is there"
)


class KeyringTokenStore:
    """Keeps tokens in the user's keyring: macOS Keychain, Windows, Secret Service, KWallet.

    For programs of a user who is logged in. A keyring cannot list what it holds, so neither can
    this store; and some take short secrets only: 1,280 characters on Windows. Where tokens are
    longer, keep one key in the keyring and the tokens in an `EncryptedTokenStore`.

    The lock around a renewal is an empty file in the user's state folder. Calls to the keyring are
    made one at a time over all processes, because a keyring that is locked would ask for its
    password once for each, and not every keyring can bear more.

    Args:
        service: Under which name the keyring shows the entries: your program's.
        backend: Which keyring; by default the one that ``keyring`` chooses.
        folder: Where the files of the locks are; by default the user's state folder.
        busy_timeout: How long one call waits for those of others to end, in seconds. Somebody
            may have to type a password.
        clock: Measures and makes the waits for other processes.

    Raises:
        ConfigError: *service* is empty.
        ImportError: The extra ``keyring`` is not installed.
        StoreError: There is no keyring here, as on most servers, or one that keeps nothing.
    """

    __slots__ = ("_busy_timeout", "_clock", "_folder", "_given", "_keyring", "_locks", "_service")

    def __init__(
        self,
        service: str,
        *,
        backend: KeyringBackend | None = None,
        folder: Path | None = None,
        busy_timeout: float = 60.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        if not service.strip():
            raise ConfigError("a KeyringTokenStore needs the name of a service: your program's")
        self._service = service
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._given = backend
        self._keyring = _usable(backend, repr(self))
        self._folder = folder or _state_folder()
        name = hashlib.sha256(service.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        self._locks = LocalLocks(self._folder / name, repr(self), clock=clock, creates_folder=True)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``keyring:my-program``.

        Raises:
            ConfigError: The URL names no service, or more than that.
            ImportError: The extra ``keyring`` is not installed.
            StoreError: There is no keyring here.
        """
        service = url.partition(":")[2]
        if not service or set(service) & set("/?#"):
            raise ConfigError(
                "keyring: is followed by the name of a service, and by nothing else",
                hint="write keyring:my-program, with %2F for / and the like",
            )
        return cls(unquote(service))

    def __repr__(self) -> str:
        return f"KeyringTokenStore({self._service!r})"

    def __reduce__(self) -> tuple[Callable[..., KeyringTokenStore], tuple[str]]:
        # A worker process gets the way to the tokens, not the tokens.
        build = partial(
            KeyringTokenStore,
            backend=self._given,
            folder=self._folder,
            busy_timeout=self._busy_timeout,
            clock=self._clock,
        )
        return build, (self._service,)

    def load(self, key: str) -> Token | None:
        text = self._ask(key, lambda: self._get(key))
        return None if text is None else from_text(text, key, repr(self))

    def save(self, key: str, token: Token) -> None:
        text = to_text(token)
        put = partial(self._keyring.set_password, self._service, _name(key), text)
        self._ask(key, put, length=len(text))

    def delete(self, key: str) -> None:
        def work() -> None:
            # A keyring has no one way to say that there was nothing to delete.
            if self._get(key) is not None:
                self._keyring.delete_password(self._service, _name(key))

        self._ask(key, work)

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        return self._locks.hold(key, timeout)

    def _get(self, key: str) -> str | None:
        found: str | None = self._keyring.get_password(self._service, _name(key))
        return found

    def _ask(self, key: str, question: Callable[[], T], *, length: int = 0) -> T:
        with self._locks.hold_all(self._busy_timeout):
            try:
                return question()
            except Exception as error:
                # Each keyring has errors of its own, of the system's or of D-Bus.
                raise StoreError(
                    f"the keyring failed with {type(error).__name__}",
                    hint=f"the token is {length} characters long, and some keyrings take no more "
                    f"than {_SMALLEST_LIMIT}; keep it in an EncryptedTokenStore"
                    if length > _SMALLEST_LIMIT
                    else f"unlock it, or {_WAY_OUT}",
                    store=repr(self),
                    key=key,
                ) from error


def _usable(backend: KeyringBackend | None, owner: str) -> Any:
    keyring: Any = require("keyring", "keyring")
    chosen = keyring.get_keyring() if backend is None else backend
    kind = type(chosen).__module__
    if kind in {"keyring.backends.fail", "keyring.backends.null"}:
        raise StoreError(
            "there is no keyring here"
            if kind.endswith("fail")
            else "the keyring here is switched off: it keeps nothing",
            hint=_WAY_OUT,
            store=owner,
        )
    return chosen


def _state_folder() -> Path:
    platformdirs: Any = require("platformdirs", "keyring")
    folder: Path = platformdirs.user_state_path("sessionkit", appauthor=False)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _name(key: str) -> str:
    """Return the user name of an entry: readable, and yet another one for each key.

    Keyrings differ in which characters they take and in whether ``Ann`` is ``ann``.
    """
    readable = re.sub(r"[^A-Za-z0-9@._+-]+", "_", key)[:60]
    return f"{readable} {hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
