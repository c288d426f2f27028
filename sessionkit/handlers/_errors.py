"""Failures as exceptions of one tree, wherever in a call they happen."""

from __future__ import annotations

import contextlib
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from requests import HTTPError

from sessionkit._answers import is_read, reads_in_pieces
from sessionkit._redact import secrets_in_url
from sessionkit.errors import SessionKitError, scrubbed, status_error, transport_error
from sessionkit.errors._faults import is_body_fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import SupportsIndex

    from requests import Response

    from sessionkit._exchange import Exchange
    from sessionkit._handler import Forward

#: What is read of an error's body for a caller who wanted a stream: bytes, and seconds.
MOST_BYTES = 65_536
MOST_SECONDS = 2.0

_FIRST_ERROR_STATUS = 400


class ErrorHandler:
    """Raise answers of 400 and above, and every fault of transport, as errors of the library.

    Place it outermost of the handlers that matter, so that all others look at plain responses and
    at the exceptions that a session raises. An answer below 400 passes: also a redirect that the
    caller asked to see, and a 304.

    For a caller who wanted a stream, faults inside the body are raised as errors too, while
    ``iter_content``, ``iter_lines``, ``content`` and ``json`` read it (not while ``raw`` does).

    Errors of the library that come from further in pass as they are, with the evidence that they
    lack. Everything else, such as a ``TypeError`` in a handler of yours, passes untouched.

    Stateless, hence safe to share between threads and stacks.
    """

    __slots__ = ()

    name = "errors"

    def handle(self, exchange: Exchange, forward: Forward) -> Response:
        """Forward, and raise what failed.

        Raises:
            StatusError: The answer's status is 400 or more; its connection is free again.
            TransportError: No whole answer came.
            InvalidRequest: The request cannot be sent.
        """
        try:
            # Sent as a stream, read on the way up: when a body fails, its status is known.
            response = forward(exchange if exchange.stream else _streamed(exchange))
        except SessionKitError as error:
            fault = error
        except Exception as error:
            mapped = _fault(error, exchange)
            if mapped is None:
                raise
            fault = mapped
        else:
            if response.status_code < _FIRST_ERROR_STATUS:
                return _watched(response, exchange) if exchange.stream else response
            call = exchange.call
            fault = _answered(response, exchange, call.raised if response is call.live else None)
        # Raised outside of `except`, or the original with its secrets would become the context.
        try:
            raise _ready(fault, exchange)
        finally:
            # Its traceback holds this frame, and this frame it: a circle with the caller's locals.
            del fault

    def __repr__(self) -> str:
        return "ErrorHandler()"


def _streamed(exchange: Exchange) -> Exchange:
    wanted = exchange.options.get("stream")
    return exchange if wanted else exchange.with_options({"stream": True})


def _secrets(exchange: Exchange) -> tuple[str, ...]:
    """Return the credentials in the URL, and those that handlers further in placed."""
    placed = (secret.value for secret in exchange.call.secrets)
    return (*secrets_in_url(exchange.url), *placed)


def _ready(fault: SessionKitError, exchange: Exchange) -> SessionKitError:
    """Add what only the call knows, and clean the chain of causes."""
    record = exchange.record
    fault.complete(
        method=exchange.method,
        url=exchange.url,
        attempts=len(record.attempts),
        elapsed=exchange.clock.monotonic() - record.started,
    )
    scrubbed(fault, _secrets(exchange))
    return fault


def _fault(error: Exception, exchange: Exchange) -> SessionKitError | None:
    """Return the error that an exception from further in is, or None where it is not ours."""
    answer: Response | None = getattr(error, "response", None)
    status = 0 if answer is None else answer.status_code
    if answer is not None and isinstance(error, HTTPError) and status >= _FIRST_ERROR_STATUS:
        # A handler further in raised for the status.
        return _answered(answer, exchange, error)
    live = exchange.call.live
    begun = live if live is not None and not is_read(live) and is_body_fault(error) else None
    if begun is not None and begun.status_code >= _FIRST_ERROR_STATUS:
        # What the server said of its failure matters more than that it broke off.
        return _answered(begun, exchange, error)
    fault = transport_error(error, response=begun, secrets=_secrets(exchange))
    if fault is not None:
        fault.__cause__ = error
        attempts = exchange.record.attempts
        if fault.sent == "no" and attempts and attempts[-1].status is not None:
            # A hop of a redirect failed; the server that sent us there may have acted.
            fault.sent, fault.retryable = "yes", False
    return fault


def _answered(response: Response, exchange: Exchange, cause: Exception | None) -> SessionKitError:
    """Return the error that an answer is, with as much of its body as is cheap; free its wire."""
    _read_some(response, exchange)
    fault = status_error(response, secrets=_secrets(exchange), now=exchange.clock.time())
    fault.__cause__ = cause
    return fault


def _read_some(response: Response, exchange: Exchange) -> None:
    """Read what comes of an unread body, within bounds: an endless one must not hold the call."""
    if is_read(response):
        response.close()
        return
    body = bytearray()
    # A body that breaks off leaves what came of it; the error is the status.
    with contextlib.suppress(Exception):
        for piece in _pieces(response, exchange):
            body += piece
            if len(body) >= MOST_BYTES:
                break
    # First, because requests hands what it takes for read back to the pool as it is.
    response.close()
    response._content = bytes(body[:MOST_BYTES])  # noqa: SLF001  # where requests keeps a body
    response._content_consumed = True  # noqa: SLF001


def _pieces(response: Response, exchange: Exchange) -> Iterator[bytes]:
    raw: Any = response.raw
    if not reads_in_pieces(raw):
        # A stand-in from a test tool: its body is in memory.
        yield from response.iter_content(MOST_BYTES)
        return
    now = exchange.clock.monotonic
    end = now() + MOST_SECONDS
    if exchange.deadline is not None:
        end = min(end, exchange.deadline)
    sock = getattr(getattr(raw, "connection", None), "sock", None)
    patience = (sock and sock.gettimeout()) or MOST_SECONDS
    while (left := end - now()) > 0:
        if sock is not None:
            sock.settimeout(min(left, patience))
        piece = raw.read1(MOST_BYTES, decode_content=True)
        if not piece:
            return
        yield piece


def _watched(response: Response, exchange: Exchange) -> Response:
    """Make a stream raise our errors while its body is read."""
    if not is_read(response) and not hasattr(response, "_sessionkit_watch"):
        response.__class__ = _watched_class(type(response))  # type: ignore[arg-type]  # hashable
        vars(response)["_sessionkit_watch"] = partial(_ready_fault, exchange)
    return response


def _ready_fault(exchange: Exchange, response: Response, error: Exception) -> Exception:
    """Return the error that *error* is, raised while the body of *response* was read."""
    fault = transport_error(error, response=response, secrets=_secrets(exchange))
    if fault is None:
        return error
    fault.__cause__ = error
    return _ready(fault, exchange)


@cache
def _watched_class(plain: type[Response]) -> type[Response]:
    """Return *plain* with an ``iter_content`` that maps faults; all but ``raw`` reads by it.

    A class, because a function on the response itself would make a circle with it, and a stream
    that is dropped would keep its connection until the collector comes by.
    """

    def iter_content(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        # Misuse is told at once, as requests does.
        return _mapped(self, plain.iter_content(self, *args, **kwargs))

    def reduce_ex(self: Any, _protocol: SupportsIndex) -> Any:
        # Pickles and copies are of the class that was there before. By protocol 1, because later
        # ones insist on the object's own class. The body is read first, into this object, as ever.
        self.__getstate__()
        bare: Any = object.__new__(plain)
        vars(bare).update(vars(self))
        del bare._sessionkit_watch  # noqa: SLF001
        return bare.__reduce_ex__(1)

    return type(
        plain.__name__,
        (plain,),
        {"iter_content": iter_content, "__reduce_ex__": reduce_ex, "__module__": plain.__module__},
    )


def _mapped(response: Any, pieces: Iterator[Any]) -> Iterator[Any]:
    """Yield *pieces* of a body; turn what is raised in between into our errors."""
    try:
        yield from pieces
        return
    except Exception as error:
        fault = response._sessionkit_watch(response, error)  # noqa: SLF001
        if fault is error:
            raise
    raise fault
