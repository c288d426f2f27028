"""A limit on the size of answers, over real sockets."""

from __future__ import annotations

import gzip
import io
import itertools
import pickle
import shutil
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack, recommended
from sessionkit.auth import StaticToken
from sessionkit.bodies._response import DRAIN_BYTES
from sessionkit.errors import BodyTooLarge, ConfigError, IncompleteBody, ServerError
from sessionkit.handlers import ErrorHandler, RetryHandler, SizeHandler, TimeoutHandler
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.support.stacks import opened

MOST = 100_000
MILLION = 1_000_000
GZIPPED = gzip.compress(bytes(10 * MILLION))
ZIPPED = {"Content-Encoding": "gzip"}


def endless() -> Iterator[bytes]:
    """Yield a body that has no end."""
    return itertools.repeat(b"x" * 65_536)


def chunked(pieces: Any) -> ServerResponse:
    """Return an answer in chunks."""
    framed = (b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    return ServerResponse(200, framed, {"Transfer-Encoding": "chunked"})


#: Each is larger than MOST after decoding.
LARGE: dict[str, Callable[[], ServerResponse]] = {
    "announced": lambda: ServerResponse(200, bytes(MOST + 1)),
    "one byte too many": lambda: ServerResponse(200, iter([bytes(MOST), b"."])),
    "endless": lambda: ServerResponse(200, endless()),
    "in chunks": lambda: chunked([bytes(5_000)] * 100),
    "in one chunk": lambda: chunked([bytes(MILLION)]),
    "gzip": lambda: ServerResponse(200, GZIPPED, ZIPPED),
    "deflate": lambda: ServerResponse(
        200, zlib.compress(bytes(10 * MILLION)), {"Content-Encoding": "deflate"}
    ),
    "gzip twice": lambda: ServerResponse(
        200,
        gzip.compress(GZIPPED),
        {"Content-Encoding": "gzip, gzip"},
    ),
}
#: Each is of just the size that is allowed.
FITTING: dict[str, Callable[[], ServerResponse]] = {
    "announced": lambda: ServerResponse(200, bytes(MOST)),
    "until closed": lambda: ServerResponse(200, iter([bytes(MOST)])),
    "in chunks": lambda: chunked([bytes(MOST // 10)] * 10),
    # It is compressed for each request, and would hold the second in which it was.
    "gzip": lambda: ServerResponse(200, gzip.compress(bytes(MOST), mtime=0), ZIPPED),
    "empty": lambda: ServerResponse(200, b""),
}

#: Where the handler stands among others, and whether they have a deadline.
CHAINS: dict[str, Callable[[], Any]] = {
    "alone": lambda: [SizeHandler(MOST)],
    "innermost": lambda: {**recommended(StaticToken("t")), "size": SizeHandler(MOST)},
    "outermost": lambda: {"size": SizeHandler(MOST), **recommended(StaticToken("t"))},
    "in a deadline": lambda: [
        *(ErrorHandler(), TimeoutHandler(20), RetryHandler(0), SizeHandler(MOST)),
    ],
    "around a deadline": lambda: [ErrorHandler(), SizeHandler(MOST), TimeoutHandler(20)],
}


def by_raw(response: requests.Response) -> bytes:
    """Copy the body as it is on the wire, as downloads often do."""
    target = io.BytesIO()
    shutil.copyfileobj(response.raw, target)
    return target.getvalue()


def by_view(response: requests.Response) -> bytes:
    """Read as a buffered reader does, into room of its own."""
    return io.BufferedReader(response.raw).read()


WAYS: dict[str, Callable[[requests.Response], bytes]] = {
    "content": lambda response: response.content,
    "text": lambda response: response.text.encode(),
    "pieces": lambda response: b"".join(response.iter_content(1_000)),
    "pieces as they come": lambda response: b"".join(response.iter_content(None)),
    "lines": lambda response: b"".join(response.iter_lines()),
    "raw": lambda response: response.raw.read(decode_content=True),
    "raw in pieces": lambda response: b"".join(iter(lambda: response.raw.read(999), b"")),
    "raw, what is there": lambda response: b"".join(
        iter(lambda: response.raw.read1(decode_content=True), b"")
    ),
    "raw stream": lambda response: b"".join(response.raw.stream(decode_content=True)),
    "raw, copied": by_raw,
    "raw, into a buffer": by_view,
    "raw data": lambda response: response.raw.data,
}
#: These give what is on the wire, and not what it stands for.
UNDECODED = {"raw in pieces", "raw, copied", "raw, into a buffer", "raw data"}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("large", LARGE)
def test_a_body_that_is_larger_ends_the_call(large: str, chain: str) -> None:
    """Whatever it announces or hides, nothing beyond the limit gets into memory."""
    with (
        opened(lambda _: LARGE[large](), CHAINS[chain]()) as (stack, server),
        pytest.raises(BodyTooLarge, match="larger than 100000 bytes") as caught,
    ):
        stack.get("x")

    error = caught.value
    assert (error.status, error.method, error.sent, error.retryable) == (200, "GET", "yes", False)
    assert len(server.requests) == 1
    assert isinstance(pickle.loads(pickle.dumps(error)), BodyTooLarge)


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("fitting", FITTING)
def test_a_body_of_just_the_size_allowed_is_taken(fitting: str, chain: str) -> None:
    """The limit itself is still fine, and the connection serves the next call."""
    whole = b"" if fitting == "empty" else bytes(MOST)
    with opened(lambda _: FITTING[fitting](), CHAINS[chain]()) as (stack, server):
        for stream in (False, True):
            with stack.get("x", stream=stream) as response:
                assert response.content == whole

        # Those poured out end with their connection.
        reused = not fitting.startswith(("in chunks", "until"))
        assert server.connections == (1 if reused else 2)


def is_large_read_so(large: str, way: str) -> bool:
    """Tell whether *large* is so as that way reads it: undecoded, what was packed is small."""
    return way not in UNDECODED or not ("gzip" in large or large == "deflate")


@pytest.mark.parametrize(
    ("large", "way"), [(a, b) for a in LARGE for b in WAYS if is_large_read_so(a, b)]
)
def test_a_stream_ends_at_the_limit_however_it_is_read(large: str, way: str) -> None:
    """The caller's own loop meets the error, not an endless body."""
    with (
        opened(lambda _: LARGE[large](), CHAINS["innermost"]()) as (stack, _),
        pytest.raises(BodyTooLarge),
        stack.get("x", stream=True) as response,
    ):
        WAYS[way](response)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fitting", FITTING)
def test_a_stream_within_the_limit_is_what_it_would_be_bare(fitting: str, way: str) -> None:
    """Whichever way it is read, each byte is there."""
    with (
        opened(lambda _: FITTING[fitting](), [SizeHandler(MOST)]) as (stack, server),
        stack.get("x", stream=True) as response,
        requests.get(f"{server.origin}/x", stream=True, timeout=5) as bare,
    ):
        assert WAYS[way](response) == WAYS[way](bare)


def test_who_reads_on_after_the_limit_is_told_again() -> None:
    """A reader that swallows the error does not take a part for the whole."""
    with (
        opened(lambda _: ServerResponse(200, endless()), [SizeHandler(MOST)]) as (stack, _),
        stack.get("x", stream=True) as response,
    ):
        for _ in range(2):
            with pytest.raises(BodyTooLarge):
                response.raw.read()


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("large", LARGE)
def test_a_large_error_is_still_the_error_that_it_is(large: str, stream: bool, chain: str) -> None:
    """What the status says matters more than what its body weighs."""
    reply = LARGE[large]()
    failing = ServerResponse(500, reply.body, reply.headers)
    with opened(lambda _: failing, CHAINS[chain]()) as (stack, _):
        if chain == "alone":
            response = stack.get("x", stream=stream)
            assert (response.status_code, len(response.content)) == (500, MOST)
        else:
            with pytest.raises(ServerError):
                stack.get("x", stream=stream)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("large", LARGE)
def test_a_large_error_is_cut_however_it_is_read(large: str, way: str) -> None:
    """And it comes to its end: nobody waits for what was cut off."""
    reply = LARGE[large]()
    failing = ServerResponse(500, reply.body, reply.headers)
    with (
        opened(lambda _: failing, [SizeHandler(MOST)]) as (stack, _),
        stack.get("x", stream=True) as response,
    ):
        assert len(WAYS[way](response)) <= MOST
        assert response.raw.closed
        assert response.raw.read() == b""
        assert response.raw.read1() == b""


def test_a_bomb_costs_no_memory() -> None:
    """A hundred megabytes in a hundred kilobytes: no more than the limit and a few pieces."""
    bomb = gzip.compress(bytes(100 * MILLION))
    with opened(lambda _: ServerResponse(200, bomb, ZIPPED), CHAINS["innermost"]()) as (stack, _):
        for stream in (False, True):
            tracemalloc.start()
            with pytest.raises(BodyTooLarge):
                stack.get("x", stream=stream).raw.read(decode_content=True)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

            assert peak < 2 * MILLION


def test_a_stream_that_announces_too_much_is_refused_at_once() -> None:
    """Before a single byte of it is read; what it decodes to is not known so early."""
    with opened(lambda _: LARGE["announced"](), [SizeHandler(MOST)]) as (stack, _):
        with pytest.raises(BodyTooLarge):
            stack.get("x", stream=True)
        assert stack.head("x").headers["Content-Length"] == str(MOST + 1)


@pytest.mark.parametrize("token", [False, True])
def test_a_redirect_is_followed_past_a_large_body(token: bool) -> None:
    """Nobody reads it, so it is neither an error nor taken in."""

    def respond(seen: ServerRequest) -> ServerResponse:
        there = ServerResponse(302, GZIPPED, {**ZIPPED, "Location": "/there"})
        return there if seen.path == "/here" else ServerResponse()

    chain = {**recommended(StaticToken("t") if token else None), "size": SizeHandler(MOST)}
    with opened(respond, chain) as (stack, _):
        response = stack.get("here")

    assert response.status_code == 200
    assert len(response.history[0].content) <= 2 * DRAIN_BYTES


@pytest.mark.parametrize("chain", CHAINS)
def test_a_call_may_have_a_limit_of_its_own(chain: str) -> None:
    """The one export that is known to be large needs no other stack."""
    with opened(lambda _: ServerResponse(200, bytes(MOST + 1)), CHAINS[chain]()) as (stack, _):
        assert len(stack.get("x", max_bytes=None).content) == MOST + 1
        assert len(stack.get("x", max_bytes=MOST + 1).content) == MOST + 1
        with pytest.raises(BodyTooLarge, match="larger than 10 bytes"):
            stack.get("x", max_bytes=10)


@pytest.mark.parametrize("at_most", [0, -1, True, 1.5, "10", float("nan")])
def test_a_limit_that_is_none_is_refused(at_most: Any) -> None:
    """When the handler is built, or at the call that brings it."""
    with pytest.raises(ConfigError, match="max_bytes must be a number of bytes"):
        SizeHandler(at_most)
    with (
        opened(handlers=[SizeHandler(MOST)]) as (stack, server),
        pytest.raises(ConfigError, match="max_bytes must be a number of bytes"),
    ):
        stack.get("x", max_bytes=at_most)
    assert server.requests == []


def test_the_answer_of_a_mock_is_held_to_the_limit_too() -> None:
    """A test meets what the program would meet."""
    with responses.RequestsMock() as mocked, requests.Session() as session:
        mocked.get("https://api.example/large", body=bytes(MOST + 1))
        mocked.get("https://api.example/small", body=bytes(MOST))
        stack = SessionStack(session, [SizeHandler(MOST)], base_url="https://api.example/")
        with pytest.raises(BodyTooLarge):
            stack.get("large")
        assert stack.get("small").content == bytes(MOST)


@pytest.mark.parametrize("status", [200, 500])
def test_a_body_that_is_in_memory_already_is_held_to_the_limit_too(status: int) -> None:
    """An adapter of another kind, or a cache: refused, or cut where it is an error."""

    class Own(HTTPAdapter):
        """Gives what is no answer of urllib3."""

        def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
            response = requests.Response()
            response.status_code = status
            response.raw = io.BytesIO(bytes(MOST + 1))
            response.request = request
            return response

    with requests.Session() as session:
        session.mount("http://", Own())
        stack = SessionStack(session, [SizeHandler(MOST)], base_url="http://127.0.0.1/")
        if status == 500:
            assert len(stack.get("x").content) == MOST
        else:
            with pytest.raises(BodyTooLarge):
                stack.get("x")


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_cut_short_is_not_taken_for_a_small_one(stream: bool) -> None:
    """Counting hides no other fault."""
    cut = ServerResponse(200, iter([b"abc"]), {"Content-Length": "10"})
    with (
        opened(lambda _: cut, [ErrorHandler(), SizeHandler(MOST)]) as (stack, _),
        pytest.raises(IncompleteBody),
        stack.get("x", stream=stream) as response,
    ):
        response.content  # noqa: B018  # read


def test_the_handler_shows_its_limit() -> None:
    """``explain()`` and logs say what is allowed."""
    assert repr(SizeHandler(MOST)) == "SizeHandler(100000)"
    assert SizeHandler(MOST).options == {"max_bytes"}
