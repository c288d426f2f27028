"""Read or discard response bodies within limits of time and size."""

from __future__ import annotations

import contextlib
import http.client
from typing import TYPE_CHECKING, Any

import requests
from urllib3 import exceptions as urllib3_errors

from sessionkit.errors import BodyTooLarge, ConfigError, SessionKitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import Response

    from sessionkit._clock import Clock

#: Bytes taken from a connection at a time.
PIECE_SIZE = 65_536
#: Limits for draining a response that is not read by the caller, so that its connection is kept.
DRAIN_BYTES = PIECE_SIZE
DRAIN_SECONDS = 0.2
#: Bytes at a time of a body that a cache below copies; they may be waited for past a deadline.
_COPIED_PIECE_SIZE = 256


def is_read(response: Response) -> bool:
    """Return whether the body of *response* has been read from its connection."""
    return bool(getattr(response, "_content_consumed", True))


def reads_in_pieces(raw: Any) -> bool:
    """Return whether *raw* is urllib3's, whose ``read1`` gives what is there, decoded.

    Mocks put simpler ones in its place, and vcrpy one of http.client's kind, whose ``read1``
    decodes nothing. Their bodies are in memory.
    """
    return hasattr(raw, "read1") and not isinstance(raw, http.client.HTTPResponse)


def discard(response: Response, clock: Clock) -> None:
    """Close *response*, drained first if that is cheap, so that its connection is kept.

    A refused body may be endless, a trickle or a gzip bomb, so raw bytes are read, never decoded,
    at most 64 KiB and for at most 0.2 s. A limit in bytes alone is none in time.
    """
    if not is_read(response):
        # Whatever goes wrong here concerns a response that is of no use any more.
        with contextlib.suppress(Exception):
            _drain(response.raw, clock)
    response.close()


def _drain(raw: Any, clock: Clock) -> None:
    end = clock.monotonic() + DRAIN_SECONDS
    left = DRAIN_BYTES
    while left > 0:
        seconds = end - clock.monotonic()
        if seconds <= 0:
            return
        _limit_wait(raw, seconds)
        piece = raw.read1(left, decode_content=False)
        if not piece:
            return
        left -= len(piece)


def _limit_wait(raw: Any, seconds: float) -> None:
    """Limit the next read; urllib3 sets the timeout anew when a pool hands the connection out."""
    sock = getattr(getattr(raw, "connection", None), "sock", None)
    if sock is None:
        # A response after which the connection is closed has taken the socket with it.
        file = getattr(getattr(raw, "_fp", None), "fp", None)
        sock = getattr(getattr(file, "raw", None), "_sock", None)
    if sock is not None:
        known = sock.gettimeout()
        sock.settimeout(seconds if known is None else min(seconds, known))


def read_within(
    response: Response, clock: Clock, deadline: float, *, max_bytes: int | None = None
) -> None:
    """Read the body of *response* into its ``content``, giving up at *deadline*.

    The timeout of requests limits each read, so a trickle could hold a call for ever.

    Args:
        response: Perhaps unread; nothing is done where its body was read already.
        clock: Time it by this.
        deadline: Moment of the clock's ``monotonic``.
        max_bytes: Limit on the decoded body, in bytes.

    Raises:
        requests.ReadTimeout: The deadline passed.
        BodyTooLarge: The body is larger than *max_bytes*.
        requests.RequestException: As reading ``response.content`` raises it.
    """
    raw = response.raw
    if is_read(response):
        return
    if not reads_in_pieces(raw):
        response.content  # noqa: B018  # a response from a mock or a recording
        return
    try:
        content = _read(response, clock, deadline, max_bytes)
    except BaseException:
        response.close()
        raise
    response._content = content  # noqa: SLF001  # where requests keeps a body that was read
    response._content_consumed = True  # noqa: SLF001  # where requests keeps it


def _read(response: Response, clock: Clock, deadline: float, max_bytes: int | None) -> bytes:
    content = bytearray()
    for piece in body_pieces(response, clock, deadline):
        content += piece
        if max_bytes is not None and len(content) > max_bytes:
            message = f"the body is larger than {max_bytes} bytes"
            raise BodyTooLarge(message, response=response)
    return bytes(content)


def read_some(response: Response, clock: Clock, end: float) -> None:
    """Read what comes of a body until *end*, and close *response*.

    At most 64 KiB, decoded; the rest is lost, and so is what broke it off.

    Args:
        response: Perhaps read already; then it is closed, and that is all.
        clock: Time it by this.
        end: Moment of the clock's ``monotonic``.
    """
    if is_read(response):
        response.close()
        return
    body = bytearray()
    with contextlib.suppress(Exception):
        for piece in body_pieces(response, clock, end):
            body += piece
            if len(body) >= PIECE_SIZE:
                break
    # First, because requests hands what it takes for read back to the pool as it is.
    response.close()
    response._content = bytes(body[:PIECE_SIZE])  # noqa: SLF001  # where requests keeps what was read
    response._content_consumed = True  # noqa: SLF001  # where requests keeps it


def body_pieces(response: Response, clock: Clock, deadline: float) -> Iterator[bytes]:
    """Yield the decoded body of an unread *response* as it comes, giving up at *deadline*.

    Args:
        response: Unread.
        clock: Time it by this.
        deadline: Moment of the clock's ``monotonic``.

    Raises:
        requests.ReadTimeout: The deadline passed.
        requests.RequestException: As reading ``response.content`` raises it.
    """
    raw = response.raw
    if not reads_in_pieces(raw):
        yield from response.iter_content(PIECE_SIZE)
        return
    while True:
        seconds = deadline - clock.monotonic()
        if seconds <= 0:
            raise _timed_out(response)
        _limit_wait(raw, seconds)
        try:
            piece = _piece(raw)
        except requests.ConnectionError as error:
            if clock.monotonic() < deadline:
                raise
            raise _timed_out(response) from error
        if not piece:
            return
        yield piece


def _timed_out(response: Response) -> requests.ReadTimeout:
    message = "the body was still coming when the deadline passed"
    return requests.ReadTimeout(message, request=response.request)


def _is_copied_below(raw: Any) -> bool:
    """Return whether a cache copies what ``read`` gives, and nothing else, as CacheControl does.

    Its ``read1`` is that of the object below, so the copy would be lost, or be cached with a gap.
    """
    below = getattr(raw, "_fp", None)
    return hasattr(below, "read1") and not hasattr(type(below), "read1")


def _piece(raw: Any) -> bytes:
    """Read what is there, with urllib3's errors turned into those that requests raises."""
    try:
        piece: bytes | None
        if _is_copied_below(raw):
            piece = raw.read(_COPIED_PIECE_SIZE, decode_content=True)
        else:
            piece = raw.read1(PIECE_SIZE, decode_content=True)
    except urllib3_errors.ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except urllib3_errors.DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except urllib3_errors.ReadTimeoutError as error:
        raise requests.ConnectionError(error) from error
    except urllib3_errors.SSLError as error:
        raise requests.exceptions.SSLError(error) from error
    return piece or b""


def response_raised_for(error: Exception) -> Response | None:
    """Return the response whose status a session raised *error* for, or None."""
    if isinstance(error, SessionKitError):
        return None  # one of ours, from a stack below: its response is a redacted copy
    kinds = {base.__name__ for base in type(error).__mro__}
    if "RequestException" in kinds and "HTTPError" not in kinds:
        return None  # one of many redirects, or cut short: it came with a response, not for one
    # By its response alone: some SDKs' sessions raise an error of a kind of their own.
    response: Response | None = getattr(error, "response", None)
    return response if hasattr(response, "status_code") else None


def own_response(response: Any) -> Response:
    """Return *response*, or a shallow copy of one that a cache below may hand out again.

    Raises:
        ConfigError: It is no response but something that will become one.
    """
    if not hasattr(response, "status_code"):
        message = f"the session answered with a {type(response).__name__}, not with a response"
        hint = "put it around the stack, not into it: FuturesSession(session=stack)"
        raise ConfigError(message, hint=hint)
    own: Response = response
    # Looked at exactly: a stand-in from a test tool has every attribute that is asked for.
    if "record" not in vars(response) and getattr(response, "from_cache", False) is not True:
        return own
    own = object.__new__(type(response))
    own.__dict__.update(response.__dict__)
    own.headers = response.headers.copy()
    own.history = list(response.history)
    return own
