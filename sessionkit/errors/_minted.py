"""Errors of a vendor's own: each class of the tree once more, under a root of the vendor's."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from sessionkit.errors._base import SessionKitError, rebuild
from sessionkit.errors._tree import ConfigError

AnyError = TypeVar("AnyError", bound=SessionKitError)


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
    minted: type[AnyError] = _mint(base_class, kind)  # type: ignore[arg-type]  # classes are hashable
    return minted


@cache
def _mint(base_class: type[Exception], kind: type[SessionKitError]) -> Any:
    name = base_class.__name__.removesuffix("Error") + kind.__name__

    def reduce(self: SessionKitError) -> tuple[Any, ...]:
        build, (own, *rest) = kind.__reduce__(self)
        if own is not minted:
            return build, (own, *rest)  # a class that somebody derived, to be imported by its name
        return _rebuild_minted, (base_class, kind, *rest)

    body = {
        "__doc__": kind.__doc__,
        "__init__": kind.__init__,
        "__module__": base_class.__module__,
        "__reduce__": reduce,
    }
    try:
        minted = type(name, (base_class, kind), body)
    except TypeError as error:
        message = f"no class can be both {base_class.__name__} and {kind.__name__}: {error}"
        hint = "derive the base class from Exception or SessionKitError alone"
        raise ConfigError(message, hint=hint) from error
    return minted


def _rebuild_minted(base_class: type[Exception], kind: Any, *rest: Any) -> SessionKitError:
    error: SessionKitError = rebuild(vendor_error(base_class, kind), *rest)
    return error


def as_vendor_error(base_class: type[Exception], error: SessionKitError) -> SessionKitError:
    """Return *error* as one of the vendor's: itself, or its twin below *base_class*."""
    kind = vendor_error(base_class, type(error))
    if kind is type(error):
        return error
    twin = rebuild(kind, error.args, dict(vars(error)))
    twin.__cause__, twin.__context__ = error.__cause__, error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    return twin.with_traceback(error.__traceback__)
