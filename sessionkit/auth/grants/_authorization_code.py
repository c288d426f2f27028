"""Authorization code with PKCE: a user logs in with a browser (RFC 6749, 4.1; RFC 7636)."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sessionkit._redact import redact_url
from sessionkit.auth.grants._browser import Browser, BrowserRequest
from sessionkit.auth.grants._token_endpoint import OAuthGrant, checked_url, is_secure_url
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit._tokens import Token
    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._token_endpoint import ClientAuth, Endpoints

_TRANSIENT = frozenset(("server_error", "temporarily_unavailable"))
#: What a user, or the server in a user's stead, said no with (OpenID Connect Core, 3.1.2.6).
_REFUSED_BY_USER = frozenset(
    (
        *("access_denied", "account_selection_required", "consent_required"),
        *("interaction_required", "login_required"),
    )
)
_AGAIN = "log in again by login(stack)"


class AuthorizationCode(OAuthGrant):
    """A user logs in with a browser on this machine; the refresh token serves from then on.

    Only ``login(stack)`` asks the user. A call that finds no token that can be renewed raises
    ``LoginRequired``; wrap the grant in :class:`~sessionkit.auth.InteractiveGrant` to have calls
    ask too. The code is bound to this program by PKCE with S256, and the redirect by a state.

    Args:
        server: Its ``authorization_url`` and ``token_url`` are needed.
        client_id: Public identifier of the client.
        client_secret: Its secret; None for a public client, as programs on users' machines are.
        scope: Scopes asked for, separated by blanks.
        client_auth: See :class:`~sessionkit.auth.ClientCredentials`.
        headers: Likewise; the browser does not send them.
        browser: How the user's browser is shown the page, and where it comes back to.

    Raises:
        ConfigError: A URL that is missing, or that others could read.
    """

    __slots__ = ("_browser",)

    def __init__(
        self,
        server: Endpoints,
        client_id: str,
        *,
        client_secret: str | None = None,
        scope: str = "",
        client_auth: str | ClientAuth = "client_secret_basic",
        headers: Mapping[str, str] | None = None,
        browser: Browser | None = None,
    ) -> None:
        checked_url(server.authorization_url, "authorization_url")
        if not is_secure_url(server.authorization_url):
            message = "authorization_url must be https: the user types a password there"
            raise ConfigError(message)
        super().__init__(
            server, client_id, secret=client_secret, auth=client_auth, scope=scope, headers=headers
        )
        self._browser = browser if browser is not None else Browser()

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        return self._refresh_without_user(token, rejected)

    def login_steps(self) -> Steps:
        """Have the user log in with a browser, and trade the code for a token."""
        verifier = secrets.token_urlsafe(48)
        fields = {
            "response_type": "code",
            "client_id": self._client_id or "",
            "code_challenge": code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        if self._scope:
            fields["scope"] = self._scope
        redirect = yield BrowserRequest(self._browser, self._server.authorization_url, fields)
        form = {
            "grant_type": "authorization_code",
            "code": _code(redirect, self._server),
            "redirect_uri": redirect.url.partition("?")[0],
            "code_verifier": verifier,
        }
        secrets_sent = (form["code"], verifier)
        return (yield from self._token_steps(form, *secrets_sent, scope=self._scope, hint=_AGAIN))

    def __repr__(self) -> str:
        url = redact_url(self._server.authorization_url)
        return f"AuthorizationCode({url!r}, {self._client_id!r})"


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _code(redirect: Response, server: Endpoints) -> str:
    """Return the code that the redirect holds."""
    fields = dict(parse_qsl(urlsplit(redirect.url).query))
    issuer = fields.get("iss")
    error = fields.get("error")
    # Another server's redirect would have us hand its code to this one (RFC 9207). Some name
    # themselves where they bring a code only; an error brings nothing that could be handed on.
    if (server.require_iss and issuer is None and error is None) or (
        server.issuer and issuer is not None and issuer != server.issuer
    ):
        message = f"the redirect is not from {server.issuer}: it names {issuer!r}"
        raise RenewalFailed(message, hint="its code was not sent anywhere; log in again")
    if error is not None:
        raise _refusal(error, fields.get("error_description", ""))
    if not fields.get("code"):
        raise RenewalFailed("the redirect holds neither a code nor an error", hint=_AGAIN)
    return fields["code"]


def _refusal(error: str, description: str) -> LoginRequired | RenewalFailed:
    detail = f": {description}" if description else ""
    message = f"the login was refused with {error}{detail}"
    if error in _REFUSED_BY_USER:
        return LoginRequired(message, hint=_AGAIN)
    is_transient = error in _TRANSIENT
    hint = "try again later" if is_transient else "check the client's registration and scopes"
    return RenewalFailed(message, hint=hint, retryable=is_transient)
