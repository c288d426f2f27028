"""Grants made of other grants: as fallbacks, with a reader of odd responses, or interactive."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import requests

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit.auth.grants._base import Grant, Steps


_LOG = logging.getLogger("sessionkit.auth")


class _Wrapper:
    """A grant made of others: their store key, and what they can do besides."""

    __slots__ = ("_grants", "store_key")

    renewable = True

    def __init__(self, *grants: Grant) -> None:
        self._grants = grants
        self.store_key = grants[0].store_key

    def _optional(self, name: str) -> Any:
        """Return the method *name* of the first grant that has it, or None; grants need not."""
        found = (getattr(grant, name, None) for grant in self._grants)
        return next((method for method in found if method is not None), None)

    @property
    def revoke_steps(self) -> Callable[[Token], Any] | None:
        """The first grant's ``revoke_steps``, of those that can revoke a token; else None."""
        begin: Callable[[Token], Any] | None = self._optional("revoke_steps")
        return begin

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._grants))})"


class FallbackGrant(_Wrapper):
    """One grant after another: the next is asked where the one before it needs a login.

    A failure that may pass (the server is down) is raised as it is: falling back to a password for
    it would log in ever anew. Tokens are stored under the first grant's key.

    Args:
        grants: In the order in which they are tried; two at least.

    Raises:
        ConfigError: Fewer than two grants, or something that is none.
    """

    __slots__ = ()

    def __init__(self, *grants: Grant) -> None:
        if len(grants) < 2 or not all(callable(getattr(g, "steps", None)) for g in grants):
            message = "FallbackGrant takes two grants or more, in the order in which they are tried"
            raise ConfigError(message)
        super().__init__(*grants)

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        *first, last = self._grants
        for grant in first:
            try:
                return (yield from grant.steps(token, rejected))
            except LoginRequired as error:
                _LOG.info("%s needs a login, the next grant is asked: %s", grant, error)
                # What the server will not take again, it will not take with this call's next.
                token = None
        return (yield from last.steps(token, rejected))

    @property
    def login_steps(self) -> Callable[[], Steps] | None:
        """The first grant's ``login_steps``, of those that can ask a user; else None."""
        begin: Callable[[], Steps] | None = self._optional("login_steps")
        return begin


class ParsedGrant(_Wrapper):
    """A grant whose server responds in a way of its own, read by a function of yours.

    Args:
        grant: Asks as ever: which requests are sent, and how the client proves itself, is its.
        parse_token: Called with each response of the token endpoint. Returns the
            :class:`~sessionkit.Token` that it holds, or None for a response that the grant reads
            itself. What it raises about a body that is not as it expects is a ``RenewalFailed``.
    """

    __slots__ = ("_parse", "renewable")

    def __init__(self, grant: Grant, *, parse_token: Callable[[Response], Token | None]) -> None:
        if not callable(parse_token):
            raise ConfigError("parse_token must be a function of the response")
        super().__init__(grant)
        self._parse = parse_token
        self.renewable = grant.renewable

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        return self._read(self._grants[0].steps(token, rejected))

    @property
    def login_steps(self) -> Callable[[], Steps] | None:
        """The grant's ``login_steps``, each response read by the function; else None."""
        begin = self._optional("login_steps")
        return None if begin is None else lambda: self._read(begin())

    def _read(self, steps: Steps) -> Steps:
        parsed: Token | None = None
        try:
            request = next(steps)
            while True:
                try:
                    response = yield request
                except RenewalFailed as error:
                    request = steps.throw(error)
                    continue
                holds_token = getattr(request, "is_token_request", True)
                parsed = self._parsed(response) if holds_token else None
                request = steps.send(response if parsed is None else _standard(parsed))
        except StopIteration as done:
            return _completed(done.value, parsed)

    def _parsed(self, response: Response) -> Token | None:
        try:
            token: Any = self._parse(response)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # Its text may quote the body, and with it a token.
            message = f"the token endpoint's response could not be read: {type(error).__name__}"
            hint = "what parse_token raised; it returns None for responses that it does not know"
            raise RenewalFailed(message, hint=hint, status=response.status_code) from None
        if token is not None and not isinstance(token, Token):
            message = f"parse_token returned {type(token).__name__}, not a Token or None"
            raise RenewalFailed(message)
        return token

    def __repr__(self) -> str:
        name = getattr(self._parse, "__qualname__", type(self._parse).__name__)
        return f"ParsedGrant({self._grants[0]!r}, parse_token={name})"


class InteractiveGrant(_Wrapper):
    """A grant that may ask its user in the middle of a call: for programs in front of which one is.

    Without it only ``login(stack)`` opens a browser or shows a code, and a call that would need it
    raises ``LoginRequired``. One thread asks, and the others wait for the user as they would for
    any renewal: until their deadlines, or a minute.

    Args:
        grant: One that can ask, such as :class:`~sessionkit.auth.oauth.AuthorizationCode`.

    Raises:
        ConfigError: It cannot.
    """

    __slots__ = ("_ask_user",)

    def __init__(self, grant: Grant) -> None:
        super().__init__(grant)
        begin: Callable[[], Steps] | None = self._optional("login_steps")
        if begin is None:
            message = f"{type(grant).__name__} asks no user to log in"
            raise ConfigError(message, hint="wrap an AuthorizationCode or a DeviceCode")
        self._ask_user = begin

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        try:
            return (yield from self._grants[0].steps(token, rejected))
        except LoginRequired:
            pass
        return (yield from self._ask_user())

    # No login_steps of its own: `login(stack)` would ask a user again who has just said no.


def _completed(token: Token, parsed: Token | None) -> Token:
    """Return *token* with what the standard's form had no room for."""
    if parsed is None:
        return token
    fields = {**parsed.to_dict(), **token.to_dict()}
    return Token.from_dict({**fields, "extra": {**parsed.extra, **token.extra}})


def _standard(token: Token) -> Response:
    """Return the response that a standard server would have given (RFC 6749, section 5.1)."""
    body = {"access_token": token.value, "token_type": "Bearer"}
    given = {name: getattr(token, name) for name in ("expires_in", "refresh_token", "scope")}
    body |= {name: value for name, value in given.items() if value is not None}
    response = requests.Response()
    response.status_code = 200
    response.headers["Content-Type"] = "application/json"
    response._content = json.dumps(body).encode()  # noqa: SLF001  # there is no other way in
    return response
