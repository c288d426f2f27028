"""What RFC 9111 says of requests, ages and storing, as far as hishel leaves it out. Pure."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from sessionkit.headers._cache_control import delta_seconds, read_directives
from sessionkit.headers._fields import read_date

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit.headers._cache_control import RequestDirectives

#: Statuses whose answers are kept: final, whole, and none that refuses a credential.
CACHEABLE_STATUSES = frozenset({200, 203, 204, 300, 301, 308, 404, 410})
#: The header of a kept answer that says when its age was zero, in seconds since the epoch.
STORED_AT = "x-sessionkit-born"
#: What is not kept of an answer; a cookie is for the one moment in which it was set.
_DROPPED = frozenset({"set-cookie", "set-cookie2", STORED_AT})
#: Seconds that no answer is kept for.
_MAX_LIFETIME = 1e9


def is_cacheable(response: Response) -> bool:
    """Tell whether *response* may be kept by its looks, and would ever be of use.

    Of an answer that redirects led to, the address that was asked is not the one that answered.
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
    told = read_directives(headers.get("Cache-Control"))
    return "max-age" in told or any(n in headers for n in ("Expires", "ETag", "Last-Modified"))


def headers_to_store(response: Response, *, asked: float, now: float) -> dict[str, str]:
    """Return the headers of *response* as they are kept, in lower case.

    Args:
        response: It came just now.
        asked: When it was asked for, in seconds since the epoch.
        now: The same of this moment.
    """
    headers = {str(k).lower(): str(v) for k, v in response.headers.items()}
    headers = {name: value for name, value in headers.items() if name not in _DROPPED}
    date = read_date(headers.get("date"))
    if date is None:
        date = now
        headers["date"] = formatdate(now, usegmt=True)  # RFC 9110, section 6.6.1
    # RFC 9111, section 4.2.3.
    told = delta_seconds(headers.pop("age", "0"), 0.0)
    headers[STORED_AT] = repr(now - max(0.0, now - date, told + now - asked))
    return headers


def age_of(headers: Mapping[str, str], now: float) -> float:
    """Return the age of a kept answer at *now*, in seconds (RFC 9111, section 4.2.3)."""
    return max(0.0, now - float(headers[STORED_AT]))


def headers_for_hishel(
    headers: Mapping[str, str], directives: RequestDirectives, *, age: float, machine: float
) -> dict[str, str]:
    """Return headers by which hishel finds a kept answer as fresh as it is for this request.

    hishel knows an age by ``Date`` and the machine's clock only, and none of the directives that a
    request may bring; so it is given dates which come to the same. Without ``Last-Modified`` it
    takes nothing for fresh of which the server did not say so.

    Args:
        headers: As kept.
        directives: Of the request.
        age: Of the answer, in seconds.
        machine: Now by the machine's clock, in seconds since the epoch.
    """
    seen = {name: value for name, value in headers.items() if name != "last-modified"}
    told = read_directives(headers.get("cache-control"))
    spare = 0.0 if "must-revalidate" in told else directives.max_stale
    if age > directives.max_age + spare or age + directives.min_fresh > _MAX_LIFETIME:
        return {**seen, "cache-control": "no-cache"}
    born = machine - max(0.0, age + directives.min_fresh - spare)
    date, expires = read_date(headers.get("date")), read_date(headers.get("expires"))
    seen["date"] = formatdate(born, usegmt=True)
    if date is not None and expires is not None:
        lifetime = min(max(expires - date, -_MAX_LIFETIME), _MAX_LIFETIME)
        seen["expires"] = formatdate(born + lifetime, usegmt=True)
    return seen


def validators(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that ask whether a kept answer still holds (RFC 9111, section 4.3.1)."""
    pairs = (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
    return {name: headers[kept] for name, kept in pairs if kept in headers}
