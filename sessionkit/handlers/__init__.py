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
    from sessionkit.handlers._deprecation import (
        ApiDeprecationWarning as ApiDeprecationWarning,
        DeprecationHandler as DeprecationHandler,
    )
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
    from sessionkit.headers._server_timing import Metric as Metric, ServerTiming as ServerTiming


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_breaker": ("CircuitBreakerHandler",),
        "_curl": ("as_curl",),
        "_deprecation": ("ApiDeprecationWarning", "DeprecationHandler"),
        "_errors": ("ErrorHandler",),
        "_headers": ("HeadersHandler",),
        "_logging": ("LoggingHandler",),
        "_retry": ("RetryHandler",),
        "_retry_budget": ("RetryBudget",),
        "_retry_conditions": ("RetryIf",),
        "_size": ("SizeHandler",),
        "_timeouts": ("TimeoutHandler",),
        "_timing": ("TimingHandler",),
        "ratelimit._handler": ("RateLimitHandler",),
        "ratelimit._window": ("Limiter",),
        "sessionkit.headers._server_timing": ("Metric", "ServerTiming"),
    },
)
