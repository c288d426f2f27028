"""Watch a response body while it is read: count it, cut it, copy it, or raise other errors for it.

:func:`watch` takes what is read and an observer, and nothing is read for the observer's sake. Of
urllib3's object (``response.raw``) the observer sees each piece and the end, whichever way it is
read; of a response it sees the errors of ``iter_content`` and of all that reads by it (``content``,
``text``, ``json``, ``iter_lines``), but not those of ``raw``. Several observers of one body see
what the one before lets through.

What is read is given a class derived from its own, because everything that reads looks methods up
in the class, urllib3 itself included. A function on the object would also make a circle with it,
and a stream that is dropped would keep its connection until the collector comes by.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import SupportsIndex

#: What urllib3 reads at a time by default.
_PIECE_SIZE = 65_536


class BodyObserver:
    """Sees one body while it is read, in the thread that reads it. A base with no effect."""

    __slots__ = ()

    def room(self) -> int | None:
        """Return how many bytes may be read next: None for any number, 0 to end the body."""
        return None

    def take(self, piece: bytes, *, decoded: bool) -> bytes:  # noqa: ARG002  # the contract
        """Return what the reader gets of *piece*; what is raised here closes the body."""
        return piece

    def end(self, *, whole: bool) -> None:
        """Note the end of the body; called again where the caller reads on.

        Args:
            whole: Whether all was read, not broken off, cut or closed before.
        """

    def broken(self, error: Exception, response: Any) -> Exception:  # noqa: ARG002  # the contract
        """Return what is raised in place of *error*, with which reading *response* ended."""
        return error


class BodyCopy(BodyObserver):
    """Hands on the decoded body once all of it has been read.

    Not one that broke off, was closed before its end, was read undecoded, or is too large.

    Args:
        done: Called with the body, in the thread that reads.
        max_bytes: The largest body that is copied, decoded.
        encoded: Whether the body is compressed on its connection.
    """

    __slots__ = ("_body", "_done", "_encoded", "_max_bytes")

    def __init__(self, done: Callable[[bytes], object], max_bytes: int, *, encoded: bool) -> None:
        self._done: Callable[[bytes], object] | None = done
        self._body = bytearray()
        self._max_bytes = max_bytes
        self._encoded = encoded

    def take(self, piece: bytes, *, decoded: bool) -> bytes:
        if (self._encoded and not decoded) or len(self._body) + len(piece) > self._max_bytes:
            self.end(whole=False)
        if self._done is not None:
            self._body += piece
        return piece

    def end(self, *, whole: bool) -> None:
        done, self._done = self._done, None
        body, self._body = self._body, bytearray()
        if whole and done is not None:
            done(bytes(body))


def watch(source: Any, observer: BodyObserver) -> bool:
    """Have *observer* see what is read of *source* from now on.

    Args:
        source: A response, or its ``raw``; unread.
        observer: Used for this body alone.

    Returns:
        Whether it can: not what test tools and other libraries put in the place of urllib3's.
    """
    known = vars(source).get("_sessionkit_observers") if hasattr(source, "__dict__") else None
    if known is None:
        if hasattr(source, "iter_content"):
            source.__class__ = _watched_response(type(source))  # type: ignore[arg-type]  # hashable
        elif hasattr(source, "read_chunked"):
            source.__class__ = _watched_raw(type(source))  # type: ignore[arg-type]  # hashable
        else:
            return False
    # A tuple: a shallow copy of a response shares it.
    source._sessionkit_observers = (*(known or ()), observer)  # noqa: SLF001  # an attribute of our own
    return True


def _derived(plain: type[Any], methods: dict[str, object]) -> Any:
    return type(plain.__name__, (plain,), {"__module__": plain.__module__, **methods})


@cache
def _watched_raw(plain: Any) -> Any:
    """Return *plain*, a class of urllib3's responses, with its ways of reading watched.

    The others, such as ``readinto`` and ``data``, go by these.
    """

    def read(
        self: Any,
        amt: int | None = None,
        decode_content: bool | None = None,  # noqa: FBT001  # urllib3's signature
        cache_content: bool = False,  # noqa: FBT001, FBT002  # the same
    ) -> bytes:
        size = _room(self, amt)
        piece = _read(self, plain.read, size, decode_content, cache_content)
        if amt is None or amt < 0:
            # Asked for all: less than the room there is comes at the end only.
            whole = size is None or size < 0 or len(piece) < size
        else:
            whole = amt > 0 and not piece
        return _taken(self, piece, decode_content, whole=whole)

    def read1(self: Any, amt: int | None = None, decode_content: bool | None = None) -> bytes:  # noqa: FBT001  # the same
        piece = _read(self, plain.read1, _room(self, amt), decode_content)
        return _taken(self, piece, decode_content, whole=amt != 0 and not piece)

    def read_chunked(
        self: Any,
        amt: int | None = None,
        decode_content: bool | None = None,  # noqa: FBT001  # the same
    ) -> Iterator[bytes]:
        pieces = plain.read_chunked(self, _room(self, amt), decode_content)
        return _yielded(self, (_taken(self, piece, decode_content) for piece in pieces))

    def stream(
        self: Any,
        amt: int | None = _PIECE_SIZE,
        decode_content: bool | None = None,  # noqa: FBT001  # the same
    ) -> Iterator[bytes]:
        # By the methods above.
        return _yielded(self, plain.stream(self, amt, decode_content))

    def close(self: Any) -> None:
        _end(self, whole=False)
        plain.close(self)

    methods = (read, read1, read_chunked, stream, close)
    return _derived(
        plain, {"_sessionkit_cut": False, **{method.__name__: method for method in methods}}
    )


def _room(raw: Any, amt: int | None) -> int | None:
    rooms = [room for one in raw._sessionkit_observers if (room := one.room()) is not None]  # noqa: SLF001  # our own
    if not rooms:
        return amt
    limit: int = min(rooms)
    return limit if amt is None or amt < 0 else min(amt, limit)


def _read(raw: Any, read: Callable[..., bytes | None], *args: Any) -> bytes:
    """Return what *read* gives; the next read after a failure would look like the end."""
    if raw._sessionkit_cut:  # noqa: SLF001  # our own
        return b""
    try:
        return read(raw, *args) or b""
    except BaseException:
        _end(raw, whole=False)
        raise


def _taken(raw: Any, piece: bytes, decode_content: Any, *, whole: bool = False) -> bytes:
    """Show *piece* to the observers, and return what of it the reader gets."""
    decoded = bool(raw.decode_content if decode_content is None else decode_content)
    for observer in raw._sessionkit_observers:  # noqa: SLF001  # our own
        try:
            taken = observer.take(piece, decoded=decoded)
        except BaseException:
            raw.close()
            raise
        piece = taken
    if _room(raw, None) == 0:
        raw._sessionkit_cut = True  # noqa: SLF001  # our own
        raw.close()
    elif whole:
        _end(raw, whole=True)
    return piece


def _yielded(raw: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield *pieces* to their end, or to where they are cut: urllib3 would wait for the rest."""
    whole = False
    try:
        for piece in pieces:
            yield piece
            if raw._sessionkit_cut:  # noqa: SLF001  # our own
                return
        whole = True
    finally:
        _end(raw, whole=whole)


def _end(raw: Any, *, whole: bool) -> None:
    for observer in raw._sessionkit_observers:  # noqa: SLF001  # our own
        observer.end(whole=whole)


@cache
def _watched_response(plain: Any) -> Any:
    """Return *plain*, a class of responses, with the errors of reading a body watched."""

    def iter_content(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        # Misuse is raised at once, as requests does.
        return _mapped(self, plain.iter_content(self, *args, **kwargs))

    def reduce_ex(self: Any, _protocol: SupportsIndex) -> Any:
        # Pickles and copies are of the class that was there before. By protocol 1, because later
        # ones insist on the object's own class. The body is read first, into this object, as ever.
        self.__getstate__()
        bare: Any = object.__new__(plain)
        vars(bare).update(vars(self))
        del bare._sessionkit_observers  # noqa: SLF001  # our own
        return bare.__reduce_ex__(1)

    return _derived(plain, {"iter_content": iter_content, "__reduce_ex__": reduce_ex})


def _mapped(response: Any, pieces: Iterator[Any]) -> Iterator[Any]:
    """Yield *pieces* of a body; raise what the observers make of what is raised in between."""
    try:
        yield from pieces
        return
    except Exception as error:
        raised = error
        for observer in response._sessionkit_observers:  # noqa: SLF001  # our own
            raised = observer.broken(raised, response)
        if raised is error:
            del raised  # as below
            raise
    # Outside of `except`, or the original, with its secrets, would become the context.
    try:
        raise raised
    finally:
        # Its traceback holds this frame, and this frame it: a circle with the caller's locals.
        del raised
