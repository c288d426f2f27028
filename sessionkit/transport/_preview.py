"""Requests as a session would make them, looked at before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from sessionkit.chain._exchange import Preview
from sessionkit.transport._credentials import Placement
from sessionkit.transport._direct import own_kind

if TYPE_CHECKING:
    from requests import PreparedRequest

    from sessionkit.chain._exchange import Exchange

_GIVEN = ("auth", "cookies", "headers", "params")


def preview_of(session: requests.Session, exchange: Exchange) -> Preview:
    """Return what *session* would send first of *exchange*.

    What a session adds only while it sends, inside its own ``request`` or an adapter, is not there.

    Raises:
        requests.RequestException: The session cannot make a request of it.
    """
    if exchange.prepared is not None:
        request = exchange.prepared.copy()
    else:
        given: dict[str, Any] = {name: exchange.options.get(name) for name in _GIVEN}
        if any(secret.name.lower() == "authorization" for secret in exchange.secrets):
            # As when it is sent: the session's own authentication is not asked.
            given["auth"] = _unchanged
        wanted = requests.Request(exchange.method, exchange.url, **given)
        request = session.prepare_request(own_kind(session, wanted))
    # As on a hop to another place, where credentials are placed and no late step is run.
    Placement(exchange).hop(request)
    certificate = exchange.options.get("cert") or getattr(session, "cert", None)
    return Preview(request, certificate)


def _unchanged(request: PreparedRequest) -> PreparedRequest:
    return request
