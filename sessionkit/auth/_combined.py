"""Grants made of other grants: one after another, and answers read by a function of the user's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests

from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit.auth._grants import Grant, Steps


class Fallback:
    """One grant after another: the next is asked where the one before it needs a login.

    A failure that may pass (the server is down) is raised as it is: falling back to a password for
    it would log in ever anew. Tokens are stored under the first grant's key.

    Args:
        grants: In the order in which they are tried; two at least.

    Raises:
        ConfigError: Fewer than two grants, or something that is none.
    """

    __slots__ = ("_grants", "key")

    renewable = True

    def __init__(self, *grants: Grant) -> None:
        if len(grants) < 2 or not all(callable(getattr(g, "steps", None)) for g in grants):
            message = "Fallback takes two grants or more, in the order in which they are tried"
            raise ConfigError(message)
        self._grants = grants
        self.key = grants[0].key

    def steps(self, held: Token | None, refused: Response | None) -> Steps:
        """Take the steps of the first grant that needs no login."""
        *first, last = self._grants
        for grant in first:
            try:
                return (yield from grant.steps(held, refused))
            except LoginRequired:
                # What the server will not take again, it will not take with this call's next.
                held = None
        return (yield from last.steps(held, refused))

    def __repr__(self) -> str:
        return f"Fallback({', '.join(map(repr, self._grants))})"


class Parsed:
    """A grant whose server answers in a way of its own, read by a function of yours.

    Args:
        grant: Asks as ever: which requests are sent, and how the client proves itself, is its.
        parse_token: Called with each answer of the token endpoint. Returns the
            :class:`~sessionkit.Token` that it holds, or None for an answer that the grant reads
            itself. What it raises about a body that is not as it expects is a ``RenewalFailed``.
    """

    __slots__ = ("_grant", "_parse", "key", "renewable")

    def __init__(self, grant: Grant, *, parse_token: Callable[[Response], Token | None]) -> None:
        if not callable(parse_token):
            raise ConfigError("parse_token must be a function of the answer")
        self._grant = grant
        self._parse = parse_token
        self.key = grant.key
        self.renewable = grant.renewable

    def steps(self, held: Token | None, refused: Response | None) -> Steps:
        """Take the grant's steps; each answer is read by the function first."""
        steps = self._grant.steps(held, refused)
        parsed: Token | None = None
        try:
            request = next(steps)
            while True:
                response = yield request
                parsed = self._parsed(response)
                request = steps.send(response if parsed is None else _standard(parsed))
        except StopIteration as done:
            return _completed(done.value, parsed)

    def _parsed(self, response: Response) -> Token | None:
        try:
            token: Any = self._parse(response)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            # Its text may quote the body, and with it a token.
            message = f"the token endpoint's answer could not be read: {type(error).__name__}"
            hint = "what parse_token raised; it returns None for answers that it does not know"
            raise RenewalFailed(message, hint=hint, status=response.status_code) from None
        if token is not None and not isinstance(token, Token):
            message = f"parse_token returned {type(token).__name__}, not a Token or None"
            raise RenewalFailed(message)
        return token

    def __repr__(self) -> str:
        name = getattr(self._parse, "__qualname__", type(self._parse).__name__)
        return f"Parsed({self._grant!r}, parse_token={name})"


def _completed(token: Token, parsed: Token | None) -> Token:
    """Return *token* with what the standard's form had no room for."""
    if parsed is None:
        return token
    fields = {**parsed.to_dict(), **token.to_dict()}
    return Token.from_dict({**fields, "extra": {**parsed.extra, **token.extra}})


def _standard(token: Token) -> Response:
    """Return the answer that a standard server would have given (RFC 6749, section 5.1)."""
    body = {"access_token": token.value, "token_type": "Bearer"}
    given = {name: getattr(token, name) for name in ("expires_in", "refresh_token", "scope")}
    body |= {name: value for name, value in given.items() if value is not None}
    response = requests.Response()
    response.status_code = 200
    response.headers["Content-Type"] = "application/json"
    response._content = json.dumps(body).encode()  # noqa: SLF001  # there is no other way in
    return response
