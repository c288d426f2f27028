"""One renewal, however many find a token expired at once."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from sessionkit import Token
from sessionkit.auth.renewal._policy import COOL_DOWN, DEFAULT_LEEWAY
from sessionkit.auth.renewal._renewal import Renewal
from sessionkit.errors import AuthError, LockTimedOut, LoginRequired, RenewalFailed, StoreError
from sessionkit.events import Event, TokenAdopted, TokenRenewalFailed, TokenRenewed
from sessionkit.stores import CallableTokenStore, MemoryTokenStore, SqliteTokenStore, TokenStore
from sessionkit.testing import FakeClock
from tests.support.threads import at_once
from tests.unit.auth.asking import LIMIT, Asking, Gate, Later, Server

T = TypeVar("T")

ROOT = Path(__file__).parents[4]
KEY = "account"
TARGET = ("GET", "https://api.example/admin")


class Case:
    """A renewal over a store, its server and its clock."""

    def __init__(self, store: TokenStore) -> None:
        self.clock = FakeClock()
        self.store = store
        self.server = Server(self.clock)
        self.renewal = Renewal(store, KEY)

    @property
    def asked(self) -> int:
        """How often the server was asked."""
        return len(self.server.asked)

    def ask(self, obtain: Callable[[Token | None], Token] | None = None, **more: Any) -> Asking:
        """Enter a call that wants a token."""
        return Asking(self.renewal, obtain or self.server, clock=self.clock, **more)

    def current(self, **more: Any) -> Token:
        """Make a call that wants a token."""
        return self.renewal.ready(self.clock) or self.renewal.current(self.ask(**more))

    def successor(self, refused: Token, **more: Any) -> Token:
        """Make a call whose token was refused."""
        return self.renewal.successor(self.ask(**more), refused)

    def restarted(self) -> Case:
        """Return the same account in another process: same store, same server, nothing held."""
        other = Case(self.store)
        other.clock, other.server = self.clock, self.server
        return other


@pytest.fixture(params=["memory", "sqlite"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """Make a renewal, once over each kind of store."""
    if request.param == "memory":
        yield Case(MemoryTokenStore())
        return
    store = SqliteTokenStore(tmp_path / "tokens.db")
    yield Case(store)
    if hasattr(store, "close"):
        store.close()


# -- One token for all


def test_the_first_call_obtains_a_token_and_all_others_use_it(case: Case) -> None:
    """One login serves a whole program."""
    tokens = [case.current() for _ in range(3)]

    assert case.asked == 1
    assert case.server.asked == [None]
    assert tokens[0] is tokens[1] is tokens[2]


def test_a_token_is_saved_before_anybody_uses_it(case: Case) -> None:
    """A program that is stopped right after a renewal does not lose the rotated refresh token."""
    token = case.current()

    assert case.store.load(KEY) == token


def test_another_process_takes_the_token_from_the_store(case: Case) -> None:
    """A restart costs no login."""
    token = case.current()

    assert case.restarted().current() == token
    assert case.asked == 1


def test_threads_that_find_the_token_ended_share_one_renewal(case: Case) -> None:
    """The server sees one request, and every call gets its result."""
    first = case.current()
    gate = Gate()
    entered = threading.Barrier(16)

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    def call(_: int) -> Token:
        ask = case.ask(slow)
        if entered.wait(LIMIT) == 0:
            gate.open()
        return case.renewal.successor(ask, first)

    results = at_once(16, call)

    assert {type(result) for result in results} == {Token}
    assert len({id(result) for result in results}) == 1
    assert case.asked == 2


def test_a_late_refusal_renews_nothing(case: Case) -> None:
    """A call whose answer took longer than another's renewal goes on with what came of that."""
    old = case.current()
    new = case.successor(old)

    assert case.successor(old) is new
    assert case.asked == 2


def test_a_renewal_is_told_which_token_it_replaces(case: Case) -> None:
    """The refresh token that goes with it is the one that is presented."""
    first = case.current()
    case.successor(first)

    assert case.server.asked == [None, first]


# -- Failure


def test_a_failure_answers_those_who_waited_for_it(case: Case) -> None:
    """A dead endpoint is asked once for all calls that are under way, not once for each."""
    case.server.error = RenewalFailed("down", status=500)
    gate = Gate()

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    leader = Later(lambda: case.renewal.current(case.ask(slow)))
    gate.until_reached()
    entered = [case.ask() for _ in range(8)]
    waiters = [Later(partial(case.renewal.current, ask)) for ask in entered]
    gate.open()
    outcomes = [call.outcome() for call in (leader, *waiters)]

    assert {type(outcome) for outcome in outcomes} == {RenewalFailed}
    assert len({id(outcome) for outcome in outcomes}) == 9
    assert {getattr(outcome, "status", None) for outcome in outcomes} == {500}
    assert case.asked == 1


def test_a_call_that_entered_before_a_failure_ended_is_answered_by_it(case: Case) -> None:
    """It is the same moment of the same outage; asking again at once would help nobody."""
    early, leader = case.ask(), case.ask()
    case.server.error = RenewalFailed("down")
    with pytest.raises(RenewalFailed):
        case.renewal.current(leader)
    case.server.error = None

    with pytest.raises(RenewalFailed):
        case.renewal.current(early)

    assert case.asked == 1


def test_the_next_call_after_a_failure_tries_again(case: Case) -> None:
    """An outage is over as soon as the endpoint is back."""
    case.server.error = RenewalFailed("down")
    for _ in range(2):
        with pytest.raises(RenewalFailed):
            case.current()
    case.server.error = None

    assert case.current().value == "access-3"


def test_a_success_ends_what_a_failure_began(case: Case) -> None:
    """Whoever entered before both gets the token that there is."""
    early = case.ask()
    case.server.error = RenewalFailed("down")
    with pytest.raises(RenewalFailed):
        case.current()
    case.server.error = None
    token = case.current()

    assert case.renewal.current(early) is token


def test_a_failure_that_is_not_ours_is_told_to_the_others_in_our_words(case: Case) -> None:
    """Who waited gets an error that code around a session catches, and the cause with it."""
    early = case.ask()
    case.server.error = KeyError("theirs")
    with pytest.raises(KeyError):
        case.current()

    with pytest.raises(RenewalFailed, match="KeyError") as caught:
        case.renewal.current(early)

    assert "KeyError" in str(caught.value)


# -- A dead grant


def test_a_grant_that_is_dead_is_not_tried_again(case: Case) -> None:
    """A used refresh token is presented once; every later call is told at once."""
    case.server.error = LoginRequired("used already", status=400)
    errors = []
    for _ in range(3):
        with pytest.raises(LoginRequired) as caught:
            case.current()
        errors.append(caught.value)

    assert case.asked == 1
    assert len({id(error) for error in errors}) == 3
    assert {error.status for error in errors} == {400}


def test_a_login_revives_a_dead_grant(case: Case) -> None:
    """With a token from elsewhere, or with leave to try again."""
    case.server.error = LoginRequired("used already")
    with pytest.raises(LoginRequired):
        case.current()

    token = Token("by hand", refresh_token="fresh")
    case.renewal.login(token, case.clock)

    assert case.current() is token
    case.server.error = None
    case.renewal.login(None, case.clock)
    assert case.successor(token).value == "access-2"


def test_a_login_in_another_process_revives_a_dead_grant(case: Case) -> None:
    """Whoever logs in on the command line cures the server that runs beside it."""
    case.server.error = LoginRequired("used already")
    with pytest.raises(LoginRequired):
        case.current()

    token = Token("by hand", refresh_token="fresh")
    case.store.save(KEY, token)

    assert case.current() == token
    assert case.asked == 1


def test_a_login_elsewhere_with_an_ended_token_has_its_refresh_token_used(case: Case) -> None:
    """What counts is that somebody logged in, not that the access token still lives."""
    case.server.error = LoginRequired("used already")
    with pytest.raises(LoginRequired):
        case.current()
    case.server.error = None
    ended = Token("ended", expires_at=case.clock.time() - 1, refresh_token="fresh")
    case.store.save(KEY, ended)

    assert case.current().value == "access-2"
    assert case.server.asked == [None, ended]


# -- Ahead of the end


def test_a_token_is_renewed_shortly_before_its_end(case: Case) -> None:
    """No call has to be refused first."""
    first = case.current()
    case.clock.advance(3600 - DEFAULT_LEEWAY - 1)
    assert case.current() is first

    case.clock.advance(1)

    assert case.current().value == "access-2"
    assert case.asked == 2


def test_the_time_before_the_end_is_capped_by_the_life(case: Case) -> None:
    """A token of thirty seconds is not renewed for every call."""
    case.server.life = 30
    first = case.current()
    case.clock.advance(22)
    assert case.current() is first

    case.clock.advance(1)

    assert case.current().value == "access-2"


def test_a_token_without_an_end_is_used_until_it_is_refused(case: Case) -> None:
    """A server that tells no end is not asked before its time."""
    case.server.life = None
    first = case.current()
    case.clock.advance(1_000_000)

    assert case.current() is first
    assert case.renewal.current(case.ask()) is first
    assert case.asked == 1


def test_a_token_that_ended_is_renewed_and_never_sent(case: Case) -> None:
    """A pause over night costs a renewal, not a refused request."""
    case.current()
    case.clock.advance(4000)

    assert case.renewal.ready(case.clock) is None
    assert case.current().value == "access-2"


def test_one_caller_renews_early_while_the_others_go_on(case: Case) -> None:
    """Nobody waits for a renewal that is not needed yet."""
    first = case.current()
    case.clock.advance(3590)
    gate = Gate()

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    early = Later(lambda: case.renewal.current(case.ask(slow)))
    gate.until_reached()

    assert [case.current() for _ in range(3)] == [first] * 3
    gate.open()
    assert early.outcome() == case.current()
    assert case.asked == 2


@pytest.mark.parametrize("error", [RenewalFailed("down"), StoreError("full"), OSError("theirs")])
def test_an_early_renewal_that_fails_fails_no_call(
    case: Case, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The token works for another while, whatever kept it from being renewed."""
    first = case.current()
    case.clock.advance(3580)
    case.server.error = error

    with caplog.at_level(logging.WARNING, "sessionkit.auth"):
        assert [case.current() for _ in range(3)] == [first] * 3

    assert case.asked == 2
    assert "early renewal failed" in caplog.text


def test_an_early_renewal_that_failed_is_tried_again_after_ten_seconds(case: Case) -> None:
    """An endpoint that is down is asked now and then, not with every call."""
    first = case.current()
    case.clock.advance(3500)
    case.server.error = RenewalFailed("down")
    assert case.current() is first
    case.clock.advance(COOL_DOWN - 0.1)
    assert case.current() is first
    assert case.asked == 2
    case.server.error = None

    case.clock.advance(0.1)

    assert case.current().value == "access-3"


def test_an_early_failure_is_no_answer_for_who_needs_a_token(case: Case) -> None:
    """A call whose token was refused has its own try, though an early renewal just failed."""
    entered = case.ask()
    first = case.current()
    case.clock.advance(3580)
    case.server.error = RenewalFailed("down")
    case.current()
    case.server.error = None

    assert case.renewal.successor(entered, first).value == "access-3"


def test_a_grant_that_dies_early_is_not_tried_again_while_the_token_lives(case: Case) -> None:
    """A refresh token that the server refused is not presented every ten seconds."""
    first = case.current()
    case.clock.advance(3500)
    case.server.error = LoginRequired("used already")
    for _ in range(5):
        assert case.current() is first
        case.clock.advance(COOL_DOWN + 1)

    assert case.asked == 2
    case.clock.advance(100)
    with pytest.raises(LoginRequired):
        case.current()
    assert case.asked == 2


def test_a_token_that_is_past_its_end_when_it_comes_is_used_once(case: Case) -> None:
    """``expires_in: 0`` is one use, not an endless loop."""
    case.server.life = 0

    assert case.current().value == "access-1"
    assert case.asked == 1
    assert case.current().value == "access-2"


# -- Refused right after its renewal


def test_a_token_that_was_refused_right_after_its_renewal_is_not_renewed_again(case: Case) -> None:
    """A server that says 401 to everything costs one renewal, not one for each call."""
    fresh = case.successor(case.current())

    assert not case.renewal.is_worth_renewing(fresh, case.clock)
    case.clock.advance(COOL_DOWN - 0.1)
    assert not case.renewal.is_worth_renewing(fresh, case.clock)
    case.clock.advance(0.1)
    assert case.renewal.is_worth_renewing(fresh, case.clock)


def test_a_token_that_was_proved_good_may_be_renewed_at_once(case: Case) -> None:
    """A token that worked and then ended is not mistaken for one that never did."""
    fresh = case.successor(case.current())
    case.renewal.confirm(fresh)

    assert case.renewal.is_worth_renewing(fresh, case.clock)


def test_an_older_token_may_be_replaced_at_any_time(case: Case) -> None:
    """Who still holds the token before gets the new one."""
    old = case.current()
    case.renewal.confirm(old)
    case.successor(old)

    assert case.renewal.is_worth_renewing(old, case.clock)


def test_a_token_that_was_replaced_meanwhile_is_no_reason_to_pause(case: Case) -> None:
    """A late rejection costs no renewal: the call goes on with the token in use."""
    late = case.successor(case.current())
    case.renewal.pause(TARGET, case.clock)
    token = Token("by hand", refresh_token="fresh")
    case.renewal.login(token, case.clock)

    assert case.renewal.is_worth_renewing(late, case.clock)
    assert case.successor(late) is token
    assert case.asked == 2


def test_a_token_from_the_store_may_be_renewed_at_once(case: Case) -> None:
    """It was not this process that renewed it moments ago."""
    case.current()
    other = case.restarted()

    assert other.renewal.is_worth_renewing(other.current(), case.clock)


def test_a_token_that_could_not_be_replaced_is_replaced_by_the_next_call(case: Case) -> None:
    """A refusal whose call had to end is remembered, and the token is not sent once more."""
    first = case.current()
    case.renewal.reject(first)

    assert case.renewal.ready(case.clock) is None
    assert case.current().value == "access-2"
    assert case.current().value == "access-2"
    assert case.asked == 2


def test_a_refusal_that_came_too_late_replaces_nothing(case: Case) -> None:
    """The token that was refused is not the one in use any more."""
    first = case.current()
    second = case.successor(first)
    case.renewal.reject(first)

    assert case.current() is second
    assert case.asked == 2


# -- Interrupted


def test_an_interrupted_leader_is_no_failure_and_another_waiter_leads(case: Case) -> None:
    """Ctrl-C in one thread does not fail the others."""
    gate = Gate()

    def interrupted(_: Token | None) -> Token:
        gate.pass_through()
        raise KeyboardInterrupt

    leader = Later(lambda: case.renewal.current(case.ask(interrupted)))
    gate.until_reached()
    waiters = [Later(lambda: case.renewal.current(case.ask())) for _ in range(4)]
    gate.open()

    assert isinstance(leader.outcome(), KeyboardInterrupt)
    assert {id(waiter.outcome()) for waiter in waiters} == {id(case.current())}
    assert case.asked == 1


def test_an_interrupted_early_renewal_leaves_the_token_in_use(case: Case) -> None:
    """The next call renews, or goes on with what there is."""
    first = case.current()
    case.clock.advance(3590)
    case.server.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        case.current()
    case.server.error = None

    assert case.current() != first
    assert case.asked == 3


# -- Several processes


def test_a_token_that_another_process_renewed_is_adopted(case: Case) -> None:
    """One renewal serves all processes: under the lock, the store is looked at first."""
    old = case.current()
    other = case.restarted()
    other.current()
    new = other.successor(old)

    assert case.successor(old) == new
    assert case.asked == 2


def test_the_refused_token_itself_is_not_adopted(case: Case) -> None:
    """A store that still holds what the server refused is no cure."""
    old = case.current()

    assert case.restarted().successor(old).value == "access-2"
    assert case.server.asked == [None, old]


def test_a_stored_token_that_has_ended_is_not_adopted_but_its_refresh_token_is_used(
    case: Case,
) -> None:
    """The newest refresh token is the one in the store, whoever saved it."""
    old = case.current()
    ended = Token("ended", expires_at=case.clock.time() - 1, refresh_token="newest")
    case.store.save(KEY, ended)

    assert case.successor(old).value == "access-2"
    assert case.server.asked == [None, ended]


def test_a_lock_that_another_process_holds_is_waited_for_no_longer_than_the_deadline(
    case: Case,
) -> None:
    """A call comes back when its time is up, and says whom it waited for."""
    with case.store.lock(KEY, 1), pytest.raises(LockTimedOut) as caught:
        case.renewal.current(case.ask(deadline=case.clock.monotonic()))

    assert caught.value.retryable
    assert case.asked == 0
    assert case.current().value == "access-1"


def test_a_waiter_waits_no_longer_than_its_own_deadline(case: Case) -> None:
    """A slow token endpoint does not hold a call that has no time."""
    gate = Gate()

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    leader = Later(lambda: case.renewal.current(case.ask(slow)))
    gate.until_reached()
    with pytest.raises(LockTimedOut, match="in time"):
        case.renewal.current(case.ask(deadline=case.clock.monotonic()))
    gate.open()

    assert leader.outcome() is case.current()


# -- What is asked for


def test_a_wider_scope_is_asked_for_though_the_token_lives(case: Case) -> None:
    """A token for reading does not serve a call that needs to write."""
    case.server.scope = "read"
    narrow = case.current()
    case.server.scope = "read write"

    wide = case.successor(narrow, scope="write")

    assert wide.value == "access-2"
    assert case.successor(narrow, scope="read write") is wide
    assert case.asked == 2


def test_two_scopes_at_once_are_two_renewals(case: Case) -> None:
    """No caller is handed the token that another one asked for."""
    first = case.current()
    gate = Gate()

    def answered(scope: str, held: Token | None) -> Token:
        gate.pass_through()
        case.server.scope = scope
        return case.server(held)

    asks = {scope: case.ask(partial(answered, scope), scope=scope) for scope in ("one", "two")}
    calls = {
        scope: Later(partial(case.renewal.successor, ask, first)) for scope, ask in asks.items()
    }
    gate.until_reached()
    gate.open()

    for scope, call in calls.items():
        token = call.outcome()
        assert isinstance(token, Token)
        assert token.scope == scope
    assert case.asked == 3


def test_a_grant_that_calls_through_its_own_handler_is_told_so() -> None:
    """The mistake is an error at once, not a call that waits for itself."""
    case = Case(MemoryTokenStore())

    def recursive(_: Token | None) -> Token:
        return case.renewal.current(case.ask(case.server))

    with pytest.raises(RenewalFailed, match="its own handler"):
        case.renewal.current(case.ask(recursive))

    assert case.current().value == "access-1"


# -- A store that fails


def test_a_token_that_cannot_be_saved_is_used_and_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Raising would throw away the only copy of a rotated refresh token."""

    def full(key: str, token: Token) -> None:
        raise OSError("the disk is full")

    case = Case(CallableTokenStore(lambda key: None, full))
    with caplog.at_level(logging.WARNING, "sessionkit.auth"):
        first = case.current()

    assert case.current() is first
    assert "could not be saved" in caplog.text
    assert "access-1" not in caplog.text
    assert "refresh-1" not in caplog.text
    assert case.successor(first).value == "access-2"
    assert case.server.asked == [None, first]


def test_a_store_that_cannot_be_read_is_an_error_of_the_store() -> None:
    """A login is not repeated because the place of its token cannot be reached."""

    def unreachable(key: str) -> None:
        raise OSError("no route")

    case = Case(CallableTokenStore(unreachable, lambda key, token: None))
    with pytest.raises(StoreError):
        case.current()

    assert case.asked == 0


# -- Login and logout


def test_a_token_from_elsewhere_is_saved_and_used(case: Case) -> None:
    """Who logged in by a browser hands the result over."""
    token = Token("by hand", refresh_token="fresh")
    case.renewal.login(token, case.clock)

    assert case.current() is token
    assert case.store.load(KEY) == token
    assert case.asked == 0


def test_after_a_logout_nothing_is_kept_and_nobody_logs_in_unasked(case: Case) -> None:
    """A user who logged out is not logged in again by the next call."""
    first = case.current()
    case.renewal.logout()

    assert case.store.load(KEY) is None
    assert case.renewal.peek() is None
    assert case.renewal.ready(case.clock) is None
    for attempt in (case.current, partial(case.successor, first)):
        with pytest.raises(LoginRequired, match="logged out") as caught:
            attempt()
        assert "login(" in caught.value.hint
    assert case.asked == 1


def test_a_login_allows_obtaining_a_token_again(case: Case) -> None:
    """One call ends what a logout began."""
    case.current()
    case.renewal.logout()
    case.renewal.login(None, case.clock)

    assert case.current().value == "access-2"


def test_a_logout_during_a_renewal_wins(case: Case) -> None:
    """What comes of a renewal that was under way is kept nowhere."""
    gate = Gate()

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    call = Later(lambda: case.renewal.current(case.ask(slow)))
    gate.until_reached()
    logout = Later(case.renewal.logout)
    gate.open()

    assert isinstance(call.outcome(), (Token, LoginRequired))
    assert logout.outcome() is None
    assert case.store.load(KEY) is None
    assert case.renewal.peek() is None


def test_a_login_during_a_renewal_wins(case: Case) -> None:
    """The account that somebody chose is not replaced by the one that was being renewed."""
    gate = Gate()

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    chosen = Token("by hand", refresh_token="fresh")
    call = Later(lambda: case.renewal.current(case.ask(slow)))
    gate.until_reached()
    login = Later(lambda: case.renewal.login(chosen, case.clock))
    gate.open()

    assert isinstance(call.outcome(), Token)
    assert login.outcome() is None
    assert case.store.load(KEY) == chosen
    assert case.current() == chosen


def test_a_look_at_the_token_changes_nothing(case: Case) -> None:
    """Whether somebody is logged in can be asked without logging anybody in."""
    assert case.renewal.peek() is None
    token = case.current()

    assert case.renewal.peek() is token
    assert case.restarted().renewal.peek() == token
    assert case.asked == 1


def test_every_failure_is_one_that_a_session_may_raise(case: Case) -> None:
    """Code around requests catches what comes of a renewal."""
    for error in (RenewalFailed("down"), LoginRequired("used already")):
        case.server.error = error
        with pytest.raises(AuthError):
            case.current()


# In a process of its own: a fork beside the threads of a test run could lock up.
FORKING = """
import os, sys, threading
from sessionkit import Token
from sessionkit.auth.renewal._renewal import Renewal
from sessionkit.stores import MemoryTokenStore
from tests.unit.auth.asking import Asking

renewal = Renewal(MemoryTokenStore(), "account")
inside, done = threading.Event(), threading.Event()

def slow(held):
    inside.set()
    done.wait(20)
    return Token("parents")

parent = threading.Thread(target=lambda: renewal.current(Asking(renewal, slow)), daemon=True)
parent.start()
inside.wait(20)
locked, free = threading.Event(), threading.Event()

def hold():
    with renewal._threads.get().changed:
        locked.set()
        free.wait(20)

threading.Thread(target=hold, daemon=True).start()
locked.wait(20)
child = os.fork()
if not child:
    token = renewal.current(Asking(renewal, lambda held: Token("child_pid")))
    os._exit(0 if token.value == "child_pid" else 1)
_, status = os.waitpid(child, 0)
free.set()
done.set()
parent.join(20)
token = renewal.current(Asking(renewal, slow))
sys.exit(os.waitstatus_to_exitcode(status) or (token.value != "parents"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_waits_for_no_renewal_of_its_parent() -> None:
    """Locks and flights that were under way in the parent are not the child's."""
    command = [sys.executable, "-W", "ignore", "-c", FORKING]
    done = subprocess.run(command, cwd=ROOT, timeout=60, check=False, capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_leader_that_runs_out_of_its_own_time_fails_nobody_else() -> None:
    """A call with a second left does not decide for those who have a minute."""
    clock = FakeClock()
    renewal = Renewal(MemoryTokenStore(), "key")

    def too_slow(_held: Token | None) -> Token:
        clock.advance(5)
        raise RenewalFailed("no answer in time")

    waiting = Asking(renewal, lambda _held: Token("in time"), clock=clock)
    with pytest.raises(RenewalFailed):
        renewal.current(Asking(renewal, too_slow, clock=clock, deadline=clock.monotonic() + 1))

    assert renewal.current(waiting) == Token("in time")


# -- Those who listen


class Announcing(threading.Condition):
    """Says that somebody begins to wait; whoever notifies comes after that."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = threading.Event()

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        self.waiting.set()
        return super().wait_for(predicate, timeout)


def listening(case: Case) -> list[Event]:
    """Return a list that takes every event from now on."""
    told: list[Event] = []
    case.renewal.add_listener(told.append)
    return told


def test_a_listener_is_told_of_a_renewal_and_what_it_took(case: Case) -> None:
    """A dashboard shows how often, and for how long."""
    told = listening(case)

    def slow(held: Token | None) -> Token:
        case.clock.advance(2.0)
        return case.server(held)

    case.renewal.current(case.ask(slow))

    assert told == [TokenRenewed(KEY, 2.0, 0.0, early=False)]


def test_a_listener_is_told_of_an_early_renewal(case: Case) -> None:
    """Those cost no call anything."""
    case.current()
    told = listening(case)
    case.clock.advance(3600 - DEFAULT_LEEWAY)
    case.current()

    assert told == [TokenRenewed(KEY, 0.0, 0.0, early=True)]


def test_a_listener_is_told_of_a_token_that_another_process_renewed(case: Case) -> None:
    """Nothing was asked of the server here."""
    case.current()
    other = case.restarted()
    told = listening(other)
    other.current()

    assert told == [TokenAdopted(KEY, 0.0)]


def test_a_listener_is_told_of_a_failure_once_with_its_error(case: Case) -> None:
    """An alert goes off once, however many calls fail for it."""
    told = listening(case)
    case.server.error = RenewalFailed("down")
    with pytest.raises(RenewalFailed):
        case.current()

    assert [type(event) for event in told] == [TokenRenewalFailed]
    assert isinstance(told[0], TokenRenewalFailed)
    assert str(told[0].error) == "down"
    assert not told[0].early


def test_a_listener_is_told_of_each_call_that_waited(case: Case) -> None:
    """Time that calls lose to renewals can be summed."""
    first = case.current()
    told = listening(case)
    gate = Gate()
    changed = case.renewal._threads.get().changed = Announcing()

    def slow(held: Token | None) -> Token:
        gate.pass_through()
        return case.server(held)

    leader = Later(lambda: case.renewal.successor(case.ask(slow), first))
    gate.until_reached()
    waiter = Later(lambda: case.successor(first))
    assert changed.waiting.wait(LIMIT)
    gate.open()
    leader.outcome()
    waiter.outcome()

    assert sorted(type(event).__name__ for event in told) == ["TokenRenewed", "TokenWaited"]


# -- Sessions that slide


def test_a_token_that_slides_is_not_renewed_while_answers_extend_it(case: Case) -> None:
    """A session that lives as long as it is used costs no second login."""
    token = case.current()
    for _ in range(5):
        case.clock.advance(3000)
        case.renewal.extend(token, 3600, case.clock)
        token = case.current()

    assert case.asked == 1


def test_only_the_token_in_use_can_be_extended(case: Case) -> None:
    """A late answer to an older token does not keep its successor alive."""
    old = case.current()
    new = case.successor(old)
    case.renewal.extend(old, 100_000, case.clock)

    assert case.current() is new


def test_a_rejected_token_is_renewed_though_a_response_extended_it_meanwhile(case: Case) -> None:
    """It is the same token to the server, whatever moment it is said to end at."""
    token = case.current()
    case.renewal.extend(token, 3600, case.clock)
    case.renewal.reject(token)

    case.current()
    assert case.asked == 2


def test_calls_that_are_answered_together_each_extend_the_session(case: Case) -> None:
    """The last of them counts, not the first."""
    token = case.current()
    case.renewal.extend(token, 3600, case.clock)
    case.clock.advance(3000)
    case.renewal.extend(token, 3600, case.clock)
    case.clock.advance(3000)

    case.current()
    assert case.asked == 1


def test_an_answer_that_comes_late_does_not_extend_a_refused_token(case: Case) -> None:
    """The refusal came after it was sent; the next call renews."""
    token = case.current()
    case.renewal.reject(token)
    case.renewal.extend(token, 3600, case.clock)

    case.current()
    assert case.asked == 2


def test_a_login_that_comes_while_a_renewal_lands_is_the_last_word(case: Case) -> None:
    """The user's new token is not replaced by one that was asked for before it."""
    first = case.current()
    mine = Token("of-the-new-login")
    lock = case.store.lock

    @contextmanager
    def meeting(key: str, timeout: float) -> Iterator[None]:
        with lock(key, timeout):
            yield
        # Saved and unlocked, not yet held.
        case.renewal._store = case.store
        case.renewal.login(mine, case.clock)

    case.renewal._store = CallableTokenStore(case.store.load, case.store.save, lock=meeting)
    case.successor(first)

    assert case.current() is mine
    assert case.store.load(KEY) == mine


# -- Targets that reject whatever token they are given


def test_a_target_that_rejected_good_tokens_rests_for_ten_seconds() -> None:
    """A missing permission does not cost a renewal with each call, nor for ever."""
    clock, renewal = FakeClock(), Renewal(MemoryTokenStore(), KEY)
    assert not renewal.is_paused(TARGET)

    renewal.pause(TARGET, clock)
    clock.advance(COOL_DOWN - 0.1)
    assert renewal.is_paused(TARGET)
    clock.advance(0.1)

    assert COOL_DOWN == 10.0
    assert not renewal.is_paused(TARGET)


def test_other_targets_are_not_concerned() -> None:
    """Another method or another path may well be allowed."""
    clock, renewal = FakeClock(), Renewal(MemoryTokenStore(), KEY)

    renewal.pause(TARGET, clock)

    assert not renewal.is_paused(("POST", TARGET[1]))
    assert not renewal.is_paused(("GET", "https://api.example/open"))


def test_a_target_that_rejects_again_rests_from_then_on() -> None:
    """The ten seconds count from the last refusal."""
    clock, renewal = FakeClock(), Renewal(MemoryTokenStore(), KEY)
    renewal.pause(TARGET, clock)
    clock.advance(9)
    renewal.pause(TARGET, clock)
    clock.advance(9)

    assert renewal.is_paused(TARGET)


def test_the_memory_of_paused_targets_is_bounded() -> None:
    """A crawl over a million forbidden URLs fills no memory."""
    clock, renewal = FakeClock(), Renewal(MemoryTokenStore(), KEY)
    for number in range(2000):
        renewal.pause(("GET", f"https://api.example/{number}"), clock)

    assert len(renewal._pauses or ()) <= 256
    assert renewal.is_paused(("GET", "https://api.example/1999"))


def test_targets_whose_rest_is_over_make_room_first() -> None:
    """A target that still rests is not forgotten for one that does not."""
    clock, renewal = FakeClock(), Renewal(MemoryTokenStore(), KEY)
    for number in range(255):
        renewal.pause(("GET", f"https://api.example/{number}"), clock)
    clock.advance(8)
    renewal.pause(TARGET, clock)
    clock.advance(3)

    renewal.pause(("GET", "https://api.example/new"), clock)

    assert renewal.is_paused(TARGET)
    assert len(renewal._pauses or ()) == 2
