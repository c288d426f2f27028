"""Where a token goes: its location on a request (RFC 6750, section 2), and its allowed origins."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote_plus

from sessionkit._origins import is_absolute, origin_of, origin_or_none
from sessionkit.chain._exchange import Credential
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sessionkit._tokens import Token
    from sessionkit.chain._exchange import Exchange

_SAFE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
#: Those of a foreign URL.
NO_ORIGINS: frozenset[str] = frozenset()


class Scheme(Protocol):
    """Turns a token into credentials of a request. Stateless, hence thread-safe."""

    location: str
    name: str

    def credentials(
        self, token: Token, method: str, *, origins: frozenset[str]
    ) -> tuple[Credential, ...]:
        """Return the credentials for *token* on a request of this *method*, bound to *origins*."""
        ...


class Bearer:
    """``Authorization: Bearer <token>`` (RFC 6750, section 2.1).

    Args:
        prefix: The word before the token; some vendors want ``Token`` or ``token``.
    """

    __slots__ = ("_prefix",)

    location = "header"
    name = "Authorization"

    def __init__(self, prefix: str = "Bearer") -> None:
        self._prefix = _token(prefix, "prefix")

    def credentials(
        self,
        token: Token,
        method: str,  # noqa: ARG002  # what all schemes take
        *,
        origins: frozenset[str],
    ) -> tuple[Credential, ...]:
        """Return the header."""
        return (Credential("header", "Authorization", f"{self._prefix} {token.value}", origins),)

    def __repr__(self) -> str:
        return f"Bearer({self._prefix!r})"


class Header:
    """A header of the vendor's own, such as ``X-Vault-Token``.

    Args:
        name: Name of the header.
        prefix: Put before the token, a blank between; by default nothing.
    """

    __slots__ = ("_prefix", "name")

    location = "header"

    def __init__(self, name: str, prefix: str = "") -> None:
        self.name = _token(name, "name")
        self._prefix = _token(prefix, "prefix") if prefix else ""

    def credentials(
        self,
        token: Token,
        method: str,  # noqa: ARG002  # what all schemes take
        *,
        origins: frozenset[str],
    ) -> tuple[Credential, ...]:
        """Return the header."""
        text = f"{self._prefix} {token.value}" if self._prefix else token.value
        return (Credential("header", self.name, text, origins),)

    def __repr__(self) -> str:
        return f"Header({self.name!r})"


_LOGS_OF_URLS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")


class _MaskedInLogs(logging.Filter):
    """Masks one query parameter in what urllib3 logs: at DEBUG it writes each path it asks for."""

    def __init__(self, parameter: str) -> None:
        super().__init__(parameter)
        self._pattern = re.compile(rf"([?&]{re.escape(quote_plus(parameter))}=)[^&\s]*")

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask, and let the record pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                self._pattern.sub(r"\1***", arg) if isinstance(arg, str) else arg
                for arg in record.args
            )
        return True


class Query:
    """A query parameter, such as ``api_key``; the URL then is a secret too.

    urllib3 logs each path at DEBUG; the parameter is masked in its log from here on.

    Args:
        name: Name of the parameter.
    """

    __slots__ = ("name",)

    location = "query"

    def __init__(self, name: str) -> None:
        if not name or not name.isascii() or not name.isprintable() or set(name) & set(" :"):
            message = "name of a query parameter must be printable ASCII without blanks and colons"
            raise ConfigError(message)
        self.name = name
        for log in map(logging.getLogger, _LOGS_OF_URLS):
            if not any(isinstance(f, _MaskedInLogs) and f.name == name for f in log.filters):
                log.addFilter(_MaskedInLogs(name))

    def credentials(
        self,
        token: Token,
        method: str,  # noqa: ARG002  # what all schemes take
        *,
        origins: frozenset[str],
    ) -> tuple[Credential, ...]:
        """Return the parameter."""
        return (Credential("query", self.name, token.value, origins),)

    def __repr__(self) -> str:
        return f"Query({self.name!r})"


class Cookie:
    """A cookie that this library sends itself, beside those in the session's jar (RFC 6265).

    Args:
        name: Name of the cookie.
    """

    __slots__ = ("name",)

    location = "cookie"

    def __init__(self, name: str) -> None:
        self.name = _token(name, "name")

    def credentials(
        self,
        token: Token,
        method: str,  # noqa: ARG002  # what all schemes take
        *,
        origins: frozenset[str],
    ) -> tuple[Credential, ...]:
        """Return the cookie.

        Raises:
            ConfigError: The token holds what no cookie can (RFC 6265, section 4.1.1).
        """
        return (_cookie(self.name, token.value, origins),)

    def __repr__(self) -> str:
        return f"Cookie({self.name!r})"


class SessionCookie:
    """The session's cookie of a login form, and on unsafe methods its CSRF token as a header.

    See :class:`~sessionkit.auth.LoginForm`, which makes one.

    Args:
        name: Name of the session's cookie.
        csrf_cookie: Name of the cookie with the CSRF token.
        csrf_header: Header in which requests with unsafe methods repeat it.
    """

    __slots__ = ("csrf_cookie", "csrf_header", "name")

    location = "cookie"

    def __init__(self, name: str, *, csrf_cookie: str, csrf_header: str) -> None:
        self.name = _token(name, "cookie")
        self.csrf_cookie = _token(csrf_cookie, "csrf_cookie")
        self.csrf_header = _token(csrf_header, "csrf_header")

    def credentials(
        self, token: Token, method: str, *, origins: frozenset[str]
    ) -> tuple[Credential, ...]:
        """Return the cookies, and for an unsafe method (RFC 9110, section 9.2.1) the headers."""
        session = _cookie(self.name, token.value, origins)
        csrf = token.extra.get("csrf")
        if not csrf:
            return (session,)
        cookies = (session, _cookie(self.csrf_cookie, csrf, origins))
        if method.upper() in _SAFE:
            return cookies
        headers = {self.csrf_header: csrf, "Referer": token.extra.get("referer")}
        placed = (
            Credential("header", name, text, origins) for name, text in headers.items() if text
        )
        return (*cookies, *placed)

    def __repr__(self) -> str:
        return f"SessionCookie({self.name!r})"


def _cookie(name: str, value: str, origins: frozenset[str]) -> Credential:
    if not _COOKIE.fullmatch(value):
        message = "this token holds characters that no cookie can hold"
        raise ConfigError(message, hint="send it in a header: scheme=Header(...)")
    return Credential("cookie", name, value, origins)


def _token(text: str, what: str) -> str:
    if not _TOKEN.fullmatch(text):
        message = f"{what} of a scheme must be printable, and a token (RFC 9110, section 5.6.2)"
        raise ConfigError(message, hint="letters, digits and !#$%&'*+-.^_`|~")
    return text


class AllowedOrigins:
    """The origins that credentials may go to. Immutable, hence thread-safe.

    Args:
        urls: As absolute URLs; None for the stack's ``base_url``, and for a relative URL the origin
            that the session resolves it to.

    Raises:
        ConfigError: An origin that is no absolute URL.
    """

    __slots__ = ("_origins",)

    def __init__(self, urls: Iterable[str] | None = None) -> None:
        self._origins: frozenset[str] | None = None
        if urls is None:
            return
        listed = [urls] if isinstance(urls, str) else list(urls)
        try:
            self._origins = frozenset(origin_of(url) for url in listed)
        except ValueError as error:
            message = f"an origin must be an absolute URL such as https://api.example: {error}"
            raise ConfigError(message) from error

    def for_exchange(self, exchange: Exchange) -> frozenset[str]:
        """Return the origins that credentials of *exchange* may go to; none for a foreign URL.

        Raises:
            ConfigError: Nothing says which origins are ours.
        """
        allowed = self._origins
        if allowed is None:
            origin = exchange.base_origin
            if origin is None and not is_absolute(exchange.url):
                origin = exchange.session_origin()
            if origin is None:
                message = "it is not known which origins the token may go to"
                hint = (
                    "give the stack a base_url, or the handler origins=['https://api.example']; "
                    "a token is never sent to the origin that happens to be called first"
                )
                raise ConfigError(message, hint=hint, method=exchange.method, url=exchange.url)
            allowed = frozenset((origin,))
        if not is_absolute(exchange.url):
            return allowed  # the wire looks where it leads
        return allowed if is_allowed(exchange.url, allowed) else NO_ORIGINS

    def __repr__(self) -> str:
        return f", origins={sorted(self._origins)}" if self._origins else ""


def is_allowed(url: str | None, allowed: frozenset[str]) -> bool:
    """Return whether the origin of *url* is among *allowed*; False where it has none."""
    return origin_or_none(url) in allowed
