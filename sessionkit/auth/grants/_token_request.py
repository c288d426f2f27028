"""Who asks for a token: a client's name, and how it proves that it is the one (RFC 6749, 2.3)."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, NoReturn, Protocol
from urllib.parse import quote_plus

from requests import Request
from requests.auth import HTTPBasicAuth
from requests.exceptions import InvalidHeader
from requests.utils import check_header_validity

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: How a client sends its secret, by the names that servers publish (RFC 7591, section 2).
CLIENT_AUTHS = ("client_secret_basic", "client_secret_post")
_WRITTEN_BY_REQUESTS = ("content-length", "content-type", "host", "transfer-encoding")


class ClientAuth(Protocol):
    """A proof other than a secret, such as a signed assertion (RFC 7523, section 2.2)."""

    def fields(self, client_id: str, token_url: str) -> dict[str, str]:
        """Return the form fields that prove who the client is; made anew for each request."""
        ...


class Client:
    """A client's name and its proof, and how they go on a token request.

    Args:
        name: Its public identifier.
        secret: Its secret; None for a public client, or where *auth* is a proof of its own.
        auth: One of :data:`CLIENT_AUTHS`, or a :class:`ClientAuth`.
        headers: Added to each token request.

    Raises:
        ConfigError: An empty name or secret, a proof that is none, or a header that cannot be sent.
    """

    __slots__ = ("_auth", "_headers", "_secret", "name")

    def __init__(
        self,
        name: str,
        secret: str | None,
        auth: str | ClientAuth,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if auth not in CLIENT_AUTHS and not callable(getattr(auth, "fields", None)):
            shown = repr(auth) if isinstance(auth, str) else type(auth).__name__
            message = (
                f"client_auth must be {' or '.join(map(repr, CLIENT_AUTHS))}, or a proof such as "
                f"PrivateKeyJwt, not {shown}"
            )
            raise ConfigError(message)
        if not name or (secret is not None and not secret):
            message = "client_id and client_secret must not be empty"
            hint = "an environment variable that is not set?"
            raise ConfigError(message, hint=hint)
        if secret is not None and not isinstance(auth, str):
            message = "a client proves itself by its secret or by another proof, not by both"
            raise ConfigError(message, hint="leave client_secret out")
        self.name = name
        self._secret = secret
        self._auth = auth
        is_basic = secret is not None and auth == "client_secret_basic"
        self._headers = checked_headers(headers, reserved={"authorization"} if is_basic else ())

    def __reduce__(self) -> NoReturn:
        message = "a grant is not pickled: its secrets would be readable in the pickle"
        raise ConfigError(message, hint="build it where it is used, from the names of its secrets")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret and the headers, in every form in which a server may quote them."""
        sent = tuple(self._headers.values())
        if self._secret is None:
            return sent
        encoded = quote_plus(self._secret)
        basic = b64encode(f"{quote_plus(self.name)}:{encoded}".encode()).decode()
        return self._secret, encoded, basic, *sent

    def request(self, url: str, form: dict[str, str]) -> Request:
        """Return the token request, authenticated."""
        if self._secret is not None and self._auth == "client_secret_basic":
            # Both halves are form-encoded first (RFC 6749, section 2.3.1).
            basic = HTTPBasicAuth(quote_plus(self.name), quote_plus(self._secret))
            return Request("POST", url, headers=self._headers, data=form, auth=basic)
        data = {**form, "client_id": self.name}
        if not isinstance(self._auth, str):
            data |= self._auth.fields(self.name, url)
        elif self._secret is not None:
            data["client_secret"] = self._secret
        return Request("POST", url, headers=self._headers, data=data)


def checked_headers(
    headers: Mapping[str, str] | None, *, reserved: Collection[str] = ()
) -> dict[str, str]:
    """Return *headers*, or say at once that they cannot be sent; their values are never shown.

    Args:
        headers: By their names.
        reserved: Names, in small letters, of those that are written otherwise.

    Raises:
        ConfigError: A name or text that no request can carry, an empty text, or a reserved name.
    """
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
            raise ConfigError(message, hint="an environment variable that is not set?")
        if name.lower() in {*_WRITTEN_BY_REQUESTS, *reserved}:
            message = f"headers must not hold {name}: the token request writes it itself"
            raise ConfigError(message)
    return checked
