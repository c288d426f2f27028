"""Timing: how long a call took, in headers of its response."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: In lower case, compared to a response's headers at once: every call pays for it.
_FROM_SERVERS = frozenset(
    {
        "server-timing",
        "x-api-node",
        "x-api-query-count",
        "x-api-query-time",
        "x-api-time",
        "x-api-total-time",
        "x-response-time",
        "x-runtime",
    }
)


class TimingHandler:
    """Write how long a call took into the headers of its response.

    Three headers are written; they replace any of the same name that a server sent:

    - ``X-Client-Time``: seconds in this handler and everything further in, as ``0.125s``:
      retries, waits and token renewals included; for a stream, until its head was received.
    - ``X-Client-Attempts``: requests that were sent for this call, token requests not counted.
    - ``X-Client-Renewal-Time``: seconds of it that token renewal took, as ``0.000s``.

    What a server reports of its own time (``Server-Timing``, ``X-API-Time`` and others) is read
    into ``response.record.server_timing`` as a :class:`ServerTiming`, or None if it reports none.
    Placed outermost it measures the whole call. Shared between threads; it holds no state.
    """

    __slots__ = ()

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call and write the headers; exceptions pass."""
        monotonic = exchange.clock.monotonic
        started = monotonic()
        response = call_next(exchange)
        headers = response.headers
        record = exchange.record
        if not _FROM_SERVERS.isdisjoint(map(str.lower, headers)):
            # Imported only if needed: most APIs send none of these headers.
            from sessionkit.headers._server_timing import read_server_timing

            record.server_timing = read_server_timing(headers)
        headers["X-Client-Attempts"] = str(len(record.attempts))
        headers["X-Client-Renewal-Time"] = f"{record.renewal_duration:.3f}s"
        headers["X-Client-Time"] = f"{monotonic() - started:.3f}s"
        return response

    def __repr__(self) -> str:
        return "TimingHandler()"
