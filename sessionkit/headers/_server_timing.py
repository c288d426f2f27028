"""What servers say of their own time: Server-Timing, and the headers of AWX, Rails and Express.

Read leniently, as the specification of Server-Timing asks: what makes no sense is left out of the
figures and kept in the raw text, and nothing here ever raises.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

#: Possessive throughout, so that a hostile header of 64 KiB costs linear time.
_QUOTED = r'"(?:[^"\\]|\\.)*+"?+'
_ENTRY = re.compile(rf'(?:[^,"]|{_QUOTED})++', re.DOTALL)
_PART = re.compile(rf'(?:[^;"]|{_QUOTED})++', re.DOTALL)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_QUANTITY = re.compile(
    r"((?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:e[-+]?[0-9]++)?+)[ \t]*+(ms|s)?+", re.IGNORECASE
)
_COUNT = re.compile(r"[0-9]{1,18}")


class Metric(NamedTuple):
    """One entry of a Server-Timing header; immutable.

    Attributes:
        name: Name of the metric, such as ``db``.
        seconds: Its duration in seconds (the header counts in milliseconds), or None.
        description: What the server calls it, or None.
    """

    name: str
    duration: float | None = None
    description: str | None = None


class ServerTiming(NamedTuple):
    """What a server said of its own time; immutable. None wherever it said nothing usable.

    Attributes:
        api_time: Seconds in the view (``X-API-Time``).
        total_time: Seconds in the server, its middleware included (``X-API-Total-Time``).
        node: Name of the machine that answered (``X-API-Node``).
        query_count: Number of database queries (``X-API-Query-Count``).
        query_time: Seconds in the database (``X-API-Query-Time``).
        runtime: Seconds by ``X-Runtime``, or else by ``X-Response-Time``, whose number counts
            only with its unit: some servers mean seconds there, others milliseconds.
        entries: Metrics of ``Server-Timing`` (W3C Server Timing, section 4), in their order.
        raw: All these headers as they came, whether understood or not, by name.
    """

    api_time: float | None
    total_time: float | None
    node: str | None
    query_count: int | None
    query_time: float | None
    runtime: float | None
    entries: tuple[Metric, ...]
    raw: Mapping[str, str]


#: Headers that are read, as their specifications and projects spell them.
HEADERS = (
    "X-API-Time",
    "X-API-Total-Time",
    "X-API-Node",
    "X-API-Query-Count",
    "X-API-Query-Time",
    "X-Runtime",
    "X-Response-Time",
    "Server-Timing",
)


def read_server_timing(headers: Mapping[str, str]) -> ServerTiming:
    """Read the timing headers of an answer; never raises.

    Args:
        headers: Of the answer; any mapping that finds names whatever their case.
    """
    raw = {name: str(headers[name]) for name in HEADERS if name in headers}
    text = raw.get
    runtime = read_seconds(text("X-Runtime"))
    if runtime is None:
        runtime = read_seconds(text("X-Response-Time"), bare=False)
    return ServerTiming(
        api_time=read_seconds(text("X-API-Time")),
        total_time=read_seconds(text("X-API-Total-Time")),
        node=text("X-API-Node", "").strip() or None,
        query_count=_read_count(text("X-API-Query-Count")),
        query_time=read_seconds(text("X-API-Query-Time")),
        runtime=runtime,
        entries=tuple(read_metrics(text("Server-Timing", ""))),
        raw=raw,
    )


def read_seconds(text: str | None, *, bare: bool = True) -> float | None:
    """Read a duration such as ``0.125s``, ``0.125`` or ``125ms``, in seconds.

    Args:
        text: The header's value; None where it was not sent.
        bare: Take a number without a unit as seconds.

    Returns:
        Seconds, or None where *text* is not one finite duration.
    """
    match = _QUANTITY.fullmatch(text.strip()) if text else None
    if match is None or not (bare or match[2]):
        return None
    seconds = float(match[1])
    if not math.isfinite(seconds):
        return None
    return seconds / 1000 if match[2] and match[2].lower() == "ms" else seconds


def read_metrics(text: str) -> list[Metric]:
    """Read a Server-Timing header (W3C Server Timing, section 4); never raises.

    As the specification asks, an entry without a proper name is left out, a parameter that is
    not known is passed over, and of one that is given twice the first counts.
    """
    metrics = (_read_metric(entry) for entry in _ENTRY.findall(text))
    return [metric for metric in metrics if metric is not None]


def _read_metric(entry: str) -> Metric | None:
    head = _PART.match(entry)
    name = head[0].strip() if head else ""
    if head is None or not _TOKEN.fullmatch(name):
        return None
    given: dict[str, str] = {}
    for part in _PART.findall(entry, head.end()):
        key, _, value = part.partition("=")
        given.setdefault(key.strip().lower(), _plain(value.strip()))
    milliseconds = read_seconds(given.get("dur"))
    seconds = None if milliseconds is None else milliseconds / 1000
    return Metric(name, seconds, given.get("desc"))


def _plain(value: str) -> str:
    """Take the quotes and escapes off a parameter's value (RFC 9110, section 5.6.4)."""
    quoted = _STRING.match(value)
    return _ESCAPE.sub(r"\1", quoted[1]) if quoted else value


def _read_count(text: str | None) -> int | None:
    match = _COUNT.fullmatch(text.strip()) if text else None
    return int(match[0]) if match else None
