"""Cap the timeouts of a request by the time that a deadline leaves.

Apart, because the wire and the hops of a redirect both go by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from sessionkit.chain._exchange import Exchange


def cap_timeout(timeout: Any, exchange: Exchange) -> Any:
    """Return *timeout* (seconds, a pair, None or urllib3's own) capped by the time that is left."""
    left = (exchange.deadline or 0.0) - exchange.clock.monotonic()
    if left <= 0:
        message = "the deadline of this call passed before an attempt could be made"
        hint = "give the call more time: total_timeout= is for attempts, waits and renewal together"
        raise DeadlineExceeded(
            message, hint=hint, method=exchange.method, url=exchange.url, sent=exchange.record.sent
        )
    if timeout is None:
        return left
    if isinstance(timeout, tuple):
        return tuple(left if part is None else min(part, left) for part in timeout)
    if isinstance(timeout, (int, float)):
        return min(timeout, left)
    total = left if timeout.total is None else min(timeout.total, left)
    own = timeout.clone()  # urllib3's Timeout: its other parts stay as they are
    own.total = total
    return own
