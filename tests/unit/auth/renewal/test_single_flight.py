"""One renewal under way."""

from __future__ import annotations

import threading

from sessionkit import Token
from sessionkit.auth.renewal._renewal import Renewal
from sessionkit.auth.renewal._single_flight import (
    EARLY_TIMEOUT,
    PendingRenewal,
    copy_for_waiter,
    detached_copy,
    early_renewal_deadline,
)
from sessionkit.errors import LoginRequired, RenewalFailed
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing import FakeClock
from tests.unit.auth.asking import Asking


def asking(clock: FakeClock, deadline: float | None = None) -> Asking:
    """Make a call that wants a token."""
    renewal = Renewal(MemoryTokenStore(), "key")
    return Asking(renewal, lambda _: Token("t"), clock=clock, deadline=deadline)


def test_a_pending_renewal_belongs_to_the_thread_that_leads_it() -> None:
    """Whoever waits for it must not be its leader."""
    assert PendingRenewal().leader == threading.get_ident()


def test_an_early_renewal_may_take_a_part_of_what_is_left() -> None:
    """Of the call's time, and of the life that it is to prolong; five seconds at most."""
    clock = FakeClock()
    now, epoch = clock.monotonic(), clock.time()

    assert early_renewal_deadline(asking(clock), Token("t")) == now + EARLY_TIMEOUT
    assert early_renewal_deadline(asking(clock, now + 4), Token("t")) == now + 2
    assert early_renewal_deadline(asking(clock), Token("t", expires_at=epoch + 6)) == now + 3
    assert early_renewal_deadline(asking(clock), Token("t", expires_at=epoch - 6)) == now


def test_a_failure_that_is_kept_holds_nobodys_locals() -> None:
    """A traceback would keep the bodies and secrets of all callers alive."""
    error = LoginRequired("log in")
    error.__cause__ = ValueError("the cause")

    copy = detached_copy(error)

    assert isinstance(copy, LoginRequired)
    assert (copy.__traceback__, copy.__cause__, copy.__context__) == (None, None, None)
    assert copy.cause_text == "ValueError: the cause"


def test_a_failure_of_another_kind_is_shared_in_our_words() -> None:
    """Threads that only waited get an error that they can catch, and never the same object."""
    told = copy_for_waiter(KeyError("theirs"))

    assert isinstance(told, RenewalFailed)
    assert "KeyError" in str(told)
