"""Deprecation: warnings about endpoints that a server says it will switch off."""

from __future__ import annotations

import re
import sys
import threading
import warnings
from typing import TYPE_CHECKING

from cachetools import LRUCache

from sessionkit._fork import PerProcess
from sessionkit._redact import redact_url, scrub
from sessionkit.headers._deprecation import read_deprecation

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from types import FrameType

    from requests import Response

    from sessionkit.chain._exchange import CallNext, Exchange

#: Endpoints that are remembered; beyond, the one called least recently is forgotten.
MAX_ENDPOINTS = 1_000
#: Characters of a text.
_MAX_TEXT = 300
#: In lower case, compared to a response's headers at once: every call pays for it.
_NOTICES = frozenset({"deprecation", "sunset", "warning"})
#: A segment of a path that is an id: a number, a hexadecimal name, or long with digits.
_ID = re.compile(r"\d+|(?=.*\d)[0-9a-fA-F-]{8,}|(?=.*\d).{20,}|.*[%:@,;=].*")


class ApiDeprecationWarning(DeprecationWarning):
    """An endpoint is deprecated, or its server sends a persistent warning about it.

    Attributes:
        endpoint: Method and URL, with ``{}`` in place of ids.
        deprecated: Since when it should not be used (RFC 9745), or None.
        sunset: When it stops working (RFC 8594), or None.
        link: The page that explains it, or None.
        text: The server's own words (``Warning: 299``), or None.
    """

    endpoint: str = ""
    deprecated: datetime | None = None
    sunset: datetime | None = None
    link: str | None = None
    text: str | None = None


class DeprecationHandler:
    """Warn once for each endpoint whose responses say that it is deprecated.

    Read are ``Deprecation`` (RFC 9745, and the drafts before it), ``Sunset`` (RFC 8594), the
    ``Link`` of either, and ``Warning: 299``. The warning is an :class:`ApiDeprecationWarning` at
    the line that made the call, outside of sessionkit and requests. As with any
    ``DeprecationWarning``, Python shows it in ``__main__`` and in tests.

    Place it inside ``errors`` and outside ``retry``. Shared between threads. The last 1,000
    endpoints are remembered, those of a process apart.
    """

    __slots__ = ("_warned",)

    def __init__(self) -> None:
        self._warned = PerProcess(lambda _parents: _WarnedEndpoints())

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call, and warn if its response asks for it.

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
        if warning is None or not self._warned.get().add(endpoint):
            return
        frame = _caller()
        # As warnings.warn does, but the frame is found by its module, not by a count.
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
        self._endpoints: LRUCache[str, None] = LRUCache(MAX_ENDPOINTS)

    def add(self, endpoint: str) -> bool:
        """Remember *endpoint*; return whether it is new."""
        with self._guard:
            is_new = endpoint not in self._endpoints
            self._endpoints[endpoint] = None
            return is_new


def _endpoint(method: str, url: str) -> str:
    """Return method and URL without ids, so that a thousand orders make one warning."""
    base = re.split(r"[?#]", redact_url(url), maxsplit=1)[0]
    head, mark, rest = base.partition("://")
    authority, *segments = rest.split("/") if mark else ["", *head.split("/")]
    path = "/".join("{}" if _ID.fullmatch(part) else part for part in segments)
    return f"{method} {f'{head}://' if mark else ''}{authority}/{path}"


def _read(
    response: Response, endpoint: str, secrets: tuple[str, ...]
) -> ApiDeprecationWarning | None:
    """Return the warning that a response asks for, or None."""
    notice = read_deprecation(response.headers, str(response.url or ""))
    if notice is None:
        return None
    deprecated, sunset = notice.deprecated, notice.sunset
    link, text = _clean(redact_url(notice.link), secrets), _clean(notice.text, secrets)
    since = f" since {deprecated:%Y-%m-%d}" if deprecated else ""
    parts = (
        f"deprecated{since}" if notice.is_deprecated else "",
        f"ends on {sunset:%Y-%m-%d}" if sunset else "",
        f'the server says "{text}"' if text else "",
        f"see {link}" if link else "",
    )
    shown_endpoint = _clean(endpoint, secrets)
    warning = ApiDeprecationWarning(
        f"{shown_endpoint}: {'; '.join(part for part in parts if part)}"
    )
    warning.endpoint, warning.deprecated, warning.sunset = shown_endpoint, deprecated, sunset
    warning.link, warning.text = link or None, text or None
    return warning


def _clean(text: str, secrets: Collection[str]) -> str:
    one = scrub(" ".join(text.split()), secrets)
    return "".join(sign if sign.isprintable() else "?" for sign in one)[:_MAX_TEXT]


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
