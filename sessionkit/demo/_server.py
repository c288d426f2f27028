"""The demo's API on a loopback socket, in threads of this process."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from socketserver import TCPServer
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.demo._api import Api
from sessionkit.demo._catalogue import catalogue
from sessionkit.demo._identity import CLIENT_ID, CLIENT_SECRET, Identity
from sessionkit.demo._messages import Ask, Reply, problem
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from sessionkit._clock import Clock

_HOST = "127.0.0.1"
_BIGGEST_BODY = 16 * 1024 * 1024
_PATIENCE = 1.0


class DemoServer:
    """A loopback API to try everything against; a context manager. Thread-safe.

    Identity with strict refresh-token rotation, a paged catalogue, orders and failures, on a
    free port of 127.0.0.1. Leaving the context ends its threads and closes its connections.

    Args:
        token_seconds: Life of an access token, in seconds; the answers do not tell it.
        token_uses: How many requests an access token is good for.
        seed: Equal seeds give equal rows.
        clock: Where the server's time comes from.

    Attributes:
        client_id: Of the one client that the token endpoint knows.
        client_secret: Its secret, which opens nothing but the demo.
        token_seconds: As given.
        token_uses: As given.
    """

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET

    def __init__(
        self,
        token_seconds: float = 2.0,
        token_uses: int = 40,
        *,
        seed: int = 7,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.token_seconds = token_seconds
        self.token_uses = token_uses
        self._identity = Identity(token_seconds=token_seconds, token_uses=token_uses, clock=clock)
        self._api = Api(self._identity, catalogue(seed), clock=clock)
        self._listener: _Listener | None = None
        self._ends = ExitStack()

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end.

        Raises:
            ConfigError: The server is not running.
        """
        if self._listener is None:
            raise ConfigError("the demo server runs only inside its with-block")
        return self._listener.origin

    @property
    def base_url(self) -> str:
        """The API's base, with a slash at the end."""
        return f"{self.origin}/api/"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.origin}/oauth/token"

    def login(self) -> dict[str, str]:
        """Return a first pair of tokens, as the token endpoint would; counts as no renewal."""
        return self._identity.login()

    def figures(self) -> dict[str, int]:
        """Return what the server counted, as ``/_figures`` tells it."""
        return self._api.figures()

    def __enter__(self) -> Self:
        self._listener = listener = _Listener(self._api)
        # The loop looks this often, in seconds, whether it is to end.
        loop = Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        loop.start()
        # Called in the opposite order.
        for end in (listener.server_close, loop.join, listener.shutdown):
            self._ends.callback(end)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.close()
        self._listener = None


class _Listener(ThreadingHTTPServer):
    """Accept connections, and remember them, so that all can be ended together."""

    # The default of 5 lets a burst of threads wait a second for their connection.
    request_queue_size = 128

    def __init__(self, api: Api) -> None:
        self.api = api
        self._lock = Lock()
        self._open: dict[Thread, socket] = {}
        super().__init__((_HOST, 0), _Connection)
        self.origin = f"http://{_HOST}:{self.server_address[1]}"

    def server_bind(self) -> None:
        # The parent's own asks the resolver for a name, which may take seconds.
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        worker = Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._open[worker] = request
        worker.start()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(current_thread(), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up is no news; anything else is a fault of the demo, so show it.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            # Its own thread may be quicker.
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
        for worker in left:
            worker.join(_PATIENCE)


class _Connection(BaseHTTPRequestHandler):
    """Turn bytes into an :class:`Ask`, and a :class:`Reply` into bytes: one flush per answer."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    server_version = "sessionkit-demo"
    sys_version = ""
    # Unbuffered, each header would be a packet of its own and wait for a delayed ACK.
    wbufsize = -1

    def _answer(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(problem(413, "this body is too large, or its length is not told"))
            return
        target = urlsplit(self.path)
        ask = Ask(
            self.command,
            target.path,
            dict(parse_qsl(target.query)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
            self.server.origin,
        )
        self._send(self.server.api.answer(ask))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815  # http.server's names

    def _body(self) -> bytes | None:
        """Read the whole body, refused or not: what is left would be read as the next request."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > _BIGGEST_BODY:
            return None
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        """Read a chunked body (RFC 9112, section 7.1); trailers are dropped."""
        body = b""
        try:
            while size := int(self.rfile.readline(100).partition(b";")[0], 16):
                if not 0 < size <= _BIGGEST_BODY - len(body):
                    return None
                body += self.rfile.read(size)
                self.rfile.readline(100)
        except ValueError:
            return None
        while self.rfile.readline(1000).strip():
            continue
        return body

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def handle_expect_100(self) -> bool:
        # The go-ahead must leave the buffer, or the client waits for it with the body in hand.
        ready = super().handle_expect_100()
        self.wfile.flush()
        return ready

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the parent's name
        """Say nothing: the figures tell what happened."""
