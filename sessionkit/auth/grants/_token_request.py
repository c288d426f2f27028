"""Who asks for a token: a client's name, and how it proves that it is the one (RFC 6749, 2.3)."""

from __future__ import annotations

from base64 import b64encode
from typing import NoReturn, Protocol
from urllib.parse import quote_plus

from requests import Request
from requests.auth import HTTPBasicAuth

from sessionkit.errors import ConfigError


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
        auth: ``basic`` or ``post``, or a :class:`ClientAuth`.

    Raises:
        ConfigError: An empty name or secret, or a proof that is none.
    """

    __slots__ = ("_auth", "_secret", "name")

    def __init__(self, name: str, secret: str | None, auth: str | ClientAuth) -> None:
        if auth not in {"basic", "post"} and not callable(getattr(auth, "fields", None)):
            shown = repr(auth) if isinstance(auth, str) else type(auth).__name__
            message = f"auth must be 'basic', 'post' or a proof such as PrivateKeyJwt, not {shown}"
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
        if not isinstance(self._auth, str):
            proof = self._auth.fields(self.name, url)
            return Request("POST", url, data={**form, "client_id": self.name, **proof})
        if self._secret is None:
            return Request("POST", url, data={**form, "client_id": self.name})
        if self._auth == "post":
            data = {**form, "client_id": self.name, "client_secret": self._secret}
            return Request("POST", url, data=data)
        # Both halves are form-encoded first (RFC 6749, section 2.3.1).
        basic = HTTPBasicAuth(quote_plus(self.name), quote_plus(self._secret))
        return Request("POST", url, data=form, auth=basic)
