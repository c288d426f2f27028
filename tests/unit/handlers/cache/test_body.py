"""A body is copied as it is read, and only a whole one counts."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from typing import Any

import pytest
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from sessionkit.handlers.cache._body import copy_while_read

BODY = bytes(range(256)) * 400


def answer(body: bytes = BODY, **headers: str) -> tuple[HTTPResponse, list[bytes]]:
    """Return an answer whose body will be copied, and where the copy goes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = HTTPResponse(io.BytesIO(body), headers=sent, status=200, preload_content=False)
    copies: list[bytes] = []
    assert copy_while_read(raw, 1_000_000, copies.append)
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
        raw, copies = answer(gzip.compress(BODY), Content_Encoding="gzip")
    else:
        raw, copies = answer(Content_Length=str(len(BODY)))

    assert reader(raw) == BODY
    assert copies == [BODY]
    assert raw.read(10) == b""
    assert copies == [BODY]


def test_a_body_that_is_not_read_whole_is_not_copied() -> None:
    """Half an answer is never given out for a whole one."""
    raw, copies = answer()
    raw.read(1_000)
    raw.close()
    raw.read()

    pieces, others = answer()
    stream = pieces.stream(1_000)
    next(stream)
    stream.close()
    pieces.read()

    assert copies == others == []


def test_a_body_that_breaks_off_is_not_copied() -> None:
    """What comes after a failure looks like the end of the body, and is none."""

    class Broken(io.BytesIO):
        whole = True

        def read(self, *args: Any) -> bytes:
            if self.tell() > 0 and self.whole:
                self.whole = False
                self.seek(0, io.SEEK_END)
                message = "reset"
                raise OSError(message)
            return super().read(*args)

    raw = HTTPResponse(Broken(BODY), status=200, preload_content=False)
    copies: list[bytes] = []
    copy_while_read(raw, 1_000_000, copies.append)
    raw.read(10)
    with pytest.raises(ProtocolError, match="reset"):
        raw.read(10)
    assert raw.read(10) == b""

    pieces = HTTPResponse(Broken(BODY), status=200, preload_content=False)
    copy_while_read(pieces, 1_000_000, copies.append)
    with pytest.raises(ProtocolError, match="reset"):
        list(pieces.stream(10))
    assert list(pieces.stream(10)) == []
    assert copies == []


def test_a_large_body_is_passed_on_and_not_kept() -> None:
    """A download of gigabytes takes no memory for the cache's sake."""
    raw = HTTPResponse(io.BytesIO(BODY), status=200, preload_content=False)
    copies: list[bytes] = []
    copy_while_read(raw, len(BODY) - 1, copies.append)

    assert b"".join(raw.stream(1_000)) == BODY
    assert copies == []


def test_a_body_that_was_read_undecoded_is_not_kept() -> None:
    """What the next caller gets is never compressed by surprise."""
    raw, copies = answer(gzip.compress(BODY), Content_Encoding="gzip")

    assert gzip.decompress(raw.read(decode_content=False)) == BODY
    assert copies == []


def test_an_answer_stays_of_its_kind() -> None:
    """Code that looks at the class of what it reads goes on working."""
    raw, _ = answer()

    assert isinstance(raw, HTTPResponse)
    assert type(raw).__name__ == "HTTPResponse"


def test_what_is_not_urllib3s_is_left_alone() -> None:
    """Stand-ins of test tools are read as ever."""
    raw = io.BytesIO(b"x")

    assert copy_while_read(raw, 10, lambda _: None) is False
    assert raw.read() == b"x"
