"""What the URLs of token stores have in common: paths of files, and options."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection


def file_path(url: str) -> str:
    """Return the path in a URL such as ``file:tokens.json`` or ``file:///var/tokens.json``.

    Raises:
        ConfigError: There is no path, or something else than a path. The message never repeats
            the URL.
    """
    scheme, _, rest = url.partition(":")
    kind = scheme.lower()
    example = f"{kind}:relative/path, {kind}:///absolute/path"
    if "?" in rest or "#" in rest:
        raise ConfigError(f"{kind}: takes no options", hint="write ? as %3F and # as %23 in a path")
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host or not slash:
            # file://tokens.json: a host to a URL parser, a path to whoever wrote it.
            raise ConfigError(f"{kind}:// is followed by a third slash", hint=f"write {example}")
        rest = f"/{path.lstrip('/')}"
    path = unquote(rest)
    if not path or path.endswith("/"):
        raise ConfigError(f"{kind}: needs the path of a file", hint=f"write {example}")
    return path


def take_options(url: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """Take options out of the query of a URL.

    Args:
        url: Such as ``redis://cache.example/0?prefix=app&ssl_cert_reqs=required``.
        names: The options to take; others stay in the URL.

    Returns:
        The URL without them, and what they were.
    """
    front, _, query = url.partition("?")
    taken: dict[str, str] = {}
    left: list[str] = []
    for pair in query.split("&") if query else []:
        name, _, text = pair.partition("=")
        if name in names:
            taken[name] = unquote_plus(text)
        else:
            # As it was written, for another parser reads it.
            left.append(pair)
    return "?".join([front, "&".join(left)] if left else [front]), taken
