"""Every fault that a call can meet: how it is made, which error it is, and what is done about it.

``python -m tests.support.tables.faults`` prints the table of docs/explanation/faults.md; a test
holds the two together.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from sessionkit import errors as ours
from sessionkit.errors import Rule, SessionKitError, tools
from sessionkit.testing.server import LoopbackServer, ServerResponse
from tests.support.tls import server_context

#: Seconds that a client waits for a server that stays silent on purpose, and for one that does not.
SHORT, LONG = 0.2, 10.0
HEAD = b"HTTP/1.1 200 OK\r\n"
#: A credential that every faulty call carries in its URL; it must be in no error.
SECRET = "planted-secret"
Act = Callable[[socket.socket], None]

ALWAYS, SAFELY, NEVER = "any method", "idempotent, or with a key", "no"


class Rude:
    """A server on 127.0.0.1 that does one thing to each connection, then closes it.

    Args:
        act: What is done once a whole head has come, if it is waited for.
        stays: Whether the connection then stays open until the test is over.
        greets: Whether it waits for a head at all.
    """

    def __init__(self, act: Act, *, stays: bool = False, greets: bool = True) -> None:
        self._act = act
        self._stays = stays
        self._greets = greets
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.over = threading.Event()
        self._kept: list[socket.socket] = []
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
        self.leave()
        self._thread.join(10)
        for each in (self._socket, *self._kept):
            each.close()

    def leave(self) -> None:
        """Listen no longer, and wake the thread that waits for somebody to come."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(5)
                if self._greets and not _head_of(peer):
                    continue
                self._act(peer)
                if self._stays:
                    self._kept.append(peer.dup())


def _head_of(peer: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        if not (piece := peer.recv(65_536)):
            return b""
        request += piece
    return request


def sending(answer: bytes) -> Act:
    """Return what sends *answer*."""

    def send(peer: socket.socket) -> None:
        peer.sendall(answer)

    return send


def resetting(answer: bytes) -> Act:
    """Return what sends *answer* and resets the connection."""

    def reset(peer: socket.socket) -> None:
        peer.sendall(answer)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return reset


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def once() -> Iterator[bytes]:
    """Return a body that can be read once."""
    return iter([b"once"])


@dataclass(frozen=True)
class Place:
    """Where a fault is met: what is asked for, and how.

    Attributes:
        url: Of the request.
        timeout: Of the call, in seconds.
        options: Further options of the call; a function is called for a fresh one.
        prepare: What is done to the session first.
        rules: Of the error handler.
        max_bytes: Of a body, where a `SizeHandler` is on guard.
    """

    url: str
    timeout: float = LONG
    options: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[requests.Session], object] = lambda _: None
    rules: tuple[Rule, ...] = ()
    max_bytes: int | None = None

    def fresh(self, *names: str) -> dict[str, Any]:
        """Return the options for one call, or those of these *names* alone."""
        wanted = {n: v for n, v in self.options.items() if not names or n in names}
        return {n: v() if callable(v) else v for n, v in wanted.items()}


Made = Callable[[], AbstractContextManager[Place]]


@dataclass(frozen=True)
class Fault:
    """One line of the table.

    Attributes:
        name: What happens, in the words of the page.
        made: How the server, or the caller, brings it about.
        kind: The error that it is.
        sent: Whether the server may have acted.
        retried: Which methods are tried again.
        status: HTTP status that the error knows.
        body: Whether it happens while the body of an answer below 400 is read.
    """

    name: str
    made: Made
    kind: type[SessionKitError]
    sent: str
    retried: str = NEVER
    status: int | None = None
    body: bool = False

    @property
    def attempts(self) -> dict[str, int]:
        """Attempts that a call makes when one retry is allowed: by GET, by POST, and with a key."""
        get, post, keyed = {ALWAYS: (2, 2, 2), SAFELY: (2, 1, 2), NEVER: (1, 1, 1)}[self.retried]
        return {"GET": get, "POST": post, "POST with a key": keyed}


def _at(url: str, **place: Any) -> Made:
    """Ask for *url*, where no server is needed."""
    return lambda: contextlib.nullcontext(Place(url, **place))


def _rude(act: Act, *, stays: bool = False, greets: bool = True, scheme: str = "http") -> Made:
    """Ask a server that does *act* to each connection."""

    @contextmanager
    def made() -> Iterator[Place]:
        with Rude(act, stays=stays, greets=greets) as server:
            origin = server.origin.replace("http", scheme)
            yield Place(f"{origin}/a", timeout=SHORT if stays else LONG)

    return made


def _polite(reply: ServerResponse, **place: Any) -> Made:
    """Ask a server that gives *reply* to every request."""

    @contextmanager
    def made() -> Iterator[Place]:
        with LoopbackServer(lambda _: reply) as server:
            yield Place(f"{server.origin}/a", **place)

    return made


@contextmanager
def _nobody_listens() -> Iterator[Place]:
    yield Place(f"http://127.0.0.1:{closed_port()}/a")


@contextmanager
def _too_busy_to_accept() -> Iterator[Place]:
    with ExitStack() as waiting:
        listener = waiting.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The kernel keeps one more than asked for; the rest get no answer to their first packet.
        for _ in range(4):
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield Place(f"http://127.0.0.1:{listener.getsockname()[1]}/a", timeout=SHORT)


def _by_proxy(scheme: str, port: int) -> Callable[[requests.Session], object]:
    return lambda session: session.proxies.update(
        {scheme: f"http://user:{SECRET}@127.0.0.1:{port}"}
    )


@contextmanager
def _proxy_away() -> Iterator[Place]:
    yield Place("http://api.example/a", prepare=_by_proxy("http", closed_port()))


@contextmanager
def _proxy_refuses() -> Iterator[Place]:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with Rude(sending(refusal)) as proxy:
        yield Place("https://api.example/a", prepare=_by_proxy("https", proxy.port))


@contextmanager
def _untrusted() -> Iterator[Place]:
    with LoopbackServer(lambda _: ServerResponse(), tls=server_context()) as server:
        yield Place(f"{server.origin}/a")


@contextmanager
def _no_authority() -> Iterator[Place]:
    with LoopbackServer(lambda _: ServerResponse(), tls=server_context()) as server:
        yield Place(f"{server.origin}/a", options={"verify": "nowhere.pem"})


@contextmanager
def _redirects_nowhere() -> Iterator[Place]:
    there = f"http://127.0.0.1:{closed_port()}/b"
    with LoopbackServer(lambda _: ServerResponse(307, headers={"Location": there})) as server:
        yield Place(f"{server.origin}/a")


@contextmanager
def _adapter_gives_up() -> Iterator[Place]:
    policy = Retry(1, status_forcelist=[503], allowed_methods=None)

    def mount(session: requests.Session) -> None:
        session.mount("http://", HTTPAdapter(max_retries=policy))

    with LoopbackServer(lambda _: ServerResponse(503)) as server:
        yield Place(f"{server.origin}/a", prepare=mount)


@contextmanager
def _deadline_passes() -> Iterator[Place]:
    with Rude(sending(b""), stays=True) as server:
        yield Place(f"{server.origin}/a", options={"total_timeout": SHORT})


def _statuses() -> Iterator[Fault]:
    transient = {429, 502, 503, 504}
    mapped = (400, 401, 403, 404, 405, 409, 410, 412, 413, 422, 423, 429, 502, 503, 504)
    for status in mapped:
        kind = tools.error_from_response(_answer(status), now=0.0)
        retried = SAFELY if status in transient else NEVER
        yield Fault(
            f"a response with status {status}",
            _polite(ServerResponse(status)),
            type(kind),
            "yes",
            retried,
            status,
        )
    for status, kind_of, what in (
        (418, ours.ClientError, "a response with any other 4xx"),
        (500, ours.ServerError, "a response with any other 5xx"),
    ):
        yield Fault(what, _polite(ServerResponse(status)), kind_of, "yes", NEVER, status)


def _answer(status: int) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = b""
    return response


LOOP = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
MOVED = ServerResponse(307, headers={"Location": "/b"})
STALL = HEAD + b"Content-Length: 10\r\n\r\nabc"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BAD_GZIP = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"
MANY_HEADERS = HEAD + b"".join(b"X-%d: 1\r\n" % number for number in range(200))
SAYS_NO = Rule(ours.ApplicationError, status=200, when=lambda answer: not answer.json()["ok"])

FAULTS = (
    # Nothing can be sent
    Fault(
        "the URL has no scheme, no host or an odd port", _at("no-scheme"), ours.InvalidRequest, "no"
    ),
    Fault(
        "a header holds a line break",
        _polite(ServerResponse(), options={"headers": {"X-Odd": f"{SECRET}\n"}}),
        ours.InvalidRequest,
        "no",
    ),
    Fault("the file of certificates is not there", _no_authority, ours.InvalidRequest, "no"),
    # Nothing was sent
    Fault(
        "the host's name has no address",
        _at("http://nobody.invalid/"),
        ours.NameNotResolved,
        "no",
        ALWAYS,
    ),
    Fault("nothing listens on the port", _nobody_listens, ours.ConnectFailed, "no", ALWAYS),
    Fault("no connection in time", _too_busy_to_accept, ours.ConnectTimedOut, "no", ALWAYS),
    Fault("the proxy is away", _proxy_away, ours.ProxyFailed, "no", ALWAYS),
    Fault("the proxy refuses to connect further", _proxy_refuses, ours.ProxyFailed, "no"),
    Fault("the certificate is not to be trusted", _untrusted, ours.TlsFailed, "no"),
    Fault(
        "the server speaks no TLS",
        _rude(sending(b"HTTP/1.0 400 Bad\r\n\r\n"), greets=False, scheme="https"),
        ours.TlsFailed,
        "no",
    ),
    Fault(
        "the handshake is cut off",
        _rude(sending(b""), greets=False, scheme="https"),
        ours.TlsFailed,
        "no",
        SAFELY,
    ),
    # No status came
    Fault(
        "no response begins in time",
        _rude(sending(b""), stays=True),
        ours.ReadTimedOut,
        "maybe",
        SAFELY,
    ),
    Fault("the connection is closed", _rude(sending(b"")), ours.ConnectionLost, "maybe", SAFELY),
    Fault("the connection is reset", _rude(resetting(b"")), ours.ConnectionLost, "maybe", SAFELY),
    Fault(
        "the response is no HTTP",
        _rude(sending(b"SSH-2.0-OpenSSH\r\n\r\n")),
        ours.ConnectionLost,
        "maybe",
        SAFELY,
    ),
    Fault(
        "the status line is cut", _rude(sending(b"HTTP/1.1 ")), ours.ConnectionLost, "maybe", SAFELY
    ),
    Fault(
        "the headers have no end",
        _rude(sending(MANY_HEADERS)),
        ours.ConnectionLost,
        "maybe",
        SAFELY,
    ),
    # A body began
    Fault(
        "the body stalls",
        _rude(sending(STALL), stays=True),
        ours.BodyTimedOut,
        "yes",
        SAFELY,
        200,
        body=True,
    ),
    Fault(
        "the body is shorter than its length",
        _rude(sending(STALL)),
        ours.IncompleteBody,
        "yes",
        SAFELY,
        200,
        body=True,
    ),
    Fault(
        "the connection is reset in the body",
        _rude(resetting(STALL)),
        ours.IncompleteBody,
        "yes",
        SAFELY,
        200,
        body=True,
    ),
    Fault(
        "the last chunk is missing",
        _rude(sending(CHUNKED + b"5\r\nab")),
        ours.IncompleteBody,
        "yes",
        SAFELY,
        200,
        body=True,
    ),
    Fault(
        "a chunk has no size",
        _rude(sending(CHUNKED + b"zz\r\nab")),
        ours.IncompleteBody,
        "yes",
        SAFELY,
        200,
        body=True,
    ),
    Fault(
        "the body is not the gzip that it claims",
        _rude(sending(BAD_GZIP)),
        ours.UndecodableBody,
        "yes",
        NEVER,
        200,
        body=True,
    ),
    Fault(
        "the body is larger than a `SizeHandler` takes",
        _polite(ServerResponse(200, b"x" * 1_000), max_bytes=999),
        ours.BodyTooLarge,
        "yes",
        NEVER,
        200,
        body=True,
    ),
    # Redirects
    Fault(
        "redirects go round and round", _rude(sending(LOOP)), ours.RedirectFailed, "yes", NEVER, 302
    ),
    Fault(
        "a redirect leads to a port where nothing listens",
        _redirects_nowhere,
        ours.ConnectFailed,
        "yes",
        SAFELY,
    ),
    Fault(
        "a redirect asks for a body that was sent once",
        _polite(MOVED, options={"data": once}),
        ours.ReplayImpossible,
        "yes",
        NEVER,
        307,
    ),
    # Answers
    *_statuses(),
    Fault(
        "a status outside of `expect=`",
        _polite(ServerResponse(200), options={"expect": 201}),
        ours.UnexpectedStatus,
        "yes",
        NEVER,
        200,
    ),
    Fault(
        "a success whose body says failure, by a rule",
        _polite(ServerResponse(200, {"ok": False}), rules=(SAYS_NO,)),
        ours.ApplicationError,
        "yes",
        NEVER,
        200,
    ),
    Fault(
        "the session's adapter retried and gave up",
        _adapter_gives_up,
        ours.RetriesExhausted,
        "yes",
        NEVER,
        503,
    ),
    # The caller's own limit
    Fault("the deadline passes", _deadline_passes, ours.DeadlineExceeded, "maybe"),
)


def parents(kind: type[SessionKitError]) -> list[str]:
    """Return what else an error of *kind* is: in the tree, and to whoever knows requests."""
    ours_too = [
        base.__name__
        for base in kind.__mro__[1:]
        if issubclass(base, SessionKitError) and base is not SessionKitError
    ]
    known = [base for base in kind.__mro__ if not base.__module__.startswith("sessionkit")]
    # Each implies those below it.
    most = [
        base
        for base in known
        if not any(other is not base and issubclass(other, base) for other in known)
    ]
    theirs = ("requests.", "")
    named = [f"{theirs[base.__module__ == 'builtins']}{base.__name__}" for base in most]
    return [*ours_too, *named]


def table() -> str:
    """Return the table of the page."""
    lines = ["| what happens | error | also a | sent | retried |", "|---|---|---|---|---|"]
    for fault in FAULTS:
        also = ", ".join(f"`{name}`" for name in parents(fault.kind))
        cells = (fault.name, f"`{fault.kind.__name__}`", also, fault.sent, fault.retried)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
