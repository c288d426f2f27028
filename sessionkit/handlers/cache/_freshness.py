"""Rules of RFC 9111 on storing and freshness that hishel leaves out. Pure."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from sessionkit.headers._cache_control import delta_seconds, read_directives
from sessionkit.headers._fields import read_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.headers._cache_control import RequestDirectives

#: Statuses whose responses are stored: final, complete, and none that refuses a credential.
CACHEABLE_STATUSES = frozenset({200, 203, 204, 300, 301, 308, 404, 410})
#: The header of a stored response that holds when its age was 0, in seconds since the epoch.
GENERATED_AT = "x-sessionkit-generated-at"
#: Headers that are not stored; a cookie is only for the moment in which it was set.
_DROPPED = frozenset({"set-cookie", "set-cookie2", GENERATED_AT})
#: Seconds; longer lifetimes are cut.
_MAX_LIFETIME = 1e9


def is_cacheable(response: Response) -> bool:
    """Return whether *response* may be stored, and could be used later.

    A response after redirects belongs to another URL than the one that was requested.
    """
    headers = response.headers
    if (
        response.status_code not in CACHEABLE_STATUSES
        or response.history
        or "WWW-Authenticate" in headers
    ):
        return False
    if "*" in headers.get("Vary", "") or getattr(response, "from_cache", False) is True:
        return False
    directives = read_directives(headers.get("Cache-Control"))
    return "max-age" in directives or any(
        n in headers for n in ("Expires", "ETag", "Last-Modified")
    )


def headers_to_store(response: Response, *, sent_at: float, now: float) -> dict[str, str]:
    """Return the headers of *response* as they are stored, in lower case.

    Args:
        response: Received just now.
        sent_at: When its request was sent, in seconds since the epoch.
        now: In seconds since the epoch.
    """
    headers = {str(k).lower(): str(v) for k, v in response.headers.items()}
    headers = {name: value for name, value in headers.items() if name not in _DROPPED}
    date = read_date(headers.get("date"))
    if date is None:
        date = now
        headers["date"] = formatdate(now, usegmt=True)  # RFC 9110, section 6.6.1
    # RFC 9111, section 4.2.3.
    age = delta_seconds(headers.pop("age", "0"), 0.0)
    headers[GENERATED_AT] = repr(now - max(0.0, now - date, age + now - sent_at))
    return headers


def age_of(headers: Mapping[str, str], now: float) -> float:
    """Return the age of a stored response at *now*, in seconds (RFC 9111, section 4.2.3)."""
    return max(0.0, now - float(headers[GENERATED_AT]))


def headers_for_hishel(
    headers: Mapping[str, str], directives: RequestDirectives, *, age: float, machine: float
) -> dict[str, str]:
    """Return headers by which hishel computes the freshness that this request asks for.

    hishel computes an age from ``Date`` and the machine's clock only, and ignores most directives
    of requests; so it is given dates that have the same effect. Without ``Last-Modified`` it uses
    no heuristic freshness.

    Args:
        headers: As stored.
        directives: Of the request.
        age: Of the response, in seconds.
        machine: Now by the machine's clock, in seconds since the epoch.
    """
    seen = {name: value for name, value in headers.items() if name != "last-modified"}
    own = read_directives(headers.get("cache-control"))
    max_stale = 0.0 if "must-revalidate" in own else directives.max_stale
    if age > directives.max_age + max_stale or age + directives.min_fresh > _MAX_LIFETIME:
        return {**seen, "cache-control": "no-cache"}
    generated = machine - max(0.0, age + directives.min_fresh - max_stale)
    date, expires = read_date(headers.get("date")), read_date(headers.get("expires"))
    seen["date"] = formatdate(generated, usegmt=True)
    if date is not None and expires is not None:
        lifetime = min(max(expires - date, -_MAX_LIFETIME), _MAX_LIFETIME)
        seen["expires"] = formatdate(generated + lifetime, usegmt=True)
    return seen


def validators(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that revalidate a stored response (RFC 9111, section 4.3.1)."""
    pairs = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
    return {name: headers[stored] for name, stored in pairs if stored in headers}
