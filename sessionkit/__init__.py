"""sessionkit: a chain of handlers around the requests session that you already have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit._client import ApiClient as ApiClient
    from sessionkit._clock import Clock as Clock
    from sessionkit._recommended import recommended as recommended
    from sessionkit._spec import StackSpec as StackSpec
    from sessionkit._stack import SessionStack as SessionStack
    from sessionkit._tokens import Token as Token
    from sessionkit.chain._chain import Handlers as Handlers
    from sessionkit.chain._exchange import CallNext as CallNext
    from sessionkit.chain._exchange import Credential as Credential
    from sessionkit.chain._exchange import Exchange as Exchange
    from sessionkit.chain._exchange import Handler as Handler
    from sessionkit.chain._record import Attempt as Attempt
    from sessionkit.chain._record import CallRecord as CallRecord
    from sessionkit.errors import SessionKitError as SessionKitError

__version__ = "0.1.0"

_PLACES = {
    "ApiClient": "_client",
    "Attempt": "chain._record",
    "Clock": "_clock",
    "Exchange": "chain._exchange",
    "CallNext": "chain._exchange",
    "Handler": "chain._exchange",
    "Handlers": "chain._chain",
    "CallRecord": "chain._record",
    "Credential": "chain._exchange",
    "SessionKitError": "errors",
    "SessionStack": "_stack",
    "StackSpec": "_spec",
    "Token": "_tokens",
    "recommended": "_recommended",
}

__all__ = [
    "ApiClient",
    "Attempt",
    "CallNext",
    "CallRecord",
    "Clock",
    "Credential",
    "Exchange",
    "Handler",
    "Handlers",
    "SessionKitError",
    "SessionStack",
    "StackSpec",
    "Token",
    "recommended",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
