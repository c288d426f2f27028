"""Reading ``Link`` (RFC 8288, section 3 and appendix B.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

from sessionkit.headers._fields import unescape

# Possessive quantifiers: each character is looked at once, however long and hostile the header.
_PARAMETER = re.compile(
    r"""[ \t]*+;[ \t]*+ (?P<name>[^ \t=;,]*+) [ \t]*+
        (?: =[ \t]*+ (?: "(?P<quoted>(?:[^"\\]|\\.)*+)"? | (?P<token>[^;,]*+) ) )?+""",
    re.VERBOSE | re.DOTALL,
)


class Link(NamedTuple):
    """One link of a Link header, target and anchor as they stand there; immutable."""

    target: str
    relations: tuple[str, ...] = ()
    anchor: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()


def parse_links(text: str) -> list[Link]:
    """Return the links of a Link header; several headers are joined by commas, as HTTP allows.

    Names of parameters and relations come in lower case; of ``rel`` and ``anchor`` the first
    counts. Elements that are no link are left out.
    """
    links = []
    position = _skip(text, 0)
    while position < len(text):
        if text[position] == "<":
            end = text.find(">", position)
            if end < 0:
                break
            target = text[position + 1 : end]
            parameters, position = _read_parameters(text, end + 1)
            links.append(_link(target, parameters))
        # Appendix B.2 gives up at an element that is no link; one after it may still be good.
        comma = text.find(",", position)
        position = len(text) if comma < 0 else _skip(text, comma)
    return links


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in ", \t\r\n":
        position += 1
    return position


def _read_parameters(text: str, position: int) -> tuple[tuple[tuple[str, str], ...], int]:
    found = []
    while match := _PARAMETER.match(text, position):
        quoted, token = match["quoted"], match["token"]
        value = (token or "").strip(" \t") if quoted is None else quoted
        if quoted is not None and "\\" in value:
            value = unescape(value)
        found.append((match["name"].lower(), value))
        position = match.end()
    return tuple(found), position


def _link(target: str, parameters: tuple[tuple[str, str], ...]) -> Link:
    first = dict(reversed(parameters))
    relations = tuple(first.get("rel", "").lower().split())
    return Link(target, relations, first.get("anchor"), parameters)
