"""Time, written where the caller looks: into the headers of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: In lower case, for one look over an answer's headers: every call pays for it.
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
    """Write how long a call took into the headers of its answer.

    Three headers are written, over any of the same name that a server sent:

    - ``X-Client-Time``: this handler and everything further in, in seconds, as ``0.125s``:
      retries, waits and token renewals included; for an answer that is streamed, until its head
      was there.
    - ``X-Client-Attempts``: requests that went out for this call, token requests not counted.
    - ``X-Client-Renewal-Time``: seconds of it that went into token renewal, as ``0.000s``.

    What a server said of its own time (``Server-Timing``, ``X-API-Time`` and others) is read into
    ``response.record.server_timing`` as a :class:`ServerTiming`, or left None.
    Placed outermost it measures the whole call. Shared between threads; it holds no state.
    """

    __slots__ = ()

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Forward, then write the headers. What the handlers further in raise passes."""
        monotonic = exchange.clock.monotonic
        started = monotonic()
        response = call_next(exchange)
        headers = response.headers
        record = exchange.record
        if not _FROM_SERVERS.isdisjoint(map(str.lower, headers)):
            # Imported where it is needed: most APIs send none of these headers.
            from sessionkit.headers._server_timing import read_server_timing

            record.server_timing = read_server_timing(headers)
        headers["X-Client-Attempts"] = str(len(record.attempts))
        headers["X-Client-Renewal-Time"] = f"{record.renewal_duration:.3f}s"
        headers["X-Client-Time"] = f"{monotonic() - started:.3f}s"
        return response

    def __repr__(self) -> str:
        return "TimingHandler()"
