"""A retry budget, so that retries do not multiply the load of a server that fails.

The rules are those of the AWS SDKs' standard retry mode, whose bucket holds 500 units, of which a
retry takes 5, a retry that helped returns them and a call that succeeds at once adds 1; here
counted in retries. gRPC's retry throttling (gRFC A6) works on the same ratio.
"""

from __future__ import annotations

import threading

from sessionkit import _checks as checks
from sessionkit._fork import PerProcess


class _Bucket:
    """The retries that one process may still make."""

    __slots__ = ("balance", "guard")

    def __init__(self, balance: float) -> None:
        self.guard = threading.Lock()
        self.balance = balance


class RetryBudget:
    """A balance of retries: successes add to it, retries are taken from it.

    While most calls succeed it is full, and each call may be retried as its policy says. When a
    server fails for all calls it is empty after *capacity* retries, and from then on there is one
    retry for every few successes instead of several for every failure.

    One budget may serve any number of handlers and stacks. Thread-safe; a forked child has a budget
    of its own, with the parent's balance.

    Args:
        capacity: The highest balance, in retries; also the first.
        ratio: Retries that one success adds: 0.2 allows one retry for five successes.

    Raises:
        ConfigError: *capacity* is less than one retry, or *ratio* negative.
    """

    __slots__ = ("_buckets", "_capacity", "_ratio")

    def __init__(self, capacity: float = 100.0, *, ratio: float = 0.2) -> None:
        self._capacity = float(checks.number("capacity", capacity, minimum=1.0))
        self._ratio = float(checks.number("ratio", ratio))
        self._buckets: PerProcess[_Bucket] = PerProcess(
            lambda parents: _Bucket(parents.balance if parents else self._capacity)
        )

    @property
    def balance(self) -> float:
        """Retries that may be made now."""
        return self._buckets.get().balance

    def try_withdraw(self, cost: float = 1.0) -> bool:
        """Take *cost* from the balance; return False, and take nothing, if it is lower.

        Args:
            cost: In retries. The AWS SDKs take twice as much for a retry after a timeout.
        """
        bucket = self._buckets.get()
        with bucket.guard:
            if bucket.balance < cost:
                return False
            bucket.balance -= cost
            return True

    def refund(self, cost: float = 1.0) -> None:
        """Put back what was taken for a retry that led to a success.

        Args:
            cost: What was taken for it, in retries.
        """
        self._add(cost)

    def deposit(self) -> None:
        """Add *ratio* for a call that succeeded at its first attempt."""
        self._add(self._ratio)

    def __repr__(self) -> str:
        return f"RetryBudget({self._capacity:g}, ratio={self._ratio:g})"

    def _add(self, amount: float) -> None:
        bucket = self._buckets.get()
        # Nearly always full: then a success needs no lock.
        if bucket.balance < self._capacity:
            with bucket.guard:
                bucket.balance = min(self._capacity, bucket.balance + amount)
