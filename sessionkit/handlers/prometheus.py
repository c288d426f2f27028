"""Metrics for Prometheus (extra ``prometheus``): calls, attempts, retries and renewals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import HTTPError

from sessionkit._optional import require
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry
    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange
    from sessionkit.events import Event

__all__ = ["PrometheusHandler"]

_METHODS = frozenset(
    ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE")
)
_OTHER = "other"
#: Seconds. They reach further than those of an attempt alone would, because a call also waits.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_RENEWALS = {
    "TokenRenewed": "renewed",
    "TokenAdopted": "adopted",
    "TokenWaited": "waited",
    "TokenRenewalFailed": "failed",
}


class _BoundedLabel:
    """A label with a bounded number of values; all after the first ones are ``other``.

    No cache: what it forgets would come back as one more label. Threads that add a value at the
    same time may each exceed the bound by one.
    """

    __slots__ = ("_known", "_max_values")

    def __init__(self, max_values: int) -> None:
        self._known: dict[str, None] = {}
        self._max_values = max_values

    def __call__(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= self._max_values:
                return _OTHER
            self._known.setdefault(value)
        return value


class PrometheusHandler:
    """Count calls and attempts, and measure their durations.

    Place it outermost, so that it sees the whole call. Its metrics, after *namespace*:

    - ``calls_total``: calls that ended, by ``method``, ``host``, ``status`` and ``error``.
    - ``call_seconds``: their durations, by ``method`` and ``host``.
    - ``attempts_total``: requests that were sent for them, by the same labels as calls.
    - ``attempt_seconds``: their durations, by ``method`` and ``host``.
    - ``retries_total``: attempts after the first of a call, those after a renewal included.
    - ``cached_total``: calls with a response from a cache.
    - ``token_renewals_total`` and ``token_renewal_seconds``: token renewals, by ``outcome``:
      ``renewed``, ``adopted`` from another process, ``waited`` for another thread, ``failed``; fed
      by ``auth.add_listener(prometheus.on_event)``.

    Labels are bounded, whatever servers and callers do: ``status`` is a class such as ``5xx`` or
    ``none``, ``error`` a class name or empty, unknown methods and hosts beyond the first
    *max_hosts* are ``other``. No label holds a path, a query or a credential. Thread-safe; one
    handler may serve several stacks.

    Args:
        registry: Registry of the metrics; by default prometheus_client's own.
        namespace: The first word of every metric's name.
        buckets: Upper bounds of the histograms, in seconds.
        max_hosts: The most hosts with a label of their own.

    Raises:
        ConfigError: The registry has metrics of these names already.
        ImportError: The extra ``prometheus`` is not installed.
    """

    name = "prometheus"

    __slots__ = (
        *("_attempt_seconds", "_attempts", "_cached", "_call_seconds", "_calls", "_error"),
        *("_host", "_namespace", "_renewal_seconds", "_renewals", "_retries"),
    )

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        *,
        namespace: str = "sessionkit",
        buckets: Iterable[float] = _BUCKETS,
        max_hosts: int = 100,
    ) -> None:
        client: Any = require("prometheus_client", "prometheus")
        registry = client.REGISTRY if registry is None else registry
        self._namespace = namespace
        self._host, self._error = _BoundedLabel(max_hosts), _BoundedLabel(100)
        bounds = tuple(buckets)
        labels = ("method", "host")
        ended = (*labels, "status", "error")

        def counter(name: str, text: str, labels: tuple[str, ...]) -> Any:
            return client.Counter(name, text, labels, namespace=namespace, registry=registry)

        def histogram(name: str, text: str, labels: tuple[str, ...]) -> Any:
            return client.Histogram(
                name, text, labels, namespace=namespace, registry=registry, buckets=bounds
            )

        try:
            self._calls = counter("calls", "Calls that ended", ended)
            self._call_seconds = histogram("call_seconds", "Duration of calls", labels)
            self._attempts = counter("attempts", "Requests that were sent", ended)
            self._attempt_seconds = histogram("attempt_seconds", "Duration of requests", labels)
            self._retries = counter("retries", "Requests after the first of a call", labels)
            self._cached = counter("cached", "Calls with a response from a cache", labels)
            self._renewals = counter("token_renewals", "Token renewals by outcome", ("outcome",))
            self._renewal_seconds = histogram(
                "token_renewal_seconds", "Duration of renewals", ("outcome",)
            )
        except ValueError as error:
            message = f"these metrics cannot be registered: {error}"
            hint = "give one handler to all stacks, or each a namespace or a registry of its own"
            raise ConfigError(message, hint=hint) from error

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call and count its outcome; exceptions pass."""
        try:
            response = call_next(exchange)
        except Exception as error:
            self._count(exchange, _status_of(error), type(error).__name__)
            raise
        self._count(exchange, response.status_code, "")
        return response

    def on_event(self, event: Event) -> None:
        """Count a renewal event.

        For :meth:`AuthHandler.add_listener <sessionkit.auth.AuthHandler.add_listener>`.
        """
        outcome = _RENEWALS.get(type(event).__name__, _OTHER)
        self._renewals.labels(outcome).inc()
        self._renewal_seconds.labels(outcome).observe(event.duration)

    def _count(self, exchange: Exchange, status: int | None, error: str) -> None:
        record = exchange.record
        labels = (_method(exchange.method), self._host(_host(exchange)))
        self._calls.labels(*labels, _status_class(status), self._error(error)).inc()
        seconds = exchange.clock.monotonic() - record.started
        self._call_seconds.labels(*labels).observe(seconds)
        for attempt in record.attempts:
            known = self._error(attempt.error or "")
            self._attempts.labels(*labels, _status_class(attempt.status), known).inc()
            self._attempt_seconds.labels(*labels).observe(attempt.duration)
        if len(record.attempts) > 1:
            self._retries.labels(*labels).inc(len(record.attempts) - 1)
        if record.from_cache:
            self._cached.labels(*labels).inc()

    def __repr__(self) -> str:
        return f"PrometheusHandler(namespace={self._namespace!r})"


def _method(method: str) -> str:
    upper = method.upper()
    return upper if upper in _METHODS else _OTHER


def _host(exchange: Exchange) -> str:
    origin = exchange.target_origin()
    if origin is None:
        return _OTHER
    authority = origin.partition("://")[2]
    host, _, port = authority.rpartition(":")
    return host if host and port.isdecimal() else authority


def _status_of(error: Exception) -> int | None:
    """Return the status that *error* was raised for; other errors may hold an earlier response."""
    response = error.response if isinstance(error, HTTPError) else None
    return getattr(response, "status_code", None)


def _status_class(status: int | None) -> str:
    return f"{status // 100}xx" if isinstance(status, int) and 100 <= status < 600 else "none"
