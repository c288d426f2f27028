"""Traces and metrics by OpenTelemetry (extra ``otel``): a span per call, and one per attempt.

The names are those of the stable semantic conventions for HTTP clients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from requests import HTTPError

from sessionkit._optional import require
from sessionkit._origins import origin_of
from sessionkit._redact import redact_url, scrub

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider
    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.events import Event

__all__ = ["OtelHandler"]

_SCOPE = "sessionkit"
_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
#: Seconds, as the conventions advise.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


class _Telemetry(NamedTuple):
    """The parts of OpenTelemetry that both handlers use."""

    trace: Any
    propagate: Any
    tracer: Any
    duration: Any


class OtelHandler:
    """Make a span for each call, and within it one for each attempt.

    Two handlers work together: this one goes outermost, :attr:`attempts` innermost. The call's span
    (internal) lasts as long as the caller waits: retries, renewals and waits included. Those of the
    attempts (client) show each request that was sent, pass their context to the server in
    ``traceparent``, and are measured in ``http.client.request.duration``. A response from a cache
    has no attempt. An attempt includes its redirects, and a stream up to its head.

    ``auth.add_listener(otel.on_event)`` adds what happens to tokens as events of the call's span. A
    call may name itself by ``operation=``. No attribute holds a credential: URLs are masked, bodies
    and headers are not looked at, exceptions are named by their class alone. Shared between
    threads; it holds no state.

    Args:
        tracer_provider: By default the global one.
        meter_provider: By default the global one.

    Raises:
        ImportError: The extra ``otel`` is not installed.
    """

    name = "otel"
    options = frozenset({"operation"})

    __slots__ = ("_attempts", "_telemetry")

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        trace: Any = require("opentelemetry.trace", "otel")
        meter = require("opentelemetry.metrics", "otel").get_meter(_SCOPE, "", meter_provider)
        duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        tracer = trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)
        propagate = require("opentelemetry.propagate", "otel")
        self._telemetry = _Telemetry(trace, propagate, tracer, duration)
        self._attempts = AttemptsHandler(self._telemetry)

    @property
    def attempts(self) -> AttemptsHandler:
        """The handler to put innermost: it gives each attempt its span."""
        return self._attempts

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call within a span; exceptions pass."""
        known = _request_facts(exchange)
        name = exchange.option("operation") or known["http.request.method"]
        kind = self._telemetry.trace.SpanKind.INTERNAL
        with _span(self._telemetry, str(name), kind, known) as span:
            try:
                response = call_next(exchange)
            except Exception as error:
                _set_error(self._telemetry, span, error)
                raise
            else:
                _set_response(self._telemetry, span, exchange, response)
                return response
            finally:
                record = exchange.record
                span.set_attribute("sessionkit.attempts", len(record.attempts))
                span.set_attribute("sessionkit.renewals", len(record.renewals))
                span.set_attribute("sessionkit.from_cache", record.from_cache)

    def on_event(self, event: Event) -> None:
        """Add a renewal event to the current span.

        For :meth:`AuthHandler.add_listener <sessionkit.auth.AuthHandler.add_listener>`.
        """
        facts: dict[str, Any] = {"sessionkit.duration": event.duration}
        for name in ("waited", "early"):
            if hasattr(event, name):
                facts[f"sessionkit.{name}"] = getattr(event, name)
        error = getattr(event, "error", None)
        if error is not None:
            facts["error.type"] = type(error).__name__
        self._telemetry.trace.get_current_span().add_event(type(event).__name__, facts)

    def __repr__(self) -> str:
        return "OtelHandler()"


class AttemptsHandler:
    """Make a span for each attempt; see :class:`OtelHandler`."""

    name = "otel_attempts"

    __slots__ = ("_telemetry",)

    def __init__(self, tools: _Telemetry) -> None:
        self._telemetry = tools

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the attempt within a span, with its context in the headers."""
        tools, facts = self._telemetry, _request_facts(exchange)
        attempts, now = exchange.record.attempts, exchange.clock.monotonic
        resent = {"http.request.resend_count": len(attempts)} if attempts else {}
        method = facts["http.request.method"]
        name = "HTTP" if method == "_OTHER" else method
        with _span(tools, name, tools.trace.SpanKind.CLIENT, {**facts, **resent}) as span:
            carrier: dict[str, str] = {}
            tools.propagate.inject(carrier)
            started = now()
            try:
                response = call_next(exchange.with_headers(carrier) if carrier else exchange)
            except Exception as error:
                facts.update(_set_error(tools, span, error))
                raise
            else:
                facts.update(_set_response(tools, span, exchange, response))
                return response
            finally:
                measured = {k: v for k, v in facts.items() if k != "url.full"}
                tools.duration.record(now() - started, measured)

    def __repr__(self) -> str:
        return "OtelHandler().attempts"


def _span(tools: _Telemetry, name: str, kind: Any, facts: dict[str, Any]) -> Any:
    # Exceptions by class alone: their texts and tracebacks may hold secrets.
    return tools.tracer.start_as_current_span(
        name, kind=kind, attributes=facts, record_exception=False, set_status_on_exception=False
    )


def _request_facts(exchange: Exchange) -> dict[str, Any]:
    """Return the attributes of a request that are known before it is sent."""
    method = exchange.method.upper()
    facts: dict[str, Any] = {"http.request.method": method if method in _METHODS else "_OTHER"}
    try:
        url = exchange.resolved_url()
        scheme, _, authority = origin_of(url).partition("://")
    except Exception:  # noqa: BLE001  # the session will raise for this URL
        return facts
    host, _, port = authority.rpartition(":")
    if port.isdecimal():
        facts["server.port"] = int(port)
    facts["server.address"] = (host or authority).strip("[]")
    facts["url.scheme"] = scheme
    facts["url.full"] = _clean(url, exchange)
    return facts


def _set_response(
    tools: _Telemetry, span: Span, exchange: Exchange, response: Response
) -> dict[str, Any]:
    """Set the attributes of a response; return those that metrics have too."""
    first = response.history[0] if response.history else response
    url = getattr(first.request, "url", None)
    if url:
        span.set_attribute("url.full", _clean(url, exchange))
    status = response.status_code
    facts: dict[str, Any] = {"http.response.status_code": status}
    if status >= 400:
        facts["error.type"] = str(status)
        span.set_status(tools.trace.StatusCode.ERROR)
    span.set_attributes(facts)
    return facts


def _set_error(tools: _Telemetry, span: Span, error: Exception) -> dict[str, Any]:
    """Set the attributes of an exception; return those that metrics have too."""
    facts: dict[str, Any] = {"error.type": type(error).__qualname__}
    # Other errors may hold an earlier response.
    if isinstance(error, HTTPError) and error.response is not None:
        facts["http.response.status_code"] = error.response.status_code
    span.set_status(tools.trace.StatusCode.ERROR)
    span.set_attributes(facts)
    return facts


def _clean(url: str, exchange: Exchange) -> str:
    return scrub(redact_url(url), exchange.secret_values)
