"""OAuth 2.0 token requests: client credentials and refresh, with rotation (RFC 6749)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote_plus

from requests import Request
from requests.auth import HTTPBasicAuth

from sessionkit._origins import origin_of
from sessionkit._redact import redact_url, scrub
from sessionkit._tokens import Token
from sessionkit.auth._challenge import wanted_scope
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.auth._grants import Steps

#: Where a token says which configured refresh token it descends from.
_SEED = "seed"
#: Statuses that may pass by themselves: a time-out, and too many requests.
_PASSING = frozenset((408, 429))


class ClientCredentials:
    """The client's own credentials (RFC 6749, section 4.4).

    Args:
        token_url: Absolute URL of the token endpoint.
        client_id: Public identifier of the client.
        client_secret: Its secret.
        scope: Scopes asked for, separated by blanks.
        auth: ``basic`` sends the secret as HTTP Basic (section 2.3.1), ``post`` in the form.
        extra: Further form fields, such as ``audience``.
    """

    __slots__ = ("_client", "_extra", "_scope", "_token_url", "key")

    renewable = True

    def __init__(
        self,
        token_url: str,
        client_id: str,
        *,
        client_secret: str,
        scope: str = "",
        auth: str = "basic",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._token_url = _checked_url(token_url)
        self._client = _Client(client_id, client_secret or "", auth)
        self._scope = scope
        self._extra = dict(extra or {})
        self.key = f"{client_id}@{token_url}"

    def steps(self, held: Token | None, refused: Response | None) -> Steps:  # noqa: ARG002
        """Ask for a token with the client's credentials."""
        scope = _joined(self._scope, refused)
        form = {"grant_type": "client_credentials", **self._extra}
        if scope:
            form["scope"] = scope
        response = yield self._client.request(self._token_url, form)
        return read_token(response, scope=scope, secrets=self._client.secrets)

    def __repr__(self) -> str:
        return f"ClientCredentials({redact_url(self._token_url)!r}, {self._client.name!r})"


class RefreshToken:
    """A refresh token that somebody obtained by logging in (RFC 6749, section 6).

    With a server that rotates (RFC 9700, section 4.14.2) each answer brings the next refresh token;
    it is saved in the store before the new access token is used.

    Args:
        token_url: Absolute URL of the token endpoint.
        refresh_token: The first one; None where the store or ``login(token=...)`` brings it. Once a
            descendant of it is stored, the stored one is used; a different text given here is
            a new login.
        client_id: Public identifier of the client.
        client_secret: Its secret; None for a public client.
        scope: Scopes asked for; empty for those that were granted first.
        auth: ``basic`` or ``post``; see :class:`ClientCredentials`.
    """

    __slots__ = ("_client", "_refresh_token", "_scope", "_seed", "_token_url", "key")

    renewable = True

    def __init__(
        self,
        token_url: str,
        refresh_token: str | None = None,
        *,
        client_id: str,
        client_secret: str | None = None,
        scope: str = "",
        auth: str = "basic",
    ) -> None:
        self._token_url = _checked_url(token_url)
        self._client = _Client(client_id, client_secret, auth)
        self._refresh_token = refresh_token
        # Kept with each descendant, so that a text given anew is told from an old one: presenting
        # a refresh token that was used already ends the whole family at a strict server.
        self._seed = _fingerprint(refresh_token) if refresh_token else ""
        self._scope = scope
        # Two users of one client, in one store, are told apart by the token they began with.
        whose = f"#{self._seed}" if self._seed else ""
        self.key = f"{client_id}@{token_url}{whose}"

    def steps(self, held: Token | None, refused: Response | None) -> Steps:
        """Present the refresh token that is held, or the first one."""
        refresh = held.refresh_token if held is not None else None
        seed = held.extra.get(_SEED, "") if held is not None else ""
        if self._refresh_token and (refresh is None or (seed and seed != self._seed)):
            refresh, seed = self._refresh_token, self._seed
        if refresh is None:
            message = "there is no refresh token to renew with"
            hint = "log in, then give the Token to stack.handlers['auth'].login()"
            raise LoginRequired(message, hint=hint)
        scope = _joined(self._scope, refused)
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        if scope:
            form["scope"] = scope
        response = yield self._client.request(self._token_url, form)
        secrets = (refresh, quote_plus(refresh), *self._client.secrets)
        token = read_token(response, scope=scope, secrets=secrets)
        # A server that does not rotate sends none: the old one goes on (RFC 6749, section 6).
        kept = {"refresh_token": token.refresh_token or refresh}
        return Token.from_dict({**token.to_dict(), **kept, "extra": {_SEED: seed} if seed else {}})

    def __repr__(self) -> str:
        return f"RefreshToken({redact_url(self._token_url)!r}, {self._client.name!r})"


class _Client:
    """A client's name and secret, and how they go on a token request."""

    __slots__ = ("_auth", "_secret", "name")

    def __init__(self, name: str, secret: str | None, auth: str) -> None:
        if auth not in {"basic", "post"}:
            message = f"auth must be 'basic' or 'post', not {auth!r}"
            raise ConfigError(message)
        if not name or (secret is not None and not secret):
            message = "client_id and client_secret must not be empty"
            hint = "an environment variable that is not set?"
            raise ConfigError(message, hint=hint)
        self.name = name
        self._secret = secret
        self._auth = auth

    def __reduce__(self) -> NoReturn:
        message = "a grant is not pickled: its secrets would be readable in the pickle"
        raise ConfigError(message, hint="build it where it is used, from the names of its secrets")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret, in every form in which a server may quote it."""
        if self._secret is None:
            return ()
        encoded = quote_plus(self._secret)
        basic = b64encode(f"{quote_plus(self.name)}:{encoded}".encode()).decode()
        return self._secret, encoded, basic

    def request(self, url: str, form: dict[str, str]) -> Request:
        """Return the token request, authenticated."""
        if self._secret is None:
            return Request("POST", url, data={**form, "client_id": self.name})
        if self._auth == "post":
            data = {**form, "client_id": self.name, "client_secret": self._secret}
            return Request("POST", url, data=data)
        # Both halves are form-encoded first (RFC 6749, section 2.3.1).
        basic = HTTPBasicAuth(quote_plus(self.name), quote_plus(self._secret))
        return Request("POST", url, data=form, auth=basic)


def read_token(response: Response, *, scope: str = "", secrets: tuple[str, ...] = ()) -> Token:
    """Read a token endpoint's answer (RFC 6749, sections 5.1 and 5.2).

    Args:
        response: The answer, body read.
        scope: What was asked for; holds where the answer names no scope.
        secrets: Texts that must not appear in an error.

    Raises:
        LoginRequired: ``invalid_grant``: the server will not take this grant again.
        RenewalFailed: Any other refusal, or an answer without a usable token.
    """
    body = _json_object(response)
    error = body.get("error")
    if error is not None or not response.ok or response.status_code >= 300:
        raise _refusal(response, error, body, secrets)
    value, refresh = body.get("access_token"), body.get("refresh_token")
    if not isinstance(value, str):
        message = f"the token endpoint's answer holds no access_token ({_kind(response)})"
        raise RenewalFailed(message, hint="is this the URL of the token endpoint?", **_at(response))
    try:
        return Token(
            value,
            expires_in=_seconds(body.get("expires_in")),
            refresh_token=refresh if isinstance(refresh, str) and refresh else None,
            scope=body["scope"] if isinstance(body.get("scope"), str) else scope or None,
        )
    except ValueError as reason:
        message = f"the token endpoint's answer cannot be used: {reason}"
        raise RenewalFailed(message, **_at(response)) from reason


def _refusal(
    response: Response, error: object, body: dict[str, Any], secrets: tuple[str, ...]
) -> RenewalFailed | LoginRequired:
    code = error if isinstance(error, str) else ""
    said = body.get("error_description")
    detail = f": {said}" if isinstance(said, str) and said else ""
    what = code or _kind(response)
    message = scrub(
        f"the token endpoint refused with {response.status_code} {what}{detail}", secrets
    )
    if code == "invalid_grant":
        hint = (
            "the refresh token ended, was revoked, or was used already (perhaps by a process that "
            "was stopped before it could save its successor): log in again, and give the new Token "
            "to stack.handlers['auth'].login()"
        )
        return LoginRequired(message, hint=hint, **_at(response))
    hint = "the next call tries again"
    if code == "invalid_client":
        hint = "check the client's id and secret"
    elif not code and 400 <= response.status_code < 500 and response.status_code not in _PASSING:
        # A token endpoint names its error (RFC 6749, section 5.2).
        hint = "is this the URL of the token endpoint?"
    return RenewalFailed(message, hint=hint, **_at(response))


def _at(response: Response) -> dict[str, Any]:
    return {"method": "POST", "url": response.url, "status": response.status_code, "sent": "yes"}


def _json_object(response: Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _kind(response: Response) -> str:
    return response.headers.get("Content-Type") or (
        "an empty body" if not response.content else "?"
    )


def _seconds(value: object) -> float | None:
    """Read ``expires_in``, which some servers send as text; nonsense is "not told"."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    # Neither is NaN, nor a life that ended before it began.
    return seconds if seconds > 0 else None


def _joined(scope: str, refused: Response | None) -> str:
    """Add the scope that a refused answer asked for to what is configured."""
    wanted = wanted_scope(refused) if refused is not None else ""
    return " ".join(dict.fromkeys([*scope.split(), *wanted.split()]))


def _checked_url(url: str) -> str:
    try:
        origin_of(url)
    except (ValueError, AttributeError) as error:
        message = "token_url must be an absolute URL such as https://id.example/token"
        raise ConfigError(message, hint="an environment variable that is not set?") from error
    return url


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
