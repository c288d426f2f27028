"""The recommended chain: one readable list."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sessionkit.auth._schemes import Bearer
from sessionkit.auth.renewal._policy import USUAL
from sessionkit.handlers._errors import ErrorHandler
from sessionkit.handlers._retry import RetryHandler
from sessionkit.handlers._timeouts import TimeoutHandler
from sessionkit.handlers._timing import TimingHandler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit.auth._schemes import Scheme
    from sessionkit.auth.grants._base import Grant
    from sessionkit.auth.renewal._policy import RenewalPolicy
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
    policy: RenewalPolicy = USUAL,
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
        total_timeout: Seconds that a call may take, all attempts, waits and renewal included; None
            sets no limit.
        errors: Whether answers of 400 and above are raised. False for a stack that is handed to
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
            grant, store=store, scheme=scheme, origins=origins, policy=policy
        )
    return chain
