"""Every fault that a network can make, over real sockets, each in its class."""

from __future__ import annotations

import contextlib
import gc
import pickle
import socket
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack, recommended
from sessionkit.auth import Bearer, Cookie, Header, Query, Scheme, StaticToken
from sessionkit.errors import (
    BodyTimedOut,
    ConnectFailed,
    ConnectionLost,
    ConnectTimedOut,
    DeadlineExceeded,
    IncompleteBody,
    InvalidRequest,
    NameNotResolved,
    NotFound,
    ProxyFailed,
    ReadTimedOut,
    RedirectFailed,
    ReplayImpossible,
    ServerError,
    SessionKitError,
    TlsFailed,
    UndecodableBody,
)
from sessionkit.handlers import ErrorHandler
from tests.loopback import Loopback, Reply

#: Seconds that a client waits for a server that stays silent on purpose.
SHORT = 0.2
HEAD = b"HTTP/1.1 200 OK\r\n"
SECRET = "planted-secret"
Act = Callable[[socket.socket], None]


class Rude:
    """A server on 127.0.0.1 that does one thing to each connection, then closes it."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        # Wakes the thread that waits in accept().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(5)
                request = b""
                while b"\r\n\r\n" not in request:
                    if not (piece := peer.recv(65_536)):
                        break
                    request += piece
                else:
                    self._act(peer)
                    if self._act is silent or self._act in STALLING:
                        self.over.wait(5)


def sending(answer: bytes) -> Act:
    """Return what sends *answer* and closes."""

    def send(peer: socket.socket) -> None:
        peer.sendall(answer)

    return send


def silent(peer: socket.socket) -> None:
    """Say nothing."""


stalling = sending(HEAD + b"Content-Length: 10\r\n\r\nabc")
failing_stalled = sending(
    b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    b'{"message": "down"}'
)
STALLING = (stalling, failing_stalled)
LOOP = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

FAULTS: dict[str, tuple[Act, type[SessionKitError], str, int | None]] = {
    "silent": (silent, ReadTimedOut, "maybe", None),
    "stalls in the body": (stalling, BodyTimedOut, "yes", 200),
    "body too short": (
        sending(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        IncompleteBody,
        "yes",
        200,
    ),
    "chunk cut": (
        sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        IncompleteBody,
        "yes",
        200,
    ),
    "no chunk": (
        sending(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"),
        IncompleteBody,
        "yes",
        200,
    ),
    "closed": (sending(b""), ConnectionLost, "maybe", None),
    "garbage": (sending(b"SSH-2.0-OpenSSH\r\n\r\n"), ConnectionLost, "maybe", None),
    "head cut": (sending(b"HTTP/1.1 "), ConnectionLost, "maybe", None),
    "bad gzip": (
        sending(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"),
        UndecodableBody,
        "yes",
        200,
    ),
    "redirects for ever": (sending(LOOP), RedirectFailed, "yes", 302),
}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session of the user's own."""
    with requests.Session() as session:
        yield session


def stack_on(session: requests.Session, chain: str = "errors") -> SessionStack:
    """Return a stack with the error handler alone, or with all that is recommended."""
    if chain == "errors":
        return SessionStack(session, [ErrorHandler()])
    handlers = recommended()
    # Tried once: what is looked at is the fault.
    del handlers["retry"]
    return SessionStack(session, handlers)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("chain", ["errors", "recommended"])
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_lands_in_its_class(
    name: str, chain: str, stream: bool, session: requests.Session
) -> None:
    """Whatever a server does, the caller learns what it was, and whether it may have acted."""
    act, kind, sent, status = FAULTS[name]
    stack = stack_on(session, chain)

    def whole(url: str) -> bytes:
        response = stack.get(url, params={"api_key": SECRET}, timeout=SHORT, stream=stream)
        return response.content

    with Rude(act) as server, pytest.raises(kind) as caught:
        whole(f"{server.origin}/a")
    error = caught.value
    assert type(error) is kind
    assert (error.sent, error.status, error.attempts) == (sent, status, 1)
    assert (error.method, (error.url or "").startswith(server.origin)) == ("GET", True)
    assert error.elapsed is not None
    assert 0 <= error.elapsed < 5
    assert error.__cause__ is not None
    assert_clean(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def assert_clean(error: SessionKitError) -> None:
    """Look for the planted secret wherever an error is looked at."""
    shown = "".join(traceback.format_exception(error))
    shown += f"{error} {error!r} {vars(error)}"
    for part in (error.request, error.response, getattr(error.response, "request", None)):
        if part is not None:
            shown += str(vars(part))
    link: BaseException | None = error
    while link is not None:
        shown += f"{link!r} {vars(link)}"
        link = link.__cause__ or link.__context__

    assert SECRET not in shown
    assert SECRET.encode() not in pickle.dumps(error)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("act", [failing_stalled, sending(b"HTTP/1.1 500 Oops\r\n\r\n")])
def test_a_failing_server_that_breaks_off_is_still_a_failing_server(
    act: Act, stream: bool, session: requests.Session
) -> None:
    """The status is worth more than the rest of its body."""
    with Rude(act) as server, pytest.raises(ServerError, match="500 Oops") as caught:
        stack_on(session).get(server.origin, timeout=SHORT, stream=stream)
    assert caught.value.status == 500


def test_what_came_of_a_broken_error_body_is_read(session: requests.Session) -> None:
    """A stream is read as far as it goes."""
    with Rude(failing_stalled) as server, pytest.raises(ServerError, match="500 Oops: down"):
        stack_on(session).get(server.origin, timeout=SHORT, stream=True)


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_nobody_listens_on_the_port(session: requests.Session) -> None:
    """Nothing was sent, so anything may be sent again."""
    with pytest.raises(ConnectFailed) as caught:
        stack_on(session).post(f"http://u:{SECRET}@127.0.0.1:{closed_port()}/?api_key={SECRET}")
    assert type(caught.value) is ConnectFailed
    assert (caught.value.sent, caught.value.retryable) == ("no", True)
    assert_clean(caught.value)


def test_a_name_that_nobody_knows(session: requests.Session) -> None:
    """A misspelt host is told apart from a host that is down."""
    with pytest.raises(NameNotResolved, match=r"nobody\.invalid") as caught:
        stack_on(session).get(f"http://nobody.invalid/?api_key={SECRET}")
    assert caught.value.sent == "no"
    assert_clean(caught.value)


def test_a_proxy_that_is_not_there(session: requests.Session) -> None:
    """The proxy is to blame, not the service."""
    session.proxies = {"http": f"http://u:{SECRET}@127.0.0.1:{closed_port()}"}

    with pytest.raises(ProxyFailed) as caught:
        stack_on(session).get("http://api.example/")
    assert caught.value.sent == "no"
    assert "proxies" in caught.value.hint
    assert_clean(caught.value)


def test_a_proxy_that_refuses_to_connect(session: requests.Session) -> None:
    """A wrong password for the proxy is the proxy's failure, and nothing has left it."""
    refusal = sending(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with Rude(refusal) as proxy:
        session.proxies = {"https": f"http://u:{SECRET}@127.0.0.1:{proxy.port}"}
        with pytest.raises(ProxyFailed) as caught:
            stack_on(session).get("https://api.example/", timeout=SHORT)
    assert_clean(caught.value)


def test_a_server_that_speaks_no_tls(session: requests.Session) -> None:
    """A handshake that fails has sent nothing."""
    with Loopback(lambda _: Reply()) as server, pytest.raises(TlsFailed) as caught:
        stack_on(session).get(server.origin.replace("http", "https"), timeout=5)
    assert caught.value.sent == "no"


def test_a_server_too_busy_to_accept(session: requests.Session) -> None:
    """A connect time-out is one, and also a failed connection; nothing was sent."""
    with contextlib.ExitStack() as waiting:
        listener = waiting.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The kernel keeps one more than asked for; the rest get no answer to their first packet.
        for _ in range(4):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/?api_key={SECRET}"

        with pytest.raises(ConnectTimedOut) as caught:
            stack_on(session).get(url, timeout=SHORT)
    assert isinstance(caught.value, requests.ConnectTimeout)
    assert caught.value.sent == "no"
    assert_clean(caught.value)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("no-scheme", {}),
        ("ftp://127.0.0.1/", {}),
        ("http://", {}),
        ("http://[::1/", {}),
        ("http://127.0.0.1:99999999/", {}),
        (f"http://u:x/{SECRET}@127.0.0.1/", {}),
        (f"http://u:{SECRET}/x@127.0.0.1/", {}),
        (f"http://u:{SECRET}@\u2100.invalid/", {}),
        ("http://127.0.0.1/", {"X-Odd": f"{SECRET}\n"}),
        ("http://127.0.0.1/", {"X-Odd": 7}),
        (None, {"X-Odd": f"{SECRET}\u20ac"}),
    ],
)
def test_a_request_that_cannot_be_sent(
    url: str | None, headers: dict[str, Any], session: requests.Session
) -> None:
    """The caller's mistake is told as one, without the value of a header."""
    with Loopback(lambda _: Reply()) as server, pytest.raises(InvalidRequest) as caught:
        stack_on(session).get(url or server.origin, headers=headers, timeout=5)
    assert caught.value.sent == "no"
    assert isinstance(caught.value, ValueError)
    assert server.seen == []
    assert_clean(caught.value)


def test_a_header_of_an_auth_callable_that_cannot_be_sent(session: requests.Session) -> None:
    """requests does not look at these, and http.client prints them."""

    def put(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {SECRET}\n"
        return request

    with Loopback(lambda _: Reply()) as server, pytest.raises(InvalidRequest) as caught:
        stack_on(session).get(server.origin, auth=put)
    assert_clean(caught.value)


def test_a_body_that_cannot_be_sent_to_where_a_redirect_points(session: requests.Session) -> None:
    """An upload is never repeated empty."""
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    class Pipe:
        """A body that knows where it stands, and cannot go back."""

        def __init__(self) -> None:
            self._left = [b"once"]

        def __iter__(self) -> Iterator[bytes]:
            return iter(self._left)

        def read(self, size: int = -1) -> bytes:
            return self._left.pop() if self._left else b""

        def tell(self) -> int:
            return 0

    with Rude(sending(moved)) as server, pytest.raises(ReplayImpossible) as caught:
        stack_on(session).post(server.origin, data=Pipe(), timeout=5)
    assert isinstance(caught.value, requests.exceptions.UnrewindableBodyError)


def test_a_deadline_inside_a_body(session: requests.Session) -> None:
    """The budget is named as what ended the call, not the read it ended in."""
    handlers = recommended()
    stack = SessionStack(session, handlers)

    with Rude(stalling) as server, pytest.raises(DeadlineExceeded) as caught:
        stack.get(server.origin, deadline=SHORT)
    assert isinstance(caught.value, requests.Timeout)
    assert caught.value.attempts == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("size", [10, 300_000])
def test_an_error_answer_gives_its_connection_back(size: int, stream: bool) -> None:
    """A pool of one connection that blocks serves the next call."""

    def answer(seen: Any) -> Reply:
        return Reply(404, b"x" * size) if seen.path == "/missing" else Reply(200)

    with requests.Session() as session, Loopback(answer) as server:
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        stack = SessionStack(session, recommended(), base_url=server.origin)

        for _ in range(3):
            with pytest.raises(NotFound):
                stack.get("/missing", stream=stream)
        assert stack.get("/there", timeout=5).status_code == 200


def test_an_endless_error_costs_neither_time_nor_memory(session: requests.Session) -> None:
    """A caller who wanted a stream of data gets the error, not a stream of complaints."""
    endless = Reply(500, iter(lambda: b"x" * 65_536, b""), {"Connection": "close"})
    began = time.monotonic()

    with Loopback(lambda _: endless) as server, pytest.raises(ServerError) as caught:
        stack_on(session).get(server.origin, stream=True)
    assert caught.value.response is not None
    assert len(caught.value.response.content) == 65_536
    assert time.monotonic() - began < 5


def test_a_dropped_stream_gives_its_connection_up(session: requests.Session) -> None:
    """Watching a stream keeps nothing alive: it ends with its last reference."""
    with Rude(stalling) as server:
        response = stack_on(session).get(server.origin, stream=True, timeout=5)
        kept = weakref.ref(response.raw)
        gc.disable()
        try:
            del response
            assert kept() is None
        finally:
            gc.enable()


@pytest.mark.parametrize(
    "scheme",
    [Bearer(), Header("X-Api-Key"), Header("X-Desk"), Query("desk"), Cookie("desk")],
    ids=repr,
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_credential_is_in_any_error(scheme: Scheme, stream: bool) -> None:
    """A server that echoes all it gets, and one that is not there: the token is in no error."""

    def echo(seen: Any) -> Reply:
        said = {"message": f"{seen.headers} {seen.query}"}
        return Reply(404, said, {"X-Echo": str(seen.query), "Set-Cookie": f"sid={SECRET}"})

    chain = recommended(StaticToken(SECRET), scheme=scheme)
    del chain["retry"]
    with requests.Session() as session, Loopback(echo) as server:
        stack = SessionStack(session, chain, base_url=server.origin)
        with pytest.raises(NotFound) as caught:
            stack.get("/a", stream=stream)
        assert SECRET in f"{server.seen[0].headers} {server.seen[0].query}"
    assert_clean(caught.value)

    chain = recommended(StaticToken(SECRET), scheme=scheme)
    del chain["retry"]
    with requests.Session() as session:
        stack = SessionStack(session, chain, base_url=f"http://127.0.0.1:{closed_port()}")
        with pytest.raises(ConnectFailed) as refused:
            stack.get("/a", stream=stream)
    assert_clean(refused.value)
