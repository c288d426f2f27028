"""Which error a fault is: from what requests and urllib3 raise, and from a status, to our classes.

What requests does (2.32 to 2.34): a stall inside a body is a ``ConnectionError`` around urllib3's
``ReadTimeoutError``; a body cut short is a ``ChunkedEncodingError``, chunked or not; what kept a
connection from being made is the ``reason`` of a ``MaxRetryError``.
"""

from __future__ import annotations

import re
import ssl
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from requests import exceptions as requests_errors
from urllib3 import exceptions as urllib3_errors

from sessionkit._redact import scrub
from sessionkit.errors import _tree as tree
from sessionkit.errors._base import SessionKitError
from sessionkit.errors._formats import read_details, reason_phrase
from sessionkit.errors._redacted import redacted_request, redacted_response, secrets_in_request
from sessionkit.errors._traceback import (
    FORKS,
    missing_ca_file,
    raised_while_connecting,
    raised_while_redirecting,
    redirect_of,
    rejected_by_stdlib,
)
from sessionkit.headers._retry_after import read_wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import requests

    from sessionkit.errors._base import Sent


_BY_STATUS: Mapping[int, type[tree.StatusError]] = MappingProxyType(
    {
        400: tree.BadRequest,
        401: tree.AuthenticationFailed,
        403: tree.PermissionDenied,
        404: tree.NotFound,
        405: tree.MethodNotAllowed,
        409: tree.Conflict,
        410: tree.Gone,
        412: tree.PreconditionFailed,
        413: tree.PayloadTooLarge,
        422: tree.Unprocessable,
        423: tree.Locked,
        429: tree.RateLimited,
        502: tree.BadGateway,
        503: tree.ServiceUnavailable,
        504: tree.GatewayTimeout,
    }
)
_GENERIC = (tree.ClientError, tree.ServerError)
#: What says by its class alone what it is; the first that fits.
_BY_CLASS: tuple[tuple[type[Exception], type[SessionKitError]], ...] = (
    (requests_errors.ConnectTimeout, tree.ConnectTimedOut),
    (requests_errors.ReadTimeout, tree.ReadTimedOut),
    (requests_errors.Timeout, tree.TimedOut),
    (requests_errors.ProxyError, tree.ProxyFailed),
    (requests_errors.SSLError, tree.TlsFailed),
    (requests_errors.ContentDecodingError, tree.UndecodableBody),
    (requests_errors.ChunkedEncodingError, tree.IncompleteBody),
    (requests_errors.TooManyRedirects, tree.RedirectFailed),
    (requests_errors.UnrewindableBodyError, tree.ReplayImpossible),
    (requests_errors.RetryError, tree.RetriesExhausted),
    (requests_errors.InvalidURL, tree.InvalidRequest),
    (requests_errors.MissingSchema, tree.InvalidRequest),
    (requests_errors.InvalidSchema, tree.InvalidRequest),
    (requests_errors.InvalidHeader, tree.InvalidRequest),
    (requests_errors.URLRequired, tree.InvalidRequest),
    (requests_errors.JSONDecodeError, tree.DecodeError),
    # Raised for a JSON body to be sent, such as one with a NaN in it.
    (requests_errors.InvalidJSONError, tree.InvalidRequest),
)
#: The reason inside a ``ConnectionError``, or what slipped through requests unwrapped.
_BY_REASON: tuple[tuple[type[Exception], type[SessionKitError]], ...] = (
    (urllib3_errors.NameResolutionError, tree.NameNotResolved),
    (urllib3_errors.NewConnectionError, tree.ConnectFailed),
    (urllib3_errors.ConnectTimeoutError, tree.ConnectTimedOut),
    (urllib3_errors.ReadTimeoutError, tree.ReadTimedOut),
    (urllib3_errors.ProxyError, tree.ProxyFailed),
    (urllib3_errors.SSLError, tree.TlsFailed),
    (urllib3_errors.DecodeError, tree.UndecodableBody),
    (urllib3_errors.PoolError, tree.ConnectFailed),
    (urllib3_errors.LocationValueError, tree.InvalidRequest),
    (urllib3_errors.InvalidHeader, tree.InvalidRequest),
    (urllib3_errors.ProtocolError, tree.ConnectionLost),
)
_BODY_ERRORS: tuple[type[Exception], ...] = (
    requests_errors.ChunkedEncodingError,
    requests_errors.ContentDecodingError,
    requests_errors.ConnectionError,
    requests_errors.Timeout,
    urllib3_errors.HTTPError,
)
#: What OpenSSL says of a certificate that we refuse, and of a handshake that the server refuses.
_REFUSED = r"CERTIFICATE_VERIFY_FAILED|(?:SSLV3|TLSV1|TLSV13)_ALERT_(?!INTERNAL_ERROR)"
#: urllib3 begins its texts with a pool or a connection.
_PREFIX = r"^(?:<[^>]*>|\w+\((?:host|port|[^()]*=)[^()]*\)): "


def error_from_response(
    response: requests.Response,
    *,
    secrets: Iterable[str] = (),
    now: float,
    kind: type[SessionKitError] | None = None,
    hint: str = "",
) -> SessionKitError:
    """Return the error that *response* is. Never raises.

    Args:
        response: What has been read of its body is used.
        secrets: Exact texts to mask.
        now: Seconds since the epoch, for ``Retry-After``.
        kind: Its class; by default that of its status, as if it were 400 or more.
        hint: What to do next; by default the wait that the server asks for, or that of the class.
    """
    copy = redacted_response(response, secrets)
    status = copy.status_code
    kind = kind or class_of_status(status)
    details = read_details(copy)
    phrase = reason_phrase(copy)
    name = (phrase or kind.__name__) if kind in _GENERIC else kind.__name__
    summary = details.summary
    # "503 ServiceUnavailable: Service Unavailable" would say it twice.
    same = _letters(summary) in {_letters(name), _letters(phrase or "")}
    wait = read_wait(status, copy.headers, now)
    asked = "" if wait is None else f"the server asks to wait {wait:g} s before the next request"
    return _build(
        kind,
        f"{status} {name}" if same else f"{status} {name}: {summary}",
        hint=hint or asked,
        retry_after=wait,
        details=details,
        response=copy,
    )


def sent_before(error: Exception) -> Sent:
    """Return whether the server may have acted on a request that ended in *error*."""
    if isinstance(error, SessionKitError):
        return error.sent
    kind = _class_of(error, in_body=False)
    return "maybe" if kind is None else kind.sent


def class_of_status(status: int) -> type[tree.StatusError]:
    """Return the class of the error that an HTTP status from 400 on is."""
    return _BY_STATUS.get(status, _GENERIC[status >= 500])


def _build(kind: type[SessionKitError], text: str, **evidence: Any) -> SessionKitError:
    try:
        return kind(text, **evidence)
    except Exception:  # noqa: BLE001  # a vendor's class may have any signature
        error = kind.__new__(kind)
        SessionKitError.__init__(error, text, **evidence)
        return error


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def error_from_exception(
    error: Exception,
    *,
    response: requests.Response | None = None,
    redirected: bool = False,
    secrets: Iterable[str] = (),
) -> SessionKitError | None:
    """Return the error that *error* of requests or urllib3 is; None where it is none of theirs.

    Args:
        error: What the session raised.
        response: The response whose body was being read, if one had begun.
        redirected: Whether a server had sent us on: what cannot be sent is then its fault.
        secrets: Exact texts to mask.
    """
    kind = _class_of(error, in_body=response is not None)
    if kind is tree.InvalidRequest and (redirected or redirect_of(error) is not None):
        kind = tree.RedirectFailed
    if kind is None:
        return None
    request = getattr(error, "request", None)
    secrets = (*secrets, *secrets_in_request(request))
    fault = kind(
        scrub(_message_for(kind, error), secrets),
        request=None if request is None else redacted_request(request, secrets),
        response=_last_response(error, response, secrets),
    )
    if isinstance(fault, tree.RetriesExhausted):
        _read_last_status(fault)
    elif isinstance(fault, tree.TlsFailed):
        if response is not None:
            fault.sent, fault.retryable = "yes", False
        elif re.search(_REFUSED, str(error)) or _wraps(error, ssl.CertificateError):
            # The same certificates will be as wrong the next time, theirs and ours.
            fault.retryable = False
    return fault


def _read_last_status(fault: SessionKitError) -> None:
    # urllib3's words are "too many 503 error responses"; the response itself is gone.
    if match := re.search(r"\b([45]\d\d)\b", fault.message):
        fault.status = int(match[1])
        fault.retryable = class_of_status(fault.status).retryable


def _last_response(
    error: Exception, response: requests.Response | None, secrets: Iterable[str]
) -> requests.Response | None:
    found = getattr(error, "response", None) if response is None else response
    return None if found is None else redacted_response(found, secrets)


def is_body_error(error: Exception) -> bool:
    """Return whether *error* may have been raised while a body was read."""
    return _is_instance(error, *_BODY_ERRORS)


def _is_instance(error: BaseException, *classes: type[BaseException]) -> bool:
    """Return whether *error* is of one of *classes*, or of its namesake in a fork."""
    if isinstance(error, classes):
        return True
    for kind in classes:
        fork = FORKS[kind.__module__.partition(".")[0]]
        bases = type(error).__mro__
        if any(b.__name__ == kind.__name__ and b.__module__.startswith(fork) for b in bases):
            return True
    return False


def _class_of(error: Exception, *, in_body: bool) -> type[SessionKitError] | None:
    if isinstance(error.args[0] if error.args else None, urllib3_errors.InvalidHeader):
        return tree.ConnectionLost  # the server's header, and not one of ours
    if isinstance(error, ValueError) and raised_while_redirecting(error):
        return tree.RedirectFailed  # a Location that is no URL, or no text in any encoding
    for base, kind in _BY_CLASS:
        if _is_instance(error, base):
            return tree.BodyTimedOut if in_body and kind is tree.ReadTimedOut else kind
    if _is_instance(error, requests_errors.ConnectionError, urllib3_errors.HTTPError):
        return _class_by_reason(error, in_body=in_body)
    if type(error) is requests_errors.RequestException:
        return tree.TransportError
    return _class_of_other(error, in_body=in_body)


def _class_of_other(error: Exception, *, in_body: bool) -> type[SessionKitError] | None:
    """Return the class for an exception that is none of requests or urllib3."""
    if isinstance(error, (ValueError, AssertionError)) and rejected_by_stdlib(error):
        if in_body:
            return tree.IncompleteBody  # a chunk of less than no bytes
        # A header, URL or host (b%C3%BC.example) that requests let through; the text shows it.
        return tree.InvalidRequest
    if type(error) is OSError and missing_ca_file(error):
        return tree.InvalidRequest
    return None


def _class_by_reason(error: Exception, *, in_body: bool) -> type[SessionKitError]:
    inner = error.args[0] if error.args else None
    if isinstance(inner, Exception) and _is_instance(inner, urllib3_errors.ReadTimeoutError):
        return tree.BodyTimedOut
    reason = _innermost(error)
    if any(map(raised_while_connecting, reason.args)):
        return tree.ConnectFailed  # a lost connection to adapters for Unix sockets
    for base, kind in _BY_REASON:
        if _is_instance(reason, base):
            if in_body and kind is tree.ReadTimedOut:
                return tree.BodyTimedOut
            return tree.IncompleteBody if in_body and kind is tree.ConnectionLost else kind
    lost = _is_instance(error, requests_errors.ConnectionError)
    return tree.ConnectionLost if lost else tree.TransportError


def _innermost(error: BaseException) -> BaseException:
    """Return the innermost exception that *error* wraps."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return _innermost(inner) if isinstance(inner, BaseException) else error


def _wraps(error: BaseException, kind: type[BaseException]) -> bool:
    reason = _innermost(error)
    return isinstance(reason, kind) or any(isinstance(arg, kind) for arg in reason.args)


def _message_for(kind: type[SessionKitError], error: Exception) -> str:
    reason = _innermost(error)
    text = str(reason)
    if kind is tree.InvalidRequest and (
        "header" in text.lower() or isinstance(reason, UnicodeError)
    ):
        return "a header holds characters that cannot be sent"
    if isinstance(reason, AssertionError):
        return "the host holds characters that cannot be sent"
    if len(reason.args) > 1 and text.startswith("("):
        # The parts of a tuple; the second is often said in the first already.
        first, second = str(reason.args[0]).rstrip("."), str(reason.args[1])
        text = first if second in first else f"{first}: {re.sub(_PREFIX, '', second)}"
    return re.sub(_PREFIX, "", text) or type(error).__name__
