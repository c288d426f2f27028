"""A storm of retries ends when nothing succeeds any more."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given, strategies as st

from sessionkit.errors import ConfigError
from sessionkit.handlers import RetryBudget
from tests.support.threads import at_once

STEPS = st.lists(st.sampled_from(["try_withdraw", "refund", "deposit"]), max_size=200)


def test_a_full_budget_allows_as_many_retries_as_it_holds() -> None:
    """A server that is down for everybody gets a hundred retries, then none."""
    budget = RetryBudget()

    taken = [budget.try_withdraw() for _ in range(150)]

    assert taken == [True] * 100 + [False] * 50
    assert budget.balance == 0.0


def test_five_successes_pay_for_one_retry() -> None:
    """Once it is spent, retries follow successes, not failures."""
    budget = RetryBudget(1)
    assert budget.try_withdraw()

    for _ in range(4):
        budget.deposit()
    assert not budget.try_withdraw()
    budget.deposit()
    assert budget.try_withdraw()


def test_a_retry_that_helped_costs_nothing() -> None:
    """Now and then a lost connection does not use the budget up."""
    budget = RetryBudget(2)

    for _ in range(50):
        assert budget.try_withdraw()
        budget.refund()

    assert budget.balance == 2.0


def test_a_retry_may_cost_more_and_is_taken_whole_or_not_at_all() -> None:
    """After a timeout a retry may weigh double; a refusal leaves the budget as it was."""
    budget = RetryBudget(3)

    assert budget.try_withdraw(2.0)
    assert not budget.try_withdraw(2.0)
    assert budget.try_withdraw(1.0)


@given(st.floats(1, 50), st.floats(0, 5), STEPS)
def test_what_is_left_stays_between_nothing_and_all(
    capacity: float, ratio: float, steps: list[str]
) -> None:
    """However calls end, no debt and no hoard builds up."""
    budget = RetryBudget(capacity, ratio=ratio)

    for step in steps:
        getattr(budget, step)()
        assert 0.0 <= budget.balance <= capacity


def test_threads_never_take_more_than_there_is() -> None:
    """Sixteen threads of failing calls share one budget to the last retry."""
    budget = RetryBudget(100)

    results = at_once(16, lambda _: sum(budget.try_withdraw() for _ in range(50)))

    assert sum(n for n in results if isinstance(n, int)) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_goes_on_with_what_there_was() -> None:
    """A lock that was held at the fork does not hang the child."""
    budget = RetryBudget(2)
    assert budget.try_withdraw()
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with budget._buckets.get().guard:
            held.set()
            free.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if not child:
        os._exit(0 if [budget.try_withdraw(), budget.try_withdraw()] == [True, False] else 1)
    _, status = os.waitpid(child, 0)
    free.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0
    assert budget.balance == 1.0


@pytest.mark.parametrize(
    "build",
    [
        lambda: RetryBudget(0),
        lambda: RetryBudget(float("inf")),
        lambda: RetryBudget(float("nan")),
        lambda: RetryBudget(ratio=-0.1),
        lambda: RetryBudget("many"),  # type: ignore[arg-type]  # as a user might
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(build: object) -> None:
    """A wrong number is told where it is given."""
    assert callable(build)
    with pytest.raises(ConfigError, match="must be a number from"):
        build()


def test_it_shows_its_settings() -> None:
    """explain() can tell what is in store."""
    assert repr(RetryBudget(50, ratio=0.1)) == "RetryBudget(50, ratio=0.1)"
