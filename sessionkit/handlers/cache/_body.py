"""Bodies copied while somebody reads them, and handed on only if they were read whole."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from urllib3.response import BaseHTTPResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: What urllib3 reads at a time where nobody says.
_PIECE = 65_536


class _Copy:
    """What has been read of one body so far. Belongs to whoever reads it."""

    __slots__ = ("_body", "_done", "_encoded", "_most")

    def __init__(self, done: Callable[[bytes], object], most: int, *, encoded: bool) -> None:
        self._done: Callable[[bytes], object] | None = done
        self._body = bytearray()
        self._most = most
        self._encoded = encoded

    def take(self, piece: bytes, *, decoded: bool) -> None:
        """Add *piece*; one that was not decoded, or one too many, spoils the copy."""
        if self._done is None:
            return
        if (self._encoded and not decoded) or len(self._body) + len(piece) > self._most:
            self.spoil()
            return
        self._body += piece

    def finish(self) -> None:
        """Hand on what was read: nothing more comes."""
        if (done := self._done) is not None:
            body = bytes(self._body)
            self.spoil()
            done(body)

    def spoil(self) -> None:
        """Forget what was read: the rest will not come, or cannot be used."""
        self._done = None
        self._body = bytearray()


def copy_while_read(raw: Any, most: int, done: Callable[[bytes], object]) -> bool:
    """Have *done* called with the decoded body of *raw* once somebody has read all of it.

    It is not called for a body of which reading failed or stopped early, for one that was read
    undecoded, nor for one larger than *most* bytes. Nothing is read for its sake, nor later than
    it would be.

    Args:
        raw: urllib3's answer, unread.
        most: Bytes of the body, decoded.
        done: Called in the thread that reads.

    Returns:
        Whether it can be done: not with what other libraries put in the place of urllib3's.
    """
    if not isinstance(raw, BaseHTTPResponse):
        return False
    encoded = bool(raw.headers.get("Content-Encoding"))
    vars(raw)["_sessionkit_copy"] = _Copy(done, most, encoded=encoded)
    # A class, because everything that reads looks methods up there, urllib3 itself included.
    raw.__class__ = _copying(type(raw))
    return True


@cache
def _copying(plain: type[BaseHTTPResponse]) -> type[BaseHTTPResponse]:
    """Return *plain* with methods that copy what they read; all others read by these."""

    def read(
        self: Any,
        amt: int | None = None,
        decode_content: bool | None = None,  # noqa: FBT001  # urllib3's
        cache_content: bool = False,  # noqa: FBT001, FBT002  # the same
    ) -> bytes:
        piece = _guarded(self, partial(plain.read, self, amt, decode_content, cache_content))
        last = amt is None or amt < 0 or (amt > 0 and not piece)
        return _noted(self, piece, decode_content, last=last)

    def read1(self: Any, amt: int | None = None, decode_content: bool | None = None) -> bytes:  # noqa: FBT001  # the same
        piece = _guarded(self, partial(plain.read1, self, amt, decode_content))
        return _noted(self, piece, decode_content, last=amt != 0 and not piece)

    def read_chunked(
        self: Any,
        amt: int | None = None,
        decode_content: bool | None = None,  # noqa: FBT001  # the same
    ) -> Iterator[bytes]:
        for piece in _whole(self, plain.read_chunked(self, amt, decode_content)):
            yield _noted(self, piece, decode_content, last=False)
        self._sessionkit_copy.finish()

    def stream(
        self: Any,
        amt: int | None = _PIECE,
        decode_content: bool | None = None,  # noqa: FBT001  # the same
    ) -> Iterator[bytes]:
        # By the methods above.
        yield from _whole(self, plain.stream(self, amt, decode_content))
        self._sessionkit_copy.finish()

    def close(self: Any) -> None:
        self._sessionkit_copy.spoil()
        plain.close(self)

    methods = (read, read1, read_chunked, stream, close)
    own = {method.__name__: method for method in methods}
    return type(plain.__name__, (plain,), {"__module__": plain.__module__, **own})


def _guarded(raw: Any, read: Callable[[], bytes | None]) -> bytes:
    try:
        return read() or b""
    except BaseException:
        raw._sessionkit_copy.spoil()  # noqa: SLF001  # ours; the next read would look like the end
        raise


def _whole(raw: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *pieces*; the copy is spoilt unless they come to their end."""
    try:
        yield from pieces
    except BaseException:
        raw._sessionkit_copy.spoil()  # noqa: SLF001  # as above
        raise


def _noted(raw: Any, piece: bytes, decode_content: bool | None, *, last: bool) -> bytes:  # noqa: FBT001  # urllib3's
    decoded = raw.decode_content if decode_content is None else decode_content
    copy: _Copy = raw._sessionkit_copy  # noqa: SLF001  # as above
    copy.take(piece, decoded=bool(decoded))
    if last:
        copy.finish()
    return piece
