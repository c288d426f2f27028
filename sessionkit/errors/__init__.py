"""Every error of the library, under one root.

``except SessionKitError`` catches all that is raised on purpose, and nothing else. Whatever can
leave ``request`` or ``send`` is a ``requests.RequestException`` too, and the very class that a
plain session raises where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit._lazy import lazy
from sessionkit.errors._base import Evidence, Sent, SessionKitError
from sessionkit.errors._bodies import read_details
from sessionkit.errors._details import ErrorDetail, FieldError, Problem
from sessionkit.errors._faults import status_error, transport_error
from sessionkit.errors._scrubbed import scrubbed
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
    BudgetExhausted,
    CircuitOpen,
    ClientError,
    ConfigError,
    Conflict,
    ConnectFailed,
    ConnectionLost,
    ConnectTimedOut,
    DeadlineExceeded,
    DecodeError,
    ForeignPage,
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
    PageLimit,
    PageLoop,
    PagesStalled,
    PagesUndetected,
    PagingError,
    PayloadTooLarge,
    PermissionDenied,
    PreconditionFailed,
    ProxyFailed,
    RateLimited,
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
from sessionkit.headers._retry_after import read_request_id, read_retry_after

if TYPE_CHECKING:
    from sessionkit.errors._minted import mint as mint
    from sessionkit.errors._vendor import Rule as Rule

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
    "BudgetExhausted",
    "CircuitOpen",
    "ClientError",
    "ConfigError",
    "Conflict",
    "ConnectFailed",
    "ConnectTimedOut",
    "ConnectionLost",
    "DeadlineExceeded",
    "DecodeError",
    "ErrorDetail",
    "Evidence",
    "FieldError",
    "ForeignPage",
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
    "PageLimit",
    "PageLoop",
    "PagesStalled",
    "PagesUndetected",
    "PagingError",
    "PayloadTooLarge",
    "PermissionDenied",
    "PreconditionFailed",
    "Problem",
    "ProxyFailed",
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
    "mint",
    "read_details",
    "read_request_id",
    "read_retry_after",
    "scrubbed",
    "status_error",
    "transport_error",
]

# For vendors; whoever catches errors does not pay for it.
_late, _ = lazy(face=__name__, places={"Rule": "_vendor", "mint": "_minted"})


def __getattr__(name: str) -> Any:
    return _late(name)


def __dir__() -> list[str]:
    return __all__


# Users see and pickles hold the public place of each class, wherever its code lives.
for _value in list(globals().values()):
    if isinstance(_value, type) and _value.__module__.startswith(__name__):
        _value.__module__ = __name__
del _value
