"""The kinds of session that others made, each with all it needs to be made: one table for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import cachecontrol
import google.auth.credentials
import pytest
import requests
import requests_cache
import requests_oauthlib
import requests_unixsocket
from authlib.integrations.requests_client import (
    OAuth1Session as AuthlibOAuth1,
    OAuth2Session as AuthlibOAuth2,
)
from authlib.oauth1 import ClientAuth
from google.auth.transport.requests import AuthorizedSession
from requests_toolbelt.sessions import BaseUrlSession

#: What sessions with a token of their own send.
OWN_TOKEN = "own-token"
#: What the two of OAuth 1 sign with: client, its secret, token, its secret.
OAUTH1 = ("client", "client-secret", "resource", "resource-secret")


class OwnCredentials(google.auth.credentials.Credentials):
    """google-auth's credentials; a refresh gives the token that is handed over, and is counted."""

    def __init__(self, token: str = OWN_TOKEN, refreshed: str = OWN_TOKEN) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # google-auth is half typed
        self.token = token
        self.refreshed = refreshed
        self.refreshes = 0

    def refresh(self, request: Any) -> None:
        """Take the other token."""
        self.refreshes += 1
        self.token = self.refreshed


class WithSend(requests.Session):
    """A session that overrides send."""

    sent: ClassVar[list[str]] = []

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Note the URL."""
        self.sent.append(request.url or "")
        return super().send(request, **kwargs)


class WithPrepareRequest(requests.Session):
    """A session that overrides prepare_request."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Add a query parameter."""
        prepared = super().prepare_request(request)
        prepared.prepare_url(prepared.url or "", {"tenant": "blue"})
        return prepared


class WithRequest(requests.Session):
    """A session that overrides request, as those with a default time-out do."""

    seen_timeouts: ClassVar[list[Any]] = []

    def request(self, method: str, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Give a time-out where there is none."""
        kwargs.setdefault("timeout", 3)
        self.seen_timeouts.append(kwargs["timeout"])
        return super().request(method, url, *args, **kwargs)


class Raising(requests.Session):
    """A session that raises for a status."""

    def request(self, method: str, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Raise where the answer is an error."""
        response = super().request(method, url, *args, **kwargs)
        response.raise_for_status()
        return response


def base_url(origin: str) -> requests.Session:
    """Make requests-toolbelt's, which resolves relative URLs itself."""
    session: requests.Session = BaseUrlSession(f"{origin}/")
    return session


def cached(_: str) -> requests.Session:
    """Make requests-cache's, in memory."""
    return requests_cache.CachedSession(backend="memory")


def cache_controlled(_: str) -> requests.Session:
    """Make a session with CacheControl's adapter, which caches as the server says."""
    return cachecontrol.CacheControl(requests.Session())


def oauthlib2(_: str) -> requests.Session:
    """Make requests-oauthlib's for OAuth 2, with a token of its own."""
    session: requests.Session = requests_oauthlib.OAuth2Session(token={"access_token": OWN_TOKEN})
    return session


def oauthlib1(_: str) -> requests.Session:
    """Make requests-oauthlib's for OAuth 1; its requests are all signed at one moment."""
    session: requests.Session = requests_oauthlib.OAuth1Session(
        *OAUTH1, nonce="0123456789", timestamp="1700000000"
    )
    return session


def authlib2(_: str) -> requests.Session:
    """Make Authlib's for OAuth 2, with a token of its own."""
    token = {"access_token": OWN_TOKEN, "token_type": "bearer"}
    session: requests.Session = AuthlibOAuth2(token=token)
    return session


def authlib1(_: str) -> requests.Session:
    """Make Authlib's for OAuth 1; its requests are all signed at one moment."""

    class AtOneMoment(AuthlibOAuth1.auth_class):  # type: ignore[misc]  # Authlib is untyped
        def get_oauth_params(self, nonce: str, timestamp: str) -> Any:
            return ClientAuth.get_oauth_params(self, "0123456789", "1700000000")

    class Session(AuthlibOAuth1):  # type: ignore[misc]  # Authlib is untyped
        auth_class = AtOneMoment

    session: requests.Session = Session(
        OAUTH1[0], OAUTH1[1], token=OAUTH1[2], token_secret=OAUTH1[3]
    )
    return session


def google_auth(_: str) -> requests.Session:
    """Make google-auth's, with credentials of its own."""
    session: requests.Session = AuthorizedSession(OwnCredentials())  # type: ignore[no-untyped-call]  # it ships no types
    return session


def unix_socket(_: str) -> requests.Session:
    """Make requests-unixsocket's; it goes to other addresses as any session does."""
    session: requests.Session = requests_unixsocket.Session()
    return session


@dataclass(frozen=True)
class Kind:
    """A kind of session.

    Attributes:
        name: Of its class, or what is special.
        distribution: Whose it is.
        make: Given the origin of the server that it will talk to.
        token: Whether it adds a bearer token of its own inside ``request``.
        signs: Whether it signs its requests, in ``Authorization`` too.
    """

    name: str
    distribution: str
    make: Callable[[str], requests.Session]
    token: bool = False
    signs: bool = False

    @property
    def brings(self) -> bool:
        """Whether it fills ``Authorization`` itself."""
        return self.token or self.signs


PLAIN = Kind("stock", "requests", lambda _: requests.Session())
OWN_REQUEST = Kind("own request", "requests", lambda _: WithRequest())
OWN_PREPARE = Kind("own prepare_request", "requests", lambda _: WithPrepareRequest())
RAISING = Kind("raises for status", "requests", lambda _: Raising())
GOOGLE = Kind("AuthorizedSession", "google-auth", google_auth, token=True)
KINDS = (
    PLAIN,
    Kind("BaseUrlSession", "requests-toolbelt", base_url),
    Kind("CachedSession", "requests-cache", cached),
    Kind("CacheControl", "cachecontrol", cache_controlled),
    Kind("OAuth2Session", "requests-oauthlib", oauthlib2, token=True),
    Kind("OAuth1Session", "requests-oauthlib", oauthlib1, signs=True),
    Kind("OAuth2Session", "authlib", authlib2, token=True),
    Kind("OAuth1Session", "authlib", authlib1, signs=True),
    GOOGLE,
    Kind("Session", "requests-unixsocket", unix_socket),
    Kind("own send", "requests", lambda _: WithSend()),
    OWN_PREPARE,
    OWN_REQUEST,
    RAISING,
)


def every(kinds: Iterable[Kind] = KINDS) -> pytest.MarkDecorator:
    """Return the mark that runs a test, which takes ``kind``, with each of *kinds*."""
    return pytest.mark.parametrize(
        "kind",
        [
            pytest.param(
                kind,
                id=f"{kind.distribution}: {kind.name}",
                marks=pytest.mark.package(kind.distribution, "session"),
            )
            for kind in kinds
        ],
    )
