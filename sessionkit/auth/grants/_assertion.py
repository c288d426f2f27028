"""Tokens for other proofs: a signed assertion (RFC 7523), or another token (RFC 8693)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote_plus

from requests import Request

from sessionkit._redact import redact_url
from sessionkit.auth.grants._endpoints import checked_url, endpoints_of
from sessionkit.auth.grants._oauth_jwt import SignedJwt
from sessionkit.auth.grants._revocation import revocation
from sessionkit.auth.grants._token_request import CLIENT_AUTHS, Client, checked_headers
from sessionkit.auth.grants._token_response import read_token
from sessionkit.errors import ConfigError, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from requests import Response

    from sessionkit._tokens import Token
    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._endpoints import Endpoints
    from sessionkit.auth.grants._token_request import ClientAuth

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name


class JwtBearer:
    """A token for a signed assertion (RFC 7523, section 2.1): service accounts, trusted issuers.

    Args:
        token_url: Absolute URL of the token endpoint, or the server's ``Endpoints``.
        assertion: What is signed anew for each request; or a function that returns the text of one
            that somebody else signed.
        client_id: Public identifier of the client; None where the assertion says it all.
        client_secret: Its secret; None for a public client.
        scope: Scopes asked for, separated by blanks.
        client_auth: See :class:`~sessionkit.auth.ClientCredentials`.
        headers: Likewise.

    Raises:
        ConfigError: Neither an assertion nor a function, or a URL that is not absolute.
    """

    __slots__ = ("_ask", "_assertion", "_scope", "store_key")

    renewable = True

    def __init__(
        self,
        token_url: str | Endpoints,
        assertion: SignedJwt | Callable[[], str],
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        scope: str = "",
        client_auth: str | ClientAuth = "client_secret_basic",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(assertion, SignedJwt) and not callable(assertion):
            raise ConfigError("assertion must be a SignedJwt or a function that returns a text")
        self._ask = _TokenEndpoint(token_url, client_id, client_secret, client_auth, headers)
        self._assertion = assertion
        self._scope = scope
        subject = assertion.subject if isinstance(assertion, SignedJwt) else ""
        self.store_key = f"{subject or client_id or 'jwt-bearer'}@{redact_url(self._ask.url)}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        """Present an assertion."""
        given = self._assertion
        text = given.sign(self._ask.url) if isinstance(given, SignedJwt) else _call_for_text(given)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": text}
        if self._scope:
            form["scope"] = self._scope
        response = yield self._ask.request(form)
        hint = "is the key registered, are the claims as wanted, is this machine's clock right?"
        return read_token(response, scope=self._scope, secrets=self._ask.secrets(text), hint=hint)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        return self._ask.revoke_steps(token)

    def __repr__(self) -> str:
        return f"JwtBearer({redact_url(self._ask.url)!r}, {self._assertion!r})"


class TokenExchange:
    """A token for another token (RFC 8693): for a service further on, on a user's behalf.

    Args:
        token_url: Absolute URL of the token endpoint, or the server's ``Endpoints``.
        subject: The token that is given; or a function that returns it as it is now, such as one
            that reads a file that is rotated.
        client_id: Public identifier of the client; None where the server asks for none.
        client_secret: Its secret; None for a public client.
        client_auth: See :class:`~sessionkit.auth.ClientCredentials`.
        extra_params: Further form fields (section 2.1): ``audience``, ``resource``, ``scope``,
            ``actor_token``, or a ``subject_token_type`` other than that of access tokens. Several
            subjects in one store are told apart by the handler's ``key``.
        headers: See :class:`~sessionkit.auth.ClientCredentials`.

    Raises:
        ConfigError: No subject, or a URL that is not absolute.
    """

    __slots__ = ("_ask", "_extra_params", "_subject", "store_key")

    renewable = True

    def __init__(
        self,
        token_url: str | Endpoints,
        subject: str | Callable[[], str],
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        client_auth: str | ClientAuth = "client_secret_basic",
        extra_params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if not subject:
            message = "subject must not be empty"
            raise ConfigError(message, hint="an environment variable that is not set?")
        self._ask = _TokenEndpoint(token_url, client_id, client_secret, client_auth, headers)
        self._subject = subject
        self._extra_params = dict(extra_params or {})
        # What is asked for differs by these, and so do the tokens.
        told = repr(sorted((k, v) for k, v in self._extra_params.items() if k != "actor_token"))
        whose = f"#{hashlib.sha256(told.encode()).hexdigest()[:16]}" if self._extra_params else ""
        self.store_key = f"{client_id or 'token-exchange'}@{redact_url(self._ask.url)}{whose}"

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:  # noqa: ARG002  # what all grants take
        """Present the subject's token."""
        subject = self._subject if isinstance(self._subject, str) else _call_for_text(self._subject)
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": subject,
            "subject_token_type": _ACCESS_TOKEN,
            **self._extra_params,
        }
        response = yield self._ask.request(form)
        secrets = self._ask.secrets(subject, self._extra_params.get("actor_token", ""))
        hint = "the subject's token has ended, perhaps; give a function that returns it as it is"
        scope = self._extra_params.get("scope", "")
        return read_token(response, scope=scope, secrets=secrets, hint=hint)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        return self._ask.revoke_steps(token)

    def __repr__(self) -> str:
        names = sorted(self._extra_params)
        return f"TokenExchange({redact_url(self._ask.url)!r}, extra_params={names})"


class _TokenEndpoint:
    """Token requests of a client, or of nobody in particular."""

    __slots__ = ("_client", "_headers", "_revocation_url", "url")

    def __init__(
        self,
        token_url: str | Endpoints,
        client_id: str | None,
        client_secret: str | None,
        auth: str | ClientAuth,
        headers: Mapping[str, str] | None,
    ) -> None:
        server = endpoints_of(token_url)
        self.url = checked_url(server.token_url)
        self._revocation_url = server.revocation_url
        self._client: Client | None = None
        self._headers = checked_headers(headers)
        if client_id is not None:
            self._client = Client(client_id, client_secret, auth, headers)
        elif client_secret is not None or auth != CLIENT_AUTHS[0]:
            raise ConfigError("a client that proves itself needs a client_id")

    def __reduce__(self) -> NoReturn:
        message = "a grant is not pickled: its secrets would be readable in the pickle"
        raise ConfigError(message, hint="build it where it is used, from the names of its secrets")

    def request(self, form: dict[str, str]) -> Request:
        if self._client is None:
            return Request("POST", self.url, headers=self._headers, data=form)
        return self._client.request(self.url, form)

    def secrets(self, *texts: str) -> tuple[str, ...]:
        known = self._client.secrets if self._client is not None else self._headers.values()
        return (*(text for text in texts if text), *map(quote_plus, texts), *known)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        if self._client is None:
            raise ConfigError("only a client can revoke its tokens", hint="give a client_id")
        return revocation(self._client, self._revocation_url, token)


def _call_for_text(function: Callable[[], str]) -> str:
    text: Any = function()
    if not isinstance(text, str) or not text.strip():
        name = getattr(function, "__qualname__", type(function).__name__)
        message = f"{name} returned {type(text).__name__}, or an empty text: no token"
        raise RenewalFailed(message, hint="the next call asks it again")
    return text.strip()
