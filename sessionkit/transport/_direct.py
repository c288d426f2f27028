"""Send a request past all handlers (a token request), or look at what would be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from sessionkit.bodies._response import read_within, response_raised_for
from sessionkit.chain._exchange import DEFAULT_TIMEOUT, MAX_DIRECT_BYTES, Preview
from sessionkit.chain._record import Attempt
from sessionkit.transport._credentials import CredentialPlacer, is_authorization
from sessionkit.transport._redirects import RedirectHook
from sessionkit.transport._sessions import native_request

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import Exchange

_GIVEN = ("auth", "cookies", "headers", "params")
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
    left = max(end - started, 0.001)
    connect, read = DEFAULT_TIMEOUT
    timeouts = (min(connect, left), min(read, left))
    try:
        prepared = native_request(session, request).prepare()
        for name, value in _HEADERS.items():
            prepared.headers.setdefault(name, value)
        RedirectHook(clock).attach(prepared)
        response = _sent(session, prepared, timeouts)
        attempt.status = response.status_code
        read_within(response, clock, end, max_bytes=MAX_DIRECT_BYTES)
    except Exception as error:
        attempt.error = type(error).__name__
        raise
    finally:
        attempt.duration = clock.monotonic() - started
    return response


def _sent(
    session: requests.Session, prepared: PreparedRequest, timeouts: tuple[float, float]
) -> Response:
    settings = session.merge_environment_settings(prepared.url or "", {}, True, None, None)  # noqa: FBT003  # requests' signature
    try:
        return session.send(prepared, allow_redirects=False, timeout=timeouts, **settings)
    except Exception as error:
        response = response_raised_for(error)
        if response is None:
            raise
        return response


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
        if any(map(is_authorization, exchange.credentials)):
            # As when it is sent: the session's own authentication is not asked.
            given["auth"] = _unchanged
        wanted = requests.Request(exchange.method, exchange.url, **given)
        request = session.prepare_request(native_request(session, wanted))
    # As on a hop to another place, where credentials are placed and no step is run.
    CredentialPlacer(exchange.credentials).on_redirect(request)
    certificate = exchange.options.get("cert") or getattr(session, "cert", None)
    return Preview(request, certificate)


def _unchanged(request: PreparedRequest) -> PreparedRequest:
    return request
