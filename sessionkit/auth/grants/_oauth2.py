"""OAuth 2.0 token requests: client credentials, refresh with rotation, passwords (RFC 6749)."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from sessionkit._redact import redact_url
from sessionkit._tokens import Token
from sessionkit.auth.grants._endpoints import checked_url, endpoints_of
from sessionkit.auth.grants._token_request import Client
from sessionkit.auth.grants._token_response import read_token
from sessionkit.errors import ConfigError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from requests import Request, Response

    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._endpoints import Endpoints
    from sessionkit.auth.grants._token_request import ClientAuth

#: Where a token says which configured refresh token it descends from.
_SEED = "seed"


class ClientCredentials:
    """The client's own credentials (RFC 6749, section 4.4).

    Args:
        token_url: Absolute URL of the token endpoint, or the server's
            :class:`~sessionkit.auth.oauth.Endpoints`.
        client_id: Public identifier of the client.
        client_secret: Its secret; left out where *client_auth* is a proof of its own.
        scope: Scopes asked for, separated by blanks.
        client_auth: ``client_secret_basic`` sends the secret as HTTP Basic (section 2.3.1),
            ``client_secret_post`` in the form; or another proof, such as
            :class:`~sessionkit.auth.oauth.PrivateKeyJwt`.
        extra_params: Further form fields, such as ``audience``.
        headers: Further headers of the requests to the identity server, such as the API key of a
            gateway before it. They are sent nowhere else, and shown nowhere.
    """

    __slots__ = ("_client", "_extra_params", "_revocation_url", "_scope", "_token_url", "store_key")

    renewable = True

    def __init__(
        self,
        token_url: str | Endpoints,
        client_id: str,
        *,
        client_secret: str | None = None,
        scope: str = "",
        client_auth: str | ClientAuth = "client_secret_basic",
        extra_params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        server = endpoints_of(token_url)
        self._token_url = checked_url(server.token_url)
        self._revocation_url = server.revocation_url
        secret = (client_secret or "") if isinstance(client_auth, str) else None
        self._client = Client(client_id, secret, client_auth, headers)
        self._scope = scope
        self._extra_params = dict(extra_params or {})
        self.store_key = f"{client_id}@{redact_url(self._token_url)}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        """Ask for a token with the client's credentials."""
        scope = _joined(self._scope, rejected)
        form = {"grant_type": "client_credentials", **self._extra_params}
        if scope:
            form["scope"] = scope
        response = yield self._client.request(self._token_url, form)
        return read_token(response, scope=scope, secrets=self._client.secrets)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        from sessionkit.auth.grants._revocation import revocation

        return revocation(self._client, self._revocation_url, token)

    def __repr__(self) -> str:
        return f"ClientCredentials({redact_url(self._token_url)!r}, {self._client.name!r})"


class RefreshToken:
    """A refresh token that somebody obtained by logging in (RFC 6749, section 6).

    With a server that rotates (RFC 9700, section 4.14.2) each answer brings the next refresh token;
    it is saved in the store before the new access token is used.

    Args:
        token_url: Absolute URL of the token endpoint, or the server's
            :class:`~sessionkit.auth.oauth.Endpoints`.
        refresh_token: The first one; None where the store or ``login(token=...)`` brings it. Once a
            descendant of it is stored, the stored one is used; a different text given here is
            a new login.
        client_id: Public identifier of the client.
        client_secret: Its secret; None for a public client.
        scope: Scopes asked for; empty for those that were granted first.
        client_auth: See :class:`ClientCredentials`.
        headers: Likewise.
    """

    __slots__ = (
        *("_client", "_refresh_token", "_revocation_url", "_scope", "_seed", "_token_url"),
        "store_key",
    )

    renewable = True

    def __init__(
        self,
        token_url: str | Endpoints,
        refresh_token: str | None = None,
        *,
        client_id: str,
        client_secret: str | None = None,
        scope: str = "",
        client_auth: str | ClientAuth = "client_secret_basic",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        server = endpoints_of(token_url)
        self._token_url = checked_url(server.token_url)
        self._revocation_url = server.revocation_url
        self._client = Client(client_id, client_secret, client_auth, headers)
        self._refresh_token = refresh_token
        # Kept with each descendant, so that a text given anew is told from an old one: presenting
        # a refresh token that was used already ends the whole family at a strict server.
        self._seed = _fingerprint(refresh_token) if refresh_token else ""
        self._scope = scope
        # Two users of one client, in one store, are told apart by the token they began with.
        whose = f"#{self._seed}" if self._seed else ""
        self.store_key = f"{client_id}@{redact_url(self._token_url)}{whose}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        """Present the refresh token that is held, or the first one."""
        refresh = token.refresh_token if token is not None else None
        seed = token.extra.get(_SEED, "") if token is not None else ""
        if self._refresh_token and (refresh is None or (seed and seed != self._seed)):
            refresh, seed = self._refresh_token, self._seed
        if refresh is None:
            message = "there is no refresh token to renew with"
            hint = "log in, then give the Token to stack.handlers['auth'].login()"
            raise LoginRequired(message, hint=hint)
        scope = _joined(self._scope, rejected)
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        if scope:
            form["scope"] = scope
        response = yield self._client.request(self._token_url, form)
        secrets = (refresh, quote_plus(refresh), *self._client.secrets)
        fresh = read_token(response, scope=scope, secrets=secrets)
        # A server that does not rotate sends none: the old one goes on (RFC 6749, section 6).
        kept = {"refresh_token": fresh.refresh_token or refresh}
        return Token.from_dict({**fresh.to_dict(), **kept, "extra": {_SEED: seed} if seed else {}})

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        from sessionkit.auth.grants._revocation import revocation

        return revocation(self._client, self._revocation_url, token)

    def __repr__(self) -> str:
        return f"RefreshToken({redact_url(self._token_url)!r}, {self._client.name!r})"


def _joined(scope: str, rejected: Response | None) -> str:
    """Return the configured scope and that which the rejecting response asks for."""
    wanted = ""
    if rejected is not None:
        from sessionkit.headers._challenge import wanted_scope  # needed by refused calls alone

        wanted = wanted_scope(rejected.headers.get("WWW-Authenticate"))
    return " ".join(dict.fromkeys([*scope.split(), *wanted.split()]))


class Password:
    """A user's name and password (RFC 6749, section 4.3), for servers that know nothing newer.

    A refresh token that an answer brings is used first; the password again once that has ended.

    Args:
        token_url: Absolute URL of the token endpoint, or the server's
            :class:`~sessionkit.auth.oauth.Endpoints`.
        username: Whose token it is.
        password: The user's.
        client_id: Public identifier of the client.
        client_secret: Its secret, sent as HTTP Basic; None for a public client.
        scope: Scopes asked for, separated by blanks.
        headers: See :class:`ClientCredentials`.
    """

    __slots__ = (
        "_client",
        "_password",
        "_refresh",
        "_scope",
        "_token_url",
        "_username",
        "store_key",
    )

    renewable = True

    def __init__(
        self,
        token_url: str | Endpoints,
        username: str,
        *,
        password: str,
        client_id: str,
        client_secret: str | None = None,
        scope: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not username or not password:
            message = "username and password must not be empty"
            raise ConfigError(message, hint="an environment variable that is not set?")
        self._refresh = RefreshToken(
            token_url,
            client_id=client_id,
            client_secret=client_secret,
            scope=scope,
            headers=headers,
        )
        self._token_url = endpoints_of(token_url).token_url
        self._client = Client(client_id, client_secret, "client_secret_basic", headers)
        self._username = username
        self._password = password
        self._scope = scope
        self.store_key = f"{username}:{client_id}@{redact_url(self._token_url)}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        """Present the refresh token that is held; without one, or at its end, the password."""
        if token is not None and token.refresh_token is not None:
            with suppress(LoginRequired):
                return (yield from self._refresh.steps(token, rejected))
        scope = _joined(self._scope, rejected)
        form = {"grant_type": "password", "username": self._username, "password": self._password}
        if scope:
            form["scope"] = scope
        response = yield self._client.request(self._token_url, form)
        secrets = (self._password, quote_plus(self._password), *self._client.secrets)
        hint = (
            f"check the password of {self._username}: the server takes it no longer, or never did"
        )
        return read_token(response, scope=scope, secrets=secrets, hint=hint)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        return self._refresh.revoke_steps(token)

    def __repr__(self) -> str:
        return f"Password({redact_url(self._token_url)!r}, {self._username!r})"


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
