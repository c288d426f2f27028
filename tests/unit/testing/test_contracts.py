"""The contract of stores: it passes the good (see tests of the stores) and finds the bad."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from sessionkit._tokens import Token
from sessionkit.errors import LockTimedOut
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing import ListableTokenStoreContract, TokenStoreContract

if TYPE_CHECKING:
    from collections.abc import Iterator


class Store:
    """A good store, to be spoilt."""

    def __init__(self) -> None:
        self.inner = MemoryTokenStore()

    def load(self, key: str) -> Token | None:
        return self.inner.load(key)

    def save(self, key: str, token: Token) -> None:
        self.inner.save(key, token)

    def delete(self, key: str) -> None:
        self.inner.delete(key)

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        with self.inner.lock(key, timeout):
            yield


class FailsOnUnknown(Store):
    def load(self, key: str) -> Token | None:
        if (found := super().load(key)) is None:
            raise KeyError(key)
        return found


class DropsRefreshToken(Store):
    def save(self, key: str, token: Token) -> None:
        super().save(key, Token(token.value, expires_at=token.expires_at))


class MakesUpAnEnd(Store):
    def save(self, key: str, token: Token) -> None:
        super().save(key, Token.from_dict({"expires_at": 1e12, **token.to_dict()}))


class KeepsTheFirst(Store):
    def save(self, key: str, token: Token) -> None:
        if super().load(key) is None:
            super().save(key, token)


class ForgetsNothing(Store):
    def delete(self, key: str) -> None:
        pass


class ForgetsAll(Store):
    def delete(self, key: str) -> None:
        self.inner = MemoryTokenStore()


class ForgetsOnlyTheKnown(Store):
    def delete(self, key: str) -> None:
        if self.load(key) is None:
            raise KeyError(key)
        super().delete(key)


class FoldsKeys(Store):
    def load(self, key: str) -> Token | None:
        return super().load(key.strip().lower())

    def save(self, key: str, token: Token) -> None:
        super().save(key.strip().lower(), token)


class DropsTheEnded(Store):
    def load(self, key: str) -> Token | None:
        found = super().load(key)
        return found if found and found.is_valid(1_700_000_000.0) else None


class AsciiOnly(Store):
    def save(self, key: str, token: Token) -> None:
        super().save(key, Token(token.value.encode("ascii", "replace").decode()))


class LocksNothing(Store):
    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        yield


class LocksForEver(Store):
    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        with super().lock(key, 1e6):
            yield


class OneLockForAll(Store):
    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        with super().lock("all", timeout):
            yield


class LockStopsReaders(Store):
    def load(self, key: str) -> Token | None:
        with self.inner.lock(key, 0.1):
            return super().load(key)


class LockStaysAfterError(Store):
    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        held = self.inner.lock(key, timeout)
        with held if not self.inner.load("stuck") else self.never(key):
            try:
                yield
            except Exception:
                self.inner.save("stuck", Token("a"))
                raise

    @contextmanager
    def never(self, key: str) -> Iterator[None]:
        raise LockTimedOut(key=key)
        yield


class UndoesOthers(Store):
    """Reads all, changes one, writes all: as a file would without a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.all: dict[str, Token] = {}
        self.writers = Barrier(4)

    def load(self, key: str) -> Token | None:
        return self.all.get(key)

    def save(self, key: str, token: Token) -> None:
        read = dict(self.all)
        self.writers.wait(10)
        self.all = {**read, key: token}
        self.writers.wait(10)


class ShowsTokens(Store):
    def __repr__(self) -> str:
        token = self.inner.load("app")
        return f"Store({token and token.value})"


@pytest.mark.parametrize(
    ("spoilt", "test"),
    [
        (FailsOnUnknown, "test_an_unknown_key_has_no_token"),
        (DropsRefreshToken, "test_what_was_saved_is_loaded"),
        (MakesUpAnEnd, "test_a_bare_token_is_kept_bare"),
        (KeepsTheFirst, "test_a_later_save_takes_the_place_of_an_earlier_one"),
        (ForgetsNothing, "test_a_deleted_token_is_gone"),
        (ForgetsAll, "test_a_deleted_token_is_gone"),
        (ForgetsOnlyTheKnown, "test_deleting_an_unknown_key_does_nothing"),
        (FoldsKeys, "test_any_text_is_a_key"),
        (DropsTheEnded, "test_an_ended_token_stays_with_its_refresh_token"),
        (AsciiOnly, "test_text_beyond_ascii_is_kept"),
        (LocksNothing, "test_a_lock_that_stays_held_times_out"),
        (LocksForEver, "test_a_lock_that_stays_held_times_out"),
        (OneLockForAll, "test_locks_of_two_keys_do_not_meet"),
        (LockStopsReaders, "test_a_held_lock_stops_no_reader_and_no_writer"),
        (LockStaysAfterError, "test_the_lock_is_free_after_an_error"),
        (UndoesOthers, "test_users_who_log_in_at_once_are_all_kept"),
        (ShowsTokens, "test_the_repr_shows_no_token"),
    ],
)
def test_a_store_that_breaks_a_rule_is_found_out(spoilt: type[Store], test: str) -> None:
    """Who passes the contract can rely on it."""
    contract = TokenStoreContract()
    contract.timeout = 0.3

    with pytest.raises((AssertionError, LockTimedOut, KeyError, pytest.fail.Exception)):
        getattr(contract, test)(spoilt())


class Listing(Store):
    """A good store that can list, to be spoilt."""

    def keys(self) -> list[str]:
        return self.inner.keys()


class ListsLocks(Listing):
    def __init__(self) -> None:
        super().__init__()
        self.locked: list[str] = []

    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        self.locked.append(key)
        with super().lock(key, timeout):
            yield

    def keys(self) -> list[str]:
        return sorted({*super().keys(), *self.locked})


class ListsTwice(Listing):
    saved: tuple[str, ...] = ()

    def save(self, key: str, token: Token) -> None:
        self.saved += (key,)
        super().save(key, token)

    def keys(self) -> list[str]:
        return sorted(self.saved)


class ListsTheForgotten(ListsTwice):
    def keys(self) -> list[str]:
        return sorted(set(self.saved))


class ListsDisorder(Listing):
    def keys(self) -> list[str]:
        return super().keys()[::-1]


class ListsOnlyTheLiving(Listing):
    def keys(self) -> list[str]:
        listed = super().keys()
        return [key for key in listed if (t := self.load(key)) and t.is_valid(1_700_000_000.0)]


class FailsWhenEmpty(Listing):
    def keys(self) -> list[str]:
        if not (found := super().keys()):
            raise KeyError
        return found


class PurgedInARenewal(Listing):
    @contextmanager
    def lock(self, key: str, timeout: float) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("spoilt", "test"),
    [
        (FailsWhenEmpty, "test_an_empty_store_lists_nothing"),
        (ListsTwice, "test_each_key_with_a_token_is_listed_once"),
        (ListsDisorder, "test_each_key_with_a_token_is_listed_once"),
        (ListsOnlyTheLiving, "test_each_key_with_a_token_is_listed_once"),
        (ListsTheForgotten, "test_a_deleted_key_is_not_listed"),
        (ListsLocks, "test_a_held_lock_stops_no_list"),
        (PurgedInARenewal, "test_expired_tokens_can_be_purged"),
    ],
)
def test_a_store_that_lists_wrongly_is_found_out(spoilt: type[Listing], test: str) -> None:
    """Who passes the contract can be listed and purged."""
    contract = ListableTokenStoreContract()
    contract.timeout = 0.3

    with pytest.raises((AssertionError, KeyError)):
        getattr(contract, test)(spoilt())


LISTED = [name for name in dir(ListableTokenStoreContract) if name[:5] == "test_"]


@pytest.mark.parametrize("name", LISTED)
def test_each_test_of_the_contract_says_what_the_user_gains(name: str) -> None:
    """A red contract is understood by somebody who did not write it."""
    assert getattr(ListableTokenStoreContract, name).__doc__


def test_a_contract_without_a_store_says_what_is_missing() -> None:
    """Who forgets the fixture is told."""
    with pytest.raises(NotImplementedError, match="fixture named store"):
        TokenStoreContract.store.__wrapped__(TokenStoreContract())  # type: ignore[attr-defined]  # set by pytest
    listing = ListableTokenStoreContract.store.__wrapped__  # type: ignore[attr-defined]  # set by pytest
    with pytest.raises(NotImplementedError, match="fixture named store"):
        listing(ListableTokenStoreContract())
