"""Links of the chain, each of one purpose. None knows another.

Imported by their paths, for each needs an extra: `cache.CacheHandler`, `limits.FleetRate`,
`otel.OtelHandler`, `prometheus.PrometheusHandler`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._faces import lazy

if TYPE_CHECKING:
    from sessionkit.handlers._breaker import BreakerHandler as BreakerHandler
    from sessionkit.handlers._budget import RetryBudget as RetryBudget
    from sessionkit.handlers._curl import as_curl as as_curl
    from sessionkit.handlers._deadline import DeadlineHandler as DeadlineHandler
    from sessionkit.handlers._deprecation import ApiDeprecationWarning as ApiDeprecationWarning
    from sessionkit.handlers._deprecation import DeprecationHandler as DeprecationHandler
    from sessionkit.handlers._errors import ErrorHandler as ErrorHandler
    from sessionkit.handlers._headers import HeadersHandler as HeadersHandler
    from sessionkit.handlers._logging import LoggingHandler as LoggingHandler
    from sessionkit.handlers._passing import When as When
    from sessionkit.handlers._rate import Limiter as Limiter
    from sessionkit.handlers._ratelimit import RateLimitHandler as RateLimitHandler
    from sessionkit.handlers._retry import RetryHandler as RetryHandler
    from sessionkit.handlers._server_timing import Metric as Metric
    from sessionkit.handlers._server_timing import ServerTiming as ServerTiming
    from sessionkit.handlers._size import SizeHandler as SizeHandler
    from sessionkit.handlers._timing import TimingHandler as TimingHandler

_PLACES = {
    "ApiDeprecationWarning": "_deprecation",
    "BreakerHandler": "_breaker",
    "DeadlineHandler": "_deadline",
    "DeprecationHandler": "_deprecation",
    "ErrorHandler": "_errors",
    "HeadersHandler": "_headers",
    "Limiter": "_rate",
    "LoggingHandler": "_logging",
    "Metric": "_server_timing",
    "RateLimitHandler": "_ratelimit",
    "RetryBudget": "_budget",
    "RetryHandler": "_retry",
    "ServerTiming": "_server_timing",
    "SizeHandler": "_size",
    "TimingHandler": "_timing",
    "When": "_passing",
    "as_curl": "_curl",
}

__all__ = [
    "ApiDeprecationWarning",
    "BreakerHandler",
    "DeadlineHandler",
    "DeprecationHandler",
    "ErrorHandler",
    "HeadersHandler",
    "Limiter",
    "LoggingHandler",
    "Metric",
    "RateLimitHandler",
    "RetryBudget",
    "RetryHandler",
    "ServerTiming",
    "SizeHandler",
    "TimingHandler",
    "When",
    "as_curl",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
