"""Send a request by the session, past all handlers: a token request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import requests

from sessionkit.bodies._response import answer_within, read_within
from sessionkit.chain._exchange import DEFAULT_TIMEOUT, MAX_DIRECT_BYTES
from sessionkit.chain._record import Attempt
from sessionkit.transport._redirects import RedirectHook
from sessionkit.transport._timeouts import least

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import Exchange

#: The class itself, whatever a test or a plugin has put in place of ``requests.Session``.
STOCK_SESSION: type[requests.Session] = next(
    base for base in requests.sessions.Session.__mro__ if base.__module__ == "requests.sessions"
)
_HEADERS = {"Accept": "application/json", "Cache-Control": "no-store"}


def send_direct(
    session: requests.Session,
    request: requests.Request,
    exchange: Exchange,
    *,
    timeout: float | None,
) -> Response:
    """Send *request* past all handlers; see :meth:`Exchange.send_direct`."""
    record, clock = exchange.record, exchange.clock
    started = clock.monotonic()
    attempt = Attempt(len(record.renewals) + 1, started - record.started)
    record.renewals.append(attempt)
    end = started + (
        sum(DEFAULT_TIMEOUT) if timeout is None else min(timeout, sum(DEFAULT_TIMEOUT))
    )
    if exchange.deadline is not None:
        end = min(end, exchange.deadline)
    timeouts = least(DEFAULT_TIMEOUT, max(end - started, 0.001))
    try:
        prepared = own_kind(session, request).prepare()
        for name, value in _HEADERS.items():
            prepared.headers.setdefault(name, value)
        RedirectHook(clock).put_on(prepared)
        response = _sent(session, prepared, timeouts)
        attempt.status = response.status_code
        read_within(response, clock, end, most_bytes=MAX_DIRECT_BYTES)
    except Exception as error:
        attempt.error = type(error).__name__
        raise
    finally:
        attempt.seconds = clock.monotonic() - started
    return response


def own_kind(session: requests.Session, request: requests.Request) -> requests.Request:
    """Return *request* as the class that a session of another make (niquests) works with."""
    if isinstance(session, STOCK_SESSION):
        return request
    for base in type(session).__mro__:
        kind: Any = getattr(sys.modules.get(base.__module__), "Request", None)
        if base.__name__ == "Session" and kind is not None:
            names = ("method", "url", "headers", "files", "data", "params", "auth", "cookies")
            given = {name: getattr(request, name) for name in names}
            own: requests.Request = kind(**given, json=request.json)
            return own
    return request


def bare_request(session: requests.Session, method: str | None, url: str | None) -> PreparedRequest:
    """Return what *session* makes of a method and a URL alone."""
    return session.prepare_request(own_kind(session, requests.Request(method, url)))


def _sent(
    session: requests.Session, prepared: PreparedRequest, timeouts: tuple[float, float]
) -> Response:
    settings = session.merge_environment_settings(prepared.url or "", {}, True, None, None)  # noqa: FBT003  # requests' signature
    try:
        return session.send(prepared, allow_redirects=False, timeout=timeouts, **settings)
    except Exception as error:
        response = answer_within(error)
        if response is None:
            raise
        return response
