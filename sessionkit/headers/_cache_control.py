"""Reading ``Cache-Control`` (RFC 9111, section 5.2)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTIVE = re.compile(r'([\w-]++)(?:\s*+=\s*+(?:"([^"]*+)"|([^\s,]*+)))?+')


class RequestDirectives(NamedTuple):
    """What a request asks of caches (RFC 9111, section 5.2.1); times in seconds."""

    no_store: bool
    no_cache: bool
    only_if_cached: bool
    max_age: float
    max_stale: float
    min_fresh: float

    @classmethod
    def read(cls, headers: Mapping[str, str] | Mapping[str, str | bytes]) -> RequestDirectives:
        """Return the directives of a request; a value that makes no sense asks for caution."""
        given = read_directives(headers.get("Cache-Control"))
        pragma = read_directives(headers.get("Pragma")) if not given else {}
        stale = given.get("max-stale")
        return cls(
            no_store="no-store" in given,
            no_cache="no-cache" in given or "no-cache" in pragma,
            only_if_cached="only-if-cached" in given,
            max_age=delta_seconds(given["max-age"], 0.0) if "max-age" in given else math.inf,
            max_stale=math.inf if stale == "" else delta_seconds(stale or "0", 0.0),
            min_fresh=delta_seconds(given.get("min-fresh", "0"), math.inf),
        )


def read_directives(text: object) -> dict[str, str]:
    """Return the directives of a ``Cache-Control`` header, without quotes; "" for no value."""
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    found = _DIRECTIVE.findall(text) if isinstance(text, str) else ()
    return {name.lower(): quoted or plain for name, quoted, plain in found}


def delta_seconds(text: str, default: float) -> float:
    """Return a number of seconds (RFC 9111, section 1.2.2), or *default* for anything else."""
    # More digits than any clock has are "for ever".
    return float(text[:10]) if text.isascii() and text.isdecimal() else default
