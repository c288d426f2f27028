"""What must be known of the wrapped session: where its URLs lead, how it authenticates.

Sessions of other libraries are known here and nowhere else in this package.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import requests

from sessionkit._origins import is_absolute, origin_of

if TYPE_CHECKING:
    from requests import PreparedRequest

    from sessionkit.chain._exchange import Exchange

#: The class itself, whatever a test or a plugin has put in place of ``requests.Session``.
STOCK_SESSION: type[requests.Session] = next(
    base for base in requests.sessions.Session.__mro__ if base.__module__ == "requests.sessions"
)
#: Sessions that write their own ``Authorization`` inside ``request``, by module and class.
_SESSIONS_WITH_OWN_AUTH = {
    ("requests_oauthlib.oauth2_session", "OAuth2Session"),
    ("requests_oauthlib.oauth1_session", "OAuth1Session"),
    ("authlib.integrations.requests_client.oauth2_session", "OAuth2Session"),
    ("authlib.integrations.requests_client.oauth1_session", "OAuth1Session"),
    ("google.auth.transport.requests", "AuthorizedSession"),
}
_REQUEST_PARTS = ("method", "url", "headers", "files", "data", "params", "auth", "cookies")


def has_own_auth(session: requests.Session) -> bool:
    """Return whether *session* writes an ``Authorization`` header inside its ``request``."""
    bases = type(session).__mro__
    return any((base.__module__, base.__qualname__) in _SESSIONS_WITH_OWN_AUTH for base in bases)


def own_auth(session: Any, url: str, kwargs: dict[str, Any]) -> Any:
    """Return what *session* would authenticate a request to *url* by, or None.

    Args:
        session: The wrapped session.
        url: Absolute.
        kwargs: Arguments of ``session.request``.
    """
    auth = kwargs.get("auth") or session.auth
    if auth is None and not kwargs.get("withhold_token"):
        # Authlib's, which its session gives as ``auth=`` where the call has none.
        auth = getattr(session, "token_auth", None)
    if auth is None and session.trust_env:
        auth = requests.utils.get_netrc_auth(url)
    return auth


def native_request(session: requests.Session, request: requests.Request) -> requests.Request:
    """Return *request* as the ``Request`` class of the session's own library (such as niquests)."""
    if isinstance(session, STOCK_SESSION):
        return request
    for base in type(session).__mro__:
        kind: Any = getattr(sys.modules.get(base.__module__), "Request", None)
        if base.__name__ == "Session" and kind is not None:
            given = {name: getattr(request, name) for name in _REQUEST_PARTS}
            native: requests.Request = kind(**given, json=request.json)
            return native
    return request


def bare_request(session: requests.Session, method: str | None, url: str | None) -> PreparedRequest:
    """Return what *session* makes of a method and a URL alone."""
    return session.prepare_request(native_request(session, requests.Request(method, url)))


def resolved_url(session: requests.Session, exchange: Exchange) -> str:
    """Return the absolute URL that *session* makes of the exchange's."""
    if exchange.prepared is not None:
        return exchange.prepared.url or ""
    if type(session) is STOCK_SESSION and is_absolute(exchange.url):
        return exchange.url
    return bare_request(session, exchange.method, exchange.url).url or ""


def session_origin(session: requests.Session) -> str | None:
    """Return the origin to which *session* resolves relative URLs, or None."""
    base = getattr(session, "base_url", None)
    try:
        if isinstance(base, str) and is_absolute(base):
            return origin_of(base)
        return origin_of(bare_request(session, "GET", "").url or "")
    except (requests.RequestException, ValueError):
        return None
