"""Guards of a walk over pages: no request twice, and none to another origin."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urldefrag, urljoin

from sessionkit._origins import origin_or_none
from sessionkit.errors import CrossOriginPage, PageLoop

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.paging._base import PageRequest

_LOOP_HINT = "the server repeats itself: check the paginator's settings against its documentation"
_CROSS_ORIGIN_HINT = (
    "credentials stay at one origin; if that one is yours too, walk over it by itself"
)


class LoopGuard:
    """Refuse page requests that were sent before, or that lead to another origin.

    Belongs to one walk, hence to one thread at a time.

    Args:
        start: The URL that the caller gave: its own, wherever it leads, so not checked.
    """

    __slots__ = ("_base", "_origin", "_start", "_used", "_userinfo")

    def __init__(self, start: str) -> None:
        self._start = _without_query(start)
        self._origin: str | None = None
        self._userinfo = ""
        self._base = start
        self._used: dict[bytes, int] = {}

    def check(self, request: PageRequest, number: int) -> PageRequest:
        """Return *request* with an absolute URL, if it may be sent for page *number*.

        Raises:
            CrossOriginPage: It leads to another scheme, host or port, or carries user information.
            PageLoop: The very same request brought an earlier page.
        """
        # The caller's own URL, with whatever query, goes where the stack takes it.
        if self._used and _without_query(request.url) != self._start:
            request = replace(request, url=self._at_same_origin(request, number))
        key = fingerprint(request)
        if key in self._used:
            raise PageLoop(
                f"page {number} would be the request of page {self._used[key]} again",
                hint=_LOOP_HINT,
                method=request.method,
                url=_without_query(request.url),
            )
        self._used[key] = number
        return request

    def record(self, request: PageRequest, response: Response, number: int) -> None:
        """Remember the URL that *request* was really sent to, once its *response* is there."""
        sent = _requested_url(response) or request.url
        if self._origin is None:
            self._origin = _origin(sent)
            self._userinfo = _userinfo(sent)
        self._base = response.url or sent
        # A relative first URL is known in full only now, and a link may lead back to it.
        self._used.setdefault(fingerprint(request.with_url(sent)), number)

    def _at_same_origin(self, request: PageRequest, number: int) -> str:
        url = _resolve(self._base, request.url)
        origin = _origin(url)
        if origin is None or origin != self._origin or _userinfo(url) not in ("", self._userinfo):
            where = (
                "user information" if origin == self._origin else (origin or "an unreadable URL")
            )
            raise CrossOriginPage(
                f"page {number} would be at {where}, but this walk began at {self._origin}",
                hint=_CROSS_ORIGIN_HINT,
                method=request.method,
                url=_without_query(url).encode("ascii", "backslashreplace").decode(),
            )
        return url


def fingerprint(request: PageRequest) -> bytes:
    """Return a digest that two page requests share only if they are the same.

    Parameters are compared by name and value, wherever they stand; the order of those with the
    same name counts. Digests, because cursors may be long and walks too.
    """
    where, _, query = request.url.partition("#")[0].partition("?")
    pairs = [*parse_qsl(query, keep_blank_values=True), *_pairs(request.params or {})]
    headers = sorted((name.lower(), value) for name, value in (request.headers or {}).items())
    parts = [request.method, _canonical(where), sorted(pairs, key=_name), headers, request.json]
    return sha256(json.dumps(parts, sort_keys=True, default=repr).encode()).digest()


def _pairs(params: Any) -> list[tuple[str, str]]:
    pairs = []
    for name, value in params.items():
        values = value if isinstance(value, list | tuple | set | frozenset) else [value]
        pairs += [(_text(name), _text(one)) for one in values if one is not None]
    return pairs


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _canonical(where: str) -> str:
    origin = _origin(where)
    path = where if origin is None else "/" + where.partition("//")[2].partition("/")[2]
    # Escapes in one spelling; an escaped slash stays another thing than a slash.
    parts = path.replace("%2f", "%2F").split("%2F")
    return (origin or "") + "%2F".join(quote(unquote(part), errors="replace") for part in parts)


def _requested_url(response: Response) -> str | None:
    # The first hop of all: where a redirect ended was the server's choice, not the caller's.
    first = response.history[0] if response.history else response
    return getattr(first.request, "url", None) or first.url


def _origin(url: str) -> str | None:
    # The standard library, browsers and requests read a backslash differently, and half a
    # surrogate pair, as JSON may hold, is in no URL.
    if "\\" in _authority(url) or not url.isprintable():
        return None
    return origin_or_none(url)


def _resolve(base: str, url: str) -> str:
    try:
        return urldefrag(urljoin(base, url)).url
    except ValueError:
        return url


def _authority(url: str) -> str:
    return re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]


def _userinfo(url: str) -> str:
    return _authority(url).rpartition("@")[0]


def _without_query(url: str) -> str:
    # Cursors and keys travel in the query.
    return url.partition("#")[0].partition("?")[0]
