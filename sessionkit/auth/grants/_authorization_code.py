"""Logging in by the user's browser: authorization code with PKCE (RFC 6749, 4.1; RFC 7636)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sessionkit._optional import require
from sessionkit._redact import redact_url
from sessionkit.auth.grants._browser import Browser, BrowserRequest
from sessionkit.auth.grants._endpoints import checked_url, is_secure_url
from sessionkit.auth.grants._oauth2 import RefreshToken
from sessionkit.auth.grants._token_request import Client
from sessionkit.auth.grants._token_response import read_token
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from requests import Request, Response

    from sessionkit._tokens import Token
    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._endpoints import Endpoints
    from sessionkit.auth.grants._token_request import ClientAuth

_VERIFIER_LENGTH = 64
_PASSING = frozenset(("server_error", "temporarily_unavailable"))
#: What a user, or the server in a user's stead, said no with (OpenID Connect Core, 3.1.2.6).
_USERS_NO = frozenset(
    (
        *("access_denied", "account_selection_required", "consent_required"),
        *("interaction_required", "login_required"),
    )
)
_AGAIN = "log in again by login(stack)"


class AuthorizationCode:
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
        headers: Likewise.
        browser: How the user's browser is shown the page, and where it comes back to.

    Raises:
        ConfigError: A URL that is missing, or that others could read.
        ImportError: The extra ``oauth`` is not installed.
    """

    __slots__ = ("_browser", "_client", "_refresh", "_scope", "_server", "store_key")

    renewable = True

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
        require("oauthlib.oauth2", "oauth")
        checked_url(server.authorization_url, "authorization_url")
        if not is_secure_url(server.authorization_url):
            message = "authorization_url must be https: the user types a password there"
            raise ConfigError(message)
        self._refresh = RefreshToken(
            server,
            client_id=client_id,
            client_secret=client_secret,
            client_auth=client_auth,
            headers=headers,
        )
        self._client = Client(client_id, client_secret, client_auth, headers)
        self._server = server
        self._scope = scope
        self._browser = browser if browser is not None else Browser()
        self.store_key = self._refresh.store_key

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        """Present the refresh token that is held; nobody is asked."""
        return (yield from renewed_unasked(self._refresh, token, rejected))

    def login_steps(self) -> Steps:
        """Ask the user."""
        oauth2 = require("oauthlib.oauth2", "oauth")
        pkce = oauth2.WebApplicationClient(self._client.name)
        verifier = pkce.create_code_verifier(_VERIFIER_LENGTH)
        fields = {
            "response_type": "code",
            "client_id": self._client.name,
            "code_challenge": pkce.create_code_challenge(verifier, "S256"),
            "code_challenge_method": "S256",
        }
        if self._scope:
            fields["scope"] = self._scope
        landed = yield BrowserRequest(self._browser, self._server.authorization_url, fields)
        form = {
            "grant_type": "authorization_code",
            "code": self._code(landed),
            "redirect_uri": landed.url.partition("?")[0],
            "code_verifier": verifier,
        }
        response = yield self._client.request(self._server.token_url, form)
        secrets = (form["code"], verifier, *self._client.secrets)
        return read_token(response, scope=self._scope, secrets=secrets, hint=_AGAIN)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        return self._refresh.revoke_steps(token)

    def _code(self, landed: Response) -> str:
        """Return the code that a redirect brought."""
        fields = dict(parse_qsl(urlsplit(landed.url).query))
        issuer = fields.get("iss")
        error = fields.get("error")
        expected = self._server.issuer
        # Another server's redirect would have us hand its code to this one (RFC 9207). Some name
        # themselves where they bring a code only; an error brings nothing that could be handed on.
        if (self._server.require_iss and issuer is None and error is None) or (
            expected and issuer is not None and issuer != expected
        ):
            message = f"the redirect is not from {expected}: it names {issuer!r}"
            raise RenewalFailed(message, hint="its code was sent to nobody; log in again")
        if error is not None:
            raise _refused(error, fields.get("error_description", ""))
        if not fields.get("code"):
            raise RenewalFailed("the redirect holds neither a code nor an error", hint=_AGAIN)
        return fields["code"]

    def __repr__(self) -> str:
        url = redact_url(self._server.authorization_url)
        return f"AuthorizationCode({url!r}, {self._client.name!r})"


def renewed_unasked(refresh: RefreshToken, token: Token | None, rejected: Response | None) -> Steps:
    """Present the refresh token that is held; where it has ended, name the way back."""
    try:
        return (yield from refresh.steps(token, rejected))
    except LoginRequired as error:
        hint = "call stack.handlers['auth'].login(stack), which asks the user"
        raise LoginRequired(
            error.message, hint=hint, method=error.method, url=error.url, status=error.status
        ) from error


def _refused(error: str, description: str) -> LoginRequired | RenewalFailed:
    told = f": {description}" if description else ""
    message = f"the login was refused with {error}{told}"
    if error in _USERS_NO:
        return LoginRequired(message, hint=_AGAIN)
    hint = "try again later" if error in _PASSING else "check the client's registration and scopes"
    return RenewalFailed(message, hint=hint, retryable=error in _PASSING)
