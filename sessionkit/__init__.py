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
    from sessionkit.chain._exchange import (
        CallNext as CallNext,
        Credential as Credential,
        Exchange as Exchange,
        Handler as Handler,
        Preview as Preview,
    )
    from sessionkit.chain._record import Attempt as Attempt, CallRecord as CallRecord
    from sessionkit.errors import SessionKitError as SessionKitError

__version__ = "0.1.0"


__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "_client": ("ApiClient",),
        "_clock": ("Clock",),
        "_recommended": ("recommended",),
        "_spec": ("StackSpec",),
        "_stack": ("SessionStack",),
        "_tokens": ("Token",),
        "chain._chain": ("Handlers",),
        "chain._exchange": ("CallNext", "Credential", "Exchange", "Handler", "Preview"),
        "chain._record": ("Attempt", "CallRecord"),
        "errors": ("SessionKitError",),
    },
)
