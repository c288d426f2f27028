"""Rules that say which error an answer is, where its status alone does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from sessionkit.errors._base import SessionKitError
from sessionkit.errors._bodies import read_details
from sessionkit.errors._tree import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

#: What a look into a body of another shape raises: such a body does not fit, that is all.
_OTHER_SHAPE = (ValueError, LookupError, TypeError, AttributeError)
_FIRST_ERROR_STATUS = 400


class Rule:
    """One line of the table of an :class:`~sessionkit.handlers.ErrorHandler`; the first match wins.

    A rule fits an answer if everything that it names does. Immutable, and shared by threads.

    Args:
        raises: The error that such an answer is: a class of the tree or of yours, derived from
            :class:`StatusError` or another class of the tree that requests raises too. None: it
            is no error, and the caller gets the answer.
        status: One status or several, such as ``range(500, 600)``; by default any from 400 on.
            Name a status below 400 for failures that a server tells inside of successes.
        method: Of the request.
        header: A header that the answer has, or a pair of its name and its whole value.
        code: What the server calls the failure; see :attr:`ErrorDetail.code`.
        when: A function of the answer, true where the rule fits. Of an error's body it sees 64 KiB.
            A body of another shape, on which it fails, does not fit.

    Raises:
        ConfigError: Not an error that may leave a session, or not a status.
    """

    __slots__ = ("_code", "_header", "_method", "_when", "raises", "statuses")

    def __init__(
        self,
        raises: type[SessionKitError] | None,
        *,
        status: int | Collection[int] | None = None,
        method: str | None = None,
        header: str | tuple[str, str] | None = None,
        code: str | None = None,
        when: Callable[[requests.Response], bool] | None = None,
    ) -> None:
        self.raises = _checked(raises)
        self.statuses = read_statuses("status", status)
        self._method = None if method is None else method.upper()
        self._header = header
        self._code = code
        self._when = when

    @property
    def looks_inside(self) -> bool:
        """Whether the body has to be read before :meth:`fits` can tell."""
        return self._code is not None or self._when is not None

    def concerns(self, response: requests.Response) -> bool:
        """Tell whether status, method and headers fit; the body is not looked at."""
        status = response.status_code
        if self.statuses is None and status < _FIRST_ERROR_STATUS:
            return False
        if self.statuses is not None and status not in self.statuses:
            return False
        if self._method is not None and (response.request.method or "").upper() != self._method:
            return False
        if isinstance(self._header, tuple):
            name, value = self._header
            return response.headers.get(name) == value
        return self._header is None or self._header in response.headers

    def fits(self, response: requests.Response) -> bool:
        """Tell whether the body fits too, as far as it has been read."""
        if self._code is not None and read_details(response).code != self._code:
            return False
        try:
            return self._when is None or bool(self._when(response))
        except _OTHER_SHAPE:
            return False

    def __repr__(self) -> str:
        shown = [self.raises.__name__ if self.raises else "None"]
        if self.statuses is not None:
            shown.append(f"status={sorted(self.statuses)}")
        known = {"method": self._method, "header": self._header, "code": self._code}
        shown += [f"{name}={value!r}" for name, value in known.items() if value is not None]
        if self._when is not None:
            shown.append(f"when={getattr(self._when, '__qualname__', 'a function')}")
        return f"Rule({', '.join(shown)})"


def read_statuses(name: str, given: object) -> frozenset[int] | None:
    """Return the HTTP statuses that *given* names; None where it is None.

    Args:
        name: Of the argument, for the message.
        given: One status, or several.

    Raises:
        ConfigError: It names none.
    """
    if given is None:
        return None
    several: list[Any] = [*given] if hasattr(given, "__iter__") else [given]
    if not several or not all(type(item) is int and 100 <= item <= 599 for item in several):
        hint = "one such as 404, or several such as (200, 404) or range(200, 300)"
        raise ConfigError(f"{name}={given!r} must name HTTP statuses", hint=hint)
    return frozenset(several)


def _checked(raises: object) -> type[SessionKitError] | None:
    if raises is None:
        return None
    if isinstance(raises, type) and issubclass(raises, SessionKitError):
        if issubclass(raises, requests.RequestException):
            return raises
        # Pages of users' code that catch RequestException would let it through.
        hint = f"derive it from a class of the tree too: class {raises.__name__}(..., StatusError)"
        raise ConfigError(f"{raises.__name__} is no requests.RequestException", hint=hint)
    message = f"raises={raises!r} is no class of errors that sessionkit raises"
    raise ConfigError(message, hint="vendor_error(YourError, NotFound) makes one of yours that is")
