"""OAuth 2.0 grants: client credentials, refresh token, password (RFC 6749)."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from sessionkit._redact import redact_url
from sessionkit._tokens import Token
from sessionkit.auth.grants._token_endpoint import UNSET, OAuthGrant
from sessionkit.errors import ConfigError, LoginRequired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._token_endpoint import ClientAuth, Endpoints

#: Where a token says which configured refresh token it descends from.
_SEED = "seed"


class ClientCredentials(OAuthGrant):
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

    __slots__ = ("_extra_params",)

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
        # A client without any proof has no credentials.
        secret = (client_secret or "") if isinstance(client_auth, str) else client_secret
        super().__init__(
            token_url, client_id, secret=secret, auth=client_auth, scope=scope, headers=headers
        )
        self._extra_params = dict(extra_params or {})

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        scope = self._scope_for(rejected)
        form = {"grant_type": "client_credentials", **self._extra_params}
        if scope:
            form["scope"] = scope
        return self._token_steps(form, scope=scope)


class RefreshToken(OAuthGrant):
    """A refresh token that a user obtained by logging in (RFC 6749, section 6).

    With a server that rotates (RFC 9700, section 4.14.2) each response holds the next refresh
    token; it is saved in the store before the new access token is used.

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

    __slots__ = ("_refresh_token", "_seed")

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
        super().__init__(
            token_url, client_id, secret=client_secret, auth=client_auth, headers=headers
        )
        self._scope = scope
        self._refresh_token = refresh_token
        # Kept with each descendant, so that a text given anew is told from an old one: presenting
        # a refresh token that was used already ends the whole family at a strict server.
        self._seed = _fingerprint(refresh_token) if refresh_token else ""
        # Two users of one client, in one store, are told apart by the token they began with.
        whose = f"#{self._seed}" if self._seed else ""
        self.store_key += whose

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        refresh = token.refresh_token if token is not None else None
        seed = token.extra.get(_SEED, "") if token is not None else ""
        if self._refresh_token and (refresh is None or (seed and seed != self._seed)):
            refresh, seed = self._refresh_token, self._seed
        fresh = yield from self._refresh_steps(refresh, rejected)
        return Token.from_dict({**fresh.to_dict(), "extra": {_SEED: seed} if seed else {}})


class Password(OAuthGrant):
    """A user's name and password (RFC 6749, section 4.3), for servers that know nothing newer.

    A refresh token that a response holds is used first; the password again once that has ended.

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

    __slots__ = ("_password", "_username")

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
            raise ConfigError("username and password must not be empty", hint=UNSET)
        super().__init__(token_url, client_id, secret=client_secret, scope=scope, headers=headers)
        self._username = username
        self._password = password
        self.store_key = f"{username}:{self.store_key}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        if token is not None and token.refresh_token is not None:
            with suppress(LoginRequired):
                return (yield from self._refresh_steps(token.refresh_token, rejected))
        scope = self._scope_for(rejected)
        form = {
            "grant_type": "password",
            "username": self._username,
            "password": self._password,
            "scope": scope,
        }
        hint = f"check the password of {self._username}: the server no longer accepts it"
        return (yield from self._token_steps(form, self._password, scope=scope, hint=hint))

    def __repr__(self) -> str:
        return f"Password({redact_url(self._url)!r}, {self._username!r})"


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
