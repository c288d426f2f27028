"""The tree of errors: one class for each failure that a caller may want to handle.

Each is also the very class that a plain session raises, where there is one, so code written
against requests goes on working.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests import exceptions as requests_errors

from sessionkit.errors._base import Sent, SessionKitError

if TYPE_CHECKING:
    from sessionkit.errors._formats import Problem


class ConfigError(SessionKitError, ValueError):
    """A stack, handler order, paginator or model cannot work; nothing was sent."""


class InvalidRequest(SessionKitError, requests_errors.RequestException, ValueError):
    """Bad URL, scheme or header, so nothing was sent. Never prints a header's value."""

    hint = "correct the URL, header or argument; sending it again cannot help"


class TransportError(SessionKitError, requests_errors.RequestException):
    """No whole response came; ``sent`` says whether the server may have acted all the same."""

    sent: Sent = "maybe"


class ConnectFailed(TransportError, requests_errors.ConnectionError):
    """No connection to the server, so nothing was sent."""

    sent: Sent = "no"
    retryable = True
    hint = "check host and port, and that the server runs"


class NameNotResolved(ConnectFailed):
    """The host's name has no address."""

    hint = "check the host's spelling, the name service and the network"


class ProxyFailed(ConnectFailed, requests_errors.ProxyError):
    """The proxy cannot be reached, or it refused to connect further."""

    hint = "check the session's proxies and the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY"


class TlsFailed(ConnectFailed, requests_errors.SSLError):
    """No trusted connection: a bad certificate, or a failed handshake."""

    hint = "check the certificate's host, dates and authority; set session.verify to a CA bundle"


class TimedOut(TransportError, requests_errors.Timeout, TimeoutError):
    """A timeout passed."""

    hint = "give the call more time, or find out what the server is busy with"


class ConnectTimedOut(TimedOut, ConnectFailed, requests_errors.ConnectTimeout):
    """No connection in time, so nothing was sent."""

    sent: Sent = "no"
    hint = "check the address and the firewalls on the way, or raise the connect timeout"


class ReadTimedOut(TimedOut, requests_errors.ReadTimeout):
    """The request was sent, and no response began in time."""

    hint = "raise the read timeout; repeat a request that changes things only if that is safe"


class BodyTimedOut(ReadTimedOut, requests_errors.ConnectionError):
    """The response began, then its body stalled."""

    sent: Sent = "yes"


class DeadlineExceeded(TimedOut):
    """The total timeout of the call passed, its waits and renewals included."""

    hint = "give the call a longer total_timeout, or look at its attempts and duration"


class ConnectionLost(TransportError, requests_errors.ConnectionError):
    """The connection ended, or spoke no HTTP, before there was a status."""

    hint = "repeat a request that changes things only if that is safe: the server may have acted"


class IncompleteBody(TransportError, requests_errors.ChunkedEncodingError):
    """The response began, then the connection ended inside its body."""

    sent: Sent = "yes"
    hint = "send it again; a server or proxy on the way cut the response short"


class UndecodableBody(IncompleteBody, requests_errors.ContentDecodingError):
    """The body is not in the encoding that its ``Content-Encoding`` names."""

    hint = "send Accept-Encoding: identity, and tell the server's operator"


class RedirectFailed(TransportError, requests_errors.TooManyRedirects):
    """More redirects than the session allows, or one to what is no URL."""

    sent: Sent = "yes"
    hint = "look at where the server redirects to: in a loop, or to what is no URL"


class ReplayImpossible(TransportError, requests_errors.UnrewindableBodyError):
    """The request has to be sent again, but its body cannot; nothing was sent this time."""

    sent: Sent = "yes"
    hint = "give bytes or a seekable file as the body"


class RetriesExhausted(TransportError, requests_errors.RetryError):
    """The retries of the session's own adapter are exhausted.

    ``status`` is that of the last response; nothing else of it is left.
    """

    sent: Sent = "yes"
    hint = "mount the adapter with Retry(..., raise_on_status=False), or leave retries to the stack"


class CircuitOpen(TransportError):
    """The circuit breaker is open after repeated failures; nothing was sent."""

    sent: Sent = "no"
    retryable = True
    hint = "wait until the circuit breaker lets a trial request through"


class RateLimitExhausted(TransportError):
    """The rate limit has no room for the request in time; nothing was sent."""

    sent: Sent = "no"
    retryable = True
    hint = "wait for the next window, or raise the rate or max_wait"


class StatusError(SessionKitError, requests_errors.HTTPError):
    """The server responded with an error."""

    sent: Sent = "yes"


class ClientError(StatusError):
    """4xx: the request is at fault."""

    hint = "correct the request; details says what the server refused"


class BadRequest(ClientError):
    """400: malformed, or not what the server expects."""


class PermissionDenied(ClientError):
    """403: known, but not allowed."""

    hint = "check the account's rights and the token's scope"


class NotFound(ClientError):
    """404: no such thing, or not for this account."""

    hint = "check the URL and the id"


class MethodNotAllowed(ClientError):
    """405: the thing is there, but not for this method."""

    hint = "the response's Allow header lists the methods"


class Conflict(ClientError):
    """409: at odds with the present state."""

    hint = "read the present state, then decide anew"


class Gone(ClientError):
    """410: it was there, and will not come back."""

    hint = "forget this URL"


class PreconditionFailed(ClientError):
    """412: changed by another client since it was read."""

    hint = "read it again, apply the change to what is there now, send its new ETag"


class PayloadTooLarge(ClientError):
    """413: the body is larger than the server takes."""

    hint = "send less at once"


class Unprocessable(ClientError):
    """422: well-formed, but the values do not hold; see ``details.fields``."""

    hint = "correct the fields in details.fields"


class Locked(ClientError):
    """423: in use by another client."""

    hint = "try again when it is released"


class RateLimited(ClientError):
    """429: too many requests; ``retry_after`` says how long to wait, if the server did."""

    retryable = True
    hint = "wait for retry_after seconds, and ask less often"


class ServerError(StatusError):
    """5xx: the server failed."""

    hint = "tell the server's operator the request_id"


class BadGateway(ServerError):
    """502: a server further on gave no proper response."""

    retryable = True


class ServiceUnavailable(ServerError):
    """503: overloaded or under maintenance."""

    retryable = True
    hint = "try again later, after retry_after seconds if it is set"


class GatewayTimeout(ServerError):
    """504: a server further on did not respond in time."""

    retryable = True


class UnexpectedStatus(StatusError):
    """A status outside those that the caller expects."""

    hint = "add the status to expect=, or look at the response"


class ApplicationError(StatusError):
    """A 2xx whose body says failure, by a rule."""

    hint = "read details: the server reports its failures inside successful responses"


class BodyError(SessionKitError, requests_errors.RequestException):
    """The whole response came, but its body is not what it should be."""

    sent: Sent = "yes"


class BodyTooLarge(BodyError):
    """The body is larger than its limit; what came of it was dropped."""

    hint = "ask for less at once, or raise the limit: max_bytes= of SizeHandler and of the call"


class DecodeError(BodyError, requests_errors.InvalidJSONError, ValueError):
    """The body is no JSON, or not in the encoding it claims."""

    hint = "look at response.text: often it is a page of HTML from a proxy or a login"


class MappingError(BodyError, ValueError):
    """The body does not fit the type that was asked for.

    Attributes:
        problems: All that is wrong, each with its JSON Pointer.
        model: The type that was asked for; its name, where an unpickled error cannot import it.
        index: Which item of a list, counted from 0.
    """

    problems: tuple[Problem, ...] = ()
    model: Any = None
    index: int | None = None
    hint = "correct the model, or tell the server's operator; problems lists all of them"


class AuthError(SessionKitError, requests_errors.RequestException):
    """No valid credential, or the server did not accept it. Never retried."""


class AuthenticationFailed(ClientError, AuthError):
    """401: the credential is missing, or was refused."""

    hint = "check the credential, and that it is meant for this server"


class RenewalFailed(AuthError):
    """The token could not be renewed."""

    hint = "look at the cause; the next call tries again"


class LoginRequired(AuthError):
    """No grant that is left can obtain a token; a user has to log in."""

    hint = "log in again"


class StoreError(SessionKitError, requests_errors.RequestException):
    """A token store could not be read, written or locked.

    Attributes:
        store: Which store.
        key: Which entry of it.
    """

    store: str | None = None
    key: str | None = None


class StoreUnreadable(StoreError):
    """What the store holds is no token: damaged, foreign, or encrypted with another key."""

    hint = "move the entry away and log in again"


class LockTimedOut(StoreError):
    """Another thread or process held the lock of a renewal for too long."""

    retryable = True
    hint = "find out which process hangs in a renewal, or allow more time"


class PagingError(SessionKitError, requests_errors.RequestException):
    """A walk over pages cannot go on; ``bookmark`` says where it stopped."""


class PageLoop(PagingError):
    """The next page is one that was fetched before; it was not fetched again."""

    hint = "check the paginator's settings: what it sends does not lead on"


class CrossOriginPage(PagingError):
    """The next page is on another origin; nothing was sent there."""

    hint = "if that host is yours, walk its pages with a stack that has it as base_url"


class PaginationNotDetected(PagingError):
    """There are more pages, but how to request them is not known."""

    hint = "name the paginator yourself"


class PagesStalled(PagingError):
    """Page after page was empty, and the server promised more."""

    hint = "check the filter, or start later"


class BookmarkMismatch(PagingError):
    """The bookmark belongs to another walk."""

    hint = "start anew, or give the bookmark to the call that it came from"
