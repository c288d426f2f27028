"""Tools for authors of handlers and of clients: make errors, complete them, keep secrets out.

:class:`~sessionkit.handlers.ErrorHandler` is built of them. All are safe to call from any thread.
"""

from __future__ import annotations

from sessionkit.errors._base import Evidence
from sessionkit.errors._bodies import read_details
from sessionkit.errors._faults import (
    class_of_status,
    error_from_exception,
    error_from_response,
    is_body_error,
)
from sessionkit.errors._minted import as_vendor_error
from sessionkit.errors._redacted import redacted_request, redacted_response, secrets_in_request
from sessionkit.errors._scrubbed import scrub_exception
from sessionkit.errors._vendor import read_statuses
from sessionkit.headers._retry_after import read_request_id, read_retry_after, read_wait

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
