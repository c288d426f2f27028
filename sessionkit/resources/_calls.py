"""One call for a resource: sent by the stack, its status checked."""

from __future__ import annotations

from collections.abc import Collection as Statuses
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from sessionkit._redact import redact_url
from sessionkit.errors import ConfigError, UnexpectedStatus

if TYPE_CHECKING:
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


def ask(
    stack: SessionStack, method: str, url: str, *, options: dict[str, Any], expect: Expect
) -> Response:
    """Send one request and return its answer.

    Raises:
        UnexpectedStatus: The status is not in *expect*. With an error handler on the stack a status
            of 400 and above is that handler's error.
    """
    response = stack.request(method, url, **options)
    check(response, expect)
    return response


def check(response: Response, expect: Expect) -> None:
    """Refuse an answer with a status outside *expect*.

    Raises:
        UnexpectedStatus: Its text starts with verb, path and status.
    """
    status = response.status_code
    if 200 <= status <= 299 if expect is None else status in _as_set(expect):
        return
    wanted = "2xx" if expect is None else " or ".join(map(str, sorted(_as_set(expect))))
    path = redact_url(urlsplit(response.url).path)
    message = f"{response.request.method} {path} {status}: expected {wanted}"
    raise UnexpectedStatus(message, response=response)


def _as_set(expect: int | Statuses[int]) -> Statuses[int]:
    return (expect,) if isinstance(expect, int) else expect
