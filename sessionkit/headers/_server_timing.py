"""What servers say of their own time: Server-Timing, and the headers of AWX, Rails and Express.

Read leniently, as the specification of Server-Timing asks: what makes no sense is left out of the
figures, and stands in the raw text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

from sessionkit.headers._fields import read_count, read_items, unquote

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
_QUANTITY = re.compile(
    r"((?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:e[-+]?[0-9]++)?+)[ \t]*+(ms|s)?+", re.IGNORECASE
)


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
        node: Name of the machine that sent the response (``X-API-Node``).
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
    """Read the timing headers of a response; never raises.

    Args:
        headers: Of the response; any mapping that finds names whatever their case.
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
        query_count=read_count(text("X-API-Query-Count")),
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
    return [_metric(name, pairs) for name, pairs in read_items(text) if _TOKEN.fullmatch(name)]


def _metric(name: str, parameters: list[tuple[str, str]]) -> Metric:
    first = dict(reversed(parameters))
    milliseconds = read_seconds(unquote(first.get("dur", "")))
    duration = None if milliseconds is None else milliseconds / 1000
    return Metric(name, duration, unquote(first["desc"]) if "desc" in first else None)
