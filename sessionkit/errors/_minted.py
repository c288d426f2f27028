"""Errors of a vendor's own: each class of the tree once more, under a root of the vendor's."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from sessionkit.errors._base import SessionKitError, rebuild
from sessionkit.errors._tree import ConfigError

AnyError = TypeVar("AnyError", bound=SessionKitError)


def mint(root: type[Exception], kind: type[AnyError]) -> type[AnyError]:
    """Return the class that is both *kind* and a vendor's own *root*, such as ``AcmeNotFound``.

    It is called like the root without ``Error`` and then like *kind*, and counts to the root's
    module. Asked again, the same class is returned, so it can be given a place to be imported
    from: ``AcmeNotFound = mint(AcmeError, NotFound)``. Its errors can be pickled without one,
    wherever the root can be imported. They are made without an ``__init__`` of the root; what a
    root adds to them are methods and properties.

    Args:
        root: Any exception class. A :class:`ConfigError` is never minted: it is for whoever builds
            the stack.
        kind: A class of the tree, or one derived from it.

    Raises:
        ConfigError: The root is no exception class, or the two have no common order of parents.
    """
    if not (isinstance(root, type) and issubclass(root, Exception)):
        message = f"root={root!r} is no class of exceptions"
        raise ConfigError(message, hint="class AcmeError(Exception): ...")
    if issubclass(kind, (root, ConfigError)):
        return kind
    minted: type[AnyError] = _mint(root, kind)  # type: ignore[arg-type]  # classes are hashable
    return minted


@cache
def _mint(root: type[Exception], kind: type[SessionKitError]) -> Any:
    name = root.__name__.removesuffix("Error") + kind.__name__

    def reduce(self: SessionKitError) -> tuple[Any, ...]:
        build, (own, *rest) = kind.__reduce__(self)
        if own is not minted:
            return build, (own, *rest)  # a class that somebody derived, to be imported by its name
        return _rebuild_minted, (root, kind, *rest)

    body = {
        "__doc__": kind.__doc__,
        "__init__": kind.__init__,
        "__module__": root.__module__,
        "__reduce__": reduce,
    }
    try:
        minted = type(name, (root, kind), body)
    except TypeError as error:
        message = f"no class can be both {root.__name__} and {kind.__name__}: {error}"
        hint = "derive the root from Exception or SessionKitError alone"
        raise ConfigError(message, hint=hint) from error
    return minted


def _rebuild_minted(root: type[Exception], kind: Any, *rest: Any) -> SessionKitError:
    error: SessionKitError = rebuild(mint(root, kind), *rest)
    return error


def under(root: type[Exception], error: SessionKitError) -> SessionKitError:
    """Return *error* as one of the vendor's: itself, or its twin below *root*."""
    kind = mint(root, type(error))
    if kind is type(error):
        return error
    twin = rebuild(kind, error.args, dict(vars(error)))
    twin.__cause__, twin.__context__ = error.__cause__, error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    return twin.with_traceback(error.__traceback__)
