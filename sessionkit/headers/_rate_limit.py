"""What servers say of their quotas, in whatever header they say it.

Read are the fields ``RateLimit`` and ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers,
sections 3 and 4) in their present form and in that of draft 07, the three fields of drafts 03 to
06 and all that are named like them (``X-RateLimit-*``, ``X-Rate-Limit-*``, a vendor's name before
or a period after), and pairs of counts and seconds. What is malformed is passed over, as the draft
asks.
"""

from __future__ import annotations

import math
import re
from itertools import chain, islice
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sessionkit.headers._fields import read_items, read_moment, read_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Quotas that are read from one response; no server needs more, and a hostile one gets no more.
MAX_QUOTAS = 8
_PERIODS: Mapping[str, float] = MappingProxyType(
    {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0, "month": 2_592_000.0}
)
_UNITS: Mapping[str, float] = MappingProxyType(
    {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
)
#: A number from here on is a moment: in seconds since 1970 (from 1973), in milliseconds from 1973.
_FIRST_EPOCH = 1e8
_FIRST_EPOCH_MS = 1e11

#: Possessive throughout, so that a hostile header of 64 KiB costs linear time.
_LEADING = re.compile(r"\s*+(\d{1,17}+)(?![\w.])", re.ASCII)
_DURATION = re.compile(r"(?:\d{1,9}+(?:\.\d++)?+(?:ms|[smhd]))++", re.ASCII)
_SPAN = re.compile(r"(\d++(?:\.\d++)?+)(ms|[smhd])", re.ASCII)
_PAIR = re.compile(r"\s*+(\d{1,9}+):(\d{1,9}+)\s*+", re.ASCII)
_FIELD = re.compile(
    r"(.*rate-?limit)-(limit|max|remaining|reset-after|reset|resource)"
    rf"(?:-(requests|{'|'.join(_PERIODS)}))?"
)


class Quota(NamedTuple):
    """One quota, as a response describes it; immutable.

    Attributes:
        name: Which of the server's quotas, as far as its header tells.
        remaining: Requests that may still be sent, or None where nothing is said of it.
        reset: Seconds for which those must suffice, or None.
        limit: Requests of a whole period, or None.
        seconds: Length of a whole period, or None.
        partition: What part of the service it is for, or None.
    """

    name: str
    remaining: int | None
    reset: float | None = None
    limit: int | None = None
    window: float | None = None
    partition: str | None = None


def read_quotas(headers: Mapping[str, str], now: float) -> tuple[Quota, ...]:
    """Return the quotas that a response describes, none at all for most.

    Args:
        headers: Of the response; case-insensitive.
        now: Seconds since the epoch; used where the response has no ``Date``.
    """
    if "limit" not in " ".join(headers).lower():
        return ()
    fields = {name.lower(): str(value) for name, value in headers.items()}
    # Read no further than needed: each of a hundred fields may point at a policy of 64 KiB.
    found = [*islice(_read_structured(fields), MAX_QUOTAS)] or _read_separate(fields, now)
    return tuple(islice(chain(found, _read_counts(fields)), MAX_QUOTAS))


def read_reset(text: str, now: float, *, date: str = "") -> float | None:
    """Return the seconds until a quota is full again; None where *text* does not tell.

    Understood are seconds, moments in seconds or milliseconds since the epoch, dates of HTTP and
    of RFC 3339, and durations such as ``6m0s`` or ``20ms``. A moment that has passed is 0.0.

    Args:
        text: The header's value.
        now: Seconds since the epoch, where the response has no date.
        date: The response's own ``Date``: moments count by the server's clock.
    """
    text = text.strip()
    moment = read_number(text)
    if moment is not None and moment < _FIRST_EPOCH:
        return moment
    if moment is None and _DURATION.fullmatch(text):
        return sum(float(amount) * _UNITS[unit] for amount, unit in _SPAN.findall(text))
    if moment is None:
        moment = read_moment(text)
    elif moment >= _FIRST_EPOCH_MS:
        moment /= 1000
    if moment is None:
        return None
    sent = read_moment(date)
    return max(0.0, moment - (now if sent is None else sent))


def _read_structured(fields: Mapping[str, str]) -> Iterator[Quota]:
    """Read ``RateLimit`` by what ``RateLimit-Policy`` says of the policies it names."""
    policies = dict(_items(fields.get("ratelimit-policy", "")))
    plain: dict[str, str] = {}
    for item, given in _items(fields.get("ratelimit", "")):
        key, equals, value = item.partition("=")
        if equals and not item.startswith('"'):
            plain[key.strip().lower()] = value.strip()  # draft 07: one dictionary
            continue
        policy = policies.get(item, {})
        unit = policy.get("qu", '"requests"')
        remaining = _whole(given.get("r"))
        if remaining is not None and unit == '"requests"':
            yield Quota(
                item.strip('"'),
                remaining,
                read_number(given.get("t")),
                limit=_whole(policy.get("q")),
                window=read_number(policy.get("w")),
                partition=given.get("pk"),
            )
    if "remaining" in plain:
        limit, remaining = _whole(plain.get("limit")), _whole(plain["remaining"])
        window = _policy_window(limit, fields)
        yield Quota("", remaining, read_number(plain.get("reset")), limit=limit, window=window)


def _read_separate(fields: Mapping[str, str], now: float) -> Iterator[Quota]:
    """Read a header for each of limit, remaining and reset, whatever the vendor's name for them."""
    families: dict[tuple[str, str], dict[str, str]] = {}
    for header, text in fields.items():
        match = _FIELD.fullmatch(header)
        if match:
            family, field, period = match.groups()
            families.setdefault((family, period or ""), {})[field] = text
    for (family, period), given in families.items():
        limit = _leading_count(given.get("limit", given.get("max", "")))
        remaining = _whole(given.get("remaining"))
        text = given.get("reset-after", given.get("reset", ""))
        reset = read_reset(text, now, date=fields.get("date", ""))
        if remaining is None and reset is None:
            continue
        window = _PERIODS.get(period) or _policy_window(limit, fields)
        partition = fields.get(f"{family}-resource")
        yield Quota(f"{family}-{period}".rstrip("-"), remaining, reset, limit, window, partition)


def _read_counts(fields: Mapping[str, str]) -> Iterator[Quota]:
    """Read ``X-App-Rate-Limit: 20:1,100:120`` with its ``-Count``: requests and their seconds."""
    for header, text in fields.items():
        if not header.endswith("rate-limit-count"):
            continue
        limits = dict(_split_pairs(fields.get(header.removesuffix("-count"), "")))
        for seconds, used in _split_pairs(text):
            if (limit := limits.get(seconds)) is not None:
                name = f"{header} {seconds}"
                yield Quota(name, max(0, limit - used), limit=limit, window=float(seconds))


def _split_pairs(text: str) -> Iterator[tuple[int, int]]:
    for pair in text.split(","):
        match = _PAIR.fullmatch(pair)
        if match:
            yield int(match[2]), int(match[1])


def _items(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield items and their parameters, of which the last of a name counts (RFC 9651, 3.1.2)."""
    return ((item, dict(parameters)) for item, parameters in read_items(text))


def _policy_window(limit: int | None, fields: Mapping[str, str]) -> float | None:
    """Return the seconds of the policy that allows *limit* (drafts 03 to 07: ``100;w=60``)."""
    for header in ("ratelimit-policy", "ratelimit-limit"):
        for item, given in _items(fields.get(header, "")):
            if limit is not None and "w" in given and _whole(item) == limit:
                return read_number(given["w"])
    return None


def _whole(text: str | None) -> int | None:
    number = read_number(text)
    return None if number is None else math.floor(number)


def _leading_count(text: str) -> int | None:
    match = _LEADING.match(text)
    return int(match[1]) if match else None
