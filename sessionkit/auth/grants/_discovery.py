"""Find an identity server's endpoints by its name (RFC 8414; OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth.grants._token_endpoint import Endpoints, is_secure_url, json_object
from sessionkit.bodies._response import read_within
from sessionkit.chain._exchange import DEFAULT_TIMEOUT, MAX_DIRECT_BYTES
from sessionkit.errors import ConfigError, RenewalFailed, tools

if TYPE_CHECKING:
    from requests import Response

    from sessionkit._clock import Clock

_OAUTH = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"
_FIELDS = MappingProxyType(
    {
        "token_endpoint": "token_url",
        "authorization_endpoint": "authorization_url",
        "device_authorization_endpoint": "device_authorization_url",
        "revocation_endpoint": "revocation_url",
    }
)


def discover(
    issuer: str, *, session: requests.Session | None = None, clock: Clock = SYSTEM_CLOCK
) -> Endpoints:
    """Ask an identity server for its endpoints. Nothing is remembered: keep what it returns.

    The server must call itself exactly *issuer*, and each endpoint must be https, or http on this
    machine: an attacker who could change the response would be sent the tokens.

    Args:
        issuer: The server's name, an https URL, as its manual or its tokens (``iss``) have it.
        session: A session or stack with the proxies and certificates that are needed; its headers,
            authentication and cookies are not sent.
        clock: Bounds the reading of each response.

    Raises:
        ConfigError: *issuer* is no such URL.
        RenewalFailed: There is no usable description, or it is another server's.
    """
    parts = urlsplit(issuer) if is_secure_url(issuer) else None
    if parts is None or parts.query or parts.fragment:
        message = "issuer must be an https URL without a query, such as https://id.example"
        raise ConfigError(message, hint="http is for servers on this machine alone")
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    response = None
    with requests.Session() as own:
        # RFC 8414 puts its part before the path, OpenID behind (RFC 8414, section 5).
        for url in (f"{origin}{_OAUTH}{path}", f"{origin}{path}{_OPENID}"):
            response = _request(session if session is not None else own, url, clock)
            described = json_object(response)
            if response.status_code == 200 and "issuer" in described:
                return _endpoints(issuer, described, url)
    raise RenewalFailed(
        "the identity server does not describe itself (RFC 8414, OpenID Connect Discovery)",
        hint="is this the issuer? else build Endpoints(...) from the server's manual",
        url=issuer,
        status=response.status_code if response is not None else None,
    )


def _request(session: requests.Session, url: str, clock: Clock) -> Response:
    request = requests.Request("GET", url, headers={"Accept": "application/json"})
    try:
        send_direct: Any = getattr(session, "send_direct", None)
        if send_direct is None:
            return _sent(session, request, clock)
        return send_direct(request)  # type: ignore[no-any-return]  # a stack's
    except (requests.RequestException, ValueError) as error:
        cause = tools.scrub_exception(error)
    message = f"the identity server gave no response: {type(cause).__name__}"
    try:
        raise RenewalFailed(message, hint="try again", url=url, retryable=True) from cause
    finally:
        # Its traceback holds this frame, and this frame it.
        del cause


def _sent(session: requests.Session, request: requests.Request, clock: Clock) -> Response:
    """Send past what a bare session would add: its headers, authentication, cookies."""
    settings = session.merge_environment_settings(str(request.url), {}, True, None, None)  # noqa: FBT003  # requests' signature
    prepared = request.prepare()
    response = session.send(prepared, allow_redirects=False, timeout=DEFAULT_TIMEOUT, **settings)
    end = clock.monotonic() + sum(DEFAULT_TIMEOUT)
    read_within(response, clock, end, max_bytes=MAX_DIRECT_BYTES)
    return response


def _endpoints(issuer: str, described: dict[str, Any], url: str) -> Endpoints:
    if described["issuer"] != issuer:
        message = f"this server calls itself {described['issuer']!r}, not {issuer!r}"
        hint = "they must agree to the letter (RFC 8414, section 3.3), a slash at the end included"
        raise RenewalFailed(message, hint=hint, url=url)
    found = {name: described.get(field) or "" for field, name in _FIELDS.items()}
    for field, name in _FIELDS.items():
        if not _is_allowed(found[name], issuer) and (found[name] or name == "token_url"):
            message = f"the server's {field} is no https URL"
            raise RenewalFailed(message, hint="its tokens could be read on the way", url=url)
    require_iss = described.get("authorization_response_iss_parameter_supported") is True
    return Endpoints(**found, issuer=issuer, require_iss=require_iss)


def _is_allowed(endpoint: object, issuer: str) -> bool:
    # A server elsewhere has no business on this machine's own http ports.
    return is_secure_url(endpoint) and (
        str(endpoint).startswith("https:") or issuer.startswith("http:")
    )
