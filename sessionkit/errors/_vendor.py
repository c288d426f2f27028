"""Errors of a vendor's own: rules that name them, and classes below a root of the vendor's."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import requests

from sessionkit.errors._base import SessionKitError, rebuild
from sessionkit.errors._formats import read_details
from sessionkit.errors._tree import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

AnyError = TypeVar("AnyError", bound=SessionKitError)

#: What a look into a body of another shape raises: such a body does not fit, that is all.
_OTHER_SHAPE = (ValueError, LookupError, TypeError, AttributeError)
_FIRST_ERROR_STATUS = 400


class Rule:
    """One line of the table of an :class:`~sessionkit.handlers.ErrorHandler`; the first match wins.

    A rule fits a response if everything that it names does. Immutable, and shared by threads.

    Args:
        raises: The error that such a response is: a class of the tree or of yours, derived from
            :class:`StatusError` or another class of the tree that requests raises too. None: it
            is no error, and the caller gets the response.
        status: One status or several, such as ``range(500, 600)``; by default any from 400 on.
            Name a status below 400 for failures that a server reports inside of successes.
        method: Of the request.
        header: A header that the response has, or a pair of its name and its whole value.
        code: What the server calls the failure; see :attr:`ErrorDetail.code`.
        when: A function of the response, true where the rule fits. Of an error's body it sees
            64 KiB. A body of another shape, on which it fails, does not fit.

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
        """Return whether status, method and headers fit; the body is not looked at."""
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
        """Return whether the body fits too, as far as it has been read."""
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


def vendor_error(base_class: type[Exception], kind: type[AnyError]) -> type[AnyError]:
    """Return the class that is both *kind* and a vendor's own *base_class*: ``AcmeNotFound``.

    Its name is that of the base class without ``Error``, followed by that of *kind*; its module is
    that of the base class. The same two classes always give the same class, so it can be given a
    name to be imported by: ``AcmeNotFound = vendor_error(AcmeError, NotFound)``. Its errors can be
    pickled without such a name, wherever the base class can be imported. They are made without an
    ``__init__`` of the base class, which may add methods and properties.

    Args:
        base_class: Any exception class.
        kind: A class of the tree, or one derived from it. A :class:`ConfigError` is returned as it
            is: it is for the programmer who builds the stack.

    Raises:
        ConfigError: *base_class* is no exception class, or the two have no common order of parents.
    """
    if not (isinstance(base_class, type) and issubclass(base_class, Exception)):
        message = f"base_class={base_class!r} is no class of exceptions"
        raise ConfigError(message, hint="class AcmeError(Exception): ...")
    if issubclass(kind, (base_class, ConfigError)):
        return kind
    made: type[AnyError] = _vendor_class(base_class, kind)  # type: ignore[arg-type]  # hashable
    return made


@cache
def _vendor_class(base_class: type[Exception], kind: type[SessionKitError]) -> Any:
    name = base_class.__name__.removesuffix("Error") + kind.__name__

    def reduce(self: SessionKitError) -> tuple[Any, ...]:
        build, (own, *rest) = kind.__reduce__(self)
        if own is not made:
            return build, (
                own,
                *rest,
            )  # a class that was derived further, to be imported by its name
        return _rebuild_vendor_error, (base_class, kind, *rest)

    body = {
        "__doc__": kind.__doc__,
        "__init__": kind.__init__,
        "__module__": base_class.__module__,
        "__reduce__": reduce,
    }
    try:
        made = type(name, (base_class, kind), body)
    except TypeError as error:
        message = f"no class can be both {base_class.__name__} and {kind.__name__}: {error}"
        hint = "derive the base class from Exception or SessionKitError alone"
        raise ConfigError(message, hint=hint) from error
    return made


def _rebuild_vendor_error(base_class: type[Exception], kind: Any, *rest: Any) -> SessionKitError:
    error: SessionKitError = rebuild(vendor_error(base_class, kind), *rest)
    return error


def as_vendor_error(base_class: type[Exception], error: SessionKitError) -> SessionKitError:
    """Return *error* as one of the vendor's: itself, or its copy below *base_class*."""
    kind = vendor_error(base_class, type(error))
    if kind is type(error):
        return error
    copy = rebuild(kind, error.args, dict(vars(error)))
    copy.__cause__, copy.__context__ = error.__cause__, error.__context__
    copy.__suppress_context__ = error.__suppress_context__
    return copy.with_traceback(error.__traceback__)
