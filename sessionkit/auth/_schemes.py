"""Schemes: where a token goes on a request (RFC 6750, section 2, and vendors' own ways)."""

from __future__ import annotations

import logging
import re
from typing import Protocol
from urllib.parse import quote_plus

from sessionkit._exchange import Secret
from sessionkit.errors import ConfigError

_COOKIE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Scheme(Protocol):
    """Turns a token into a secret on a request. Stateless, hence thread-safe."""

    place: str
    name: str

    def secret(self, value: str, origins: frozenset[str]) -> Secret:
        """Return what is placed for a token of this *value*, bound to *origins*."""
        ...


class Bearer:
    """``Authorization: Bearer <token>`` (RFC 6750, section 2.1).

    Args:
        prefix: The word before the token; some vendors want ``Token`` or ``token``.
    """

    __slots__ = ("_prefix",)

    place = "header"
    name = "Authorization"

    def __init__(self, prefix: str = "Bearer") -> None:
        self._prefix = _token(prefix, "prefix")

    def secret(self, value: str, origins: frozenset[str]) -> Secret:
        """Return the header."""
        return Secret("header", "Authorization", f"{self._prefix} {value}", origins)

    def __repr__(self) -> str:
        return f"Bearer({self._prefix!r})"


class Header:
    """A header of the vendor's own, such as ``X-Vault-Token``.

    Args:
        name: Name of the header.
        prefix: Put before the token, a blank between; by default nothing.
    """

    __slots__ = ("_prefix", "name")

    place = "header"

    def __init__(self, name: str, prefix: str = "") -> None:
        self.name = _token(name, "name")
        self._prefix = _token(prefix, "prefix") if prefix else ""

    def secret(self, value: str, origins: frozenset[str]) -> Secret:
        """Return the header."""
        text = f"{self._prefix} {value}" if self._prefix else value
        return Secret("header", self.name, text, origins)

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

    place = "query"

    def __init__(self, name: str) -> None:
        if not name or not name.isascii() or not name.isprintable() or set(name) & set(" :"):
            message = "name of a query parameter must be printable ASCII without blanks and colons"
            raise ConfigError(message)
        self.name = name
        for log in map(logging.getLogger, _LOGS_OF_URLS):
            if not any(isinstance(f, _MaskedInLogs) and f.name == name for f in log.filters):
                log.addFilter(_MaskedInLogs(name))

    def secret(self, value: str, origins: frozenset[str]) -> Secret:
        """Return the parameter."""
        return Secret("query", self.name, value, origins)

    def __repr__(self) -> str:
        return f"Query({self.name!r})"


class Cookie:
    """A cookie that this library sends itself, beside those in the session's jar (RFC 6265).

    Args:
        name: Name of the cookie.
    """

    __slots__ = ("name",)

    place = "cookie"

    def __init__(self, name: str) -> None:
        self.name = _token(name, "name")

    def secret(self, value: str, origins: frozenset[str]) -> Secret:
        """Return the cookie.

        Raises:
            ConfigError: The token holds what no cookie can (RFC 6265, section 4.1.1).
        """
        if not _COOKIE.fullmatch(value):
            message = "this token holds characters that no cookie can hold"
            raise ConfigError(message, hint="send it in a header: scheme=Header(...)")
        return Secret("cookie", self.name, value, origins)

    def __repr__(self) -> str:
        return f"Cookie({self.name!r})"


def _token(text: str, what: str) -> str:
    if not _TOKEN.fullmatch(text):
        message = f"{what} of a scheme must be printable, and a token (RFC 9110, section 5.6.2)"
        raise ConfigError(message, hint="letters, digits and !#$%&'*+-.^_`|~")
    return text
