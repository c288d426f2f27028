"""Device authorization: a code is shown here and typed in on another device (RFC 8628)."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sessionkit._redact import redact_url
from sessionkit.auth.grants._runner import DelayedRequest, UserRequest
from sessionkit.auth.grants._token_endpoint import (
    TRANSIENT,
    OAuthGrant,
    checked_url,
    error_code,
    is_refusal,
    json_object,
    read_refusal,
    read_token,
)
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests import Response

    from sessionkit._tokens import Token
    from sessionkit.auth.grants._base import Steps
    from sessionkit.auth.grants._token_endpoint import ClientAuth, Endpoints

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
#: Seconds between two requests where the server names none, and by which each ``slow_down``
#: lengthens them (section 3.5).
_INTERVAL = 5.0
_MIN_INTERVAL, _MAX_INTERVAL = 1.0, 60.0
#: The longest that a code is believed to live, and the lifetime of one that names none, in seconds.
_MAX_LIFETIME = 3600.0
#: Errors of a server that waits for the user, and by how many seconds to lengthen the interval.
_PENDING: Mapping[str, float] = MappingProxyType(
    {"authorization_pending": 0.0, "slow_down": _INTERVAL}
)
_AGAIN = "log in again by login(stack): it shows another code"


class _DeviceResponse(NamedTuple):
    """What the server said to the request for a code (section 3.2)."""

    device_code: str
    user_code: str
    url: str
    lifetime: float
    interval: float


class DeviceCode(OAuthGrant):
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

    __slots__ = ("_prompt_callback",)

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
            message = "prompt_callback must be a function of the code and the URL, such as print"
            raise ConfigError(message)
        super().__init__(
            server, client_id, secret=client_secret, auth=client_auth, scope=scope, headers=headers
        )
        self._prompt_callback = prompt_callback

    def steps(self, token: Token | None, rejected: Response | None) -> Steps:
        return self._refresh_without_user(token, rejected)

    def login_steps(self) -> Steps:
        """Show the user a code, and poll the server until it has been typed in."""
        url = self._server.device_authorization_url
        response = yield UserRequest.of(self._request({"scope": self._scope}, url))
        device = _read(response, self._secrets())
        self._prompt_callback(device.user_code, device.url)
        form = {"grant_type": _GRANT_TYPE, "device_code": device.device_code}
        interval, left, last = device.interval, device.lifetime, ""
        while left > 0:
            left -= interval
            try:
                response = yield DelayedRequest(self._request(form), interval)
            except RenewalFailed as error:
                if not error.retryable:
                    raise
                last = f"; at last {error.message}"
                interval = min(interval * 2, _MAX_INTERVAL)  # as section 3.5 has it
                continue
            next_interval = _next_interval(response, interval)
            if next_interval is None:
                return self._token(response, device.device_code)
            interval = next_interval
            pending = error_code(response) in _PENDING
            last = "" if pending else f"; at last the token endpoint said {response.status_code}"
        raise LoginRequired(f"the code was not typed in while it was valid{last}", hint=_AGAIN)

    def _token(self, response: Response, device_code: str) -> Token:
        code = error_code(response)
        if code in {"access_denied", "expired_token"}:
            why = "the user said no" if code == "access_denied" else "the code ended"
            raise LoginRequired(f"the user was not logged in: {why} ({code})", hint=_AGAIN)
        secrets = self._secrets(device_code)
        return read_token(response, scope=self._scope, secrets=secrets, hint=_AGAIN)

    def __repr__(self) -> str:
        url = redact_url(self._server.device_authorization_url)
        return f"DeviceCode({url!r}, {self._client_id!r})"


def _next_interval(response: Response, interval: float) -> float | None:
    """Return the seconds until the next request; None for a response that decides."""
    code = error_code(response)
    if code in _PENDING:
        return min(interval + _PENDING[code], _MAX_INTERVAL)
    # A server in trouble has not decided either.
    if response.status_code >= 500 or response.status_code in TRANSIENT:
        return min(interval * 2, _MAX_INTERVAL)
    return None


def _read(response: Response, secrets: tuple[str, ...]) -> _DeviceResponse:
    body = json_object(response)
    if is_refusal(response, body):
        raise read_refusal(response, secrets=secrets, endpoint="device authorization endpoint")
    names = ("device_code", "user_code", "verification_uri")
    # Google's responses have another name for the last, older than the standard.
    texts = [body.get(name) or body.get(name.replace("uri", "url")) for name in names]
    # They are shown on a terminal, which control characters would steer.
    if not all(isinstance(text, str) and text and text.isprintable() for text in texts):
        message = "the device authorization endpoint's response holds no code that could be shown"
        hint = "is this the URL of the device endpoint?"
        raise RenewalFailed(message, hint=hint, url=response.url)
    device_code, user_code, url = map(str, texts)
    lifetime = min(_seconds(body.get("expires_in"), _MAX_LIFETIME), _MAX_LIFETIME)
    interval = _seconds(body.get("interval"), _INTERVAL)
    clamped = min(max(interval, _MIN_INTERVAL), _MAX_INTERVAL)
    return _DeviceResponse(device_code, user_code, url, lifetime, clamped)


def _seconds(value: Any, default: float) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return default
    return seconds if 0 < seconds < math.inf else default
