"""Links of the chain, each of one purpose. None knows another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._faces import lazy

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

__getattr__, __dir__ = lazy(__name__, _PLACES)
