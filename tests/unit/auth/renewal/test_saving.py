"""A new token comes to rest in the store: through Ctrl-C, and later where the store fails now."""

from __future__ import annotations

import logging

import pytest

from sessionkit import Token
from sessionkit.auth.renewal._policy import COOL_DOWN
from sessionkit.auth.renewal._renewal import Renewal
from sessionkit.auth.renewal._saving import TokenSaver
from sessionkit.errors import LoginRequired
from sessionkit.events import Event, TokenAdopted, TokenRenewed
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing import FakeClock
from tests.unit.auth.asking import Asking, Server

KEY = "account"
OLD = Token("old", refresh_token="used up")
NEW = Token("new", refresh_token="good")


class Shaky(MemoryTokenStore):
    """A store whose saves fail as they are told to, in order; then it works."""

    def __init__(self, *errors: BaseException) -> None:
        super().__init__()
        self.errors = list(errors)
        self.tries = 0

    def save(self, key: str, token: Token) -> None:
        """Fail, or save."""
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        super().save(key, token)


def test_a_token_is_in_the_store_on_return() -> None:
    """Nothing is owed for a store that works."""
    saver = TokenSaver(store := Shaky(), KEY)
    saver.save(NEW, OLD)

    assert store.load(KEY) == NEW
    assert not saver.has_unsaved
    assert saver.retry_pending(OLD) == OLD  # whatever is stored later is the newest


@pytest.mark.parametrize("error", [OSError("full"), ValueError("full")])
def test_whatever_a_store_raises_the_token_is_kept_and_the_log_says_why(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A store of one's own may fail in any way; ten seconds later there is another try."""
    saver = TokenSaver(Shaky(error), KEY)
    saver.save(NEW, OLD)

    assert saver.next_retry(1000.0) == 1010.0
    assert f"{type(error).__name__}: full" in caplog.text


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit()])
def test_ctrl_c_goes_on_once_the_token_is_safe(stop: BaseException) -> None:
    """Whoever stops a program while it saves is not logged out by it."""
    saver = TokenSaver(store := Shaky(stop), KEY)
    with pytest.raises(type(stop)):
        saver.save(NEW, OLD)

    assert store.load(KEY) == NEW
    assert not saver.has_unsaved


class Caught:
    """Something that is free only when nothing refers to it any more, such as a lock."""

    def __init__(self, held: set[int]) -> None:
        self._held = held
        if held:
            raise OSError("busy")
        held.add(1)

    def __del__(self) -> None:
        self._held.clear()


class Catching(MemoryTokenStore):
    """A store that is interrupted when it has just taken a lock."""

    def __init__(self) -> None:
        super().__init__()
        self.held: set[int] = set()
        self.tries = 0

    def save(self, key: str, token: Token) -> None:
        """Take the lock, and save."""
        self.tries += 1
        taken = Caught(self.held)
        if self.tries == 1:
            raise KeyboardInterrupt
        super().save(key, token)
        del taken


def test_what_an_interrupted_save_held_is_free_for_the_next() -> None:
    """A lock in no hand but the interrupt's own does not cost the token."""
    saver = TokenSaver(store := Catching(), KEY)
    with pytest.raises(KeyboardInterrupt):
        saver.save(NEW, OLD)

    assert store.load(KEY) == NEW


def test_a_second_ctrl_c_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    """A store that hangs can still be left; a program that lives on saves the token later."""
    saver = TokenSaver(store := Shaky(KeyboardInterrupt(), KeyboardInterrupt()), KEY)
    with pytest.raises(KeyboardInterrupt):
        saver.save(NEW, None)

    assert store.load(KEY) is None
    assert saver.retry_pending(None) == NEW
    assert store.load(KEY) == NEW
    assert caplog.text == ""


def test_a_token_that_could_not_be_saved_is_the_newest_and_is_saved_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The token in the store was replaced: to send its refresh token again would be a reuse."""
    saver = TokenSaver(store := Shaky(OSError("full"), OSError("full")), KEY)
    MemoryTokenStore.save(store, KEY, OLD)
    with caplog.at_level(logging.WARNING, "sessionkit.auth"):
        saver.save(NEW, OLD)

    assert saver.has_unsaved
    assert "could not be saved" in caplog.text
    assert saver.retry_pending(OLD) == NEW  # still full
    assert saver.has_unsaved
    assert saver.retry_pending(OLD) == NEW
    assert not saver.has_unsaved
    assert store.load(KEY) == NEW
    assert "good" not in caplog.text


def test_a_store_that_quotes_the_token_does_not_bring_it_into_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As a database does with the row that it refuses, in a store of the user's own."""
    secrets = {"refresh_token": "planted-refresh", "extra": {"csrf": "planted-csrf"}}
    token = Token.from_dict({"value": "planted-value", **secrets})
    saver = TokenSaver(Shaky(RuntimeError(f"no room for {token.to_dict()}")), KEY)
    with caplog.at_level(logging.WARNING, "sessionkit.auth"):
        saver.save(token, OLD)

    assert "no room for" in caplog.text
    assert "planted" not in caplog.text


@pytest.mark.parametrize("theirs", [Token("theirs"), None])
def test_what_somebody_else_saved_meanwhile_counts(theirs: Token | None) -> None:
    """A login, or a logout, in another process is not undone by a token that is late."""
    saver = TokenSaver(store := Shaky(OSError("full")), KEY)
    saver.save(NEW, OLD)

    assert saver.retry_pending(theirs) == theirs
    assert not saver.has_unsaved
    assert store.tries == 1


# -- In a renewal


class Case:
    """A renewal over a shaky store, its server and its clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = Shaky()
        self.server = Server(self.clock)
        self.renewal = Renewal(self.store, KEY)
        self.events: list[Event] = []
        self.renewal.add_listener(self.events.append)

    def call(self) -> Token:
        """Make a call that wants a token."""
        ask = Asking(self.renewal, self.server, clock=self.clock)
        return self.renewal.ready(self.clock) or self.renewal.current(ask)


@pytest.mark.parametrize("life", [3600.0, None])
def test_a_token_that_could_not_be_saved_is_saved_ten_seconds_later(life: float | None) -> None:
    """A store that was away for a moment costs other processes no login, and no call a failure."""
    case = Case()
    case.server.life = life
    case.store.errors = [OSError("away")]
    token = case.call()

    assert case.call() is token
    assert case.store.load(KEY) is None
    case.clock.advance(COOL_DOWN)
    assert case.call() == token
    assert case.store.load(KEY) == token
    assert [type(event) for event in case.events] == [TokenRenewed, TokenAdopted]
    case.clock.advance(COOL_DOWN)
    assert case.call() == token
    assert case.store.tries == 2
    assert len(case.server.asked) == 1


def test_a_renewal_after_a_failed_save_uses_the_refresh_token_that_was_not_saved() -> None:
    """A disk that is full for hours costs no login while the program lives."""
    case = Case()
    first = case.call()
    case.store.errors = [OSError("full")] * 3
    case.clock.advance(3600)
    second = case.call()
    case.clock.advance(3600)
    third = case.call()

    assert case.server.asked == [None, first, second]
    assert case.store.load(KEY) == first
    assert case.store.errors == []
    case.clock.advance(COOL_DOWN)
    assert case.call() == third
    assert case.store.load(KEY) == third


def test_a_logout_also_forgets_a_token_that_could_not_be_saved() -> None:
    """It comes back neither into use nor into the store."""
    case = Case()
    case.store.errors = [OSError("full")]
    case.call()
    case.renewal.logout()
    case.clock.advance(COOL_DOWN)

    with pytest.raises(LoginRequired):
        case.call()
    case.renewal.login(None, case.clock)
    assert case.call().value == "access-2"
    assert case.server.asked == [None, None]


def test_a_login_replaces_a_token_that_could_not_be_saved() -> None:
    """The account that somebody chose is not overwritten later by the one before."""
    case = Case()
    case.store.errors = [OSError("full")]
    case.call()
    case.renewal.login(NEW, case.clock)
    case.clock.advance(COOL_DOWN)

    assert case.call() == NEW
    assert case.store.load(KEY) == NEW
