"""Reading what a token endpoint says, however it says it (RFC 6749, sections 5.1 and 5.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sessionkit._redact import is_secret_name, scrub
from sessionkit._tokens import Token
from sessionkit.errors import LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from requests import Response

#: Statuses that may pass by themselves: a time-out, and too many requests.
_PASSING = frozenset((408, 429))
#: Secrets whose names do not say so: an authorization code, and a token that is revoked.
_TOLD_ONCE = frozenset(("code", "token"))
_LOG_IN = (
    "the refresh token ended, was revoked, or was used already (perhaps by a process that "
    "was stopped before it could save its successor): log in again, and give the new Token "
    "to stack.handlers['auth'].login()"
)


def read_token(
    response: Response, *, scope: str = "", secrets: tuple[str, ...] = (), hint: str = _LOG_IN
) -> Token:
    """Read a token endpoint's answer (RFC 6749, sections 5.1 and 5.2).

    Args:
        response: The answer, body read.
        scope: What was asked for; holds where the answer names no scope.
        secrets: Texts that must not appear in an error.
        hint: What helps where the server will not take the grant again.

    Raises:
        LoginRequired: ``invalid_grant``: the server will not take this grant again.
        RenewalFailed: Any other refusal, or an answer without a usable token.
    """
    body = json_object(response)
    if body.get("error") is not None or not response.ok or response.status_code >= 300:
        raise read_refusal(response, secrets=secrets, hint=hint)
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


def read_refusal(
    response: Response,
    *,
    secrets: tuple[str, ...] = (),
    hint: str = _LOG_IN,
    endpoint: str = "token endpoint",
) -> RenewalFailed | LoginRequired:
    """Return the error that a refusal is; see :func:`read_token`."""
    body = json_object(response)
    code = error_code(response)
    said = body.get("error_description")
    detail = f": {said}" if isinstance(said, str) and said else ""
    what = code or _kind(response)
    text = f"the {endpoint} refused with {response.status_code} {what}{detail}"
    message = scrub(text, (*secrets, *_sent_secrets(response)))
    if code == "invalid_grant":
        return LoginRequired(message, hint=hint, **_at(response))
    return RenewalFailed(message, hint=_advice(response, code), **_at(response))


def error_code(response: Response) -> str:
    """Return what an answer names as its error (RFC 6749, section 5.2), or ""."""
    error = json_object(response).get("error")
    return error if isinstance(error, str) else ""


def _sent_secrets(response: Response) -> list[str]:
    """Return the secrets of the form that was refused: servers quote what they were sent."""
    body: Any = getattr(response.request, "body", None)
    pairs = parse_qsl(body) if isinstance(body, str) else []
    return [value for name, value in pairs if name in _TOLD_ONCE or is_secret_name(name)]


def _advice(response: Response, code: str) -> str:
    if code == "invalid_client":
        return "check the client's id and secret"
    if not code and 400 <= response.status_code < 500 and response.status_code not in _PASSING:
        # A token endpoint names its error (RFC 6749, section 5.2).
        return "is this the URL of the token endpoint?"
    return "the next call tries again"


def _at(response: Response) -> dict[str, Any]:
    return {"method": "POST", "url": response.url, "status": response.status_code, "sent": "yes"}


def json_object(response: Response) -> dict[str, Any]:
    """Return the JSON object that an answer holds; what is none is empty.

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
