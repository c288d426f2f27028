"""Uploads in every form that requests takes, small and large, and sent again after a refusal."""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor, StreamingIterator

from sessionkit import SessionStack, recommended
from sessionkit.auth import CallableGrant
from sessionkit.testing.server import IdentityProvider, LoopbackServer, ServerResponse
from tests.integration.transport.test_downloads import MIB, flat
from tests.support.compared_sessions import told_the_same

CONTENT = bytes(range(256)) * 300


class Reader:
    """A file-like object that can only be read, and may tell its length."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


class Measured(Reader):
    """One that tells its length by ``len``."""

    def __len__(self) -> int:
        return len(self._content.getbuffer())


class Iterable:
    """A body that can be iterated again and again."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"one", b"two"])


def half_read() -> io.BytesIO:
    """Return a file that stands in its middle."""
    file = io.BytesIO(CONTENT)
    file.seek(1000)
    return file


def encoder() -> MultipartEncoder:
    """Return a form that is encoded while it is sent."""
    fields = {"name": "bag", "file": ("a.bin", io.BytesIO(CONTENT), "application/x")}
    return MultipartEncoder(fields, boundary="0123456789abcdef0123456789abcdef")


def form(make: Callable[[], Any]) -> Callable[[], dict[str, Any]]:
    """Return a maker of the arguments for a body that is a form."""
    content_type = "multipart/form-data; boundary=0123456789abcdef0123456789abcdef"
    return lambda: {"data": make(), "headers": {"Content-Type": content_type}}


#: A body can be spent, so each call is given a new one.
BODIES: dict[str, Callable[[], dict[str, Any]]] = {
    "bytes": lambda: {"data": CONTENT},
    "bytearray": lambda: {"data": bytearray(CONTENT)},
    "memoryview": lambda: {"data": memoryview(CONTENT)},
    "text": lambda: {"data": "\u00fc\u20ac"},
    "empty bytes": lambda: {"data": b""},
    "empty text": lambda: {"data": ""},
    "generator": lambda: {"data": (piece for piece in (b"one", b"", b"two"))},
    "generator of text": lambda: {"data": (piece for piece in ("one", "two"))},
    "empty generator": lambda: {"data": iter(())},
    "iterable": lambda: {"data": Iterable()},
    "file": lambda: {"data": io.BytesIO(CONTENT)},
    "file from its middle": lambda: {"data": half_read()},
    "file at its end": lambda: {"data": io.BytesIO(b"")},
    "reader": lambda: {"data": Reader(CONTENT)},
    "measured reader": lambda: {"data": Measured(CONTENT)},
    "reader with a length given": lambda: {
        "data": Reader(CONTENT),
        "headers": {"Content-Length": str(len(CONTENT))},
    },
    "iterator with a size": lambda: {"data": StreamingIterator(6, iter([b"one", b"two"]))},
    "multipart encoder": form(encoder),
    "watched encoder": form(lambda: MultipartEncoderMonitor(encoder())),
    "files": lambda: {
        "files": [
            ("a", ("\u00fc.bin", io.BytesIO(CONTENT), "application/x", {"X-Part": "1"})),
            ("a", ("b", "text")),
            ("c", io.BytesIO(b"unnamed")),
        ],
        "data": [("k", "1"), ("k", "2")],
    },
    "form": lambda: {"data": {"a": ["1", "\u00fc"], "b": None, "c": b"\xff", "d": 3}},
    "pairs": lambda: {"data": [("a", "1"), ("a", "2")]},
    "form of iterators": lambda: {"data": {"a": iter(["1", "2"])}},
    "json": lambda: {"json": {"\u00fc": [1, None, 1.5]}},
    "falsy json": lambda: {"json": []},
    "json beside data": lambda: {"json": {"a": 1}, "data": b"wins"},
    "not json": lambda: {"json": {"a": float("nan")}},
    "number": lambda: {"data": 3},
    "files and a stream": lambda: {"files": {"f": b"x"}, "data": b"raw"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    """Start a server that takes anything."""
    with LoopbackServer(lambda seen: ServerResponse(200, {"size": len(seen.body)})) as started:
        yield started


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_any_form_arrives_as_it_does_bare(name: str, server: LoopbackServer) -> None:
    """By ``request`` and ``send``: the same bytes, length, coding and type, or the same error."""
    make = BODIES[name]
    url = f"{server.origin}/up"

    def prepared(session: Any) -> requests.Response:
        request = session.prepare_request(requests.Request("PUT", url, **make()))
        response: requests.Response = session.send(request)
        return response

    told_the_same(lambda s: s.post(url, **make()), server)
    told_the_same(prepared, server)


def test_a_body_that_fails_while_it_is_read_fails_as_it_does_bare() -> None:
    """The caller's own exception, unwrapped, and not tried again."""

    class DiskError(Exception):
        pass

    def body() -> Iterator[bytes]:
        begun.append(1)
        yield b"one"
        raise DiskError

    begun: list[int] = []
    with LoopbackServer(lambda _: ServerResponse()) as server:
        with requests.Session() as session, pytest.raises(DiskError):
            session.put(server.origin, data=body())
        for errors in (False, True):
            stack = SessionStack(None, recommended(errors=errors))
            with stack, pytest.raises(DiskError):
                stack.put(server.origin, data=body())

    assert len(begun) == 3


# -- Large ones

SIZE = 256 * MIB


class Large:
    """A file of 256 MiB that is nowhere: every read gives some of it. It can be rewound.

    Args:
        seekable: Whether it can; a pipe cannot.
    """

    def __init__(self, *, seekable: bool = True) -> None:
        self._at = 0
        self._seekable = seekable
        self._block = bytes(MIB)

    def __len__(self) -> int:
        return SIZE

    def seekable(self) -> bool:
        return self._seekable

    def tell(self) -> int:
        return self._at

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        if not self._seekable:
            raise io.UnsupportedOperation
        self._at = place if whence == io.SEEK_SET else SIZE
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = SIZE - self._at
        count = min(left if size < 0 else size, left, MIB)
        self._at += count
        return self._block[:count]


def weight() -> bytes:
    """Return what a server that weighs keeps of it."""
    check = 0
    for _ in range(SIZE // MIB):
        check = zlib.crc32(bytes(MIB), check)
    return b"%d bytes, CRC %08x" % (SIZE, check)


def pieces() -> Iterator[bytes]:
    """Yield it in pieces, whose number nobody is told."""
    return itertools.repeat(bytes(MIB), SIZE // MIB)


@pytest.mark.parametrize("make", [Large, pieces])
def test_a_large_upload_streams_through_all_handlers_in_flat_memory(make: Any) -> None:
    """By its length or in chunks; 256 MiB take no more than a few pieces."""
    identity = IdentityProvider()
    with (
        LoopbackServer(identity.respond, digest_bodies=True) as server,
        requests.Session() as session,
    ):
        grant = CallableGrant(lambda _token, _rejected: identity.login()["access_token"])
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        with flat():
            assert stack.put("/up", data=make()).ok

        assert [seen.body for seen in server.requests_to("/up")] == [weight()]


def test_a_large_upload_is_sent_again_whole_after_a_401() -> None:
    """Rewound and not kept: 256 MiB go out twice, in flat memory."""
    identity = IdentityProvider()
    with (
        LoopbackServer(identity.respond, digest_bodies=True) as server,
        requests.Session() as session,
    ):
        grant = CallableGrant(lambda _token, _rejected: identity.login()["access_token"])
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        stack.get("/first")
        identity.expire()
        with flat():
            response = stack.put("/up", data=Large())

        assert response.ok
        assert [seen.body for seen in server.requests_to("/up")] == [weight()] * 2


def test_a_large_upload_from_a_pipe_is_not_sent_again() -> None:
    """It is gone; the refusal comes back, and nothing was kept in case."""
    identity = IdentityProvider()
    with (
        LoopbackServer(identity.respond, digest_bodies=True) as server,
        requests.Session() as session,
    ):
        grant = CallableGrant(lambda _token, _rejected: identity.login()["access_token"])
        stack = SessionStack(session, recommended(grant, errors=False), base_url=server.origin)
        stack.get("/first")
        identity.expire()
        with flat():
            response = stack.put("/up", data=Large(seekable=False))

        assert response.status_code == 401
        assert len(server.requests_to("/up")) == 1


@pytest.mark.parametrize("make", [Reader, encoder])
def test_a_form_that_is_encoded_while_it_is_sent_is_not_sent_again(make: Any) -> None:
    """requests-toolbelt's encoder cannot be rewound: the 401 stands, and the next upload works."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server, requests.Session() as session:
        grant = CallableGrant(lambda _token, _rejected: identity.login()["access_token"])
        stack = SessionStack(session, recommended(grant, errors=False), base_url=server.origin)
        stack.get("/first")
        identity.expire()
        body = [lambda: make(CONTENT), make][make is encoder]

        assert stack.post("/up", data=body()).status_code == 401
        assert stack.post("/up", data=body()).ok
        assert [CONTENT in seen.body for seen in server.requests_to("/up")] == [True, True]
