"""A body is watched while it is read: copied, cut, or given other errors."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import pytest
import requests
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from sessionkit.bodies import BodyCopy, BodyObserver, watch

BODY = bytes(range(256)) * 400


def copied(raw: Any, copies: list[bytes], max_bytes: int = 1_000_000) -> bool:
    """Have the body of *raw* copied to *copies*; return whether it can be."""
    encoded = bool(getattr(raw, "headers", {}).get("Content-Encoding"))
    return watch(raw, BodyCopy(copies.append, max_bytes, encoded=encoded))


def opened(body: bytes = BODY, **headers: str) -> tuple[HTTPResponse, list[bytes]]:
    """Return a raw response whose body will be copied, and where the copy goes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = HTTPResponse(io.BytesIO(body), headers=sent, status=200, preload_content=False)
    copies: list[bytes] = []
    assert copied(raw, copies)
    return raw, copies


def by_pieces(raw: HTTPResponse) -> bytes:
    pieces = []
    while piece := raw.read(1_000, decode_content=True):
        pieces.append(piece)
    return b"".join(pieces)


def as_it_comes(raw: HTTPResponse) -> bytes:
    pieces = []
    while piece := raw.read1(70_000, decode_content=True):
        pieces.append(piece)
    return b"".join(pieces)


READERS: list[Callable[[HTTPResponse], bytes]] = [
    by_pieces,
    as_it_comes,
    lambda raw: raw.read(decode_content=True),
    lambda raw: raw.read(-1, decode_content=True),
    lambda raw: b"".join(raw.stream(1_000, decode_content=True)),
    lambda raw: b"".join(raw.stream(decode_content=True)),
    lambda raw: raw.data,
    b"".join,
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("encoded", [False, True])
def test_every_way_of_reading_gives_the_same_copy(
    reader: Callable[[HTTPResponse], bytes], encoded: bool
) -> None:
    """Whoever reads, and however, reads what he would have read, and the copy is of that."""
    if encoded:
        raw, copies = opened(gzip.compress(BODY), Content_Encoding="gzip")
    else:
        raw, copies = opened(Content_Length=str(len(BODY)))

    assert reader(raw) == BODY
    assert copies == [BODY]
    assert raw.read(10) == b""
    assert copies == [BODY]


def test_a_body_that_is_not_read_whole_is_not_copied() -> None:
    """Half a body is never given out for a whole one."""
    raw, copies = opened()
    raw.read(1_000)
    raw.close()
    raw.read()

    pieces, others = opened()
    stream = pieces.stream(1_000)
    next(stream)
    stream.close()
    pieces.read()

    assert copies == others == []


class Broken(io.BytesIO):
    """A connection that breaks once, after its first piece."""

    whole = True

    def read(self, *args: Any) -> bytes:
        if self.tell() > 0 and self.whole:
            self.whole = False
            self.seek(0, io.SEEK_END)
            message = "reset"
            raise OSError(message)
        return super().read(*args)


def test_a_body_that_breaks_off_is_not_copied() -> None:
    """What comes after a failure looks like the end of the body, and is none."""
    raw = HTTPResponse(Broken(BODY), status=200, preload_content=False)
    copies: list[bytes] = []
    copied(raw, copies)
    raw.read(10)
    with pytest.raises(ProtocolError, match="reset"):
        raw.read(10)
    assert raw.read(10) == b""

    pieces = HTTPResponse(Broken(BODY), status=200, preload_content=False)
    copied(pieces, copies)
    with pytest.raises(ProtocolError, match="reset"):
        list(pieces.stream(10))
    assert list(pieces.stream(10)) == []
    assert copies == []


def test_a_large_body_is_passed_on_and_not_kept() -> None:
    """A download of gigabytes takes no memory for the cache's sake."""
    raw = HTTPResponse(io.BytesIO(BODY), status=200, preload_content=False)
    copies: list[bytes] = []
    copied(raw, copies, len(BODY) - 1)

    assert b"".join(raw.stream(1_000)) == BODY
    assert copies == []


def test_a_body_that_was_read_undecoded_is_not_kept() -> None:
    """What the next caller gets is never compressed by surprise."""
    raw, copies = opened(gzip.compress(BODY), Content_Encoding="gzip")

    assert gzip.decompress(raw.read(decode_content=False)) == BODY
    assert copies == []


def test_a_watched_body_stays_of_its_class() -> None:
    """Code that looks at the class of what it reads goes on working."""
    raw, _ = opened()

    assert isinstance(raw, HTTPResponse)
    assert type(raw).__name__ == "HTTPResponse"


def test_what_is_not_urllib3s_is_left_alone() -> None:
    """Stand-ins of test tools are read as ever."""
    raw = io.BytesIO(b"x")

    assert copied(raw, []) is False
    assert raw.read() == b"x"


class First(BodyObserver):
    """Ends a body after so many bytes."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.ends: list[bool] = []

    def room(self) -> int:
        return max(self.left, 0)

    def take(self, piece: bytes, *, decoded: bool) -> bytes:
        self.left -= len(piece)
        return piece if self.left >= 0 else piece[: self.left]

    def end(self, *, whole: bool) -> None:
        self.ends.append(whole)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("inside", [True, False])
def test_a_body_that_another_observer_cuts_is_not_copied(
    reader: Callable[[HTTPResponse], bytes], inside: bool
) -> None:
    """Several observers see one body, in either order; a part is never taken for the whole."""
    raw = HTTPResponse(io.BytesIO(BODY), status=200, preload_content=False)
    copies: list[bytes] = []
    first = First(5_000)
    if inside:
        watch(raw, first)
    copied(raw, copies)
    if not inside:
        watch(raw, first)

    assert reader(raw) == BODY[:5_000]
    assert raw.closed
    assert raw.read(10) == raw.read1() == b""
    assert first.ends[0] is False
    assert copies == []


@pytest.mark.parametrize("reader", READERS)
def test_a_body_that_no_observer_cuts_is_read_whole(
    reader: Callable[[HTTPResponse], bytes],
) -> None:
    """A limit that is not reached changes nothing, and the copy beside it is whole."""
    raw = HTTPResponse(io.BytesIO(BODY), status=200, preload_content=False)
    copies: list[bytes] = []
    first = First(len(BODY) + 1)
    watch(raw, first)
    copied(raw, copies)

    assert reader(raw) == BODY
    assert first.ends[0] is True
    assert copies == [BODY]


class Renaming(BodyObserver):
    """Raises another error for the one that broke a body off."""

    def __init__(self, name: str) -> None:
        self._name = name

    def broken(self, error: Exception, response: Any) -> Exception:
        return KeyError(self._name, *error.args)


def test_the_errors_of_a_response_pass_all_its_observers() -> None:
    """The innermost first; each sees what the one before made of it."""
    response = requests.Response()
    response.raw = HTTPResponse(Broken(BODY), status=200, preload_content=False)
    watch(response, Renaming("inner"))
    watch(response, Renaming("outer"))

    with pytest.raises(KeyError) as caught:
        response.content  # noqa: B018  # read
    assert caught.value.args[:2] == ("outer", "inner")
    assert caught.value.__context__ is None
