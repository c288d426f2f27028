"""sessionkit: a chain of handlers around the requests session that you already have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._faces import lazy

if TYPE_CHECKING:
    from sessionkit._chain import Handlers as Handlers
    from sessionkit._client import ApiClient as ApiClient
    from sessionkit._clock import Clock as Clock
    from sessionkit._defaults import recommended as recommended
    from sessionkit._exchange import Exchange as Exchange
    from sessionkit._exchange import Secret as Secret
    from sessionkit._handler import Forward as Forward
    from sessionkit._handler import Handler as Handler
    from sessionkit._record import Attempt as Attempt
    from sessionkit._record import Record as Record
    from sessionkit._spec import StackSpec as StackSpec
    from sessionkit._stack import SessionStack as SessionStack
    from sessionkit._tokens import Token as Token
    from sessionkit.errors import SessionKitError as SessionKitError

__version__ = "0.1.0"

_PLACES = {
    "ApiClient": "_client",
    "Attempt": "_record",
    "Clock": "_clock",
    "Exchange": "_exchange",
    "Forward": "_handler",
    "Handler": "_handler",
    "Handlers": "_chain",
    "Record": "_record",
    "Secret": "_exchange",
    "SessionKitError": "errors",
    "SessionStack": "_stack",
    "StackSpec": "_spec",
    "Token": "_tokens",
    "recommended": "_defaults",
}

__all__ = [
    "ApiClient",
    "Attempt",
    "Clock",
    "Exchange",
    "Forward",
    "Handler",
    "Handlers",
    "Record",
    "Secret",
    "SessionKitError",
    "SessionStack",
    "StackSpec",
    "Token",
    "recommended",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
