"""Where an identity server is asked for what: the URLs that its grants need."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from sessionkit._origins import origin_of
from sessionkit.errors import ConfigError

LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))


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


def endpoints_of(server: str | Endpoints) -> Endpoints:
    """Return *server*, or the endpoints of one whose token endpoint alone is known."""
    return server if isinstance(server, Endpoints) else Endpoints(server)


def checked_url(url: str, name: str = "token_url") -> str:
    """Return *url*, or say at once that it is not absolute."""
    try:
        origin_of(url)
    except (ValueError, AttributeError) as error:
        message = f"{name} must be an absolute URL such as https://id.example/token"
        raise ConfigError(message, hint="an environment variable that is not set?") from error
    return url


def is_secure_url(url: object) -> bool:
    """Tell whether nobody on the way can read or change what *url* is asked: TLS, or loopback."""
    try:
        parts = urlsplit(origin_of(url)) if isinstance(url, str) else urlsplit("")
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
