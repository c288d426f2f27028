"""Token endpoints: how a client asks one, and what its responses say (RFC 6749)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol
from urllib.parse import parse_qsl, quote_plus, urlsplit

from requests import Request
from requests.auth import HTTPBasicAuth
from requests.exceptions import InvalidHeader
from requests.utils import check_header_validity

from sessionkit._origins import origin_of
from sessionkit._redact import is_secret_name, redact_url, scrub
from sessionkit._tokens import Token
from sessionkit.errors import AuthError, ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from requests import Response

    from sessionkit.auth.grants._base import Steps

#: Statuses of the 4xx that another attempt may not meet: a timeout, and too many requests.
TRANSIENT = frozenset((408, 429))
#: The usual hint where the server no longer accepts the grant.
LOG_IN_AGAIN = (
    "the refresh token ended, was revoked, or was used already (perhaps by a process that "
    "was stopped before it could save its successor): log in again, and give the new Token "
    "to stack.handlers['auth'].login()"
)
#: Secrets whose names do not say so: an authorization code, and a token that is revoked.
_SECRET_FIELDS = frozenset(("code", "token"))
#: How a client sends its secret, by the names that servers publish (RFC 7591, section 2).
CLIENT_AUTHS = ("client_secret_basic", "client_secret_post")
LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))
#: Of the hints of settings that are empty or cut off.
UNSET = "an environment variable that is not set?"

_WRITTEN_BY_REQUESTS = frozenset(("content-length", "content-type", "host", "transfer-encoding"))


class Endpoints(NamedTuple):
    """The URLs of an identity server: from its manual, or as ``discover()`` finds them.

    Every grant takes them in place of a bare ``token_url``. A URL may hold a query that the server
    wants, such as ``https://id.example/authorize?audience=shop`` (RFC 6749, section 3.1).

    Attributes:
        token_url: The token endpoint (RFC 6749, section 3.2).
        authorization_url: The page where a user logs in (section 3.1).
        device_authorization_url: Where a device asks for a code (RFC 8628, section 3.1).
        revocation_url: Where ``logout(revoke=True)`` ends tokens (RFC 7009).
        issuer: The server's name for itself; checked where a redirect names one (RFC 9207).
        require_iss: Whether each redirect must name it (``iss``, RFC 9207).
    """

    token_url: str
    authorization_url: str = ""
    device_authorization_url: str = ""
    revocation_url: str = ""
    issuer: str = ""
    require_iss: bool = False


class ClientAuth(Protocol):
    """A proof other than a secret, such as a signed assertion (RFC 7523, section 2.2)."""

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Return the form fields that prove who the client is; made anew for each request."""
        ...


class NotPickled:
    """Base of what holds secrets: it refuses to be pickled, for a pickle is readable."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        message = f"{type(self).__name__} is not pickled: its secrets would be readable there"
        raise ConfigError(message, hint="build it where it is used, from the names of its secrets")


class OAuthGrant:
    """What grants of OAuth 2.0 share: a client of a server, its token requests, revocation.

    Args:
        server: Absolute URL of the token endpoint, or the server's :class:`Endpoints`.
        client_id: Public identifier of the client; None where the server asks for none.
        secret: Its secret; None for a public client, or where *auth* is a proof.
        auth: One of :data:`CLIENT_AUTHS`, or a :class:`ClientAuth`.
        scope: Scopes asked for, separated by blanks.
        headers: Added to each request.

    Raises:
        ConfigError: A URL that is not absolute, an empty name or secret, a proof that is none, or
            a header that cannot be sent.
    """

    __slots__ = (
        *("_auth", "_client_id", "_headers", "_scope", "_secret", "_server", "_url"),
        "store_key",
    )

    renewable = True

    def __init__(
        self,
        server: str | Endpoints,
        client_id: str | None,
        *,
        secret: str | None,
        auth: str | ClientAuth = CLIENT_AUTHS[0],
        scope: str = "",
        headers: Mapping[str, str] | None,
    ) -> None:
        self._server = server if isinstance(server, Endpoints) else Endpoints(server)
        self._url = checked_url(self._server.token_url)
        _check_client(client_id, secret, auth)
        self._client_id = client_id
        self._secret = secret
        self._auth = auth
        self._scope = scope
        self._headers = _checked_headers(headers, has_own_authorization=self._uses_basic)
        self.store_key = f"{client_id}@{redact_url(self._url)}"

    __reduce__ = NotPickled.__reduce__

    def __repr__(self) -> str:
        return f"{type(self).__name__}({redact_url(self._url)!r}, {self._client_id!r})"

    @property
    def _uses_basic(self) -> bool:
        return self._secret is not None and self._auth == "client_secret_basic"

    def _request(self, form: Mapping[str, str], url: str = "") -> Request:
        """Return a request with *form*, authenticated.

        Args:
            form: Its fields. Empty ones are left out, which says the same (section 3.2).
            url: Another endpoint of the same server.
        """
        url = url or self._url
        data = {name: text for name, text in form.items() if text}
        if self._client_id is None:
            return Request("POST", url, headers=self._headers, data=data)
        if self._uses_basic:
            # Both halves are form-encoded first (section 2.3.1).
            basic = HTTPBasicAuth(quote_plus(self._client_id), quote_plus(self._secret or ""))
            return Request("POST", url, headers=self._headers, data=data, auth=basic)
        data["client_id"] = self._client_id
        if not isinstance(self._auth, str):
            data |= self._auth.fields(self._client_id, url)
        elif self._secret is not None:
            data["client_secret"] = self._secret
        return Request("POST", url, headers=self._headers, data=data)

    def _token_steps(
        self, form: Mapping[str, str], *secrets: str, scope: str, hint: str = LOG_IN_AGAIN
    ) -> Steps:
        """Send *form* and read the token; see :func:`read_token`."""
        response = yield self._request(form)
        return read_token(response, scope=scope, secrets=self._secrets(*secrets), hint=hint)

    def _refresh_steps(self, refresh_token: str | None, rejected: Response | None) -> Steps:
        """Present a refresh token; return the new token with its successor (section 6).

        Raises:
            LoginRequired: There is none, or the server no longer accepts it.
            RenewalFailed: No token could be had this time.
        """
        if refresh_token is None:
            message = "there is no refresh token to renew with"
            hint = "log in, then give the Token to stack.handlers['auth'].login()"
            raise LoginRequired(message, hint=hint)
        scope = self._scope_for(rejected)
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "scope": scope}
        token = yield from self._token_steps(form, refresh_token, scope=scope)
        # A server that does not rotate sends none: the old one stays valid.
        successor = token.refresh_token or refresh_token
        return Token.from_dict({**token.to_dict(), "refresh_token": successor})

    def _refresh_without_user(self, token: Token | None, rejected: Response | None) -> Steps:
        """Present the refresh token of *token*; where that is not enough, say how to ask the user.

        Raises:
            LoginRequired: The user has to log in.
            RenewalFailed: No token could be had this time.
        """
        refresh = token.refresh_token if token is not None else None
        try:
            return (yield from self._refresh_steps(refresh, rejected))
        except LoginRequired as error:
            hint = "call stack.handlers['auth'].login(stack), which asks the user"
            raise LoginRequired(
                error.message, hint=hint, method=error.method, url=error.url, status=error.status
            ) from error

    def _scope_for(self, rejected: Response | None) -> str:
        """Return the configured scope and that which the rejecting response asks for."""
        wanted = ""
        challenge = None if rejected is None else rejected.headers.get("WWW-Authenticate")
        if challenge:
            from sessionkit.headers._challenge import wanted_scope  # needed by rejected calls alone

            wanted = wanted_scope(challenge)
        return " ".join(dict.fromkeys([*self._scope.split(), *wanted.split()]))

    def _secrets(self, *texts: str) -> tuple[str, ...]:
        """Return *texts*, the secret and the headers, in the forms in which servers quote them."""
        known = (*texts, *self._headers.values())
        if self._secret is None or self._client_id is None:
            return known
        pair = f"{quote_plus(self._client_id)}:{quote_plus(self._secret)}"
        return *known, self._secret, b64encode(pair.encode()).decode()

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Revoke the refresh token and the access token (RFC 7009), each whatever the other does.

        Raises:
            ConfigError: There is no revocation endpoint, or no client.
            AuthError: The server did not confirm it.
        """
        url = self._server.revocation_url
        if self._client_id is None:
            raise ConfigError("only a client can revoke its tokens", hint="give a client_id")
        if not url:
            message = "nothing says where this server revokes tokens"
            raise ConfigError(message, hint="give the grant Endpoints with a revocation_url")
        failures: list[str] = []
        # The refresh token first: its end should be that of the access tokens too (section 2.1).
        for kind, text in (("refresh_token", token.refresh_token), ("access_token", token.value)):
            if text is None:
                continue
            try:
                response = yield self._request({"token": text, "token_type_hint": kind}, url)
            except RenewalFailed as error:
                failures.append(f"{kind}: {error}")
                continue
            refusal = _refusal_to_revoke(response, self._secrets(text))
            # Self-contained access tokens cannot be revoked (section 3); they end soon.
            is_minor = error_code(response) == "unsupported_token_type"
            if refusal and not (is_minor and token.refresh_token and not failures):
                failures.append(f"{kind}: {refusal}")
        if failures:
            hint = "it is deleted here, but valid until it ends: revoke it on the server's own page"
            raise AuthError(f"not revoked: {'; '.join(failures)}", hint=hint, url=url)


def checked_url(url: str, name: str = "token_url") -> str:
    """Return *url*, or say at once that it is not absolute."""
    try:
        origin_of(url)
    except (ValueError, AttributeError) as error:
        message = f"{name} must be an absolute URL such as https://id.example/token"
        raise ConfigError(message, hint=UNSET) from error
    return url


def is_secure_url(url: object) -> bool:
    """Return whether requests to *url* cannot be read or changed on the way: TLS, or loopback."""
    try:
        parts = urlsplit(origin_of(url)) if isinstance(url, str) else urlsplit("")
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _refusal_to_revoke(response: Response, secrets: tuple[str, ...]) -> str:
    """Return why a token was not revoked, or "" if it was."""
    if response.ok and response.status_code < 300:
        return ""
    return read_refusal(response, secrets=secrets, endpoint="revocation endpoint").message


def _check_client(client_id: str | None, secret: str | None, auth: str | ClientAuth) -> None:
    if auth not in CLIENT_AUTHS and not callable(getattr(auth, "fields", None)):
        shown = repr(auth) if isinstance(auth, str) else type(auth).__name__
        ways = " or ".join(map(repr, CLIENT_AUTHS))
        message = f"client_auth must be {ways}, or a proof such as PrivateKeyJwt, not {shown}"
        raise ConfigError(message)
    if client_id is None and (secret is not None or auth != CLIENT_AUTHS[0]):
        raise ConfigError("a client that proves itself needs a client_id")
    if client_id == "" or secret == "":
        raise ConfigError("client_id and client_secret must not be empty", hint=UNSET)
    if secret is not None and not isinstance(auth, str):
        message = "a client proves itself by its secret or by another proof, not by both"
        raise ConfigError(message, hint="leave client_secret out")


def _checked_headers(
    headers: Mapping[str, str] | None, *, has_own_authorization: bool
) -> dict[str, str]:
    """Return *headers*, or say at once that they cannot be sent; their values are never shown."""
    checked = dict(headers or {})
    for name, value in checked.items():
        try:
            check_header_validity((name, value))
            # Texts alone: requests takes bytes too, which no error could be cleaned of.
            fits = isinstance(name, str) and bool(value.encode("latin-1"))
        except (InvalidHeader, AttributeError, UnicodeEncodeError):
            fits = False
        if not fits:
            # Raised here, without the original: its text quotes the value.
            message = f"headers[{name!r}] cannot be sent: a header needs a name and a text"
            raise ConfigError(message, hint=UNSET)
        lower = name.lower()
        if lower in _WRITTEN_BY_REQUESTS or (has_own_authorization and lower == "authorization"):
            raise ConfigError(f"headers must not hold {name}: the token request writes it itself")
    return checked


def read_token(
    response: Response,
    *,
    scope: str = "",
    secrets: tuple[str, ...] = (),
    hint: str = LOG_IN_AGAIN,
) -> Token:
    """Return the token that a token endpoint's response holds.

    Args:
        response: Its body read.
        scope: What was asked for; holds where the response names no scope.
        secrets: Texts that must not appear in an error.
        hint: What helps where the server no longer accepts the grant.

    Raises:
        LoginRequired: ``invalid_grant``: the server no longer accepts this grant.
        RenewalFailed: Any other refusal, or a response without a usable token.
    """
    body = json_object(response)
    if is_refusal(response, body):
        raise read_refusal(response, secrets=secrets, hint=hint)
    value, refresh = body.get("access_token"), body.get("refresh_token")
    if not isinstance(value, str):
        message = f"the token endpoint's response holds no access_token ({_kind(response)})"
        raise RenewalFailed(message, hint="is this the URL of the token endpoint?", **_at(response))
    try:
        return Token(
            value,
            expires_in=_seconds(body.get("expires_in")),
            refresh_token=refresh if isinstance(refresh, str) and refresh else None,
            scope=body["scope"] if isinstance(body.get("scope"), str) else scope or None,
        )
    except ValueError as reason:
        message = f"the token endpoint's response cannot be used: {reason}"
        raise RenewalFailed(message, **_at(response)) from reason


def is_refusal(response: Response, body: dict[str, Any]) -> bool:
    """Return whether a response with this JSON object says no; some do so with a 200."""
    return body.get("error") is not None or not response.ok or response.status_code >= 300


def read_refusal(
    response: Response,
    *,
    secrets: tuple[str, ...] = (),
    hint: str = LOG_IN_AGAIN,
    endpoint: str = "token endpoint",
) -> RenewalFailed | LoginRequired:
    """Return the error that a refusal is; see :func:`read_token`."""
    code = error_code(response)
    description = json_object(response).get("error_description")
    detail = f": {description}" if isinstance(description, str) and description else ""
    text = f"the {endpoint} refused with {response.status_code} {code or _kind(response)}{detail}"
    message = scrub(text, (*secrets, *_sent_secrets(response)))
    if code == "invalid_grant":
        return LoginRequired(message, hint=hint, **_at(response))
    return RenewalFailed(message, hint=_advice(response, code), **_at(response))


def error_code(response: Response) -> str:
    """Return what a response names as its error (section 5.2), or ""."""
    error = json_object(response).get("error")
    return error if isinstance(error, str) else ""


def json_object(response: Response) -> dict[str, Any]:
    """Return the JSON object that a response holds; an empty one if it holds none.

    A charset in its headers means nothing (RFC 8259, section 11): Python knows one that takes a
    minute over a megabyte.
    """
    content: bytes = response.content or b""
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _sent_secrets(response: Response) -> list[str]:
    """Return the secrets of the form that was refused: servers quote what they were sent."""
    body: Any = getattr(response.request, "body", None)
    pairs = parse_qsl(body) if isinstance(body, str) else []
    return [value for name, value in pairs if name in _SECRET_FIELDS or is_secret_name(name)]


def _advice(response: Response, code: str) -> str:
    if code == "invalid_client":
        return "check the client's id and secret"
    if not code and 400 <= response.status_code < 500 and response.status_code not in TRANSIENT:
        # A token endpoint names its error (section 5.2).
        return "is this the URL of the token endpoint?"
    return "the next call tries again"


def _at(response: Response) -> dict[str, Any]:
    return {"method": "POST", "url": response.url, "status": response.status_code, "sent": "yes"}


def _kind(response: Response) -> str:
    return response.headers.get("Content-Type") or (
        "an empty body" if not response.content else "?"
    )


def _seconds(value: object) -> float | None:
    """Return ``expires_in``, which some servers send as text; None where it makes no sense."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    # Neither is NaN, nor a lifetime that ended before it began.
    return seconds if seconds > 0 else None
