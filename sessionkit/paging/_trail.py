"""The guard of a walk: no request twice, and none to another origin."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote, urldefrag, urljoin

from sessionkit._origins import origin_of
from sessionkit.errors import CrossOriginPage, PageLoop

if TYPE_CHECKING:
    from requests import Response

    from sessionkit.paging._base import Step

_LOOP_HINT = "the server repeats itself: check the paginator's settings against its documentation"
_FOREIGN_HINT = "credentials stay at home; if that host is yours too, page through it by itself"


class Trail:
    """What one walk has asked so far. Belongs to one walk, hence to one thread at a time.

    Args:
        start: The URL that the caller gave: its own, wherever it leads, so not checked.
    """

    __slots__ = ("_base", "_home", "_start", "_used", "_userinfo")

    def __init__(self, start: str) -> None:
        self._start = _bare(start)
        self._home: str | None = None
        self._userinfo = ""
        self._base = start
        self._used: dict[bytes, int] = {}

    def admit(self, step: Step, number: int) -> Step:
        """Return *step* as it may be sent for page *number*, its URL made absolute.

        Raises:
            CrossOriginPage: It leads to another scheme, host or port, or carries user information.
            PageLoop: The very same request brought an earlier page.
        """
        # The caller's own URL, with whatever query, goes where the stack takes it.
        if self._used and _bare(step.url) != self._start:
            step = replace(step, url=self._at_home(step, number))
        key = fingerprint(step)
        if key in self._used:
            raise PageLoop(
                f"page {number} would be the request of page {self._used[key]} again",
                hint=_LOOP_HINT,
                method=step.method,
                url=_bare(step.url),
            )
        self._used[key] = number
        return step

    def record(self, step: Step, response: Response, number: int) -> None:
        """Remember where *step* really went, once its *response* is there."""
        sent = _sent_to(response) or step.url
        if self._home is None:
            self._home = _origin(sent)
            self._userinfo = _userinfo(sent)
        self._base = response.url or sent
        # A relative first URL is known in full only now, and a link may lead back to it.
        self._used.setdefault(fingerprint(step.at(sent)), number)

    def _at_home(self, step: Step, number: int) -> str:
        url = _joined(self._base, step.url)
        origin = _origin(url)
        if origin is None or origin != self._home or _userinfo(url) not in ("", self._userinfo):
            where = "user information" if origin == self._home else (origin or "an unreadable URL")
            raise CrossOriginPage(
                f"page {number} would be at {where}, but this walk began at {self._home}",
                hint=_FOREIGN_HINT,
                method=step.method,
                url=_bare(url).encode("ascii", "backslashreplace").decode(),
            )
        return url


def fingerprint(step: Step) -> bytes:
    """Return a digest that two steps share only if they are the same request.

    Parameters are compared by name and value, wherever they stand; the order of those with the
    same name counts. Digests, because cursors may be long and walks too.
    """
    where, _, query = step.url.partition("#")[0].partition("?")
    pairs = [*parse_qsl(query, keep_blank_values=True), *_pairs(step.params or {})]
    headers = sorted((name.lower(), value) for name, value in (step.headers or {}).items())
    parts = [step.method, _canonical(where), sorted(pairs, key=_name), headers, step.json]
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


def _sent_to(response: Response) -> str | None:
    # The first hop of all: where a redirect ended was the server's choice, not the caller's.
    first = response.history[0] if response.history else response
    return getattr(first.request, "url", None) or first.url


def _origin(url: str) -> str | None:
    # The standard library, browsers and requests read a backslash differently, and half a
    # surrogate pair, as JSON may hold, is in no URL.
    if "\\" in _authority(url) or not url.isprintable():
        return None
    try:
        return origin_of(url)
    except ValueError:
        return None


def _joined(base: str, url: str) -> str:
    try:
        return urldefrag(urljoin(base, url)).url
    except ValueError:
        return url


def _authority(url: str) -> str:
    return re.split(r"[/?#]", url.partition("//")[2], maxsplit=1)[0]


def _userinfo(url: str) -> str:
    return _authority(url).rpartition("@")[0]


def _bare(url: str) -> str:
    # Cursors and keys travel in the query.
    return url.partition("#")[0].partition("?")[0]
