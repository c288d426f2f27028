"""What a server says of the end of an endpoint, told to the one who can do something about it."""

from __future__ import annotations

import re
import sys
import threading
import warnings
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from requests.utils import parse_header_links

from sessionkit._redact import redact_url, scrub
from sessionkit.stores._locks import PerProcess

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import FrameType

    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: Endpoints that are remembered as told; beyond, the one told first is forgotten.
MAX_ENDPOINTS = 1_000
_LONGEST = 300
#: In lower case, for one look over an answer's headers: every call pays for it.
_NOTICES = frozenset({"deprecation", "sunset", "warning"})
#: A warning that persists, with its agent and its text (RFC 7234, section 5.5.7).
_PERSISTENT = re.compile(r'(?:^|,)\s*299\s+[^\s"]+\s+"((?:[^"\\]|\\.)*)"')
#: A segment of a path that names one thing: a number, a hexadecimal name, or long with digits.
_NAME_OF_ONE = re.compile(r"\d+|(?=.*\d)[0-9a-fA-F-]{8,}|(?=.*\d).{20,}|.*[%:@,;=].*")


class ApiDeprecationWarning(DeprecationWarning):
    """An endpoint goes away, or a server has something lasting to say of it.

    Attributes:
        endpoint: Method and address, with ``{}`` in place of what names one thing.
        deprecated: Since when it should not be used (RFC 9745), or None.
        sunset: When it will stop to answer (RFC 8594), or None.
        link: Where to read on, or None.
        text: The server's own words (``Warning: 299``), or None.
    """

    endpoint: str = ""
    deprecated: datetime | None = None
    sunset: datetime | None = None
    link: str | None = None
    text: str | None = None


class DeprecationHandler:
    """Warn once for each endpoint whose answers say that it goes away.

    Read are ``Deprecation`` (RFC 9745, and the drafts before it), ``Sunset`` (RFC 8594), the
    ``Link`` of either, and ``Warning: 299``. The warning is an :class:`ApiDeprecationWarning` at
    the line that made the call, outside of sessionkit and requests. As with any
    ``DeprecationWarning``, Python shows it in ``__main__`` and in tests.

    Place it inside of ``errors``, outside of ``retry``. Shared between threads; what was told
    already is kept for the last 1,000 endpoints.
    """

    __slots__ = ("_warned",)

    def __init__(self) -> None:
        self._warned = PerProcess(lambda _parents: _WarnedEndpoints())

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Forward, and warn of what the answer tells.

        Raises:
            ApiDeprecationWarning: Only where filters turn warnings into errors.
        """
        response = call_next(exchange)
        if not _NOTICES.isdisjoint(map(str.lower, response.headers)):
            self._warn(exchange, response)
        return response

    def _warn(self, exchange: Exchange, response: Response) -> None:
        endpoint = _endpoint(exchange.method, str(response.url or exchange.url))
        warning = _read(response, endpoint, exchange.secret_values)
        if warning is None or not self._warned.get().is_new(endpoint):
            return
        frame = _caller()
        # As warnings.warn does it, but with the frame found by what it is, not by a count.
        warnings.warn_explicit(
            warning,
            type(warning),
            frame.f_code.co_filename,
            frame.f_lineno,
            module=frame.f_globals.get("__name__", "<unknown>"),
            registry=frame.f_globals.setdefault("__warningregistry__", {}),
        )

    def __repr__(self) -> str:
        return "DeprecationHandler()"


class _WarnedEndpoints:
    """The endpoints that were warned of in this process."""

    __slots__ = ("_endpoints", "_guard")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._endpoints: dict[str, None] = {}

    def is_new(self, endpoint: str) -> bool:
        """Tell whether *endpoint* was not asked for before; from now on it was."""
        with self._guard:
            if endpoint in self._endpoints:
                return False
            if len(self._endpoints) >= MAX_ENDPOINTS:
                del self._endpoints[next(iter(self._endpoints))]
            self._endpoints[endpoint] = None
            return True


def _endpoint(method: str, url: str) -> str:
    """Return the address without what names one thing in it: not one warning for each order."""
    base = re.split(r"[?#]", redact_url(url), maxsplit=1)[0]
    head, mark, rest = base.partition("://")
    authority, *segments = rest.split("/") if mark else ["", *head.split("/")]
    path = "/".join("{}" if _NAME_OF_ONE.fullmatch(part) else part for part in segments)
    return f"{method} {f'{head}://' if mark else ''}{authority}/{path}"


def _read(
    response: Response, endpoint: str, secrets: tuple[str, ...]
) -> ApiDeprecationWarning | None:
    """Return the warning that an answer asks for, or None where its headers say nothing."""
    headers = response.headers
    since, text = headers.get("Deprecation", ""), _lasting(headers.get("Warning", ""))
    deprecated, sunset = _date(since), _date(headers.get("Sunset", ""))
    # A draft before the standard had only a word.
    named = deprecated is not None or since.strip().lower() in {"true", "?1"}
    if not (named or sunset or text):
        return None
    link = _clean(redact_url(_link(headers.get("Link", ""), str(response.url or ""))), secrets)
    said = (
        f"deprecated{f' since {deprecated:%Y-%m-%d}' if deprecated else ''}" if named else "",
        f"ends on {sunset:%Y-%m-%d}" if sunset else "",
        f'the server says "{_clean(text, secrets)}"' if text else "",
        f"see {link}" if link else "",
    )
    place = _clean(endpoint, secrets)
    warning = ApiDeprecationWarning(f"{place}: {'; '.join(part for part in said if part)}")
    warning.endpoint, warning.deprecated, warning.sunset = place, deprecated, sunset
    warning.link, warning.text = link or None, _clean(text, secrets) or None
    return warning


def _lasting(told: str) -> str:
    found = _PERSISTENT.findall(told[: 10 * _LONGEST])
    return re.sub(r"\\(.)", r"\1", "; ".join(found))


def _date(told: str) -> datetime | None:
    """Read a date of a structured field (RFC 9651, section 3.3.7), or one of HTTP."""
    try:
        if told.strip().startswith("@"):
            return datetime.fromtimestamp(int(told.strip()[1:]), UTC)
        moment = parsedate_to_datetime(told)
    except (TypeError, ValueError, IndexError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _link(told: str, base: str) -> str:
    """Return the target of the first link that explains (RFC 9745, section 3; RFC 8594, 6)."""
    for link in parse_header_links(told):
        if {"deprecation", "sunset"} & set(link.get("rel", "").lower().split()):
            try:
                return urljoin(base, link["url"])
            except ValueError:
                return link["url"]
    return ""


def _clean(text: str, secrets: Collection[str]) -> str:
    one = scrub(" ".join(text.split()), secrets)
    return "".join(sign if sign.isprintable() else "?" for sign in one)[:_LONGEST]


def _caller() -> FrameType:
    """Return the frame that made the call: the first one around the stack that is not ours.

    Functions that serve as handlers stand between here and the stack; they are not meant.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # inspect would do the same, and load much more
    while frame.f_back is not None and frame.f_globals.get("__name__") != "sessionkit._stack":
        frame = frame.f_back
    while frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] in {"sessionkit", "requests"}
