"""Logging in on another device: a code is shown here and typed in there (RFC 8628)."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus

from sessionkit._redact import redact_url
from sessionkit.auth.grants._authorization_code import renewed_unasked
from sessionkit.auth.grants._endpoints import checked_url
from sessionkit.auth.grants._errands import DelayedRequest, UserRequest
from sessionkit.auth.grants._oauth2 import RefreshToken
from sessionkit.auth.grants._token_request import Client
from sessionkit.auth.grants._token_response import error_code, json_object, read_refusal, read_token
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from requests import Request, Response

    from sessionkit._tokens import Token
    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._endpoints import Endpoints
    from sessionkit.auth.grants._token_request import ClientAuth

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
#: Seconds between two questions where the server names none, and by which each ``slow_down``
#: lengthens them (section 3.5).
_INTERVAL = 5.0
_SHORTEST, _LONGEST = 1.0, 60.0
#: The longest that a code is believed to live, and the life of one that says nothing, in seconds.
_LONGEST_LIFE = 3600.0
_PASSING = frozenset((408, 429))
#: Answers of a server that waits for the user, and by how many seconds longer it wants to be left.
_WAITING: Mapping[str, float] = MappingProxyType(
    {"authorization_pending": 0.0, "slow_down": _INTERVAL}
)
_AGAIN = "log in again by login(stack): it shows another code"


class _Asked(NamedTuple):
    """What the server said to the question for a code (section 3.2)."""

    device_code: str
    user_code: str
    url: str
    life: float
    interval: float


class DeviceCode:
    """A user logs in on a phone or another machine; for servers and screens without a browser.

    Only ``login(stack)`` asks the user, as with ``AuthorizationCode``.

    Args:
        server: Its ``device_authorization_url`` and ``token_url`` are needed.
        client_id: Public identifier of the client.
        prompt_callback: Called with the code and the URL where the user types it in.
        client_secret: Its secret; None for a public client.
        scope: Scopes asked for, separated by blanks.
        client_auth: See :class:`~sessionkit.auth.ClientCredentials`.
        headers: Likewise.

    Raises:
        ConfigError: A URL is missing, or *prompt_callback* is no function.
    """

    __slots__ = ("_client", "_prompt_callback", "_refresh", "_scope", "_server", "store_key")

    renewable = True

    def __init__(
        self,
        server: Endpoints,
        client_id: str,
        *,
        prompt_callback: Callable[[str, str], object],
        client_secret: str | None = None,
        scope: str = "",
        client_auth: str | ClientAuth = "client_secret_basic",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        checked_url(server.device_authorization_url, "device_authorization_url")
        if not callable(prompt_callback):
            raise ConfigError(
                "prompt_callback must be a function of the code and the URL, such as print"
            )
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
        self._prompt_callback = prompt_callback
        self.store_key = self._refresh.store_key

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        """Present the refresh token that is held; nobody is asked."""
        return (yield from renewed_unasked(self._refresh, token, rejected))

    def login_steps(self) -> Steps:
        """Show the user a code, and ask the server until somebody has typed it in."""
        fields = {"scope": self._scope} if self._scope else {}
        answer = yield UserRequest.of(
            self._client.request(self._server.device_authorization_url, fields)
        )
        asked = _read(answer, self._client.secrets)
        self._prompt_callback(asked.user_code, asked.url)
        form = {"grant_type": _GRANT_TYPE, "device_code": asked.device_code}
        interval, left, last = asked.interval, asked.life, ""
        while left > 0:
            left -= interval
            try:
                response = yield DelayedRequest(
                    self._client.request(self._server.token_url, form), interval
                )
            except RenewalFailed as error:
                if not error.retryable:
                    raise
                last = f"; at last {error.message}"
                interval = min(interval * 2, _LONGEST)  # as section 3.5 has it
                continue
            slower = _slower(response, interval)
            if slower is None:
                return self._token(response, asked.device_code)
            interval = slower
            waits = error_code(response) in _WAITING
            last = "" if waits else f"; at last the token endpoint answered {response.status_code}"
        raise LoginRequired(f"nobody typed the code in while it was good{last}", hint=_AGAIN)

    def revoke_steps(self, token: Token) -> Generator[Request, Response, None]:
        """Tell the server that *token* shall end (RFC 7009)."""
        return self._refresh.revoke_steps(token)

    def _token(self, response: Response, device_code: str) -> Token:
        secrets = (device_code, quote_plus(device_code), *self._client.secrets)
        code = error_code(response)
        if code in {"access_denied", "expired_token"}:
            why = "the user said no" if code == "access_denied" else "the code ended"
            raise LoginRequired(f"nobody was logged in: {why} ({code})", hint=_AGAIN)
        return read_token(response, scope=self._scope, secrets=secrets, hint=_AGAIN)

    def __repr__(self) -> str:
        url = redact_url(self._server.device_authorization_url)
        return f"DeviceCode({url!r}, {self._client.name!r})"


def _slower(response: Response, interval: float) -> float | None:
    """Return after how many seconds to ask again; None for an answer that decides."""
    code = error_code(response)
    if code in _WAITING:
        return min(interval + _WAITING[code], _LONGEST)
    # A server in trouble has not decided either.
    if response.status_code >= 500 or response.status_code in _PASSING:
        return min(interval * 2, _LONGEST)
    return None


def _read(answer: Response, secrets: tuple[str, ...]) -> _Asked:
    body = json_object(answer)
    if not answer.ok or answer.status_code >= 300 or body.get("error") is not None:
        raise read_refusal(answer, secrets=secrets, endpoint="device authorization endpoint")
    names = ("device_code", "user_code", "verification_uri")
    # Google's answers have another name for the last, older than the standard.
    texts = [body.get(name) or body.get(name.replace("uri", "url")) for name in names]
    # They are shown on a terminal, which control characters would steer.
    if not all(isinstance(text, str) and text and text.isprintable() for text in texts):
        message = "the device authorization endpoint's answer holds no code that could be shown"
        raise RenewalFailed(message, hint="is this the URL of the device endpoint?", url=answer.url)
    life = _seconds(body.get("expires_in"), _LONGEST_LIFE)
    interval = _seconds(body.get("interval"), _INTERVAL)
    device_code, user_code, url = map(str, texts)
    clamped = min(max(interval, _SHORTEST), _LONGEST)
    return _Asked(device_code, user_code, url, min(life, _LONGEST_LIFE), clamped)


def _seconds(value: Any, default: float) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return seconds if 0 < seconds < math.inf else default
