"""Reading ``Set-Cookie`` as browsers do (RFC 6265, section 5.2). Pure.

The standard library's parser drops a cookie with an attribute that it does not know, such as
``Partitioned``, and takes minutes over some of 64 KiB.
"""

from __future__ import annotations

from typing import NamedTuple

from sessionkit.headers._fields import read_count


class SetCookie(NamedTuple):
    """A cookie that a response sets.

    Attributes:
        name: As written; never empty.
        value: As written, without quotes around it; empty where the cookie is taken away.
        lifetime: Seconds for which it holds (``Max-Age``), or None where that is not said.
    """

    name: str
    value: str
    lifetime: float | None


def read_set_cookie(line: str) -> SetCookie | None:
    """Return the cookie that one header sets, or None where it sets none. Never raises."""
    pair, *attributes = line.split(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(), value.strip()
    if not (equals and name):
        return None
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    lifetime: float | None = None
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        if key.strip().lower() != "max-age":
            continue
        text = text.strip()
        seconds = read_count(text.removeprefix("-"))
        if seconds is not None:
            lifetime = -seconds if text.startswith("-") else seconds
    if lifetime is not None and lifetime <= 0:
        value, lifetime = "", None  # whatever stands there: PHP writes "deleted"
    return SetCookie(name, value, lifetime)
