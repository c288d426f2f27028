"""Links of the chain, each of one purpose. None knows another.

Imported by their paths, for each needs an extra: `cache.CacheHandler`, `limits.SharedRateLimiter`,
`otel.OtelHandler`, `prometheus.PrometheusHandler`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.handlers._breaker import CircuitBreakerHandler as CircuitBreakerHandler
    from sessionkit.handlers._curl import as_curl as as_curl
    from sessionkit.handlers._deprecation import ApiDeprecationWarning as ApiDeprecationWarning
    from sessionkit.handlers._deprecation import DeprecationHandler as DeprecationHandler
    from sessionkit.handlers._errors import ErrorHandler as ErrorHandler
    from sessionkit.handlers._headers import HeadersHandler as HeadersHandler
    from sessionkit.handlers._logging import LoggingHandler as LoggingHandler
    from sessionkit.handlers._retry import RetryHandler as RetryHandler
    from sessionkit.handlers._retry_budget import RetryBudget as RetryBudget
    from sessionkit.handlers._retry_conditions import RetryIf as RetryIf
    from sessionkit.handlers._size import SizeHandler as SizeHandler
    from sessionkit.handlers._timeouts import TimeoutHandler as TimeoutHandler
    from sessionkit.handlers._timing import TimingHandler as TimingHandler
    from sessionkit.handlers.ratelimit._handler import RateLimitHandler as RateLimitHandler
    from sessionkit.handlers.ratelimit._window import Limiter as Limiter
    from sessionkit.headers._server_timing import Metric as Metric
    from sessionkit.headers._server_timing import ServerTiming as ServerTiming

_PLACES = {
    "ApiDeprecationWarning": "_deprecation",
    "CircuitBreakerHandler": "_breaker",
    "TimeoutHandler": "_timeouts",
    "DeprecationHandler": "_deprecation",
    "ErrorHandler": "_errors",
    "HeadersHandler": "_headers",
    "Limiter": "ratelimit._window",
    "LoggingHandler": "_logging",
    "Metric": "sessionkit.headers._server_timing",
    "RateLimitHandler": "ratelimit._handler",
    "RetryBudget": "_retry_budget",
    "RetryHandler": "_retry",
    "ServerTiming": "sessionkit.headers._server_timing",
    "SizeHandler": "_size",
    "TimingHandler": "_timing",
    "RetryIf": "_retry_conditions",
    "as_curl": "_curl",
}

__all__ = [
    "ApiDeprecationWarning",
    "CircuitBreakerHandler",
    "DeprecationHandler",
    "ErrorHandler",
    "HeadersHandler",
    "Limiter",
    "LoggingHandler",
    "Metric",
    "RateLimitHandler",
    "RetryBudget",
    "RetryHandler",
    "RetryIf",
    "ServerTiming",
    "SizeHandler",
    "TimeoutHandler",
    "TimingHandler",
    "as_curl",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
