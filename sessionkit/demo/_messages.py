"""What the demo's API is asked and what it answers: plain values, so no part needs a socket."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as the demo's API sees it. Immutable, hence thread-safe.

    Args:
        method: The method, in capitals.
        path: The path without its query, percent signs as sent.
        query: The query's parameters; of a repeated one the last.
        headers: The headers, names in lower case.
        body: The whole body.
        origin: Scheme, host and port that absolute links start with.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    origin: str = "http://127.0.0.1"

    def form(self) -> dict[str, str]:
        """Read the body as an HTML form; text that is no UTF-8 is kept with replacement marks."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace")))

    def number(self, name: str, default: int, *, most: int) -> int:
        """Read the query parameter *name* as a whole number from 0 to *most*.

        A larger number counts as *most*, as servers with a cap on their page size do.

        Raises:
            Refused: It is no whole number, or below 0 (answered with 400).
        """
        if name not in self.query:
            return default
        number = whole_number(self.query[name])
        if number is None:
            raise Refused(problem(400, f"{name} must be a whole number from 0 up"))
        return min(number, most)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the demo's API. Immutable, hence thread-safe."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Reply:
        """Return this answer with *headers* added; those it has already stand."""
        return Reply(self.status, self.body, {**headers, **self.headers})


class Refused(Exception):
    """An answer that ends the work on a request at once; never leaves the demo's API."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def whole_number(text: str) -> int | None:
    """Read up to nine digits as a number; None where *text* is anything else."""
    # isdecimal() would let digits of other scripts, and any length of them, pass to int().
    fits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if fits else None


def json_reply(status: int, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with *document* as JSON."""
    body = json.dumps(document).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with a problem document (RFC 9457, section 3)."""
    title = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    kind = {"Content-Type": "application/problem+json"}
    return json_reply(status, document, {**(headers or {}), **kind})
