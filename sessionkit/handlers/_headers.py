"""Headers that each call carries; the session is not changed."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, TypeAlias

from requests.utils import default_user_agent

from sessionkit._origins import is_absolute, origin_of, origin_or_none
from sessionkit._redact import is_secret_name
from sessionkit.errors import ConfigError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: Text, a function that gives the text for a call, or None for a header that is left out.
HeaderValue: TypeAlias = "str | Callable[[Exchange], str | None] | None"

#: A name (RFC 9110, section 5.1), and a value that no line break ends early (section 5.5).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")
#: Products with versions, and remarks in brackets (RFC 9110, section 10.1.5).
_PRODUCT = rf"{_NAME.pattern}(?:/{_NAME.pattern})?"
_USER_AGENT = re.compile(rf"{_PRODUCT}(?: (?:{_PRODUCT}|\([^()\\\x00-\x1f\x7f-\U0010ffff]*\)))*")
#: Headers of the body or the connection, which requests writes itself.
_MANAGED_NAMES = frozenset(
    {"connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"}
)


class HeadersHandler:
    """Add the headers of your SDK or program to each call; the session is not changed.

    A header that the caller gives on the call wins, also None, by which requests leaves one out.
    These headers win over the session's own of the same name.

    They are not secret: a redirect takes them to other hosts. A credential, and whatever else must
    not reach other hosts, belongs to :class:`~sessionkit.auth.AuthHandler`, for instance with
    ``StaticToken`` and ``scheme=Header("X-Tenant")``; names that mean credentials are refused.

    Placed inside ``retry``, it computes its headers for each attempt; the request id stays the same
    over all of them. ``operation="list_orders"`` names what a call is for; functions of yours
    (``exchange.option("operation")``) and the log can read it. Immutable, hence safe to share
    between threads.

    Args:
        headers: Text, or a function of the exchange that returns it; None leaves the header out.
            They go with calls to the origin of the stack's ``base_url`` (to any, where it has
            none) and to *origins*.
        user_agent: Your product and version, such as ``acme-sdk/2.1``. It is put before that of
            requests, as RFC 9110 (section 10.1.5) orders products. It goes with every call.
        request_id_header: Name of the header of the call's id, a random UUID that is also
            ``response.record.request_id``; None sends none. It goes with every call, so that the
            call can be found in the server's logs.
        origins: Further origins to which *headers* go, such as ``https://files.example``.

    Raises:
        ConfigError: A name or text that no request can carry, a name of a credential, of the body
            or of the connection, or one that is given twice.
    """

    options = frozenset({"operation"})

    __slots__ = ("_headers", "_origins", "_request_id_header", "_user_agent")

    def __init__(
        self,
        headers: Mapping[str, HeaderValue] | None = None,
        *,
        user_agent: str | None = None,
        request_id_header: str | None = "X-Request-Id",
        origins: Iterable[str] = (),
    ) -> None:
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        self._headers = given
        self._request_id_header = request_id_header
        self._user_agent = None if user_agent is None else _read_user_agent(user_agent)
        named = ("User-Agent" if user_agent is not None else None, request_id_header, *given)
        _check_names([name for name in named if name is not None])
        _check_values(given)
        self._origins = frozenset(map(_origin, origins))

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call with the headers that it lacks.

        Raises:
            InvalidRequest: A function returned what no header can carry, such as a line break.
        """
        headers: dict[str, str] = {}
        if self._request_id_header is not None:
            headers |= _request_id(exchange, self._request_id_header)
        if self._user_agent is not None and not _is_given(exchange, "User-Agent"):
            headers["User-Agent"] = self._user_agent
        if self._headers and self._is_for(exchange):
            headers |= self._read(exchange)
        return call_next(exchange.with_headers(headers) if headers else exchange)

    def _is_for(self, exchange: Exchange) -> bool:
        """Return whether the call goes to an origin that *headers* are for."""
        if exchange.base_origin is None or not is_absolute(exchange.url):
            return True
        origin = origin_or_none(exchange.url)
        return origin == exchange.base_origin or origin in self._origins

    def _read(self, exchange: Exchange) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in self._headers.items():
            if _is_given(exchange, name):
                continue
            text = value(exchange) if callable(value) else value
            if text is None:
                continue
            if callable(value) and (wrong := _problem_with(text)):
                message = f"the function for the header {name} returned {wrong}"
                raise InvalidRequest(message, method=exchange.method, url=exchange.url)
            found[name] = text
        return found

    def __repr__(self) -> str:
        known = {
            "headers": list(self._headers),
            "user_agent": self._user_agent,
            "request_id_header": self._request_id_header,
            "origins": sorted(self._origins),
        }
        return f"HeadersHandler({', '.join(f'{k}={v}' for k, v in known.items() if v)})"


def _request_id(exchange: Exchange, name: str) -> dict[str, str]:
    """Return the header with the call's id, which is made once; nothing if the caller gave one."""
    record = exchange.record
    if _is_given(exchange, name):
        record.request_id = exchange.header(name)
        return {}
    if record.request_id is None:
        record.request_id = str(uuid.uuid4())
    return {name: record.request_id}


def _is_given(exchange: Exchange, name: str) -> bool:
    """Return whether the caller gave this header on the call, even as None."""
    if exchange.prepared is not None:
        # What the session put on it when it was prepared was not given.
        return name in exchange.prepared.headers and exchange.has_credential("header", name)
    given = exchange.options.get("headers")
    if not given:
        return False
    wanted = name.lower()
    return any(
        (key.decode("latin-1") if isinstance(key, bytes) else key).lower() == wanted
        for key in given
    )


def _read_user_agent(text: str) -> str:
    if not isinstance(text, str) or not _USER_AGENT.fullmatch(text):
        message = "user_agent is not a list of products"
        raise ConfigError(message, hint="such as 'acme-sdk/2.1' or 'acme-sdk/2.1 (linux)'")
    return f"{text} {default_user_agent()}"


def _check_names(names: list[str]) -> None:
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            message = f"{str(name)[:80]!r} is not a name for a header"
            raise ConfigError(message, hint="letters, digits and hyphens, such as X-Tenant")
        if is_secret_name(name):
            message = f"the header {name} is a credential by its name, and would go to any host"
            hint = f"AuthHandler(StaticToken(...), scheme=Header({name!r})) keeps it to its origins"
            raise ConfigError(message, hint=hint)
        if name.lower() in _MANAGED_NAMES:
            message = f"the header {name} belongs to the body or the connection of one request"
            raise ConfigError(message, hint="requests writes it; or give it on the call itself")
    lower = [name.lower() for name in names]
    twice = sorted({name for name in lower if lower.count(name) > 1})
    if twice:
        message = f"given twice: {', '.join(twice)}"
        raise ConfigError(message, hint="user_agent= and request_id_header= name headers too")


def _check_values(headers: Mapping[str, HeaderValue]) -> None:
    for name, value in headers.items():
        if not callable(value) and (wrong := _problem_with(value)):
            raise ConfigError(f"the value of the header {name} is {wrong}")


def _problem_with(value: object) -> str | None:
    """Return what is wrong with a value, without showing it, or None."""
    if not isinstance(value, str):
        return f"no text, but {type(value).__name__}"
    if _VALUE.fullmatch(value):
        return None
    if set(value) & set("\r\n\0"):
        return "a text with a line break or a null in it"
    return "a text that a header cannot carry: blanks around it, or signs beyond Latin-1"


def _origin(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError as error:
        raise ConfigError(f"not an origin: {error}", hint="such as https://files.example") from None
