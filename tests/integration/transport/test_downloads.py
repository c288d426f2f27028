"""Large answers: streamed through all handlers they take no more memory than one piece."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken, StaticToken
from sessionkit.handlers import TimeoutHandler
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.compared_sessions import TOKEN, WAYS, told_the_same

MIB = 1_048_576
#: What a stream may hold at once, wherever it is read: pieces of 1 MiB on both sides, and buffers.
FLAT = 16 * MIB


@contextmanager
def flat() -> Iterator[None]:
    """Fail where Python's memory, at its highest, grows by more than a few pieces."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < FLAT, f"{(peak - before) / MIB:.0f} MiB"


def test_a_gibibyte_streams_through_all_handlers_in_flat_memory() -> None:
    """Renewal, retry, deadline, timing and errors: none of them keeps what passes."""
    count = 1024
    identity = IdentityProvider()
    block = bytes(MIB)

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.path != "/big" or not identity.admits(seen):
            return identity.respond(seen)
        return ServerResponse(
            200, itertools.repeat(block, count), {"Content-Length": str(count * MIB)}
        )

    with LoopbackServer(answer) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        chain = recommended(grant)
        chain["timeout"] = TimeoutHandler(total=60)
        stack = SessionStack(session, chain, base_url=server.origin)
        stack.get("/first")
        identity.expire()
        size = 0
        with flat(), stack.get("/big", stream=True) as response:
            for piece in response.iter_content(MIB):
                size += len(piece)

    assert size == count * MIB
    assert response.record.attempts[0].status == 401


def chunked(seen: ServerRequest) -> ServerResponse:
    """Answer in chunks of 64 KiB, 64 MiB of them in all."""
    piece = b"10000\r\n" + bytes(65_536) + b"\r\n"
    body = itertools.chain(itertools.repeat(piece, 1024), [b"0\r\n\r\n"])
    return ServerResponse(200, body, {"Transfer-Encoding": "chunked"})


def zipped(seen: ServerRequest) -> ServerResponse:
    """Answer 64 MiB that were compressed to some hundred KiB."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    body = b"".join([*(packer.compress(bytes(MIB)) for _ in range(64)), packer.flush()])
    return ServerResponse(
        200, iter([body]), {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    )


def unmeasured(seen: ServerRequest) -> ServerResponse:
    """Answer 64 MiB without saying how much, until the end of the connection."""
    return ServerResponse(200, itertools.repeat(bytes(MIB), 64))


@pytest.mark.parametrize("answer", [chunked, zipped, unmeasured])
@pytest.mark.parametrize("errors", [False, True], ids=["plain", "errors"])
def test_an_answer_of_any_coding_streams_in_flat_memory(answer: Any, errors: bool) -> None:
    """In chunks, compressed, or until the server hangs up."""
    with LoopbackServer(answer) as server:
        chain = recommended(StaticToken(TOKEN), errors=errors)
        size = 0
        stack = SessionStack(None, chain, base_url=server.origin)
        with stack, flat(), stack.get("/", stream=True) as response:
            for piece in response.iter_content(MIB):
                size += len(piece)

    assert size == 64 * MIB


# -- All ways of reading

LINES = b"one\ntwo\r\n\xc3\xbc\n\nlast"


def by_raw(response: requests.Response) -> Any:
    """Read past requests."""
    return response.raw.read(7), response.raw.read()


def by_raw_stream(response: requests.Response) -> Any:
    """Read as urllib3 offers it."""
    return list(response.raw.stream(5, decode_content=True))


READERS: list[Callable[[requests.Response], Any]] = [
    by_raw,
    by_raw_stream,
    lambda response: response.content,
    lambda response: (response.text, response.encoding),
    lambda response: list(response.iter_content(4)),
    lambda response: list(response.iter_content(None)),
    lambda response: list(response.iter_content(3, decode_unicode=True)),
    lambda response: list(response.iter_lines()),
    lambda response: list(response.iter_lines(2, decode_unicode=True)),
    list,
    lambda response: [next(response.iter_content(2)), response.raw.read()],
    lambda response: [response.content, list(response.iter_content(4))],
]


@pytest.mark.parametrize("number", range(len(READERS)))
@pytest.mark.parametrize("coding", ["length", "chunked", "gzip"])
def test_a_stream_can_be_read_in_every_way_as_it_can_bare(number: int, coding: str) -> None:
    """And reading it to the end gives its connection back, or keeps it, as it does bare."""

    def answer(seen: ServerRequest) -> bytes:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
        if coding == "chunked":
            body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (LINES[:5], LINES[5:]))
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"0\r\n\r\n"
        body = LINES
        if coding == "gzip":
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            body = packer.compress(LINES) + packer.flush()
            head += b"Content-Encoding: gzip\r\n"
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    reads: list[Any] = []

    def call(session: Any) -> requests.Response:
        first: requests.Response = session.get(server.origin, stream=True)
        try:
            reads.append(READERS[number](first))
        except (requests.exceptions.StreamConsumedError, RuntimeError) as error:
            reads.append(type(error))
        second: requests.Response = session.get(server.origin)
        return second

    with LoopbackServer(answer) as server:
        told_the_same(call, server)

    assert all(read == reads[0] for read in reads), reads


@pytest.mark.parametrize("size", [10, 200_000])
def test_a_stream_that_is_left_unread_costs_what_it_costs_bare(size: int) -> None:
    """Closed early, its connection is not used again; closed at its end, it is."""
    with LoopbackServer(lambda seen: ServerResponse(200, b"x" * size)) as server:

        def call(session: Any) -> requests.Response:
            with session.get(server.origin, stream=True) as response:
                next(response.iter_content(5))
            second: requests.Response = session.get(server.origin)
            return second

        bare = told_the_same(call, server)

    assert bare.connections == 2


def test_a_session_that_streams_by_default_does_so_through_a_stack() -> None:
    """``session.stream`` is the session's setting; an answer comes unread where it is set."""
    with LoopbackServer(lambda seen: ServerResponse(200, b"x" * 100_000)) as server:
        unread: list[bool] = []

        def call(session: Any) -> requests.Response:
            session.stream = True
            response: requests.Response = session.get(server.origin)
            unread.append(not vars(response)["_content_consumed"])
            return response

        told_the_same(call, server)

    assert unread == [True] * (1 + len(WAYS))
