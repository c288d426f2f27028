"""The cache against a real server: logins, threads, streams, forks, and a file that is shared."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import ClientCredentials, StaticToken
from sessionkit.handlers.cache import CacheHandler
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.servers.real import ROOT
from tests.support.threads import at_once

FRESH = {"Cache-Control": "max-age=600"}
LARGE = bytes(range(256)) * 2_000


def who(seen: ServerRequest) -> ServerResponse:
    """Say who asked, and how often somebody did."""
    return ServerResponse(200, {"who": seen.bearer, "path": seen.path}, FRESH)


def packed(seen: ServerRequest) -> ServerResponse:
    """Answer compressed, or in chunks, or with a length."""
    if seen.path == "/gzip":
        return ServerResponse(200, gzip.compress(LARGE), {**FRESH, "Content-Encoding": "gzip"})
    if seen.path == "/chunks":
        pieces = [b"%x\r\n%s\r\n" % (len(part), part) for part in (LARGE[:9], LARGE[9:])]
        return ServerResponse(
            200, iter([*pieces, b"0\r\n\r\n"]), {**FRESH, "Transfer-Encoding": "chunked"}
        )
    return ServerResponse(200, LARGE, FRESH)


@pytest.fixture(params=["memory", "file"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CacheHandler]:
    """Return a cache of each kind."""
    made = CacheHandler(None if request.param == "memory" else tmp_path / "cache.db")
    yield made
    made.close()


def stack_over(server: LoopbackServer, cache: CacheHandler, grant: Any = None) -> SessionStack:
    """Return a recommended stack with a session and a login of its own."""
    stack = SessionStack(handlers=recommended(grant), base_url=server.origin)
    stack.handlers.add(cache)
    return stack


def test_two_tokens_on_one_storage_never_mix(cache: CacheHandler) -> None:
    """Sixteen threads of two users at once: each reads his own name, from the cache or not."""
    with LoopbackServer(who) as server:
        ada, bob = (stack_over(server, cache, StaticToken(name)) for name in ("ada", "bob"))
        with ada, bob:

            def ask(number: int) -> set[str]:
                stack = (ada, bob)[number % 2]
                return {stack.get(f"me/{n % 3}").json()["who"] for n in range(12)}

            results = at_once(16, ask)

            assert results == [{"ada"}, {"bob"}] * 8
            sent = len(server.requests)
            assert results[:2] == [ask(0), ask(1)]
            # From here on all is kept.
            assert len(server.requests) == sent < 16 * 12


@pytest.mark.parametrize("path", ["gzip", "chunks", "length"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("total_timeout", [None, 30.0])
def test_bodies_come_back_to_the_byte(
    cache: CacheHandler, path: str, stream: bool, total_timeout: float | None
) -> None:
    """However they travelled, and however they are read."""
    with LoopbackServer(packed) as server, stack_over(server, cache) as stack:
        responses, stored = [], []
        for _ in range(2):
            with stack.get(path, stream=stream, total_timeout=total_timeout) as response:
                responses.append(b"".join(response.iter_content(10_000)))
                stored.append(response.record.from_cache)

        assert responses == [LARGE, LARGE]
        assert stored == [False, True]
        assert len(server.requests) == 1


def test_a_stream_that_was_left_is_not_kept(cache: CacheHandler) -> None:
    """The next caller gets the whole body, from the server."""
    with LoopbackServer(packed) as server, stack_over(server, cache) as stack:
        with stack.get("length", stream=True) as response:
            next(response.iter_content(10))

        assert stack.get("length").content == LARGE
        assert len(server.requests) == 2


def test_a_body_that_was_cut_off_is_not_kept(cache: CacheHandler) -> None:
    """A broken answer is broken once."""
    head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\n"
    whole = head + b"Content-Length: 4\r\n\r\nbody"
    bodies = iter((whole[:-2], whole))
    with LoopbackServer(lambda _: next(bodies)) as server, stack_over(server, cache) as stack:
        with (
            stack.get("me", stream=True) as response,
            pytest.raises(requests.exceptions.ChunkedEncodingError),
        ):
            response.content  # noqa: B018  # read

        assert stack.get("me").content == b"body"
        assert len(server.requests) == 2


def test_heads_and_bodies_are_kept_apart(cache: CacheHandler) -> None:
    """A HEAD answers no GET, and tells the length each time."""
    with LoopbackServer(who) as server, stack_over(server, cache) as stack:
        for _ in range(2):
            head, body = stack.head("me"), stack.get("me")
            assert head.content == b""
            assert head.headers["Content-Length"] == str(len(body.content))

        assert [seen.method for seen in server.requests] == ["HEAD", "GET"]


def test_a_304_from_a_real_server_brings_the_body_back(cache: CacheHandler) -> None:
    """One connection serves all of it: the 304 is let go of properly."""

    def respond(seen: ServerRequest) -> ServerResponse:
        if seen.headers.get("if-none-match") == '"1"':
            return ServerResponse(304, headers={"ETag": '"1"'})
        return ServerResponse(200, {"large": "x" * 10_000}, {"ETag": '"1"'})

    with LoopbackServer(respond) as server, stack_over(server, cache) as stack:
        responses = [stack.get("large").json() for _ in range(5)]

        assert responses == [{"large": "x" * 10_000}] * 5
        assert len(server.requests) == 5
        assert server.connections == 1


def test_a_renewed_token_does_not_bring_the_old_refusal_back(cache: CacheHandler) -> None:
    """A 401 that the server calls fresh is renewed away, and the answer after it is kept."""
    identity = IdentityProvider()

    def respond(seen: ServerRequest) -> ServerResponse:
        reply = identity.respond(seen)
        return reply if seen.path == "/token" else ServerResponse(reply.status, reply.body, FRESH)

    with LoopbackServer(respond) as server:
        grant = ClientCredentials(f"{server.origin}/token", client_id="app", client_secret="s")
        with stack_over(server, cache, grant) as stack:
            stack.get("me")
            identity.expire()
            stored = stack.get("me")
            renewed = stack.get("other")

            assert stored.record.from_cache
            assert renewed.status_code == 200
            assert stack.get("other").record.from_cache
            assert [seen.path for seen in server.requests].count("/token") == 2


PROGRAM = """
import os, sys, threading
from sessionkit import SessionStack
from sessionkit.handlers.cache import CacheHandler

origin, path = sys.argv[1:]
cache = CacheHandler(path or None)
stack = SessionStack(handlers=[cache], base_url=origin)
stop = threading.Event()

def work(number):
    while not stop.is_set():
        assert stack.get(f"me/{number}").json()["path"] == f"/me/{number}"
        stack.get(f"many/{os.urandom(4).hex()}")

# A child waits for ever for a module that a thread of its parent was importing (CPython).
for _ in range(2):
    stack.get("me/0").json()
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
[thread.start() for thread in threads]
children = []
for _ in range(5):
    child = os.fork()
    if not child:
        code = 1
        try:
            for number in range(9):
                response = stack.get(f"me/{number}")
                assert response.json()["path"] == f"/me/{number}"
            assert stack.get("me/8").record.from_cache
            code = 0
        finally:
            os._exit(code)
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
stop.set()
[thread.join() for thread in threads]
assert stack.get("me/0").record.from_cache
cache.close()
print(codes)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork here")
@pytest.mark.parametrize("name", ["", "cache.db"])
def test_children_forked_in_the_thick_of_it_can_use_the_cache(tmp_path: Path, name: str) -> None:
    """A server that forks its workers while its threads read and keep answers loses none."""
    path = str(tmp_path / name) if name else ""
    with LoopbackServer(who) as server:
        ended = subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore::DeprecationWarning",
                "-c",
                PROGRAM,
                server.origin,
                path,
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert (ended.stdout, ended.stderr, ended.returncode) == ("[0, 0, 0, 0, 0]\n", "", 0)


def test_processes_share_a_file(tmp_path: Path) -> None:
    """What one process has kept, the next one finds, and its 304s too."""
    program = (
        "import sys; from sessionkit import SessionStack\n"
        "from sessionkit.handlers.cache import CacheHandler\n"
        "stack = SessionStack(handlers=[CacheHandler(sys.argv[2])], base_url=sys.argv[1])\n"
        "print(stack.get('me').record.from_cache)"
    )
    with LoopbackServer(who) as server:
        arguments = [sys.executable, "-c", program, server.origin, str(tmp_path / "cache.db")]
        said = [
            subprocess.run(
                arguments, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
            ).stdout.strip()
            for _ in range(2)
        ]

    assert said == ["False", "True"]
    assert len(server.requests) == 1
