"""Retries over real sockets: faults as servers make them, and nothing lost or doubled."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from sessionkit import SessionStack
from sessionkit.handlers import RetryHandler, TimeoutHandler, TimingHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.threads import at_once

POLICY = Retry(total=3, backoff_factor=0.5, status_forcelist={429, 502, 503, 504})
BUSY = ServerResponse(503, {"error": "busy"})


def in_turn(*replies: ServerResponse | Exception) -> Callable[[ServerRequest], ServerResponse]:
    """Answer each request with the next reply; an exception closes the connection unanswered."""
    left = iter(replies)

    def respond(_: ServerRequest) -> ServerResponse:
        reply = next(left)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return respond


def cut_short() -> ServerResponse:
    """Promise a hundred bytes, send five and close."""
    return ServerResponse(200, iter([b"[1, 2"]), {"Content-Length": "100"})


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session of the user's own."""
    with requests.Session() as session:
        yield session


def stack_on(
    session: requests.Session, server: LoopbackServer, clock: FakeClock | None = None
) -> SessionStack:
    handlers = [TimingHandler(), TimeoutHandler(), RetryHandler(POLICY)]
    return SessionStack(session, handlers, base_url=server.origin, clock=clock or FakeClock())


def test_a_server_that_is_busy_twice_answers_in_the_end(session: requests.Session) -> None:
    """One call, three attempts, one answer, and the header that says so."""
    with LoopbackServer(in_turn(BUSY, BUSY, ServerResponse(200, {"done": True}))) as server:
        response = stack_on(session, server).get("tasks")

        assert response.json() == {"done": True}
        assert response.headers["X-Client-Attempts"] == "3"
        assert response.headers["X-Client-Time"] == "1.000s"
        assert len(server.requests) == 3
        assert server.connections == 1


def test_a_post_is_not_repeated_after_an_answer(session: requests.Session) -> None:
    """The order that the server may have taken is not placed twice."""
    with LoopbackServer(in_turn(BUSY)) as server:
        assert stack_on(session, server).post("orders", json={"sku": 7}).status_code == 503
        assert len(server.requests) == 1


def test_a_post_that_was_refused_is_sent_when_the_server_is_up(session: requests.Session) -> None:
    """The order that no server saw arrives once the server listens."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))  # refuses until it listens
    taken = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as request:
            while request.readline().strip():
                pass
            taken.append(request.read(7))
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    class Rising(FakeClock):
        """A clock during whose first sleep the server comes up."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            listener.listen()
            threading.Thread(target=serve).start()

    with listener:
        stack = SessionStack(session, [RetryHandler(POLICY)], clock=Rising())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/orders"
        response = stack.post(url, data=b"one bag")

    assert response.status_code == 201
    assert [attempt.status for attempt in response.record.attempts] == [None, None, 201]
    assert taken == [b"one bag"]


@pytest.mark.parametrize("lost", [cut_short(), ConnectionResetError()], ids=["cut", "closed"])
def test_an_answer_that_is_lost_is_fetched_again(
    session: requests.Session, lost: ServerResponse | Exception
) -> None:
    """Closed before the status, or in the middle of the body: the GET ends well."""
    with LoopbackServer(in_turn(lost, ServerResponse(200, [1, 2, 3]))) as server:
        assert stack_on(session, server).get("tasks").json() == [1, 2, 3]
        assert len(server.requests) == 2


def test_a_stall_in_the_body_is_fetched_again(session: requests.Session) -> None:
    """requests calls it a connection error; it is retried all the same."""
    over = threading.Event()

    def stalling() -> Iterator[bytes]:
        yield b"[1"
        over.wait(10)

    stalled = ServerResponse(200, stalling(), {"Content-Length": "100"})
    with LoopbackServer(in_turn(stalled, ServerResponse(200, [1]))) as server:
        assert stack_on(session, server).get("tasks", timeout=(5, 0.05)).json() == [1]
        over.set()


def test_a_lost_post_is_told_and_not_repeated(session: requests.Session) -> None:
    """What may have happened is the caller's to look after."""
    with LoopbackServer(in_turn(cut_short())) as server:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            stack_on(session, server).post("orders", json={})

        assert len(server.requests) == 1


def test_a_stream_that_breaks_is_the_readers_to_see(session: requests.Session) -> None:
    """Once the caller reads for himself, no second copy is started behind his back."""
    with LoopbackServer(in_turn(BUSY, cut_short())) as server:
        response = stack_on(session, server).get("export", stream=True)

        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            response.content  # noqa: B018  # read
        assert len(server.requests) == 2


def test_retry_after_as_a_date_is_waited_for(session: requests.Session) -> None:
    """The date counts by the server's own clock: ours stands in 1970 here."""
    clock = FakeClock(epoch=0.0)
    headers = {"Retry-After": formatdate(time.time() + 9, usegmt=True)}
    with LoopbackServer(in_turn(ServerResponse(503, {}, headers), ServerResponse(200))) as server:
        assert stack_on(session, server, clock).get("tasks").status_code == 200

    # Dates have whole seconds.
    assert 8.0 <= clock.monotonic() <= 9.0


def test_a_wait_beyond_the_deadline_is_not_made(session: requests.Session) -> None:
    """The 503 stands, with what the server asked for, at once."""
    clock = FakeClock()
    with LoopbackServer(
        in_turn(ServerResponse(503, {"error": "busy"}, {"Retry-After": "30"}))
    ) as server:
        response = stack_on(session, server, clock).request("GET", "tasks", total_timeout=10)

        assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
        assert response.json() == {"error": "busy"}
        assert clock.monotonic() == 0.0


def test_the_last_refusal_can_be_read(session: requests.Session) -> None:
    """After the last try the caller holds the server's own words."""
    last = ServerResponse(503, {"error": "still busy"})
    with LoopbackServer(in_turn(BUSY, BUSY, BUSY, last)) as server:
        response = stack_on(session, server).get("tasks")

        assert response.json() == {"error": "still busy"}
        assert len(server.requests) == 4


def test_a_file_goes_out_whole_each_time(session: requests.Session, tmp_path: Path) -> None:
    """An upload starts again from where the caller left the file, not from its end."""
    path = tmp_path / "upload"
    path.write_bytes(b"skipped" + b"x" * 100_000)
    with (
        LoopbackServer(in_turn(BUSY, BUSY, ServerResponse(200))) as server,
        path.open("rb") as file,
    ):
        file.seek(7)
        stack_on(session, server).put("upload", data=file)

        assert [seen.body for seen in server.requests] == [b"x" * 100_000] * 3


def test_a_multipart_file_goes_out_whole_each_time(session: requests.Session) -> None:
    """Forms with files too."""
    with LoopbackServer(in_turn(BUSY, ServerResponse(200))) as server:
        stack_on(session, server).put("upload", files={"file": ("a.txt", b"content")})

        assert all(b"content" in seen.body for seen in server.requests)
        assert len(server.requests) == 2


def test_a_generator_is_sent_once(session: requests.Session) -> None:
    """What cannot be sent again whole is not sent again: the 503 comes back as it is."""
    pieces = (piece for piece in [b"one", b"two"])
    with LoopbackServer(in_turn(BUSY)) as server:
        response = stack_on(session, server).put("upload", data=pieces)

        assert response.json() == {"error": "busy"}
        assert [seen.body for seen in server.requests] == [b"onetwo"]


def test_an_endless_refusal_costs_nothing(session: requests.Session) -> None:
    """The body of a 503 is dropped, not read."""

    def responses() -> Iterator[ServerResponse]:
        yield ServerResponse(503, itertools.repeat(b"x" * 4096))
        yield ServerResponse(200, {"done": True})

    with LoopbackServer(in_turn(*responses())) as server:
        assert stack_on(session, server).get("tasks").json() == {"done": True}


def test_one_connection_is_enough(session: requests.Session) -> None:
    """A retry gives its connection back before it asks for another one."""
    session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
    with LoopbackServer(in_turn(BUSY, BUSY, ServerResponse(200, {"done": True}))) as server:
        response = stack_on(session, server).get("tasks", stream=True)

        assert response.json() == {"done": True}
        assert server.connections == 1


def test_a_call_that_waits_holds_no_connection(session: requests.Session) -> None:
    """While one call sleeps, the only connection of the pool serves another."""
    served: list[int] = []

    class Sharing(FakeClock):
        """A clock during whose sleep another call is made."""

        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            served.append(session.get(f"{server.origin}/other", timeout=5).status_code)

    def respond(seen: ServerRequest) -> ServerResponse:
        busy = seen.path == "/tasks" and len(server.requests_to("/tasks")) == 1
        return (
            ServerResponse(503, b"x" * 5_000, {"Retry-After": "3"}) if busy else ServerResponse(200)
        )

    session.mount("http://", HTTPAdapter(pool_maxsize=1))
    with LoopbackServer(respond) as server:
        assert stack_on(session, server, Sharing()).get("tasks").status_code == 200

        assert served == [200]
        assert server.connections == 1


def test_a_post_with_a_key_is_placed_once(session: requests.Session) -> None:
    """The answer to the order is lost; the second attempt gets it by the same key."""
    placed: dict[str, int] = {}

    def respond(seen: ServerRequest) -> ServerResponse:
        key = seen.headers["idempotency-key"]
        new = key not in placed
        placed.setdefault(key, len(placed) + 1)
        if new:
            raise ConnectionResetError  # placed, and nobody is told
        return ServerResponse(201, {"order": placed[key]})

    with LoopbackServer(respond) as server:
        stack = stack_on(session, server)
        numbers = [stack.post("o", idempotency_key=True).json()["order"] for _ in range(2)]

        assert numbers == [1, 2]
        assert len(server.requests) == 4


def test_a_handshake_that_is_cut_off_is_tried_again(session: requests.Session) -> None:
    """A balancer in restart is waited out; it is no bad certificate."""
    listener = socket.create_server(("127.0.0.1", 0))
    accepted = []

    def hang_up() -> None:
        with listener:
            for _ in range(4):
                connection, _ = listener.accept()
                accepted.append(connection.recv(65_536))
                connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    stack = SessionStack(session, [RetryHandler(POLICY)], clock=FakeClock())
    with pytest.raises(requests.ConnectionError):
        stack.get(f"https://127.0.0.1:{listener.getsockname()[1]}/")
    thread.join()

    assert len(accepted) == 4


def test_32_threads_share_one_handler(session: requests.Session) -> None:
    """Each call has its own count: every one of them sees two refusals and an answer."""
    lock = threading.Lock()
    asked: dict[str, int] = {}

    def respond(seen: ServerRequest) -> ServerResponse:
        with lock:
            asked[seen.path] = asked.get(seen.path, 0) + 1
            return BUSY if asked[seen.path] < 3 else ServerResponse(200)

    session.mount("http://", HTTPAdapter(pool_maxsize=32))
    with LoopbackServer(respond) as server:
        stack = stack_on(session, server)
        results = at_once(32, lambda number: stack.get(str(number)).status_code)

    assert results == [200] * 32
    assert set(asked.values()) == {3}
