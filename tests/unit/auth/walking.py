"""Grants walked through against a real token endpoint."""

from __future__ import annotations

from typing import Any

import requests

from sessionkit import Token
from sessionkit.auth import ClientCredentials, Grant, RefreshToken
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

TOKEN = {"access_token": "new", "token_type": "Bearer"}
BASIC = "Basic YXBwOndvcmQ="  # app:word


def credentials(url: str, **settings: Any) -> ClientCredentials:
    """Return the credentials of a client."""
    return ClientCredentials(url, "app", client_secret="word", **settings)


def walked(
    grant: Grant, token: Token | None = None, rejected: requests.Response | None = None
) -> Token:
    """Send the requests of a grant, and return the token that comes of it."""
    steps = grant.steps(token, rejected)
    with requests.Session() as session:
        try:
            request = next(steps)
            while True:
                request = steps.send(session.send(request.prepare(), allow_redirects=False))
        except StopIteration as done:
            obtained: Token = done.value
            return obtained


def asked(
    make: Any, token: Token | None = None, rejected: Any = None, answer: Any = None, **settings: Any
) -> tuple[ServerRequest, Token]:
    """Make a grant for a server, walk through it, and return what was asked and what came."""
    with LoopbackServer(lambda _: ServerResponse(200, answer or TOKEN)) as server:
        obtained = walked(make(f"{server.origin}/token", **settings), token, rejected)
        (seen,) = server.requests
    return seen, obtained


def answered(reply: ServerResponse, grant: Any = None) -> Token:
    """Walk through a grant at a server that answers *reply*."""
    with LoopbackServer(lambda _: reply) as server:
        return walked((grant or credentials)(f"{server.origin}/token"))


def refreshing(url: str, refresh_token: str | None = "first", **settings: Any) -> RefreshToken:
    """Return the grant of somebody who logged in."""
    return RefreshToken(url, refresh_token, client_id="app", **settings)


def insufficient(scope: str) -> requests.Response:
    """Return a refusal that names the scope it misses."""
    response = requests.Response()
    response.status_code = 403
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    response.headers["WWW-Authenticate"] = challenge
    return response
