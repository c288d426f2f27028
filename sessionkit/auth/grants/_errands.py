"""Requests of grants that take more than sending: a wait before, or a user in between.

The walk through a grant's steps lets such a request ``perform`` itself, and knows nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from requests import Request

from sessionkit.errors import RenewalFailed

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.auth.grants._runner import TokenRequestRunner

#: No user logs in within less, in seconds; so none is asked where less is left. Early renewals,
#: which hold up a call that has a good token, have half of it.
MIN_LOGIN_TIME = 10.0


class DelayedRequest(Request):
    """A request that is sent after a wait.

    Args:
        request: What is sent.
        seconds: How long to wait before, by the stack's clock.
    """

    def __init__(self, request: Request, seconds: float) -> None:
        super().__init__(request.method, request.url)
        self._request = request
        self._seconds = seconds

    def perform(self, ask: TokenRequestRunner) -> Response:
        """Wait, and send it; within the call's deadline."""
        left = self._seconds
        if ask.deadline is not None:
            left = max(min(left, ask.deadline - ask.clock.monotonic()), 0.0)
        ask.clock.sleep(left)
        if left < self._seconds:
            message = "the call's deadline came before the user had logged in"
            raise RenewalFailed(message, hint="log in by login(stack), which waits for the user")
        return ask.send(self._request)


class UserRequest(Request):
    """A request that begins to ask a user. It is not sent in a hurry; its answer is no token."""

    #: Its answer is read by nobody but the grant.
    prelude = True

    @classmethod
    def of(cls, request: Request) -> UserRequest:
        """Return *request* as one of this kind."""
        return cls(
            request.method,
            request.url,
            headers=request.headers,
            data=request.data,
            auth=request.auth,
        )

    def perform(self, ask: TokenRequestRunner) -> Response:
        """Send it, if there is time for a user to answer."""
        require_time_for_user(ask)
        return ask.send(self)


def require_time_for_user(ask: TokenRequestRunner) -> None:
    """Refuse to ask a user where the call cannot wait for the answer.

    Raises:
        RenewalFailed: The deadline is near.
    """
    if ask.deadline is not None and ask.deadline - ask.clock.monotonic() < MIN_LOGIN_TIME:
        message = "too little time is left to ask a user to log in"
        hint = "log in beforehand by login(stack), or give the call a longer deadline"
        raise RenewalFailed(message, hint=hint)
