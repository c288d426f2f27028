"""Read the responses of a token endpoint, well-formed or not (RFC 6749, sections 5.1 and 5.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sessionkit._redact import is_secret_name, scrub
from sessionkit._tokens import Token
from sessionkit.errors import LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from requests import Response

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
