"""Origins: scheme, host and port of a URL, as it will really be used (RFC 6454, section 4)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from urllib3.util.url import parse_url

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    r"""Return the origin of an absolute *url*, as ``https://api.example:443``.

    urllib3's parser decides, because requests sends to the host that it finds: for
    ``http://evil\@good/`` the standard library says ``good`` while requests goes to ``evil``.

    Raises:
        ValueError: The URL has no scheme or no host, or cannot be parsed.
    """
    head = url.lstrip()
    # Everything up to the path decides; remembered by that head, or a parse costs each call.
    start = head.find("//") + 2
    for mark in "/?#":
        # A backslash is left in: the parser must see it to be as suspicious as requests is.
        end = head.find(mark, start)
        if end >= 0:
            head = head[:end]
    return _parse(head)


def origin_or_none(url: str | None) -> str | None:
    """Return the origin of *url*, or None where it has none or cannot be parsed."""
    try:
        return origin_of(url or "")
    except ValueError:
        return None


@lru_cache(maxsize=256)
def _parse(head: str) -> str:
    try:
        parsed = parse_url(head)
    except Exception as error:
        raise ValueError("this URL cannot be parsed") from error
    if not parsed.scheme or not parsed.host:
        raise ValueError("an absolute URL with a scheme and a host is needed")
    scheme = parsed.scheme.lower()
    port = parsed.port or _DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{parsed.host.lower()}" + (f":{port}" if port else "")


def is_absolute(url: str) -> bool:
    """Return whether *url* names its own scheme and authority (RFC 3986, section 4.3)."""
    head, found, _ = url.lstrip().partition("://")
    if head in _DEFAULT_PORTS:
        return bool(found)
    return bool(found) and head[:1].isalpha() and all(c.isalnum() or c in "+.-" for c in head)


def join_base(base_url: str, url: str) -> str:
    """Append *url* to *base_url*; an absolute *url* stays as it is.

    The path of the base is always kept: ``/orders`` under ``https://api.example/v1/`` is
    ``https://api.example/v1/orders``. A query alone is added to the base itself.
    """
    if is_absolute(url):
        return url
    if not url or url[0] in "?#":
        return base_url + url
    return f"{base_url.rstrip('/')}/{url.lstrip('/')}"


def without_pairs(url: str, name: str, values: Iterable[str]) -> str:
    """Return *url* without the query pairs of *name* that hold one of *values*.

    All other pairs stay as they are, to the letter.
    """
    head, mark, rest = url.partition("?")
    if not mark:
        return url
    query, hash_mark, fragment = rest.partition("#")
    unwanted = {f"{name}={value}" for value in values}
    left = [pair for pair in query.split("&") if unquote_plus(pair) not in unwanted]
    query = "&".join(left)
    return head + (mark if query else "") + query + hash_mark + fragment
