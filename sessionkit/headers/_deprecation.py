"""Reading what a server says of the end of an endpoint."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from sessionkit.headers._fields import read_date, unescape
from sessionkit.headers._link import parse_links

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A warning that persists, with its agent and its text (RFC 7234, section 5.5.7).
_PERSISTENT = re.compile(r'(?:^|,)\s*+299\s++[^\s"]++\s++"((?:[^"\\]|\\.)*+)"', re.DOTALL)
_MAX_CHARACTERS = 3_000
_RELATIONS = frozenset({"deprecation", "sunset"})


class DeprecationNotice(NamedTuple):
    """What the headers of a response say of the end of its endpoint; immutable.

    Attributes:
        is_deprecated: Whether it should not be used any more.
        deprecated: Since when (RFC 9745), or None.
        sunset: When it stops to respond (RFC 8594), or None.
        link: Where to read on, or "".
        text: The server's own words (``Warning: 299``), or "".
    """

    is_deprecated: bool
    deprecated: datetime | None
    sunset: datetime | None
    link: str
    text: str


def read_deprecation(headers: Mapping[str, str], base_url: str) -> DeprecationNotice | None:
    """Return what *headers* say of the end of an endpoint, or None where they say nothing.

    Args:
        headers: Of the response; case-insensitive.
        base_url: Its URL, to which a relative link is resolved.
    """
    since = headers.get("Deprecation", "")
    deprecated, sunset = _date(since), _date(headers.get("Sunset", ""))
    warnings = _PERSISTENT.findall(headers.get("Warning", "")[:_MAX_CHARACTERS])
    text = "; ".join(map(unescape, warnings))
    # A draft before the standard had only a word.
    is_deprecated = deprecated is not None or since.strip().lower() in {"true", "?1"}
    if not (is_deprecated or sunset or text):
        return None
    link = _link(headers.get("Link", ""), base_url)
    return DeprecationNotice(is_deprecated, deprecated, sunset, link, text)


def _date(text: str) -> datetime | None:
    moment = read_date(text)
    return None if moment is None else datetime.fromtimestamp(moment, UTC)


def _link(text: str, base_url: str) -> str:
    """Return the target of the first link that explains (RFC 9745, section 3; RFC 8594, 6)."""
    for link in parse_links(text):
        if not _RELATIONS.isdisjoint(link.relations):
            try:
                return urljoin(base_url, link.target)
            except ValueError:
                return link.target
    return ""
