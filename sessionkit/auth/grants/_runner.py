"""What one call wants of the renewal, and the walk through a grant's steps."""

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
    """What one call wants of the renewal; see :class:`~sessionkit.auth.renewal._renewal.Ask`."""

    __slots__ = (
        *("_grant", "_sent_at", "_via"),
        *("clock", "deadline", "refused", "ticket", "want"),
    )

    def __init__(
        self, grant: Grant, via: Sender, clock: Clock, *, ticket: int, deadline: float | None
    ) -> None:
        self._grant = grant
        self._via = via
        self._sent_at = 0.0
        self.clock = clock
        self.deadline = deadline
        self.want = ""
        self.refused: Response | None = None
        self.ticket = ticket

    def obtain(self, held: Token | None) -> Token:
        """Walk through the grant's steps; each request goes past all handlers."""
        return self._token(self._grant.steps(held, self.refused))

    def ask_user(self) -> Token | None:
        """Ask a user to log in; None where the grant has no way to."""
        begin: Any = getattr(self._grant, "login_steps", None)
        return None if begin is None else self._token(begin())

    def revoke(self, tokens: list[Token]) -> None:
        """Tell the server that *tokens* shall end; each, whatever becomes of the others.

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
                self._walk(begin(token))
            except AuthError as error:
                failure = error
        try:
            if failure is not None:
                raise failure
        finally:
            # Its traceback holds this frame, and this frame it.
            del failure

    def _token(self, steps: Any) -> Token:
        token = self._walk(steps)
        if not isinstance(token, Token):
            message = f"{type(self._grant).__name__} gave {type(token).__name__}, not a Token"
            raise RenewalFailed(message, hint="its steps must return one")
        return token.with_expiry(self._sent_at)

    def _walk(self, steps: Any) -> Any:
        self._sent_at = self.clock.time()
        try:
            request = next(steps)
            while True:
                try:
                    response = self._performed(request)
                except RenewalFailed as error:
                    # A grant may go on without this answer; most let the failure pass.
                    request = steps.throw(error)
                else:
                    request = steps.send(response)
        except StopIteration as done:
            return done.value

    def _performed(self, request: Request) -> Response:
        perform: Any = getattr(request, "perform", None)
        return self.send(request) if perform is None else perform(self)

    def send(self, request: Request) -> Response:
        """Send one request past all handlers.

        Raises:
            RenewalFailed: There was no answer; none of the request's secrets is shown.
        """
        # The token's life counts from here: the answer may be long on its way.
        self._sent_at = self.clock.time()
        try:
            response: Response = self._via.send_direct(request, timeout=self._timeout())
        except (AuthError, ConfigError):
            raise
        except (requests.RequestException, ValueError) as error:
            cause = tools.scrub_exception(error, _sent_texts(request))
        else:
            return response
        # Raised outside of `except`, or the original with its secrets would be the context.
        message = f"the token endpoint gave no answer: {type(cause).__name__}"
        hint = "the next call tries again"
        try:
            raise RenewalFailed(
                message, hint=hint, method=request.method, url=str(request.url), retryable=True
            ) from cause
        finally:
            # Its traceback holds this frame, and this frame it: a circle with the caller's locals.
            del cause

    def _timeout(self) -> float | None:
        return None if self.deadline is None else self.deadline - self.clock.monotonic()

    def log(self, error: SessionKitError) -> None:
        """Note a failure that does not answer this call."""
        logging.getLogger("sessionkit.auth").warning("the token could not be renewed: %s", error)


def _sent_texts(request: Request) -> list[str]:
    """Return what the form and the headers of *request* hold: any of it may be a secret."""
    parts: tuple[Any, ...] = (request.data, request.headers)
    return [text for part in parts if isinstance(part, dict) for text in part.values() if text]
