"""What servers have said of their budgets, counted on between their answers."""

from __future__ import annotations

import threading
from typing import NamedTuple

from sessionkit.headers._rate_limit import Quota
from sessionkit.stores._locks import PerProcess

#: Seconds; whatever a server says, one request a day finds out whether it still holds.
MAX_HOLD = 86_400.0
#: Keys that are remembered; beyond, the one that was used least recently is forgotten.
MAX_KEYS = 10_000
#: Budgets of one key; beyond, all are forgotten.
MAX_WINDOWS = 16
#: Resets are told in whole seconds: those that differ by less are of the same window.
_SLACK = 1.0


class Permit(NamedTuple):
    """Whether a request may be sent.

    Attributes:
        wait: Seconds until it may; zero where it may be sent now, and is counted as under way.
        number: Its number among the requests of its key.
    """

    wait: float
    number: int


class ResponseLimits(NamedTuple):
    """What the end of a request tells.

    Attributes:
        quotas: The server's budgets.
        hold: Seconds for which the server wants to be left alone.
        counted: Whether the server may have counted the request at all.
    """

    quotas: tuple[Quota, ...] = ()
    retry_after: float = 0.0
    counted: bool = True


class _QuotaWindow:
    """One budget of a server, until it is whole again.

    Args:
        quota: As the server told it.
        left: Requests that it has left, those under way not taken off.
        end: Moment of the monotonic clock.
        number: Of the request whose answer told of this window first.
    """

    __slots__ = ("end", "first_end", "number", "quota", "remaining")

    def __init__(self, quota: Quota, left: int, *, end: float, number: int) -> None:
        self.quota = quota
        self.remaining = left
        self.end = self.first_end = end
        self.number = number

    def renew(self, now: float, number: int) -> bool:
        """Begin the next window, with its limit and no more; False where that is not known."""
        limit, seconds = self.quota.limit, self.quota.window
        if not limit or not seconds:
            return False
        self.remaining, self.number = limit, number
        self.end = self.first_end = now + seconds
        return True


class _Account:
    """What is known of one key."""

    __slots__ = ("blocked_until", "sent", "under_way", "windows")

    def __init__(self) -> None:
        self.sent = 0
        self.under_way = 0
        #: Moment until when the server wants to be left alone.
        self.blocked_until = 0.0
        self.windows: dict[str, _QuotaWindow] = {}


class _Accounts:
    __slots__ = ("by_key", "guard")

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.by_key: dict[str, _Account] = {}


class ServerLimits:
    """The budgets of servers, as far as their answers told.

    The lowest rest that was told within a window has counted every request that was answered by
    then; those under way may or may not be in it, and are taken off. So answers may overtake each
    other, and a client that has a budget for itself never exceeds it. Thread-safe; a forked child
    starts with no knowledge.
    """

    __slots__ = ("_accounts",)

    def __init__(self) -> None:
        self._accounts: PerProcess[_Accounts] = PerProcess(lambda _parents: _Accounts())

    def acquire(self, key: str, now: float) -> Permit:
        """Give a request leave, or tell how long it must wait.

        Args:
            key: Whose request.
            now: Moment of the monotonic clock.
        """
        accounts = self._accounts.get()
        with accounts.guard:
            account = _account(accounts.by_key, key)
            end = max(account.blocked_until, _next_send(account, now))
            if end > now:
                return Permit(end - now, 0)
            account.sent += 1
            account.under_way += 1
            return Permit(0.0, account.sent)

    def release(self, key: str, limits: ResponseLimits, now: float, *, number: int) -> None:
        """Note that a request has ended that had been given leave.

        Args:
            key: Whose request.
            limits: What its response said, if one came.
            now: Moment of the monotonic clock.
            number: Of the request.
        """
        accounts = self._accounts.get()
        with accounts.guard:
            account = _account(accounts.by_key, key)
            account.under_way = max(0, account.under_way - 1)
            if limits.retry_after:
                # It takes precedence over all else (draft-ietf-httpapi-ratelimit-headers, 7).
                account.blocked_until = max(
                    account.blocked_until, now + min(limits.retry_after, MAX_HOLD)
                )
                account.windows.clear()
                return
            told = {quota.name for quota in limits.quotas}
            for name, window in account.windows.items():
                if limits.counted and name not in told:
                    window.remaining -= 1
            for quota in limits.quotas:
                _update_window(account.windows, quota, now, number=number)


def _next_send(account: _Account, now: float) -> float:
    """Return when every budget has something left, and renew those windows that have ended."""
    end = now
    for name, window in list(account.windows.items()):
        if window.end <= now and not window.renew(now, account.sent):
            del account.windows[name]
        elif window.remaining <= account.under_way:
            end = max(end, window.end)
    return end


def _update_window(
    windows: dict[str, _QuotaWindow], quota: Quota, now: float, *, number: int
) -> None:
    seconds = quota.window if quota.reset is None else quota.reset
    if seconds is None or quota.remaining is None:
        return  # for how long, or how many? nothing to count on
    end = now + min(seconds, MAX_HOLD)
    known = windows.get(quota.name)
    if known is not None:
        if known.quota.partition == quota.partition and abs(end - known.first_end) <= _SLACK:
            known.remaining = min(known.remaining, quota.remaining)
            known.end = max(known.end, end)
            return
        if number < known.number:
            return  # overtaken: of a window before this one
    elif len(windows) >= MAX_WINDOWS:
        windows.clear()
    windows[quota.name] = _QuotaWindow(quota, quota.remaining, end=end, number=number)


def _account(by_key: dict[str, _Account], key: str) -> _Account:
    account = by_key.pop(key, None)
    if account is None:
        account = _Account()
        if len(by_key) >= MAX_KEYS:
            del by_key[next(iter(by_key))]
    by_key[key] = account
    return account
