"""Tools for authors of handlers and of clients: make errors, complete them, keep secrets out.

:class:`~sessionkit.handlers.ErrorHandler` is built of them. All are safe to call from any thread.
Each is loaded when it is first used, so that calls that succeed do not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.errors._base import Evidence as Evidence
    from sessionkit.errors._faults import (
        class_of_status as class_of_status,
        error_from_exception as error_from_exception,
        error_from_response as error_from_response,
        is_body_error as is_body_error,
    )
    from sessionkit.errors._formats import read_details as read_details
    from sessionkit.errors._redacted import (
        redacted_request as redacted_request,
        redacted_response as redacted_response,
        scrub_exception as scrub_exception,
        secrets_in_request as secrets_in_request,
    )
    from sessionkit.errors._vendor import (
        as_vendor_error as as_vendor_error,
        read_statuses as read_statuses,
    )
    from sessionkit.headers._retry_after import (
        read_request_id as read_request_id,
        read_retry_after as read_retry_after,
        read_wait as read_wait,
    )


__getattr__, __dir__, __all__ = lazy(
    "sessionkit.errors",
    {
        "_base": ("Evidence",),
        "_faults": (
            "class_of_status",
            "error_from_exception",
            "error_from_response",
            "is_body_error",
        ),
        "_formats": ("read_details",),
        "_redacted": (
            "redacted_request",
            "redacted_response",
            "scrub_exception",
            "secrets_in_request",
        ),
        "_vendor": ("as_vendor_error", "read_statuses"),
        "sessionkit.headers._retry_after": ("read_request_id", "read_retry_after", "read_wait"),
    },
)
