"""Reading waits (``Retry-After`` and spent quotas) and the names that servers give requests."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sessionkit.headers._fields import read_date, read_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Headers in which servers name a request, the most common first.
REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "x-amzn-requestid",
    "x-ms-request-id",
    "x-correlation-id",
    "x-github-request-id",
    "cf-ray",
)
#: A longer wait, in seconds (about 30 years), is garbage, or no wait but a moment.
_MAX_WAIT = 1e9
_MAX_ID = 200
#: Waits in milliseconds, as some vendors tell them beside ``Retry-After``.
_IN_MILLISECONDS = ("retry-after-ms", "x-ms-retry-after-ms")
#: Statuses that may mean that a quota is spent; others bear the same headers and mean nothing.
_REFUSALS = (403, 429, 503)


def read_request_id(headers: Mapping[str, str], first: Iterable[str] = ()) -> str | None:
    """Return the server's name for the request, for its operator; None where it gave none.

    Args:
        headers: Of the response; case-insensitive.
        first: Names of headers to look at before the usual ones.
    """
    for name in (*first, *REQUEST_ID_HEADERS):
        value = headers.get(name)
        if value and value.strip():
            return "".join(c for c in value.strip() if c.isprintable())[:_MAX_ID]
    return None


def read_wait(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait, by ``Retry-After`` or as its quota is spent.

    Args:
        status: Of the response; only with 403, 429 and 503 can a spent quota be its reason.
        headers: Of the response; case-insensitive.
        now: Seconds since the epoch; used where the response has no ``Date``.

    Returns:
        Zero or more seconds, or None where the server asks for nothing.
    """
    wait = read_retry_after(headers, now)
    return _until_reset(headers, now) if wait is None and status in _REFUSALS else wait


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait, in seconds (RFC 9110, section 10.2.3).

    Seconds, fractions of them, HTTP dates, and milliseconds in ``retry-after-ms`` are understood.
    A date is compared with the response's own ``Date``, because the two clocks may differ.

    Args:
        headers: Of the response; case-insensitive.
        now: Seconds since the epoch; used where the response has no ``Date``.

    Returns:
        Zero or more seconds; None where the header is missing, garbage, past or absurdly far.
    """
    for name in _IN_MILLISECONDS:
        if (exact := read_number(headers.get(name))) is not None:
            return _sane(exact / 1000)
    value = headers.get("Retry-After")
    seconds = read_number(value)
    return _from_now(read_date(value), headers, now) if seconds is None else _sane(seconds)


def _until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds until the quotas that are spent are full again."""
    # Only now: few responses are refusals, and the patterns of that module take time to load.
    from sessionkit.headers._rate_limit import read_quotas

    quotas = read_quotas(headers, now)
    waits = [quota.reset for quota in quotas if not quota.remaining and quota.reset]
    return max(filter(_is_wait, waits), default=None)


def _from_now(moment: float | None, headers: Mapping[str, str], now: float) -> float | None:
    if moment is None:
        return None
    sent = read_date(headers.get("Date"))
    return _sane(moment - (now if sent is None else sent))


def _sane(seconds: float) -> float | None:
    return seconds if _is_wait(seconds) else None


def _is_wait(seconds: float) -> bool:
    return math.isfinite(seconds) and 0 <= seconds <= _MAX_WAIT
