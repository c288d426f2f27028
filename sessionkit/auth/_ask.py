"""What one call wants of the renewal, and the walk through a grant's steps."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import requests

from sessionkit._tokens import Token
from sessionkit.errors import AuthError, ConfigError, RenewalFailed, SessionKitError, scrubbed

if TYPE_CHECKING:
    from requests import Request, Response

    from sessionkit._clock import Clock
    from sessionkit.auth._grants import Grant


class Via(Protocol):
    """What a login needs: a stack."""

    def side(self, request: Request, *, deadline: float | None = None) -> Response:
        """Send *request* past all handlers."""
        ...


class TokenAsk:
    """What one call wants of the renewal; see :class:`~sessionkit.auth._renewal.Ask`."""

    __slots__ = ("_grant", "_via", "clock", "deadline", "refused", "ticket", "want")

    def __init__(
        self, grant: Grant, via: Via, clock: Clock, *, ticket: int, deadline: float | None
    ) -> None:
        self._grant = grant
        self._via = via
        self.clock = clock
        self.deadline = deadline
        self.want = ""
        self.refused: Response | None = None
        self.ticket = ticket

    def obtain(self, held: Token | None) -> Token:
        """Walk through the grant's steps; each request goes past all handlers."""
        steps = self._grant.steps(held, self.refused)
        sent_at = self.clock.time()
        try:
            request = next(steps)
            while True:
                # Its life counts from here: the answer may have been long on its way.
                sent_at = self.clock.time()
                request = steps.send(self._sent(request))
        except StopIteration as done:
            token: Any = done.value
            if not isinstance(token, Token):
                message = f"{type(self._grant).__name__} gave {type(token).__name__}, not a Token"
                raise RenewalFailed(message, hint="its steps must return one") from None
            return token.stamped(sent_at)

    def _sent(self, request: Request) -> Response:
        try:
            response: Response = self._via.side(request, deadline=self.deadline)
        except (AuthError, ConfigError):
            raise
        except (requests.RequestException, ValueError) as error:
            cause = scrubbed(error, _form_texts(request))
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

    def log(self, error: SessionKitError) -> None:
        """Note a failure that does not answer this call."""
        logging.getLogger("sessionkit.auth").warning("the token could not be renewed: %s", error)


def _form_texts(request: Request) -> list[str]:
    form: Any = request.data
    return [text for text in form.values() if text] if isinstance(form, dict) else []
