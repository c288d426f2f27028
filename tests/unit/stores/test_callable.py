"""Tokens wherever two functions of the user's put them."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LockTimedOut, StoreError, StoreUnreadable
from sessionkit.stores import CallableTokenStore
from sessionkit.testing import TokenStoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


class TestOverADictionary(TokenStoreContract):
    """The contract of all stores, with tokens kept as JSON texts."""

    @pytest.fixture
    def store(self) -> CallableTokenStore:
        rows: dict[str, str] = {}
        return CallableTokenStore(
            lambda key: json.loads(rows[key]) if key in rows else None,
            lambda key, token: rows.update({key: json.dumps(token.to_dict())}),
            delete=lambda key: rows.pop(key, None),
        )


class TestWithAUsersLock(TokenStoreContract):
    """The contract of all stores, with the tokens themselves and a lock of the user's."""

    @pytest.fixture
    def store(self) -> CallableTokenStore:
        rows: dict[str, Token] = {}
        guard = threading.Lock()
        locks: dict[str, threading.Lock] = {}

        @contextmanager
        def lock(key: str, timeout: float) -> Iterator[None]:
            with guard:
                mine = locks.setdefault(key, threading.Lock())
            if not mine.acquire(timeout=max(timeout, 0)):
                raise TimeoutError
            try:
                yield
            finally:
                mine.release()

        return CallableTokenStore(
            rows.get,
            lambda key, token: rows.update({key: token}),
            delete=lambda key: rows.pop(key, None),
            lock=lock,
        )


def nothing(*_: object) -> None:
    return None


def failing(*_: object) -> Any:
    raise RuntimeError("row 7: password=planted-secret")


def test_each_function_gets_what_the_docs_say() -> None:
    """A store is written from its docstring alone."""
    calls: list[tuple[object, ...]] = []

    @contextmanager
    def lock(*given: object) -> Iterator[None]:
        calls.append(("lock", *given))
        yield

    store = CallableTokenStore(
        lambda *given: calls.append(("load", *given)),
        lambda *given: calls.append(("save", *given)),
        delete=lambda *given: calls.append(("delete", *given)),
        lock=lock,
    )
    store.load("app")
    store.save("app", Token("a"))
    store.delete("app")
    with store.lock("app", 2.5):
        pass

    assert calls == [
        ("load", "app"),
        ("save", "app", Token("a")),
        ("delete", "app"),
        ("lock", "app", 2.5),
    ]


@pytest.mark.parametrize("method", ["load", "save", "delete"])
def test_what_a_function_raises_is_the_cause_of_a_store_error(method: str) -> None:
    """One except clause is enough; the database's own error is still to be seen, scrubbed."""
    store = CallableTokenStore(failing, failing, delete=failing)
    arguments = ("app", Token("a"))[: 2 if method == "save" else 1]

    with pytest.raises(StoreError, match=f"the {method} function .* RuntimeError") as caught:
        getattr(store, method)(*arguments)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.key == "app"
    assert "planted" not in str(caught.value)


def test_an_error_of_the_library_passes_as_it_is() -> None:
    """A store built on another one does not wrap its errors twice."""
    error = StoreUnreadable("damaged")

    def load(_key: str) -> None:
        raise error

    with pytest.raises(StoreUnreadable) as caught:
        CallableTokenStore(load, nothing).load("app")
    assert caught.value is error


def test_an_interruption_is_no_error_of_the_store() -> None:
    """Ctrl-C ends the program."""

    def load(_key: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CallableTokenStore(load, nothing).load("app")


@pytest.mark.parametrize("found", ["planted-secret", 7, {}, {"value": "planted\n"}, []])
def test_what_is_no_token_is_told_without_its_content(found: Any) -> None:
    """A load function that returns the raw row is found out; its secret is not shown."""
    with pytest.raises(StoreUnreadable, match="is no token") as caught:
        CallableTokenStore(lambda _key: found, nothing).load("app")
    assert "planted" not in str(caught.value)
    assert "Token.to_dict()" in caught.value.hint


def test_without_a_forget_function_a_logout_is_an_error() -> None:
    """A token that stays would log in again at the next start, so nobody thinks it is gone."""
    store = CallableTokenStore(nothing, nothing)

    with pytest.raises(StoreError, match="no delete function") as caught:
        store.delete("app")
    assert "delete=" in caught.value.hint


@pytest.mark.parametrize("name", ["load", "save", "delete", "lock"])
def test_what_cannot_be_called_is_refused_when_the_store_is_made(name: str) -> None:
    """A slip shows at once, not at the first renewal in the night."""
    functions: dict[str, Any] = {"load": nothing, "save": nothing, name: "nothing"}

    with pytest.raises(ConfigError, match=f"{name} of a CallableTokenStore .* not str"):
        CallableTokenStore(**functions)


@pytest.mark.parametrize("name", ["load", "save"])
def test_load_and_save_are_needed(name: str) -> None:
    """A store that cannot load or save is none."""
    functions: dict[str, Any] = {"load": nothing, "save": nothing, name: None}

    with pytest.raises(ConfigError, match=f"{name} of a CallableTokenStore"):
        CallableTokenStore(**functions)


def test_the_repr_names_the_functions_and_not_what_they_hold() -> None:
    """A partial with a password in it gives nothing away."""
    store = CallableTokenStore(partial(nothing, "planted-secret"), nothing)

    assert repr(store) == "CallableTokenStore(load=partial, save=nothing)"


# -- The user's lock -----------------------------------------------------------------------------


class Lock:
    """A lock that remembers what it was told."""

    def __init__(self, *, enter: Exception | None = None, leave: Exception | None = None) -> None:
        self.enter, self.leave = enter, leave
        self.left_with: list[BaseException | None] = []

    def __call__(self, _key: str, _timeout: float) -> Lock:
        return self

    def __enter__(self) -> None:
        if self.enter:
            raise self.enter

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self.left_with.append(error)
        if self.leave:
            raise self.leave


def test_a_lock_that_cannot_be_had_is_a_time_out_of_ours() -> None:
    """Whatever the lock is made of, a caller sees one kind of error."""
    cause = TimeoutError("busy")
    store = CallableTokenStore(nothing, nothing, lock=Lock(enter=cause))

    with pytest.raises(LockTimedOut) as caught, store.lock("app", 0.1):
        pass
    assert caught.value.__cause__ is cause
    assert caught.value.key == "app"


@pytest.mark.parametrize(
    "lock",
    [
        Lock(enter=RuntimeError("no server")),
        Lock(leave=RuntimeError("lock was lost")),
        failing,
        lambda _key, _timeout: True,
    ],
    ids=["on entry", "on exit", "when made", "no context"],
)
def test_a_lock_that_fails_is_a_store_error(lock: Any) -> None:
    """A lock server that is down is told as such."""
    store = CallableTokenStore(nothing, nothing, lock=lock)

    with pytest.raises(StoreError, match="the lock function") as caught, store.lock("app", 0.1):
        pass
    assert not isinstance(caught.value, LockTimedOut)


def test_a_lock_learns_how_its_block_ended() -> None:
    """A lock that rolls back on errors can do so; the error arrives as it was."""
    lock = Lock()
    store = CallableTokenStore(nothing, nothing, lock=lock)
    error = ValueError("renewal failed")

    with pytest.raises(ValueError, match="renewal failed") as caught, store.lock("app", 0.1):
        raise error

    assert caught.value is error
    assert lock.left_with == [error]


def test_a_lock_is_told_of_no_error_but_its_blocks() -> None:
    """A renewal that is part of handling an error is not taken for that error."""
    lock = Lock()
    store = CallableTokenStore(nothing, nothing, lock=lock)
    try:
        int("refused")
    except ValueError:
        with store.lock("app", 0.1):
            pass

    assert lock.left_with == [None]
