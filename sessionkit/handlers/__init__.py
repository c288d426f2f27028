"""Links of the chain, each of one purpose. None knows another."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sessionkit.handlers._deadline import DeadlineHandler as DeadlineHandler
    from sessionkit.handlers._errors import ErrorHandler as ErrorHandler
    from sessionkit.handlers._retry import RetryHandler as RetryHandler
    from sessionkit.handlers._timing import TimingHandler as TimingHandler

_PLACES = {
    "DeadlineHandler": "_deadline",
    "ErrorHandler": "_errors",
    "RetryHandler": "_retry",
    "TimingHandler": "_timing",
}

__all__ = ["DeadlineHandler", "ErrorHandler", "RetryHandler", "TimingHandler"]


def __getattr__(name: str) -> Any:
    # Lazy (PEP 562): a face loads what is asked of it.
    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
