"""The recommended chain, and the text of ``stack.explain()``: settings and warnings of a chain.

What it says is looked up when it is asked, nothing on the way of a call.
"""

from __future__ import annotations

import os
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sessionkit._redact import redact_url, scrub
from sessionkit.auth._schemes import Bearer
from sessionkit.auth.renewal._policy import DEFAULT_POLICY
from sessionkit.handlers._errors import ErrorHandler
from sessionkit.handlers._retry import RetryHandler
from sessionkit.handlers._timeouts import TimeoutHandler
from sessionkit.handlers._timing import TimingHandler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sessionkit.auth._schemes import Scheme
    from sessionkit.auth.grants._base import Grant
    from sessionkit.auth.renewal._policy import RenewalPolicy
    from sessionkit.chain._chain import Handlers
    from sessionkit.chain._exchange import Handler
    from sessionkit.stores._base import TokenStore

#: Outermost first; the places of handlers that users add are known too, so that
#: ``explain()`` can warn of an order in which they cannot do their work.
ORDER = (
    *("otel", "logging", "errors", "timing", "deprecation", "timeout", "retry"),
    *("circuit_breaker", "headers", "auth", "cache", "ratelimit", "otel_attempts"),
)

DEFAULT_SCHEME = Bearer()


def recommended(
    grant: Grant | None = None,
    *,
    store: TokenStore | None = None,
    scheme: Scheme = DEFAULT_SCHEME,
    origins: Iterable[str] | None = None,
    policy: RenewalPolicy = DEFAULT_POLICY,
    store_key: str | None = None,
    total_timeout: float | None = None,
    errors: bool = True,
) -> dict[str, Handler]:
    """Return the recommended handlers by name, outermost first: a plain mapping, yours to edit.

    ``errors`` is outermost, so that all others look at plain responses. ``timing`` measures the
    whole call. ``timeout`` brings default timeouts. ``retry`` stands outside ``auth``, so each
    attempt takes the current token and a renewal costs no retry. Where the environment variable
    ``SESSIONKIT_LOG`` names a level, such as ``info``, ``stderr_log`` is put outermost: it writes
    each call to standard error.

    Args:
        grant: How to obtain a token; without one there is no ``auth`` handler.
        store: Where tokens are kept; by default in memory.
        scheme: Where a token goes on a request.
        origins: Origins that a token may go to; by default that of the stack's ``base_url``.
        policy: When a token is renewed.
        store_key: Name under which the token is stored; by default the grant's.
        total_timeout: Seconds that a call may take, all attempts, waits and renewal included; None
            sets no limit.
        errors: Whether responses of 400 and above are raised. False for a stack that is handed to
            code written for a plain session.
    """
    chain: dict[str, Handler] = {}
    if wanted := os.environ.get("SESSIONKIT_LOG"):
        from sessionkit.handlers._logging import stderr_log

        if (log := stderr_log(wanted)) is not None:
            # Under a name of its own: the variable must not clash with a handler of the user's.
            chain["stderr_log"] = log
    if errors:
        chain["errors"] = ErrorHandler()
    chain["timing"] = TimingHandler()
    chain["timeout"] = TimeoutHandler(total_timeout)
    chain["retry"] = RetryHandler()
    if grant is not None:
        # A program without a login need not load what renews tokens.
        from sessionkit.auth._handler import AuthHandler

        chain["auth"] = AuthHandler(
            grant, store=store, scheme=scheme, origins=origins, policy=policy, store_key=store_key
        )
    return chain


def explain_stack(session: Any, handlers: Handlers, base_url: str | None) -> str:
    """Describe a stack in plain lines; never a secret."""
    lines = [f"SessionStack over {type(session).__module__}.{type(session).__qualname__}"]
    lines.append(f"base_url: {redact_url(base_url) if base_url else 'none'}")
    lines.append("handlers, outermost first:" if len(handlers) else "handlers: none (transparent)")
    width = max(map(len, handlers.names), default=0)
    for number, (name, handler) in enumerate(zip(handlers.names, handlers, strict=True), 1):
        lines.append(f"  {number}. {name:<{width}}  {_settings(handler)}")
    warnings = (*_order(handlers), *_doubled_retries(session, handlers), *_pools(session))
    lines.extend(f"warning: {text}" for text in warnings)
    return "\n".join(lines)


def _settings(handler: Any) -> str:
    while isinstance(handler, partial):
        handler = handler.func  # its own repr would show the arguments, secrets among them
    if hasattr(handler, "__qualname__"):
        return f"function {handler.__module__}.{handler.__qualname__}"
    kind: Any = type(handler)
    if kind.__repr__ is object.__repr__:
        # The default repr would show an address, which says nothing.
        return f"{kind.__module__}.{kind.__qualname__}"
    return scrub(repr(handler))  # a dataclass shows its fields, a key among them


def _order(handlers: Handlers) -> Iterator[str]:
    placed = [name for name in handlers.names if name in ORDER]
    for outer, inner in pairwise(placed):
        if ORDER.index(outer) > ORDER.index(inner):
            yield f"{outer!r} stands outside {inner!r}; recommended is the other way round"


def _doubled_retries(session: Any, handlers: Handlers) -> Iterator[str]:
    if "retry" not in handlers:
        return
    for prefix, adapter in getattr(session, "adapters", {}).items():
        total = getattr(getattr(adapter, "max_retries", None), "total", 0)
        if total:
            yield (
                f"the adapter at {prefix} retries {total} times by itself, inside each attempt of "
                f"'retry'; mount it with max_retries=0, or take 'retry' out"
            )


def _pools(session: Any) -> Iterator[str]:
    """Yield what urllib3's pools show: connections thrown away, and calls that must wait."""
    adapters: dict[str, Any] = dict(getattr(session, "adapters", {}))
    # One adapter is often mounted twice.
    for adapter in {id(adapter): adapter for adapter in adapters.values()}.values():
        mounted = " and ".join(prefix for prefix, known in adapters.items() if known is adapter)
        for pool in _pools_of(adapter):
            yield from _pool(pool, mounted)


def _pools_of(adapter: Any) -> Iterator[Any]:
    proxies: Any = getattr(adapter, "proxy_manager", {})
    for keeper in (getattr(adapter, "poolmanager", None), *proxies.values()):
        # Past the face of this container, for which a look is a use: it gives up pools by that.
        pools: Any = getattr(getattr(keeper, "pools", None), "_container", {})
        yield from list(pools.values())


def _pool(pool: Any, mounted: str) -> Iterator[str]:
    queue: Any = getattr(pool, "pool", None)
    if not hasattr(queue, "queue"):
        return  # closed meanwhile, or another library's
    slots, size, opened = list(queue.queue), queue.maxsize, pool.num_connections
    place = f"{pool.scheme}://{pool.host}:{pool.port}"
    if pool.block and not slots:
        yield (
            f"all {size} connections to {place} are in use, and further calls wait for one; a "
            f"response of stream=True holds its own until it is read or closed; more are had by "
            f"mounting HTTPAdapter(pool_maxsize=N, pool_block=True) at {mounted}"
        )
    # A slot without a connection tells that some broke one by one, which no size cures.
    if not pool.block and 0 < size < opened and None not in slots:
        yield (
            f"{opened} connections were opened to {place} for {pool.num_requests} requests, but "
            f"its pool keeps {size}: where more threads call at once, mount "
            f"HTTPAdapter(pool_maxsize=N) at {mounted}, N being their number"
        )
