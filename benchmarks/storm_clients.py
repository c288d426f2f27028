"""The clients that a storm is made with: each as its own documentation has it, over one login.

A client is a function of the identity server's origin, a pair of tokens, whether their end is
known, and a file that processes share; it returns a function that makes one call of the API and
returns the status.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    Call: TypeAlias = Callable[[], int]
    Client: TypeAlias = Callable[["Case"], Call]

LIFE = 3600


class Case:
    """What a client begins with.

    Attributes:
        origin: Of the identity server, which is the API too.
        access: The access token, which the server has ended.
        refresh: The refresh token, good once.
        known: Whether the client knows that the access token has ended.
        file: Where processes keep tokens.
    """

    def __init__(self, origin: str, pair: dict[str, str], *, known: bool, file: str) -> None:
        self.origin = origin
        self.access = pair["access_token"]
        self.refresh = pair["refresh_token"]
        self.known = known
        self.file = file

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"{self.origin}/api"

    @property
    def token_url(self) -> str:
        """Where the token endpoint is."""
        return f"{self.origin}/token"

    @property
    def end(self) -> float:
        """When the access token ends as far as the client knows, in seconds since the epoch."""
        return time.time() + (-10 if self.known else LIFE)

    def fields(self) -> dict[str, Any]:
        """Return the token as oauthlib's and authlib's sessions keep it; from the file if there."""
        if Path(self.file).exists():
            kept: dict[str, Any] = json.loads(Path(self.file).read_text("utf-8"))
            return kept
        fields = {"access_token": self.access, "refresh_token": self.refresh}
        return {**fields, "token_type": "Bearer", "expires_at": self.end}

    def keep(self, token: dict[str, Any]) -> None:
        """Save a token, as the callbacks in the documentation of these sessions do."""
        Path(self.file).write_text(json.dumps(token), "utf-8")


def sessionkit(case: Case, kind: str = "sqlite") -> Call:
    """A stack over a session, its tokens in SQLite or another store that is a file."""
    from sessionkit import SessionStack, Token
    from sessionkit.auth import AuthHandler, RefreshToken
    from sessionkit.stores import open_store

    grant = RefreshToken(case.token_url, case.refresh, client_id="app")
    store = open_store(f"{kind}:{case.file}.{kind}")
    if store.load(grant.store_key) is None:
        first = Token(case.access, refresh_token=case.refresh, expires_at=case.end)
        store.save(grant.store_key, first)
    stack = SessionStack(
        requests.Session(), [AuthHandler(grant, store=store)], base_url=case.origin
    )
    return lambda: stack.get("/api").status_code


def google_auth(case: Case) -> Call:
    """AuthorizedSession over user credentials; it knows no store."""
    from google.auth.transport.requests import AuthorizedSession
    from google.oauth2.credentials import Credentials

    # Naive and in UTC, as google-auth wants it.
    expiry = dt.datetime.fromtimestamp(case.end, dt.UTC).replace(tzinfo=None)
    credentials = Credentials(  # type: ignore[no-untyped-call]  # google-auth is half typed
        case.access,
        refresh_token=case.refresh,
        token_uri=case.token_url,
        client_id="app",
        client_secret="none",
        expiry=expiry,
    )
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # as above
    return lambda: int(session.get(case.url).status_code)


def requests_oauthlib(case: Case) -> Call:
    """OAuth2Session with automatic refresh and a token updater."""
    from requests_oauthlib import OAuth2Session

    token = case.fields()
    token["expires_in"] = token["expires_at"] - time.time()
    session = OAuth2Session(
        "app",
        token=token,
        auto_refresh_url=case.token_url,
        auto_refresh_kwargs={"client_id": "app"},
        token_updater=case.keep,
    )
    return lambda: int(session.get(case.url).status_code)


def authlib(case: Case) -> Call:
    """OAuth2Session with a token endpoint and an updater."""
    from authlib.integrations.requests_client import OAuth2Session

    def update(token: dict[str, Any], **_: Any) -> None:
        case.keep(token)

    session = OAuth2Session(
        "app",
        token=case.fields(),
        token_endpoint=case.token_url,
        update_token=update,
        token_endpoint_auth_method="none",
    )
    return lambda: int(session.get(case.url).status_code)


def requests_auth(case: Case) -> Call:
    """A session's ``auth`` by password and refresh token; it looks at no 401."""
    from requests_auth import OAuth2, OAuth2ResourceOwnerPasswordCredentials

    auth = OAuth2ResourceOwnerPasswordCredentials(case.token_url, "ada", "word")
    # What a first call would have left there.
    OAuth2.token_cache._add_token(auth.state, case.access, case.end, case.refresh)  # noqa: SLF001  # there is no public way
    session = requests.Session()
    session.auth = auth
    return lambda: session.get(case.url).status_code


def azure_core(case: Case) -> Call:
    """A pipeline with the bearer policy, over a credential that refreshes when it is asked."""
    from azure.core import PipelineClient
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy
    from azure.core.rest import HttpRequest

    class Credential:
        """Hands out what it has until that has ended."""

        def __init__(self) -> None:
            self.token = AccessToken(case.access, int(case.end))
            self.refresh = case.refresh

        def get_token(self, *_: str, **__: Any) -> AccessToken:
            if self.token.expires_on > time.time():
                return self.token
            form = {"grant_type": "refresh_token", "refresh_token": self.refresh}
            answer = requests.post(case.token_url, data=form, timeout=30)
            answer.raise_for_status()
            body = answer.json()
            self.refresh = body["refresh_token"]
            self.token = AccessToken(body["access_token"], int(time.time()) + body["expires_in"])
            return self.token

    client: Any = PipelineClient(
        case.origin, policies=[BearerTokenCredentialPolicy(Credential(), "scope")]
    )

    def call() -> int:
        request = HttpRequest("GET", case.url)
        return int(client.send_request(request, enforce_https=False).status_code)

    return call


CLIENTS: dict[str, Client] = {
    "sessionkit": sessionkit,
    "sessionkit, JSON file": partial(sessionkit, kind="file"),
    "google-auth": google_auth,
    "requests-oauthlib": requests_oauthlib,
    "authlib": authlib,
    "requests-auth": requests_auth,
    "azure-core": azure_core,
}
