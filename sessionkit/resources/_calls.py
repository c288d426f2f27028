"""One call for a resource: sent by the stack, its status checked."""

from __future__ import annotations

from collections.abc import Collection as Statuses
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from sessionkit.errors import ConfigError, UnexpectedStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import Response

    from sessionkit._stack import SessionStack

Expect: TypeAlias = int | Statuses[int] | None
"""The statuses that are a success; None for all from 200 to 299."""


def statuses(expect: Expect, owner: str) -> frozenset[int] | None:
    """Read the ``expect=`` of a declaration.

    Raises:
        ConfigError: No HTTP status.
    """
    if expect is None:
        return None
    given = [expect] if isinstance(expect, int) else list(expect)
    if not given or not all(type(status) is int and 100 <= status <= 599 for status in given):
        raise ConfigError(f"{owner}: expect={expect!r} must name HTTP statuses such as 200")
    return frozenset(given)


def send_checked(
    stack: SessionStack,
    method: str,
    url: str,
    *,
    options: Mapping[str, Any] = MappingProxyType({}),
    expect: frozenset[int] | None = None,
) -> Response:
    """Send one request and return its answer.

    Raises:
        UnexpectedStatus: The status is not in *expect*, or not from 200 to 299 where that is None;
            the text starts with verb, path and status. With an error handler on the stack, a
            status of 400 and above is that handler's error.
    """
    response = stack.request(method, url, **options)
    status = response.status_code
    if 200 <= status <= 299 if expect is None else status in expect:
        return response
    wanted = "2xx" if expect is None else " or ".join(map(str, sorted(expect)))
    path = urlsplit(response.url).path
    message = f"{response.request.method} {path} {status}: expected {wanted}"
    raise UnexpectedStatus(message, response=response)
