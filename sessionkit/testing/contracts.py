"""Test classes to inherit: what holds for every object of a kind, a stranger's included.

Needs pytest (extra ``testing``). A test of a store is three lines:

    class TestMyStore(TokenStoreContract):
        @pytest.fixture
        def store(self) -> TokenStore:
            return MyStore()
"""

# ruff: noqa: S106 (every secret in here is planted)

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import LockTimedOut
from sessionkit.stores._base import purge_expired
from sessionkit.testing._clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from sessionkit.stores import ListableTokenStore, TokenStore

__all__ = ["ListableTokenStoreContract", "TokenStoreContract"]

T = TypeVar("T")


class TokenStoreContract:
    """What holds for every `TokenStore`. Inherit it, and give a ``store`` fixture.

    Attributes:
        timeout: How long a step of a test may take, in seconds, before it counts as stuck.
        odd_keys: Keys that a store must tell apart.
    """

    timeout: float = 20.0
    odd_keys: tuple[str, ...] = (
        "",
        " ",
        "plain",
        "PLAIN",
        "../up",
        "a/b",
        "a:b?c#d%20e",
        'it\'s "quoted"; DROP TABLE tokens',
        "line\nbreak",
        "nul\x00byte",
        "ключ-鍵-🔑",
        "long" * 500,
    )

    @pytest.fixture
    def store(self) -> TokenStore:
        """Return a new, empty store; to be overridden."""
        raise NotImplementedError("give a fixture named store")

    def test_an_unknown_key_has_no_token(self, store: TokenStore) -> None:
        """The first run of a program finds nothing, and no error."""
        assert store.load("nobody") is None

    def test_what_was_saved_is_loaded(self, store: TokenStore) -> None:
        """A login is kept with all that belongs to it."""
        token = Token(
            "access-1",
            expires_in=3600,
            expires_at=1_700_003_600.25,
            refresh_token="refresh-1",
            scope="read write",
            extra={"id_token": "id-1"},
        )

        store.save("app", token)

        assert store.load("app") == token

    def test_a_bare_token_is_kept_bare(self, store: TokenStore) -> None:
        """What the server did not say is not made up by keeping it."""
        store.save("app", Token("access-1"))

        assert store.load("app") == Token("access-1")

    def test_a_later_save_takes_the_place_of_an_earlier_one(self, store: TokenStore) -> None:
        """After a rotation only the new refresh token is there to be used."""
        store.save("app", Token("access-1", refresh_token="refresh-1", extra={"id_token": "1"}))
        store.save("app", Token("access-2", refresh_token="refresh-2"))

        assert store.load("app") == Token("access-2", refresh_token="refresh-2")

    def test_a_deleted_token_is_gone(self, store: TokenStore) -> None:
        """After a logout nothing logs in again by itself."""
        store.save("app", Token("access-1"))
        store.save("other", Token("access-2"))

        store.delete("app")

        assert store.load("app") is None
        assert store.load("other") == Token("access-2")

    def test_deleting_an_unknown_key_does_nothing(self, store: TokenStore) -> None:
        """A logout may be repeated."""
        store.delete("nobody")
        store.delete("nobody")

        assert store.load("nobody") is None

    def test_a_deleted_key_can_be_used_again(self, store: TokenStore) -> None:
        """After a logout comes a login."""
        store.save("app", Token("access-1"))
        store.delete("app")
        store.save("app", Token("access-2"))

        assert store.load("app") == Token("access-2")

    def test_a_token_deleted_under_the_lock_can_be_saved_again(self, store: TokenStore) -> None:
        """A login under the lock may replace a token that it has deleted."""
        with store.lock("app", self.timeout):
            store.save("app", Token("access-1"))
            store.delete("app")
            store.save("app", Token("access-2"))

        assert store.load("app") == Token("access-2")

    def test_any_text_is_a_key(self, store: TokenStore) -> None:
        """A user's name, a URL or a path can be the key, whatever characters it has."""
        for number, key in enumerate(self.odd_keys):
            store.save(key, Token(f"access-{number}"))

        loaded = [store.load(key) for key in self.odd_keys]

        assert loaded == [Token(f"access-{number}") for number in range(len(self.odd_keys))]

    def test_any_text_is_a_key_of_a_lock(self, store: TokenStore) -> None:
        """What can be saved can be renewed."""
        for key in self.odd_keys:
            with store.lock(key, self.timeout):
                pass

    def test_an_ended_token_stays_with_its_refresh_token(self, store: TokenStore) -> None:
        """A program that starts a week later renews instead of asking for a password."""
        ended = Token("access-1", expires_at=1.0, refresh_token="refresh-1")

        store.save("app", ended)

        assert store.load("app") == ended

    def test_text_beyond_ascii_is_kept(self, store: TokenStore) -> None:
        """No character of what the server sent along is lost."""
        token = Token("a", extra={"имя": "Zoë 🔑", "": "line\nbreak"})

        store.save("app", token)

        assert store.load("app") == token

    def test_one_thread_at_a_time_holds_the_lock(self, store: TokenStore) -> None:
        """Threads that find a token ended at once renew it one after the other."""
        inside: list[int] = []
        counts: list[int] = []

        def renew() -> None:
            for _ in range(5):
                with store.lock("app", self.timeout):
                    inside.append(1)
                    store.save("app", Token("access-1"))
                    counts.append(len(inside))
                    inside.pop()

        self.at_once(*[renew] * 8)

        assert counts == [1] * 40

    def test_a_lock_that_stays_held_times_out(self, store: TokenStore) -> None:
        """A call with little time left is told so, instead of hanging behind a slow renewal."""
        with store.lock("app", self.timeout):
            for seconds in (0.02, 0.0, -1.0):
                with pytest.raises(LockTimedOut) as caught:
                    self.in_a_thread(partial(_enter, store, "app", timeout=seconds))
                assert caught.value.key == "app"
        _enter(store, "app", timeout=self.timeout)

    def test_a_waiter_gets_the_lock_when_it_comes_free(self, store: TokenStore) -> None:
        """A waiter goes on as soon as the renewal is done."""
        waiting = threading.Event()
        order: list[str] = []

        def wait() -> None:
            waiting.set()
            with store.lock("app", self.timeout):
                order.append("waiter")

        with store.lock("app", self.timeout):
            waiter = self.start(wait)
            assert waiting.wait(self.timeout)
            order.append("holder")
        self.join(waiter)

        assert order == ["holder", "waiter"]

    def test_locks_of_two_keys_do_not_meet(self, store: TokenStore) -> None:
        """One user's slow renewal holds up no other user."""
        with store.lock("ann", self.timeout):
            self.in_a_thread(lambda: _enter(store, "bob", timeout=self.timeout))

    def test_a_held_lock_stops_no_reader_and_no_writer(self, store: TokenStore) -> None:
        """Calls whose token is still good go on during a renewal, and the renewal can save."""
        store.save("app", Token("access-1"))

        def work() -> Token | None:
            seen = store.load("app")
            store.save("app", Token("access-2"))
            store.delete("other")
            return seen

        with store.lock("app", self.timeout):
            assert self.in_a_thread(work) == Token("access-1")
            assert store.load("app") == Token("access-2")

    def test_the_lock_is_free_after_an_error(self, store: TokenStore) -> None:
        """A renewal that fails does not shut out the next one; its error arrives as it was."""
        error = ValueError("renewal failed")

        with pytest.raises(ValueError, match="renewal failed") as caught, store.lock("app", 1.0):
            raise error

        assert caught.value is error
        self.in_a_thread(lambda: _enter(store, "app", timeout=self.timeout))

    def test_many_threads_may_use_one_store(self, store: TokenStore) -> None:
        """A reader sees a whole token, also while another thread writes."""
        store.save("app", Token("access-0", refresh_token="refresh-0"))
        seen: list[Token | None] = []

        def write() -> None:
            for number in range(10):
                store.save("app", Token(f"access-{number}", refresh_token=f"refresh-{number}"))

        def read() -> None:
            seen.extend(store.load("app") for _ in range(10))

        self.at_once(write, write, read, read, read)

        whole = {Token(f"access-{n}", refresh_token=f"refresh-{n}") for n in range(10)}
        assert set(seen) <= whole

    def test_users_who_log_in_at_once_are_all_kept(self, store: TokenStore) -> None:
        """What one user saves does not undo what another one just saved."""

        def log_in(user: str) -> None:
            for number in range(10):
                store.save(f"{user}-{number}", Token(user))

        self.at_once(*(partial(log_in, user) for user in ("ann", "bob", "cid", "dan")))

        kept = [
            store.load(f"{user}-{number}") == Token(user)
            for user in ("ann", "bob", "cid", "dan")
            for number in range(10)
        ]
        assert kept == [True] * 40

    def test_the_repr_shows_no_token(self, store: TokenStore) -> None:
        """A store in a log line or an error report gives nothing away."""
        store.save("app", Token("planted-secret", refresh_token="planted-secret-2"))

        assert "planted-secret" not in f"{store!r} {store}"

    def in_a_thread(self, work: Callable[[], T]) -> T:
        """Run *work* in a thread of its own and return, or raise, what comes of it."""
        return self.at_once(work)[0]

    def at_once(self, *works: Callable[[], T]) -> list[T]:
        """Run functions in threads that start together; return their results as they come."""
        results: list[T] = []
        errors: list[BaseException] = []
        together = threading.Barrier(len(works))

        def run(work: Callable[[], T]) -> None:
            try:
                together.wait(self.timeout)
                results.append(work())
            except BaseException as error:  # noqa: BLE001 (raised again in the test's thread)
                errors.append(error)

        threads = [self.start(partial(run, work)) for work in works]
        for thread in threads:
            self.join(thread)
        if errors:
            raise errors[0]
        return results

    def start(self, work: Callable[[], object]) -> threading.Thread:
        """Start *work* in a thread that does not keep a stuck test run from ending."""
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def join(self, thread: threading.Thread) -> None:
        """Wait for a thread, and fail if it is stuck."""
        thread.join(self.timeout)
        assert not thread.is_alive(), f"still not done after {self.timeout} s"


class ListableTokenStoreContract(TokenStoreContract):
    """What holds for every `ListableTokenStore`, all that holds for a `TokenStore` included."""

    @pytest.fixture
    def store(self) -> ListableTokenStore:
        """Return a new, empty store; to be overridden."""
        raise NotImplementedError("give a fixture named store")

    def test_an_empty_store_lists_nothing(self, store: ListableTokenStore) -> None:
        """Before the first login the list is empty, and there is no error."""
        assert list(store.keys()) == []

    def test_each_key_with_a_token_is_listed_once(self, store: ListableTokenStore) -> None:
        """Whose tokens there are can be looked up, in order and exactly as they were named."""
        for key in self.odd_keys:
            store.save(key, Token("access-1"))
            store.save(key, Token("access-2", expires_at=1.0))

        assert list(store.keys()) == sorted(self.odd_keys)

    def test_a_deleted_key_is_not_listed(self, store: ListableTokenStore) -> None:
        """After a logout the key is no longer in the list."""
        store.save("ann", Token("access-1"))
        store.save("bob", Token("access-2"))
        store.delete("ann")
        store.delete("nobody")

        assert list(store.keys()) == ["bob"]

    def test_a_held_lock_stops_no_list(self, store: ListableTokenStore) -> None:
        """Keys can be listed during a renewal, and its lock adds none to the list."""
        store.save("ann", Token("access-1"))

        with store.lock("ann", self.timeout), store.lock("new", self.timeout):
            assert self.in_a_thread(store.keys) == ["ann"]

    def test_expired_tokens_can_be_purged(self, store: ListableTokenStore) -> None:
        """A store of thousands of users does not grow for ever, even if no user logs in again."""
        store.save("ended", Token("a", expires_at=1_000.0))
        store.save("renewable", Token("a", expires_at=1_000.0, refresh_token="r"))
        store.save("living", Token("a", expires_at=3_000.0))
        store.save("endless", Token("a"))
        store.save("in renewal", Token("a", expires_at=1_000.0))

        with store.lock("in renewal", self.timeout):
            gone = self.in_a_thread(lambda: purge_expired(store, clock=FakeClock(epoch=2_000.0)))

        assert gone == ["ended"]
        assert list(store.keys()) == ["endless", "in renewal", "living", "renewable"]


def _enter(store: TokenStore, key: str, *, timeout: float) -> None:
    with store.lock(key, timeout):
        pass
