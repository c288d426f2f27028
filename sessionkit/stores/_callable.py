"""Tokens that functions of the user load, save and delete."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sessionkit._tokens import Token
from sessionkit.errors import (
    ConfigError,
    LockTimedOut,
    SessionKitError,
    StoreError,
    StoreUnreadable,
)
from sessionkit.stores._locks import KeyedLocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

T = TypeVar("T")


class CallableTokenStore:
    """Keeps tokens by calling functions of yours: a row of your database, a vault, a cache.

    As thread-safe as the functions are; it calls them from any thread. What they raise arrives
    as a `StoreError` with the original as its cause::

        tokens = {}
        store = CallableTokenStore(
            load=tokens.get,
            save=lambda key, token: tokens.update({key: token.to_dict()}),
            delete=lambda key: tokens.pop(key, None),
        )

    Args:
        load: Gets the key; returns the `Token`, or what its ``to_dict`` gave, or None if there
            is none.
        save: Gets the key and the `Token`, whose ``to_dict`` is fit for JSON. When it returns,
            the token must be safe: a rotated refresh token is used right after.
        delete: Gets the key; drops the token, if there is one. Without it ``delete``, and so a
            logout, is an error: a token that stays would log in again.
        lock: Gets the key and a timeout in seconds; returns a context manager that holds a lock
            for that key and raises `TimeoutError` on entry if it cannot be had. It decides who
            shares one renewal. Without it that is the threads of this process.

    Raises:
        ConfigError: One of them cannot be called.
    """

    __slots__ = ("_delete", "_load", "_lock", "_locks", "_save")

    def __init__(
        self,
        load: Callable[[str], Token | Mapping[str, Any] | None],
        save: Callable[[str, Token], object],
        *,
        delete: Callable[[str], object] | None = None,
        lock: Callable[[str, float], AbstractContextManager[object]] | None = None,
    ) -> None:
        given: dict[str, object] = {"load": load, "save": save, "delete": delete, "lock": lock}
        for name, function in given.items():
            left_out = function is None and name in {"delete", "lock"}
            if not (left_out or callable(function)):
                raise ConfigError(
                    f"{name} of a CallableTokenStore must be callable, "
                    f"not {type(function).__name__}"
                )
        self._load = load
        self._save = save
        self._delete = delete
        self._lock = lock
        self._locks = KeyedLocks(repr(self))

    def __repr__(self) -> str:
        # Names only: the repr of a partial or a bound method shows what it holds.
        given = [self._load, self._save, self._delete, self._lock]
        shown = ", ".join(
            f"{slot}={getattr(function, '__qualname__', type(function).__name__)}"
            for slot, function in zip(("load", "save", "delete", "lock"), given, strict=True)
            if function is not None
        )
        return f"CallableTokenStore({shown})"

    def load(self, key: str) -> Token | None:
        found = self._ask("load", key, lambda: self._load(key))
        if found is None or isinstance(found, Token):
            return found
        try:
            return Token.from_dict(found)
        except ValueError as error:
            raise StoreUnreadable(
                f"what the load function returned for {key!r:.80} is no token: {error}",
                hint="return a Token, what Token.to_dict() gave, or None",
                store=repr(self),
                key=key,
            ) from error

    def save(self, key: str, token: Token) -> None:
        self._ask("save", key, lambda: self._save(key, token))

    def delete(self, key: str) -> None:
        """Call the ``delete`` function.

        Raises:
            StoreError: The function failed, or none was given.
        """
        delete = self._delete
        if delete is None:
            raise StoreError(
                "this token store was given no delete function, so the token stays",
                hint="pass CallableTokenStore(..., delete=...)",
                store=repr(self),
                key=key,
            )
        self._ask("delete", key, lambda: delete(key))

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        """Hold the user's lock for *key*, or one between the threads of this process."""
        given = self._lock
        if given is None:
            with self._locks.hold(key, timeout):
                yield
            return
        held = ExitStack()
        self._ask("lock", key, lambda: held.enter_context(given(key, timeout)))
        try:
            yield
        except BaseException as error:
            raised = (type(error), error, error.__traceback__)
            self._ask("lock", key, lambda: held.__exit__(*raised))
            raise
        self._ask("lock", key, held.close)

    def _ask(self, name: str, key: str, question: Callable[[], T]) -> T:
        try:
            return question()
        except SessionKitError:
            raise
        except Exception as error:
            timed_out = name == "lock" and isinstance(error, TimeoutError)
            kind = LockTimedOut if timed_out else StoreError
            raise kind(
                f"the {name} function of the token store failed with {type(error).__name__}",
                hint="" if timed_out else "the cause, below, is your function's own error",
                store=repr(self),
                key=key,
            ) from error
