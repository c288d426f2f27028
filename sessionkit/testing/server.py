"""An HTTP server on this machine for tests, and an identity provider with strict rotation for it.

Needs nothing but the standard library. One function makes the responses::

    def respond(request: ServerRequest) -> ServerResponse:
        return ServerResponse(200, {"path": request.path})

    with LoopbackServer(respond) as server:
        assert requests.get(f"{server.origin}/orders").json() == {"path": "/orders"}
        assert [request.method for request in server.requests] == ["GET"]
"""

from __future__ import annotations

import base64
import binascii
import json
import socket
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from socketserver import TCPServer
from threading import Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from urllib.parse import parse_qs, unquote_plus, urlsplit

from sessionkit._clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from sessionkit._clock import Clock

_PIECE = 1_048_576
#: So much of a body without an end is sent before the test counts as failed, in bytes.
_MAX_STREAMED = 1024 * _PIECE
_JOIN_TIMEOUT = 1.0
_WITHOUT_BODY = frozenset((204, 304))
_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True)
class ServerRequest:
    """A request as it arrived. Immutable, hence thread-safe.

    Args:
        method: The method, in capitals.
        path: The path without its query, percent signs as sent.
        query: The values of each query parameter.
        headers: The headers, names in lower case; of one that came twice the last.
        body: The whole body.
        lines: The headers line by line, as they were spelled.
    """

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def form(self) -> dict[str, str]:
        """The body read as a form; of a field that came twice the first."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def bearer(self) -> str:
        """The bearer token, or an empty text."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class ServerResponse:
    """A response to send.

    Args:
        status: The HTTP status.
        body: Bytes as they are; an iterable of bytes, sent piece by piece until the client leaves
            (one that is read beyond 1 GiB fails the test); anything else as JSON.
        headers: The headers; a value of several lines gives one header for each.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


Respond: TypeAlias = (
    Callable[[ServerRequest], ServerResponse] | Callable[[ServerRequest], ServerResponse | bytes]
)
"""What makes the responses; bytes are written to the connection as they are."""


class LoopbackServer:
    """An HTTP/1.1 server on a free port of this machine; a context manager. Thread-safe.

    Each connection has a thread. Leaving the context closes all connections and ends the threads.

    Args:
        respond: Makes the response to each request; called in the thread of its connection.
        host: ``127.0.0.1``, or ``::1``.
        tls: Makes it a server of https.
        digest_bodies: Whether of each body only its size and CRC are kept, for bodies that fit
            into no memory.
        keep_requests: Whether :attr:`requests` is filled.

    Attributes:
        requests: The requests in the order in which they came.
        connections: How many connections were opened.
        port: The port.
        origin: Scheme, host and port, without a slash at the end.
    """

    def __init__(
        self,
        respond: Respond,
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        digest_bodies: bool = False,
        keep_requests: bool = True,
    ) -> None:
        listener = (_IPv6Listener if ":" in host else _Listener)((host, 0), _Connection)
        name = f"[{host}]" if ":" in host else host
        self.port: int = listener.server_address[1]
        self.origin = f"{'http' if tls is None else 'https'}://{name}:{self.port}"
        if tls is not None:
            # The handshake is made by the thread of each connection, or one client could block all.
            listener.socket = tls.wrap_socket(
                listener.socket, server_side=True, do_handshake_on_connect=False
            )
        self._start(listener, respond, digest_bodies=digest_bodies, keep_requests=keep_requests)

    def _start(
        self,
        listener: _Listener,
        respond: Respond,
        *,
        digest_bodies: bool = False,
        keep_requests: bool = True,
    ) -> None:
        self.requests: list[ServerRequest] = []
        self.connections = 0
        self.respond = respond
        self.digest_bodies = digest_bodies
        self._keep_requests = keep_requests
        self._too_long = False
        self._lock = Lock()
        self._listener = listener
        listener.owner = self
        # The loop looks this often, in seconds, whether it is to end.
        self._loop = Thread(target=listener.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._loop.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        self._loop.join()
        assert not self._too_long, "a body without an end was read on and on"  # noqa: S101  # for tests

    def requests_to(self, path: str) -> list[ServerRequest]:
        """Return the requests for *path*."""
        with self._lock:
            return [request for request in self.requests if request.path == path]

    def connected(self) -> None:
        """Count a connection."""
        with self._lock:
            self.connections += 1

    def received(self, request: ServerRequest) -> None:
        """Keep a request."""
        if self._keep_requests:
            with self._lock:
                self.requests.append(request)

    def streamed_too_long(self) -> None:
        """Note that a body without an end was read on and on."""
        self._too_long = True


class _Listener(ThreadingHTTPServer):
    """Accepts connections, and keeps them, so that all can be closed together."""

    daemon_threads = True
    block_on_close = False
    # The default of 5 lets a burst of threads wait a second for their connections.
    request_queue_size = 256
    owner: LoopbackServer

    def __init__(self, address: Any, handler: type[_Connection]) -> None:
        self._lock = Lock()
        self._open: dict[Thread, socket.socket] = {}
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # The parent's own asks a resolver for the name of the host, which may take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", 0

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        with self._lock:
            self._open[thread] = request
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(current_thread(), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients may leave at any time; anything else is a fault of the test, so it is shown.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            left = dict(self._open)
        for connection in left.values():
            # Its own thread may be quicker.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in left:
            thread.join(_JOIN_TIMEOUT)


class _IPv6Listener(_Listener):
    address_family = socket.AF_INET6


class _Connection(BaseHTTPRequestHandler):
    """Reads requests and writes responses, each in one flush."""

    protocol_version = "HTTP/1.1"
    # Unbuffered, each header would be a packet of its own and wait for a delayed ACK.
    wbufsize = -1
    server: _Listener

    def setup(self) -> None:
        super().setup()
        # A socket of the file system knows no such option.
        with suppress(OSError):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.owner.connected()

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The standard library looks for do_GET, do_POST and so on; here any method will do.
        if name.startswith("do_"):
            return self._respond
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        # The go-ahead must leave the buffer, or the client waits for it with the body in hand.
        ready = super().handle_expect_100()
        self.wfile.flush()
        return ready

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its parent's signature
        """Log nothing."""

    def _respond(self) -> None:
        owner = self.server.owner
        target = urlsplit(self.path)
        request = ServerRequest(
            self.command,
            target.path,
            parse_qs(target.query),
            {name.lower(): value for name, value in self.headers.items()},
            (_digest if owner.digest_bodies else b"".join)(self._body()),
            tuple(self.headers.items()),
        )
        owner.received(request)
        response = owner.respond(request)
        if isinstance(response, bytes):
            is_old = response.startswith(b"HTTP/1.0") and b"keep-alive" not in response
            self.close_connection = is_old or b"\nConnection: close" in response
            self.wfile.write(response)
        else:
            self._write(response)
        self.wfile.flush()

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            # RFC 9112, section 7.1; trailers are dropped.
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                continue
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece

    def _write(self, response: ServerResponse) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        body = response.body
        if isinstance(body, Iterable) and not isinstance(body, bytes | str | dict | list):
            self._stream(body, persistent="Connection" in response.headers)
            return
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        has_body = response.status not in _WITHOUT_BODY
        if has_body and "Content-Type" not in response.headers:
            self.send_header("Content-Type", "application/json")
        if has_body and "Content-Length" not in response.headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(content)

    def _stream(self, pieces: Iterable[bytes], *, persistent: bool) -> None:
        # Said aloud (RFC 9112, section 9.6), or a client may send its next request into the close.
        if not persistent:
            self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        left = _MAX_STREAMED
        with suppress(OSError):
            for piece in pieces:
                left -= len(piece)
                if left < 0:
                    self.server.owner.streamed_too_long()
                    return
                self.wfile.write(piece)
                self.wfile.flush()


def _digest(pieces: Iterable[bytes]) -> bytes:
    size = check = 0
    for piece in pieces:
        size += len(piece)
        check = zlib.crc32(piece, check)
    return b"%d bytes, CRC %08x" % (size, check)


class _Login:
    """The tokens of one login, which end together."""

    __slots__ = ("is_ended", "refresh_token")

    def __init__(self, refresh_token: str = "") -> None:
        self.refresh_token = refresh_token
        self.is_ended = False


class _AccessToken:
    """When an access token ends: at a moment or after a number of uses, or with its login."""

    __slots__ = ("expires_at", "login", "uses_left")

    def __init__(self, login: _Login, expires_at: float, uses_left: int) -> None:
        self.login = login
        self.expires_at = expires_at
        self.uses_left = uses_left


class IdentityProvider:
    """A token endpoint with strict rotation of refresh tokens, and the check of access tokens.

    Knows the grants ``password``, ``client_credentials`` and ``refresh_token`` (RFC 6749, sections
    4.3, 4.4 and 6). A refresh token works once; one that comes a second time ends every token of
    its login (RFC 9700, section 4.14.2). Thread-safe: all state is under one lock.

    ::

        identity = IdentityProvider(lifetime=2.0)
        with LoopbackServer(identity.respond) as server:
            login = RefreshToken(f"{server.origin}/token", client_id="app")

    Tokens are called ``access-1``, ``refresh-1``, ``access-2`` and so on; ``refresh-0`` is valid
    from the start, for clients that begin with a refresh token.

    Args:
        expires_in: The lifetime that responses tell, in seconds; None tells none.
        lifetime: For how long an access token is really valid, in seconds; None for ever.
        max_uses: For how many requests an access token is valid; None for any number.
        keep_earlier: Whether a new access token leaves the earlier ones valid.
        secrets: The secrets of clients and the passwords of users, by name; tokens then cannot be
            guessed, and none is valid from the start. None believes all clients and users.
        clock: Where the time comes from.

    Attributes:
        lock: Held by each change.
        is_down: Set it to give each token request a 500.
        token_requests: How many token requests came.
        renewals: How many refresh grants were given.
        reuse_detected: How many refresh tokens came that were used up or unknown.
        refused: The access tokens that were refused.
    """

    def __init__(
        self,
        *,
        expires_in: float | None = None,
        lifetime: float | None = None,
        max_uses: int | None = None,
        keep_earlier: bool = False,
        secrets: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.lock = Lock()
        self.is_down = False
        self.token_requests = self.renewals = self.reuse_detected = 0
        self.refused: set[str] = set()
        self._expires_in = expires_in
        self._lifetime = float("inf") if lifetime is None else lifetime
        self._max_uses = sys.maxsize if max_uses is None else max_uses
        self._keep_earlier = keep_earlier
        self._secrets = secrets
        self._clock = clock
        self._number = 0
        self._random_tokens = secrets is not None
        self._login = _Login(self._name("refresh"))
        self._logins = {self._login.refresh_token: self._login}
        self._access: dict[str, _AccessToken] = {}

    @property
    def refresh_token(self) -> str:
        """The refresh token of the latest login; may be set."""
        return self._login.refresh_token

    @refresh_token.setter
    def refresh_token(self, value: str) -> None:
        with self.lock:
            self._logins[value] = self._login
            self._login.refresh_token = value

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Respond as a token endpoint at ``/token`` and an API everywhere else."""
        if request.path == "/token":
            return self.token(request)
        if not self.admits(request):
            return refusal(request)
        digest = sha256(request.body).hexdigest()
        return ServerResponse(
            200, {"path": request.path, "size": len(request.body), "sha256": digest}
        )

    def token(self, request: ServerRequest) -> ServerResponse:
        """Respond to a token request."""
        with self.lock:
            self.token_requests += 1
            if self.is_down:
                return ServerResponse(500, {"error": "server_error"})
            form = request.form
            if not self._knows_client(request, form):
                return _oauth_error("invalid_client", 401)
            grant = form.get("grant_type", "")
            if grant == "refresh_token":
                return self._renew(form.get("refresh_token", ""))
            if grant == "password" and self._is_wrong(form.get("username"), form.get("password")):
                return _oauth_error("invalid_grant")
            if grant not in {"password", "client_credentials"} and self._secrets is not None:
                return _oauth_error("unsupported_grant_type" if grant else "invalid_request")
            self._login = _Login()
            return ServerResponse(200, self._issue(self._login), _NO_STORE)

    def login(self) -> dict[str, Any]:
        """Return the tokens of a new login, as the token endpoint gives them."""
        with self.lock:
            self._login = _Login()
            return self._issue(self._login)

    def admits(self, request: ServerRequest) -> bool:
        """Return whether *request* has a valid access token, which is used once by this."""
        return self.use(request.bearer) is not None

    def use(self, token: str) -> int | None:
        """Use an access token once; return how many uses it has left, None if it is not valid."""
        with self.lock:
            access = self._access.get(token)
            if (
                access is None
                or access.login.is_ended
                or access.uses_left <= 0
                or self._clock.monotonic() >= access.expires_at
            ):
                if token:
                    self.refused.add(token)
                return None
            access.uses_left -= 1
            return access.uses_left

    def add_token(self, token: str) -> None:
        """Make *token* a valid access token of the latest login."""
        with self.lock:
            self._add(token, self._login)

    def expire(self) -> None:
        """End every access token."""
        with self.lock:
            self._access.clear()

    def revoke(self) -> None:
        """End every access token and every refresh token."""
        with self.lock:
            self._access.clear()
            self._logins.clear()

    def _knows_client(self, request: ServerRequest, form: Mapping[str, str]) -> bool:
        if self._secrets is None:
            return True
        client, secret = _basic(request.headers.get("authorization", "")) or (
            form.get("client_id"),
            form.get("client_secret"),
        )
        # A public client names itself, and may do all but ask for tokens of its own.
        is_public = secret is None and form.get("grant_type") != "client_credentials"
        return is_public or not self._is_wrong(client, secret)

    def _is_wrong(self, name: str | None, secret: str | None) -> bool:
        return self._secrets is not None and (
            name is None or secret is None or self._secrets.get(name) != secret
        )

    def _renew(self, refresh_token: str) -> ServerResponse:
        login = self._logins.get(refresh_token)
        if login is None or login.is_ended or login.refresh_token != refresh_token:
            self.reuse_detected += 1
            if login is not None:
                login.is_ended = True
            return _oauth_error("invalid_grant")
        self.renewals += 1
        return ServerResponse(200, self._issue(login), _NO_STORE)

    def _issue(self, login: _Login) -> dict[str, Any]:
        self._number += 1
        access = self._name("access")
        if not self._keep_earlier:
            self._access.clear()
        self._add(access, login)
        login.refresh_token = self._name("refresh")
        self._logins[login.refresh_token] = login
        body: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "refresh_token": login.refresh_token,
        }
        if self._expires_in is not None:
            body["expires_in"] = self._expires_in
        return body

    def _name(self, kind: str) -> str:
        suffix = f"-{token_urlsafe(24)}" if self._random_tokens else ""
        return f"{kind}-{self._number}{suffix}"

    def _add(self, token: str, login: _Login) -> None:
        expires_at = self._clock.monotonic() + self._lifetime
        self._access[token] = _AccessToken(login, expires_at, self._max_uses)


def refusal(request: ServerRequest) -> ServerResponse:
    """Return the 401 for a request without a valid bearer token (RFC 6750, section 3)."""
    # Section 3.1: without a token no error is named, only the scheme.
    error = ', error="invalid_token"' if request.bearer else ""
    challenge = {"WWW-Authenticate": f'Bearer realm="loopback"{error}'}
    return ServerResponse(401, {"detail": "token ended"}, challenge)


def _oauth_error(code: str, status: int = 400) -> ServerResponse:
    challenge = {"WWW-Authenticate": 'Basic realm="loopback"'} if status == 401 else {}
    return ServerResponse(status, {"error": code}, {**_NO_STORE, **challenge})


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    # Both halves were form-encoded before (RFC 6749, section 2.3.1).
    return unquote_plus(client), unquote_plus(secret)
