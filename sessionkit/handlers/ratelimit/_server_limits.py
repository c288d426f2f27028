"""Quotas that servers report in their responses, counted down between two responses."""

from __future__ import annotations

import threading
from typing import NamedTuple

from cachetools import LRUCache

from sessionkit._fork import PerProcess
from sessionkit.headers._rate_limit import Quota

#: Seconds; whatever a server says, one request a day finds out whether it is still so.
MAX_HOLD = 86_400.0
#: Keys that are remembered; beyond, the one used least recently is forgotten.
MAX_KEYS = 10_000
#: Quotas of one key; beyond, all are forgotten.
MAX_WINDOWS = 16
#: Servers report resets in whole seconds: those that differ by less are of the same window.
_SLACK = 1.0


class Permit(NamedTuple):
    """Whether a request may be sent.

    Attributes:
        wait: Seconds until it may be sent; 0 if it may be sent now, and is counted as under way.
        number: Its number among the requests of its key.
    """

    wait: float
    number: int


class ResponseLimits(NamedTuple):
    """What the response to a request says about limits.

    Attributes:
        quotas: The server's quotas.
        retry_after: Seconds that the server asks to wait before the next request.
        counted: Whether the server may have counted the request.
    """

    quotas: tuple[Quota, ...] = ()
    retry_after: float = 0.0
    counted: bool = True


class _QuotaWindow:
    """One quota of a server, until it is reset.

    Args:
        quota: As the server reported it.
        remaining: Requests that it allows, those under way not subtracted.
        end: Moment of the monotonic clock when it is reset.
        number: Of the request whose response reported this window first.
    """

    __slots__ = ("end", "first_end", "number", "quota", "remaining")

    def __init__(self, quota: Quota, remaining: int, *, end: float, number: int) -> None:
        self.quota = quota
        self.remaining = remaining
        self.end = self.first_end = end
        self.number = number

    def renew(self, now: float, number: int) -> bool:
        """Start the next window with its full limit; return False if that is unknown."""
        limit, seconds = self.quota.limit, self.quota.window
        if not limit or not seconds:
            return False
        self.remaining, self.number = limit, number
        self.end = self.first_end = now + seconds
        return True


class _Account:
    """The requests and quotas of one key."""

    __slots__ = ("blocked_until", "sent", "under_way", "windows")

    def __init__(self) -> None:
        self.sent = 0
        self.under_way = 0
        #: Moment until which the server asked to send nothing.
        self.blocked_until = 0.0
        self.windows: dict[str, _QuotaWindow] = {}


class _Accounts:
    __slots__ = ("by_key", "guard")

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.by_key: LRUCache[str, _Account] = LRUCache(MAX_KEYS)

    def of(self, key: str) -> _Account:
        """Return the account of *key*; *guard* must be held."""
        if key not in self.by_key:
            self.by_key[key] = _Account()
        return self.by_key[key]


class ServerLimits:
    """The quotas of servers, as their responses report them.

    The lowest remaining count that was reported within a window includes every request that had a
    response by then; those under way may or may not be included, and are subtracted. So responses
    may overtake each other, and a client that does not share its quota never exceeds it.
    Thread-safe; a forked child starts without any quotas.
    """

    __slots__ = ("_accounts",)

    def __init__(self) -> None:
        self._accounts: PerProcess[_Accounts] = PerProcess(lambda _parents: _Accounts())

    def acquire(self, key: str, now: float) -> Permit:
        """Return the permit for a request, or how long it must wait for one.

        Args:
            key: Whose request.
            now: Moment of the monotonic clock.
        """
        accounts = self._accounts.get()
        with accounts.guard:
            account = accounts.of(key)
            end = max(account.blocked_until, _next_send(account, now))
            if end > now:
                return Permit(end - now, 0)
            account.sent += 1
            account.under_way += 1
            return Permit(0.0, account.sent)

    def release(self, key: str, limits: ResponseLimits, now: float, *, number: int) -> None:
        """Record the end of a request that had a permit.

        Args:
            key: Whose request.
            limits: What its response said, if one came.
            now: Moment of the monotonic clock.
            number: Of the request.
        """
        accounts = self._accounts.get()
        with accounts.guard:
            account = accounts.of(key)
            account.under_way = max(0, account.under_way - 1)
            if limits.retry_after:
                # It takes precedence over all else (draft-ietf-httpapi-ratelimit-headers, 7).
                account.blocked_until = max(
                    account.blocked_until, now + min(limits.retry_after, MAX_HOLD)
                )
                account.windows.clear()
                return
            reported = {quota.name for quota in limits.quotas}
            for name, window in account.windows.items():
                if limits.counted and name not in reported:
                    window.remaining -= 1
            for quota in limits.quotas:
                _update_window(account.windows, quota, now, number=number)


def _next_send(account: _Account, now: float) -> float:
    """Return when every quota allows a request, and start the next window of those that ended."""
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
        return  # without a length or a count there is nothing to enforce
    end = now + min(seconds, MAX_HOLD)
    known = windows.get(quota.name)
    if known is not None:
        if known.quota.partition == quota.partition and abs(end - known.first_end) <= _SLACK:
            known.remaining = min(known.remaining, quota.remaining)
            known.end = max(known.end, end)
            return
        if number < known.number:
            return  # overtaken: it is of an earlier window
    elif len(windows) >= MAX_WINDOWS:
        windows.clear()
    windows[quota.name] = _QuotaWindow(quota, quota.remaining, end=end, number=number)
