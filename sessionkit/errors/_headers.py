"""What the headers of an answer say about a failure."""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

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
#: A longer wait, in seconds (about 30 years), is garbage.
_LONGEST_WAIT = 1e9
_LONGEST_ID = 200


def read_request_id(headers: Mapping[str, str]) -> str | None:
    """Return the server's name for the request, for its operator; None where it gave none.

    Args:
        headers: Of the answer; case-insensitive.
    """
    for name in REQUEST_ID_HEADERS:
        value = headers.get(name)
        if value and value.strip():
            return "".join(c for c in value.strip() if c.isprintable())[:_LONGEST_ID]
    return None


def read_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait, in seconds (RFC 9110, section 10.2.3).

    Seconds, fractions of them, and HTTP dates are understood. A date is compared with the answer's
    own ``Date``, because the two clocks may differ.

    Args:
        headers: Of the answer; case-insensitive.
        now: Seconds since the epoch; used where the answer has no ``Date``.

    Returns:
        Zero or more seconds; None where the header is missing, garbage, past or absurdly far.
    """
    value = (headers.get("Retry-After") or "").strip()
    if re.fullmatch(r"\d{1,20}(\.\d*)?", value, re.ASCII):
        return _sane(float(value))
    moment = _epoch(value)
    if moment is None:
        return None
    sent = _epoch(headers.get("Date") or "")
    return _sane(moment - (now if sent is None else sent))


def _sane(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and 0 <= seconds <= _LONGEST_WAIT else None


def _epoch(date: str) -> float | None:
    try:
        moment: datetime = parsedate_to_datetime(date)
        # A date without a zone is in UTC (RFC 9110, section 5.6.7).
        return moment.timestamp() if moment.tzinfo else _utc(moment)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _utc(moment: datetime) -> float:
    from datetime import UTC

    return moment.replace(tzinfo=UTC).timestamp()
