"""Tools for authors of handlers and of clients: make errors, complete them, keep secrets out.

:class:`~sessionkit.handlers.ErrorHandler` is built of them. All are safe to call from any thread.
Each is loaded when it is first used, so that calls that succeed do not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._lazy import lazy

if TYPE_CHECKING:
    from sessionkit.errors._base import Evidence
    from sessionkit.errors._faults import (
        class_of_status,
        error_from_exception,
        error_from_response,
        is_body_error,
    )
    from sessionkit.errors._formats import read_details
    from sessionkit.errors._redacted import (
        redacted_request,
        redacted_response,
        scrub_exception,
        secrets_in_request,
    )
    from sessionkit.errors._vendor import as_vendor_error, read_statuses
    from sessionkit.headers._retry_after import read_request_id, read_retry_after, read_wait

_PLACES = {
    "Evidence": "_base",
    "as_vendor_error": "_vendor",
    "class_of_status": "_faults",
    "error_from_exception": "_faults",
    "error_from_response": "_faults",
    "is_body_error": "_faults",
    "read_details": "_formats",
    "read_request_id": "sessionkit.headers._retry_after",
    "read_retry_after": "sessionkit.headers._retry_after",
    "read_statuses": "_vendor",
    "read_wait": "sessionkit.headers._retry_after",
    "redacted_request": "_redacted",
    "redacted_response": "_redacted",
    "scrub_exception": "_redacted",
    "secrets_in_request": "_redacted",
}

__all__ = [
    "Evidence",
    "as_vendor_error",
    "class_of_status",
    "error_from_exception",
    "error_from_response",
    "is_body_error",
    "read_details",
    "read_request_id",
    "read_retry_after",
    "read_statuses",
    "read_wait",
    "redacted_request",
    "redacted_response",
    "scrub_exception",
    "secrets_in_request",
]

__getattr__, __dir__ = lazy("sessionkit.errors", _PLACES)
