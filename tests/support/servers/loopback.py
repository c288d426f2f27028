"""A loopback HTTP server for tests: one function answers, and every request is kept."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

_PIECE = 1_048_576
#: A body without an end that is read so far was not given up, and would fill the memory, in bytes.
_MOST = 1024 * _PIECE


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    #: The headers line by line, as they were spelled, those that came twice included.
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def form(self) -> dict[str, str]:
        """The body read as a form."""
        return {k: v[0] for k, v in parse_qs(self.body.decode()).items()}

    @property
    def bearer(self) -> str:
        """The bearer token, or an empty text."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Reply:
    """An answer: JSON by default; an iterable body is sent piece by piece until the peer leaves.

    One that was read beyond 1 GiB fails the test.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class Loopback:
    """A server on this machine with a free port; stopped, with all its threads, on exit.

    Args:
        answer: What is said to a request; bytes are written to the connection as they are.
        host: ``127.0.0.1``, or ``::1``.
        tls: Makes it a server of https.
        weigh: Whether of each body only its size and CRC are kept: a large one fits into no memory.
    """

    #: Whether a body without an end was read on and on.
    overrun = False

    def __init__(
        self,
        answer: Callable[[Seen], Reply] | Callable[[Seen], Reply | bytes],
        *,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        weigh: bool = False,
    ) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._server = (_SixServer if ":" in host else _Server)((host, 0), _Handler)
        self._server.owner = self
        self._server.answer = answer
        self._server.weigh = weigh
        if tls is not None:
            # Shaken hands with by the thread of each connection, or one peer would hold up all.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        name = f"[{host}]" if ":" in host else host
        self.port: int = self._server.server_address[1]
        self.origin = f"{'http' if tls is None else 'https'}://{name}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        assert not self.overrun, "a body without an end was read on and on"

    def note(self, seen: Seen) -> None:
        """Keep a request."""
        with self._lock:
            self.seen.append(seen)

    def connected(self) -> None:
        """Count a connection."""
        with self._lock:
            self.connections += 1

    def at(self, path: str) -> list[Seen]:
        """Return the requests for *path*."""
        with self._lock:
            return [seen for seen in self.seen if seen.path == path]


class _Server(ThreadingHTTPServer):
    # Threads end when their peers close; a test that leaks a connection must not hang the run.
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: Loopback
    answer: Callable[[Seen], Reply | bytes]
    weigh: bool

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that left."""


class _SixServer(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.owner.connected()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its parent's signature
        """Say nothing."""

    def _read(self) -> Seen:
        parts = urlsplit(self.path)
        return Seen(
            self.command,
            parts.path,
            parse_qs(parts.query),
            {k.lower(): v for k, v in self.headers.items()},
            (_weighed if self.server.weigh else b"".join)(self._body()),
            tuple(self.headers.items()),
        )

    def _serve(self) -> None:
        seen = self._read()
        self.server.owner.note(seen)
        reply = self.server.answer(seen)
        if isinstance(reply, bytes):
            old = reply.startswith(b"HTTP/1.0") and b"keep-alive" not in reply
            self.close_connection = old or b"\nConnection: close" in reply
            self.wfile.write(reply)
            self.wfile.flush()
        else:
            self._write(reply)

    def _write(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            for line in value.split("\n"):
                self.send_header(name, line)
        if isinstance(reply.body, Iterable) and not isinstance(
            reply.body, (bytes, str, dict, list)
        ):
            self._pour(reply.body)
            return
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        if reply.status in {204, 304}:
            body = b""
        elif "Content-Type" not in reply.headers:
            self.send_header("Content-Type", "application/json")
        if "Content-Length" not in reply.headers and reply.status not in {204, 304}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _pour(self, pieces: Iterable[bytes]) -> None:
        self.end_headers()
        self.close_connection = True
        left = _MOST
        try:
            for piece in pieces:
                left -= len(piece)
                if left < 0:
                    self.server.owner.overrun = True
                    return
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            return

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left > 0 and (piece := self.rfile.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece


def _weighed(pieces: Iterable[bytes]) -> bytes:
    size = check = 0
    for piece in pieces:
        size += len(piece)
        check = zlib.crc32(piece, check)
    return b"%d bytes, CRC %08x" % (size, check)


for _verb in (
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "LIST",
    "REQUEST",
):
    # The standard library's names; set here, as no one would write them.
    setattr(_Handler, f"do_{_verb}", _Handler._serve)


class Identity:
    """An identity server with strict refresh-token rotation: reuse ends the whole family.

    Args:
        expires_in: What its answers say, or None for nothing.
    """

    def __init__(self, expires_in: float | None = None) -> None:
        self.expires_in = expires_in
        self.lock = threading.Lock()
        self.number = 0
        self.live: set[str] = set()
        self.refresh = "refresh-0"
        self.renewals = 0
        self.reused = 0
        self.down = False
        self.attempts = 0

    def token(self, seen: Seen) -> Reply:
        """Answer a token request."""
        with self.lock:
            self.attempts += 1
            if self.down:
                return Reply(500, {"error": "server_error"})
            if seen.form.get("grant_type") == "refresh_token":
                if seen.form.get("refresh_token") != self.refresh:
                    self.reused += 1
                    self.live.clear()
                    self.refresh = "none is left"
                    return Reply(400, {"error": "invalid_grant"})
                self.renewals += 1
            return Reply(200, self._issue())

    def _issue(self) -> dict[str, Any]:
        self.number += 1
        value = f"access-{self.number}"
        self.live = {value}
        self.refresh = f"refresh-{self.number}"
        body: dict[str, Any] = {"access_token": value, "refresh_token": self.refresh}
        if self.expires_in is not None:
            body["expires_in"] = self.expires_in
        return body

    def expire(self) -> None:
        """End every access token."""
        with self.lock:
            self.live.clear()

    def revoke(self) -> None:
        """End every access token and the refresh token."""
        with self.lock:
            self.live.clear()
            self.refresh = "none is left"

    def admits(self, seen: Seen) -> bool:
        """Tell whether a request carries a live token."""
        with self.lock:
            return seen.bearer in self.live

    def answer(self, seen: Seen) -> Reply:
        """Answer as an API and its token endpoint on one host."""
        if seen.path == "/token":
            return self.token(seen)
        if not self.admits(seen):
            return Reply(401, {"detail": "token ended"}, {"WWW-Authenticate": "Bearer"})
        digest = hashlib.sha256(seen.body).hexdigest()
        return Reply(200, {"path": seen.path, "size": len(seen.body), "sha256": digest})
