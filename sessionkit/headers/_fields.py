"""The pieces that header fields are made of: lists, parameters, quoted strings, numbers, dates.

Patterns are possessive throughout, so that a hostile header of any length costs linear time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A quoted string (RFC 9110, section 5.6.4), or what is left of one that was cut off.
QUOTED = r'"(?:[^"\\]|\\.)*+"?+'
_MEMBER = re.compile(rf'(?:[^,"]|{QUOTED})++', re.DOTALL)
_PART = re.compile(rf'(?:[^;"]|{QUOTED})++', re.DOTALL)
_QUOTED_VALUE = re.compile(r'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,20}+(?:\.[0-9]*+)?+")
_COUNT = re.compile(r"[0-9]{1,18}+")
_UNREADABLE = (TypeError, ValueError, IndexError, OverflowError, OSError)


def read_items(text: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each member of a list with its parameters (RFC 9651, section 3.1), none unquoted.

    Names of parameters come in lower case; a member without an item is left out.
    """
    for member in _MEMBER.findall(text):
        head = _PART.match(member)
        if head is None or not (item := head[0].strip()):
            continue
        parts = (part.partition("=") for part in _PART.findall(member, head.end()))
        yield item, [(name.strip().lower(), value.strip()) for name, _, value in parts]


def unquote(value: str) -> str:
    """Return *value* without quotes and escapes around it (RFC 9110, section 5.6.4)."""
    quoted = _QUOTED_VALUE.match(value)
    return unescape(quoted[1]) if quoted else value


def unescape(text: str) -> str:
    """Return what a quoted string holds: each backslash gone, what it stood before kept."""
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def read_number(text: str | None) -> float | None:
    """Return a number of digits, perhaps with a fraction; None for anything else."""
    text = (text or "").strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def read_count(text: str | None) -> int | None:
    """Return a whole number of up to 18 digits; None for anything else."""
    text = (text or "").strip()
    return int(text) if _COUNT.fullmatch(text) else None


def read_date(text: str | None) -> float | None:
    """Return the seconds since the epoch of a date, or None where *text* is none.

    Read are dates of HTTP (RFC 9110, section 5.6.7), in UTC where they name no zone, and those of
    structured fields, such as ``@1659578233`` (RFC 9651, section 3.3.7).
    """
    text = (text or "").strip()
    if text.startswith("@"):
        return _moment(lambda given: datetime.fromtimestamp(int(given[1:]), UTC), text)
    return _moment(parsedate_to_datetime, text)


def read_moment(text: str | None) -> float | None:
    """Return the seconds since the epoch of a date as above, or of one of RFC 3339."""
    moment = read_date(text)
    return _moment(datetime.fromisoformat, (text or "").strip()) if moment is None else moment


def _moment(read: Callable[[str], datetime], text: str) -> float | None:
    try:
        moment = read(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except _UNREADABLE:
        return None
