"""A replay is the same request: bodies whole, connections kept, hostile refusals harmless."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import resource
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.auth import RefreshToken
from sessionkit.errors import AuthenticationFailed
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

CONTENT = bytes(range(256)) * 40


@contextmanager
def an_expired_stack(
    errors: bool = False,
    adapter: HTTPAdapter | None = None,
    identity: IdentityProvider | None = None,
) -> Iterator[tuple[IdentityProvider, LoopbackServer, SessionStack]]:
    """Start an API and a stack whose token has ended without its knowing."""
    identity = identity or IdentityProvider()
    with LoopbackServer(identity.respond) as server, requests.Session() as session:
        if adapter is not None:
            session.mount("http://", adapter)
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant, errors=errors), base_url=server.origin)
        stack.get("/first")
        identity.expire()
        yield identity, server, stack


def test_bytes_and_json_arrive_whole_after_a_401() -> None:
    """The server stores exactly what the caller gave, once."""
    with an_expired_stack() as (identity, server, stack):
        answer = stack.post("/bytes", data=CONTENT).json()
        identity.expire()
        stack.post("/json", json={"sku": "bag"})

        assert answer["sha256"] == hashlib.sha256(CONTENT).hexdigest()
        assert [seen.body for seen in server.requests_to("/json")] == [b'{"sku": "bag"}'] * 2


def test_a_file_is_sent_again_from_where_the_caller_left_it(tmp_path: Path) -> None:
    """Not from its start, and not from its end."""
    path = tmp_path / "upload"
    path.write_bytes(CONTENT)
    with an_expired_stack() as (_, server, stack), path.open("rb") as file:
        file.seek(1000)
        assert stack.put("/file", data=file).ok

        assert [seen.body for seen in server.requests_to("/file")] == [CONTENT[1000:]] * 2


def test_a_multipart_upload_with_a_file_arrives_whole() -> None:
    """The part is not empty the second time."""
    with an_expired_stack() as (_, server, stack):
        assert stack.post("/form", files={"f": ("a.bin", io.BytesIO(CONTENT))}, data={"a": "b"}).ok

        assert all(CONTENT in seen.body for seen in server.requests_to("/form"))
        assert len(server.requests_to("/form")) == 2


def test_parameters_given_as_an_iterator_are_asked_for_again() -> None:
    """The first attempt does not spend them."""
    with an_expired_stack() as (_, server, stack):
        assert stack.get("/search", params=iter([("q", "x")])).ok

        assert [seen.query for seen in server.requests_to("/search")] == [{"q": ["x"]}] * 2


@contextmanager
def a_generator() -> Iterator[Any]:
    yield (piece for piece in (b"one", b"two"))


@contextmanager
def a_pipe() -> Iterator[Any]:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source:
        os.write(writing, b"from a pipe")
        os.close(writing)
        yield source


@pytest.mark.parametrize("body", [a_generator, a_pipe])
@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_can_be_read_once_is_not_sent_again_empty(body: Any, stream: bool) -> None:
    """The 401 comes back intact, and the caller's own next try works."""
    with an_expired_stack() as (identity, server, stack):
        with body() as source:
            response = stack.post("/upload", data=source, stream=stream)

        assert response.status_code == 401
        assert response.json() == {"detail": "token ended"}
        assert len(server.requests_to("/upload")) == 1
        assert stack.post("/upload", data=b"again").ok
        assert identity.renewals == 2


def test_a_body_that_can_be_read_once_gives_the_error_where_errors_are_raised() -> None:
    """With an error handler the same refusal is an exception that says what to do."""
    with an_expired_stack(errors=True) as (_, _, stack):
        with pytest.raises(AuthenticationFailed) as caught:
            stack.post("/upload", data=iter([b"one", b"two"]))

        assert caught.value.status == 401
        assert stack.get("/next").ok


def test_a_pool_of_one_connection_does_not_deadlock() -> None:
    """API and identity server on one host, one connection, answers streamed."""
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, pool_block=True)
    with an_expired_stack(adapter=adapter) as (identity, _, stack):
        for number in range(5):
            identity.expire()
            with stack.get(f"/stream/{number}", stream=True) as response:
                assert response.json()["path"] == f"/stream/{number}"


def test_no_connection_is_lost_by_a_replay() -> None:
    """Twelve refused and replayed streams run over the connection that was there."""
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1)
    with an_expired_stack(adapter=adapter) as (identity, server, stack):
        for number in range(12):
            identity.expire()
            with stack.get(f"/stream/{number}", stream=True) as response:
                response.content  # noqa: B018  # read

        assert server.connections == 1


class Hostile(IdentityProvider):
    """An API that refuses with a body of the test's choice."""

    def __init__(self, headers: dict[str, str], pieces: Any) -> None:
        super().__init__()
        self.headers = headers
        self.pieces = pieces

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Answer, hostile where the token is not live."""
        if request.path != "/token" and not self.admits(request):
            return ServerResponse(401, self.pieces(), self.headers)
        return super().respond(request)


def test_a_401_with_an_endless_body_costs_no_time() -> None:
    """At most 64 KiB of it are looked at."""
    hostile = Hostile({}, lambda: itertools.repeat(b"x" * 65_536))
    with an_expired_stack(identity=hostile) as (_, _, stack):
        started = SYSTEM_CLOCK.monotonic()

        assert stack.get("/endless").ok
        assert SYSTEM_CLOCK.monotonic() - started < 5


def test_a_401_that_trickles_costs_a_fifth_of_a_second() -> None:
    """A body of three thousand announced bytes that never comes does not hold the call."""
    import threading

    done = threading.Event()

    def trickle() -> Iterator[bytes]:
        for _ in range(3000):
            yield b"x"
            done.wait(0.1)

    hostile = Hostile({"Content-Length": "3000"}, trickle)
    with an_expired_stack(identity=hostile) as (_, _, stack):
        started = SYSTEM_CLOCK.monotonic()
        try:
            assert stack.get("/trickle").ok
            assert SYSTEM_CLOCK.monotonic() - started < 5
        finally:
            done.set()


def test_a_401_that_is_a_gzip_bomb_costs_no_memory() -> None:
    """What nobody will read is never inflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    million = b"\0" * 1_048_576
    bomb = b"".join([*(packer.compress(million) for _ in range(256)), packer.flush()])
    hostile = Hostile(
        {"Content-Encoding": "gzip", "Content-Length": str(len(bomb))}, lambda: iter([bomb])
    )
    with an_expired_stack(identity=hostile) as (_, _, stack):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        assert stack.get("/bomb").ok
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kib < 64 * 1024


def test_a_401_that_is_cut_short_is_cured_like_any_other() -> None:
    """A broken refusal is still a refusal."""
    hostile = Hostile({"Content-Length": "5000"}, lambda: iter([b"x" * 10]))
    with an_expired_stack(identity=hostile) as (_, _, stack):
        assert stack.get("/cut").ok


def test_a_replay_is_not_written_into_the_history_of_redirects() -> None:
    """SDKs read ``history`` as redirects; the attempts stand in the record."""
    with an_expired_stack() as (_, _, stack):
        response = stack.get("/x")

        assert response.history == []
        statuses = [attempt.status for attempt in response.record.attempts]
        assert statuses == [401, 200]


def test_a_prepared_request_of_the_callers_never_holds_the_token() -> None:
    """It may be kept, logged, or sent elsewhere; and it is replayed as a copy."""
    with an_expired_stack() as (_, server, stack):
        prepared = stack.prepare_request(requests.Request("POST", f"{server.origin}/p", data=b"x"))

        assert stack.send(prepared).ok
        assert "Authorization" not in prepared.headers
        assert len(server.requests_to("/p")) == 2
