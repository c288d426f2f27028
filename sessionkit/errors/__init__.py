"""Every error of the library, under one root.

``except SessionKitError`` catches all that is raised on purpose, and nothing else. Whatever can
leave ``request`` or ``send`` is a ``requests.RequestException`` too, and the very class that a
plain session raises where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit._lazy import lazy
from sessionkit.errors._base import Sent, SessionKitError
from sessionkit.errors._tree import (
    ApplicationError,
    AuthenticationFailed,
    AuthError,
    BadGateway,
    BadRequest,
    BodyError,
    BodyTimedOut,
    BodyTooLarge,
    BookmarkMismatch,
    CircuitOpen,
    ClientError,
    ConfigError,
    Conflict,
    ConnectFailed,
    ConnectionLost,
    ConnectTimedOut,
    CrossOriginPage,
    DeadlineExceeded,
    DecodeError,
    GatewayTimeout,
    Gone,
    IncompleteBody,
    InvalidRequest,
    Locked,
    LockTimedOut,
    LoginRequired,
    MappingError,
    MethodNotAllowed,
    NameNotResolved,
    NotFound,
    PageLoop,
    PagesStalled,
    PaginationNotDetected,
    PagingError,
    PayloadTooLarge,
    PermissionDenied,
    PreconditionFailed,
    ProxyFailed,
    RateLimited,
    RateLimitExhausted,
    ReadTimedOut,
    RedirectFailed,
    RenewalFailed,
    ReplayImpossible,
    RetriesExhausted,
    ServerError,
    ServiceUnavailable,
    StatusError,
    StoreError,
    StoreUnreadable,
    TimedOut,
    TlsFailed,
    TransportError,
    UndecodableBody,
    UnexpectedStatus,
    Unprocessable,
)

if TYPE_CHECKING:
    from sessionkit.errors._formats import (
        ErrorDetail as ErrorDetail,
        FieldError as FieldError,
        Problem as Problem,
    )
    from sessionkit.errors._vendor import Rule as Rule, vendor_error as vendor_error

__all__ = [
    "ApplicationError",
    "AuthError",
    "AuthenticationFailed",
    "BadGateway",
    "BadRequest",
    "BodyError",
    "BodyTimedOut",
    "BodyTooLarge",
    "BookmarkMismatch",
    "CircuitOpen",
    "ClientError",
    "ConfigError",
    "Conflict",
    "ConnectFailed",
    "ConnectTimedOut",
    "ConnectionLost",
    "CrossOriginPage",
    "DeadlineExceeded",
    "DecodeError",
    "ErrorDetail",
    "FieldError",
    "GatewayTimeout",
    "Gone",
    "IncompleteBody",
    "InvalidRequest",
    "LockTimedOut",
    "Locked",
    "LoginRequired",
    "MappingError",
    "MethodNotAllowed",
    "NameNotResolved",
    "NotFound",
    "PageLoop",
    "PagesStalled",
    "PaginationNotDetected",
    "PagingError",
    "PayloadTooLarge",
    "PermissionDenied",
    "PreconditionFailed",
    "Problem",
    "ProxyFailed",
    "RateLimitExhausted",
    "RateLimited",
    "ReadTimedOut",
    "RedirectFailed",
    "RenewalFailed",
    "ReplayImpossible",
    "RetriesExhausted",
    "Rule",
    "Sent",
    "ServerError",
    "ServiceUnavailable",
    "SessionKitError",
    "StatusError",
    "StoreError",
    "StoreUnreadable",
    "TimedOut",
    "TlsFailed",
    "TransportError",
    "UndecodableBody",
    "UnexpectedStatus",
    "Unprocessable",
    "vendor_error",
]

# Not needed to raise an error, nor to catch one.
_load = lazy(
    face=__name__,
    names={
        "_formats": ("ErrorDetail", "FieldError", "Problem"),
        "_vendor": ("Rule", "vendor_error"),
    },
)[0]


def __getattr__(name: str) -> Any:
    return _load(name)


def __dir__() -> list[str]:
    return __all__


# Users see and pickles hold the public place of each class, wherever its code lives.
for _value in list(globals().values()):
    if isinstance(_value, type) and _value.__module__.startswith(__name__):
        _value.__module__ = __name__
del _value
