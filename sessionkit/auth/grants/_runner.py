"""Run the steps of a grant: send each request past all handlers, after a wait or with a user."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import requests

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._tokens import Token
from sessionkit.errors import AuthError, ConfigError, RenewalFailed, SessionKitError, tools

if TYPE_CHECKING:
    from requests import Request, Response

    from sessionkit._clock import Clock
    from sessionkit.auth.grants._base import Grant

#: No user logs in within less, in seconds; so none is asked where less is left. Early renewals,
#: which hold up a call that has a valid token, have half of it.
MIN_LOGIN_TIME = 10.0


class Sender(Protocol):
    """What a login needs: a stack."""

    def send_direct(self, request: Request, *, timeout: float | None = None) -> Response:
        """Send *request* past all handlers, within *timeout* seconds."""
        ...


def clock_of(via: Sender) -> Clock:
    """Return the clock of a stack; what stands in for one may have none."""
    clock: Clock = getattr(via, "clock", SYSTEM_CLOCK)
    return clock


class TokenRequestRunner:
    """What one call gives the renewal (a ``TokenSource``): it runs a grant's steps."""

    __slots__ = (
        *("_grant", "_sender", "_sent_at"),
        *("clock", "deadline", "entered_after", "rejected", "scope"),
    )

    def __init__(
        self,
        grant: Grant,
        sender: Sender,
        clock: Clock,
        *,
        entered_after: int,
        deadline: float | None,
    ) -> None:
        self._grant = grant
        self._sender = sender
        self._sent_at = 0.0
        self.clock = clock
        self.deadline = deadline
        self.scope = ""
        self.rejected: Response | None = None
        self.entered_after = entered_after

    def obtain(self, held: Token | None) -> Token:
        """Return the token that the grant's steps lead to."""
        return self._token(self._grant.steps(held, self.rejected))

    def ask_user(self) -> Token | None:
        """Return the token of a user who is asked to log in; None if the grant cannot ask."""
        begin: Any = getattr(self._grant, "login_steps", None)
        return None if begin is None else self._token(begin())

    def revoke(self, tokens: list[Token]) -> None:
        """Revoke each of *tokens* at the server, whatever becomes of the others.

        Raises:
            AuthError: The server did not confirm it.
            ConfigError: The grant does not know how.
        """
        begin: Any = getattr(self._grant, "revoke_steps", None)
        if begin is None:
            message = f"a token of {type(self._grant).__name__} cannot be revoked"
            raise ConfigError(message, hint="log out with revoke=False")
        failure: AuthError | None = None
        for token in tokens:
            try:
                self._run(begin(token))
            except AuthError as error:
                failure = error
        try:
            if failure is not None:
                raise failure
        finally:
            # Its traceback holds this frame, and this frame it.
            del failure

    def _token(self, steps: Any) -> Token:
        token = self._run(steps)
        if not isinstance(token, Token):
            message = f"{type(self._grant).__name__} gave {type(token).__name__}, not a Token"
            raise RenewalFailed(message, hint="its steps must return one")
        return token.with_expiry(self._sent_at)

    def _run(self, steps: Any) -> Any:
        self._sent_at = self.clock.time()
        try:
            request = next(steps)
            while True:
                try:
                    response = self._send_step(request)
                except RenewalFailed as error:
                    # A grant may go on without this response; most let the failure pass.
                    request = steps.throw(error)
                else:
                    request = steps.send(response)
        except StopIteration as done:
            return done.value

    def _send_step(self, request: Request) -> Response:
        perform: Any = getattr(request, "perform", None)
        return self.send(request) if perform is None else perform(self)

    def send(self, request: Request) -> Response:
        """Send one request past all handlers.

        Raises:
            RenewalFailed: There was no response; none of the request's secrets is shown.
        """
        # The token's lifetime counts from here: the response may be long on its way.
        self._sent_at = self.clock.time()
        try:
            response: Response = self._sender.send_direct(request, timeout=self.time_left())
        except (AuthError, ConfigError):
            raise
        except (requests.RequestException, ValueError) as error:
            cause = tools.scrub_exception(error, _sent_texts(request))
        else:
            return response
        # Raised outside of `except`, or the original with its secrets would be the context.
        message = f"the token endpoint gave no response: {type(cause).__name__}"
        hint = "the next call tries again"
        try:
            raise RenewalFailed(
                message, hint=hint, method=request.method, url=str(request.url), retryable=True
            ) from cause
        finally:
            # Its traceback holds this frame, and this frame it: a circle with the caller's locals.
            del cause

    def time_left(self) -> float | None:
        """Return the seconds until the call's deadline; None without one."""
        return None if self.deadline is None else self.deadline - self.clock.monotonic()

    def require_time_for_user(self) -> None:
        """Refuse to ask a user where the call cannot wait for the login.

        Raises:
            RenewalFailed: The deadline is near.
        """
        left = self.time_left()
        if left is not None and left < MIN_LOGIN_TIME:
            message = "too little time is left to ask a user to log in"
            hint = "log in beforehand by login(stack), or give the call a longer total_timeout"
            raise RenewalFailed(message, hint=hint)

    def log(self, error: SessionKitError) -> None:
        """Log a failure that is not raised in this call."""
        logging.getLogger("sessionkit.auth").warning("the token could not be renewed: %s", error)


class DelayedRequest(requests.Request):
    """A request that is sent after a wait.

    Args:
        request: What is sent.
        delay: Seconds to wait before, by the stack's clock.
    """

    def __init__(self, request: Request, delay: float) -> None:
        super().__init__(request.method, request.url)
        self._request = request
        self._delay = delay

    def perform(self, runner: TokenRequestRunner) -> Response:
        """Wait, and send it; within the call's deadline."""
        left = runner.time_left()
        delay = self._delay if left is None else max(min(self._delay, left), 0.0)
        runner.clock.sleep(delay)
        if delay < self._delay:
            message = "the call's deadline came before the user had logged in"
            raise RenewalFailed(message, hint="log in by login(stack), which waits for the user")
        return runner.send(self._request)


class UserRequest(requests.Request):
    """A request by which a user is asked; sent only if there is time for a login."""

    #: Its response holds no token: only the grant reads it.
    is_token_request = False

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

    def perform(self, runner: TokenRequestRunner) -> Response:
        """Send it, if there is time for a user to log in."""
        runner.require_time_for_user()
        return runner.send(self)


def _sent_texts(request: Request) -> list[str]:
    """Return what the form and the headers of *request* hold: any of it may be a secret."""
    parts: tuple[Any, ...] = (request.data, request.headers)
    return [text for part in parts if isinstance(part, dict) for text in part.values() if text]
