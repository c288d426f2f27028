"""A budget of retries: when everything fails, trying again must not make it worse.

The rules are those of the AWS SDKs' standard retry mode, whose bucket holds 500 units, of which a
retry takes 5, a retry that helped returns them and a call that succeeds at once adds 1; here
counted in retries. gRPC's retry throttling (gRFC A6) works on the same ratio.
"""

from __future__ import annotations

import threading

from sessionkit import _checks as checks
from sessionkit.stores._locks import PerProcess


class _Bucket:
    """What one process has left."""

    __slots__ = ("balance", "guard")

    def __init__(self, left: float) -> None:
        self.guard = threading.Lock()
        self.balance = left


class RetryBudget:
    """A store of retries that successes fill and retries use up; shared by whoever is given it.

    While most calls succeed it is full, and each call may be tried again as its policy says. When
    a server fails for everybody it is empty after *capacity* retries, and from then on there is
    one retry for every few successes instead of several for every failure.

    One budget may serve any number of handlers and stacks. Thread-safe; a forked child goes on
    with a budget of its own, as full as the parent's.

    Args:
        capacity: The most retries that are in store, and what is there at first.
        ratio: Retries that one success adds: 0.2 allows one retry for five successes.

    Raises:
        ConfigError: *capacity* is less than one retry, or *ratio* negative.
    """

    __slots__ = ("_buckets", "_capacity", "_ratio")

    def __init__(self, capacity: float = 100.0, *, ratio: float = 0.2) -> None:
        self._capacity = float(checks.number("capacity", capacity, least=1.0))
        self._ratio = float(checks.number("ratio", ratio))
        self._buckets: PerProcess[_Bucket] = PerProcess(
            lambda parents: _Bucket(parents.balance if parents else self._capacity)
        )

    @property
    def balance(self) -> float:
        """Retries in store."""
        return self._buckets.get().balance

    def try_withdraw(self, cost: float = 1.0) -> bool:
        """Take what a retry costs, and tell whether it was there; if not, nothing is taken.

        Args:
            cost: In retries; 2.0 for one after a time-out holds a server's resources twice as
                dear, as the AWS SDKs do.
        """
        purse = self._buckets.get()
        with purse.guard:
            if purse.balance < cost:
                return False
            purse.balance -= cost
            return True

    def refund(self, cost: float = 1.0) -> None:
        """Return what a retry cost that has led to a success.

        Args:
            cost: What was taken for it, in retries.
        """
        self._add(cost)

    def deposit(self) -> None:
        """Add what a success at the first attempt earns."""
        self._add(self._ratio)

    def __repr__(self) -> str:
        return f"RetryBudget({self._capacity:g}, ratio={self._ratio:g})"

    def _add(self, amount: float) -> None:
        purse = self._buckets.get()
        # Full nearly always: then a call that succeeds pays for no lock.
        if purse.balance < self._capacity:
            with purse.guard:
                purse.balance = min(self._capacity, purse.balance + amount)
