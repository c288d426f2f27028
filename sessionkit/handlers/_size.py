"""A limit on the size of answers, counted after decoding."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sessionkit import _checks as checks
from sessionkit.bodies._response import is_read
from sessionkit.errors import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import CallNext, Exchange

_FIRST_ERROR_STATUS = 400


class SizeHandler:
    """Give up answers whose body is larger than a limit, as it is after decoding.

    requests takes a body into memory however large it is, and a megabyte of gzip may hold a
    gigabyte. With this handler such a call ends in
    :class:`~sessionkit.errors.BodyTooLarge`: at once where the answer announces its size, else
    when one byte too many has come. A stream ends so too, while the caller reads it, ``raw``
    included. It is not tried again.

    An answer of 400 and above is cut at the limit instead, because its status says more; so is
    the body of a redirect that is followed, at 64 KiB.

    A call may carry its own ``max_bytes=``; None lifts the limit. The handler may stand anywhere
    in the chain: last, it also watches what others further in would read. Immutable, hence shared
    between threads.

    Args:
        max_bytes: The largest body that is taken, in bytes.

    Raises:
        ConfigError: Not a whole number above 0.
    """

    options = frozenset({"max_bytes"})

    __slots__ = ("_max_bytes",)

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = checks.size("max_bytes", max_bytes)

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Forward, and let no more of the body through than is allowed.

        Raises:
            BodyTooLarge: The body is larger, and the status is below 400.
            ConfigError: The ``max_bytes`` of the call is no number of bytes.
        """
        given = exchange.options.get("max_bytes", self._max_bytes)
        if given is None:
            return call_next(exchange)
        allowed = checks.size("max_bytes", given, hint="a whole number; None sets no limit")
        limit = _Limit(allowed, exchange)
        # With a late step the wire follows redirects itself, and reads no more of them than it
        # must; requests would take in whatever they hold.
        response = call_next(exchange.streamed().on_prepared(_as_it_is))
        limit.hold(response)
        if not exchange.stream:
            exchange.read(response)
            if len(response.content) > limit.most:
                limit.settle(response)  # what held it is none of urllib3's: a mock's, or a cache's
        return response

    def __repr__(self) -> str:
        return f"SizeHandler({self._max_bytes})"


class _Limit:
    """What of one body may still come."""

    __slots__ = ("_evidence", "_left", "cuts", "is_cut", "most")

    def __init__(self, most: int, exchange: Exchange) -> None:
        self.most = most
        self._left = most
        self.cuts = False
        self.is_cut = False
        # No exchange: it would make a circle with the answer that this hangs on.
        self._evidence: Any = {"method": exchange.method, "url": exchange.url}

    def hold(self, response: Response) -> None:
        """Count whatever is read of *response* from here on.

        Raises:
            BodyTooLarge: It announces more than it may.
        """
        raw: Any = response.raw
        self.cuts = response.status_code >= _FIRST_ERROR_STATUS
        self._evidence["status"] = response.status_code
        if is_read(response) or not hasattr(raw, "read_chunked"):
            return
        raw.__class__ = _counted_class(type(raw))  # type: ignore[arg-type]  # hashable
        raw._sessionkit_limit = self  # noqa: SLF001  # an attribute of our own
        encoded = "Content-Encoding" in response.headers
        if not (self.cuts or encoded) and (raw.length_remaining or 0) > self.most:
            raise self._exceeded(response)

    def settle(self, response: Response) -> None:
        """Cut or refuse what is in memory already."""
        if not self.cuts:
            raise self._exceeded(response)
        response._content = response.content[: self.most]  # noqa: SLF001  # where requests keeps it

    def room(self, wanted: int | None) -> int:
        """Return how much may be read at once, in bytes: never all that there is."""
        most = max(self._left, 0) + 1
        return most if wanted is None or wanted < 0 else min(wanted, most)

    def take(self, raw: Any, piece: bytes) -> bytes:
        """Count a piece of the body, and return what of it may pass."""
        self._left -= len(piece)
        if self._left < 0 and not self.cuts:
            raise self._exceeded(raw)
        if self._left > 0 or not self.cuts:
            return piece
        self.is_cut = True
        raw.close()
        return piece[: len(piece) + self._left]

    def _exceeded(self, opened: Any) -> BodyTooLarge:
        opened.close()
        return BodyTooLarge(f"the body is larger than {self.most} bytes", **self._evidence)


@cache
def _counted_class(plain: Any) -> Any:
    """Return *plain*, a class of urllib3's responses, with all reading counted.

    Its other ways of reading, such as ``readinto`` and ``data``, go by these. A class, because
    whatever is read of an answer, by requests or by its caller, is read of this very object.
    """
    ways = {"read": _read, "read1": _read1, "read_chunked": _read_chunked, "stream": _stream}
    return type(
        plain.__name__,
        (plain,),
        {**ways, "__module__": plain.__module__, "_sessionkit_plain": plain},
    )


def _read(
    self: Any,
    amt: int | None = None,
    decode_content: Any = None,
    cache_content: Any = None,  # noqa: ARG001  # urllib3's signature
) -> bytes:
    return _taken(self, self._sessionkit_plain.read, amt, decode_content)


def _read1(self: Any, amt: int | None = None, decode_content: Any = None) -> bytes:
    return _taken(self, self._sessionkit_plain.read1, amt, decode_content)


def _taken(raw: Any, read: Any, amt: int | None, decode_content: Any) -> bytes:
    limit: _Limit = raw._sessionkit_limit  # noqa: SLF001  # an attribute of our own
    if limit.is_cut:
        return b""
    piece = read(raw, limit.room(amt), decode_content=decode_content)
    return limit.take(raw, piece or b"")


def _read_chunked(self: Any, amt: int | None = None, decode_content: Any = None) -> Iterator[bytes]:
    limit: _Limit = self._sessionkit_limit
    read = self._sessionkit_plain.read_chunked
    for piece in read(self, limit.room(amt), decode_content=decode_content):
        yield limit.take(self, piece)
        if limit.is_cut:
            return


def _stream(self: Any, *args: Any, **kwargs: Any) -> Iterator[bytes]:
    for piece in self._sessionkit_plain.stream(self, *args, **kwargs):
        yield piece
        if self._sessionkit_limit.is_cut:
            return  # what is still decoded there would be waited for without end


def _as_it_is(_: PreparedRequest) -> None:
    """Leave a request alone."""
