"""A forward proxy on loopback: every host that it is asked for is on this machine."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_PIECE = 65_536
#: Of one connection to the next hop, not of the message (RFC 9110, section 7.6.1).
_OWN = {"proxy-authorization", "proxy-connection", "connection", "transfer-encoding"}


@dataclass(frozen=True)
class Passed:
    """A request as the proxy got it."""

    method: str
    target: str
    headers: dict[str, str]


class Proxy:
    """A proxy on 127.0.0.1 with a free port: forwards plain requests, and tunnels on CONNECT.

    Whatever host a request names, its port is asked for on 127.0.0.1, so that tests can use hosts
    that no resolver knows, and a name for each of their servers.

    Args:
        login: ``user:password`` that it insists on.
    """

    def __init__(self, login: str = "") -> None:
        self.passed: list[Passed] = []
        self.wanted = f"Basic {base64.b64encode(login.encode()).decode()}" if login else ""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{login}@{self.address}" if login else f"http://{self.address}"
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

    @property
    def targets(self) -> list[str]:
        """What it was asked for, in order."""
        return [passed.target for passed in self.passed]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: Proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of peers that left."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its parent's signature
        """Say nothing."""

    def _admitted(self) -> bool:
        given = {k.lower(): v for k, v in self.headers.items()}
        self.server.owner.passed.append(Passed(self.command, self.path, given))
        if given.get("proxy-authorization", "") == self.server.owner.wanted:
            return True
        self._answer(407, [("Proxy-Authenticate", 'Basic realm="proxy"')], b"who are you?")
        return False

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._admitted():
            return
        parts = urlsplit(self.path)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", parts.port)) as beyond:
            path = parts._replace(scheme="", netloc="").geturl() or "/"
            beyond.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _OWN:
                    beyond.putheader(name, value)
            beyond.endheaders(body)
            answer = beyond.getresponse()
            kept = {*_OWN, "content-length"}
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in kept]
            self._answer(answer.status, headers, answer.read())

    def _connect(self) -> None:
        if not self._admitted():
            return
        self.close_connection = True
        port = int(self.path.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as beyond:
            self.send_response_only(200)
            self.end_headers()
            self.wfile.flush()
            _tunnel(self.connection, beyond)


for _verb in ("GET", "HEAD", "POST", "PUT", "DELETE"):
    setattr(_Handler, f"do_{_verb}", _Handler._forward)
setattr(_Handler, "do_CONNECT", _Handler._connect)  # noqa: B010  # the standard library's name


def _tunnel(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side has said all."""
    ends = {one: other, other: one}
    while True:
        for end in select.select(list(ends), [], [], 10)[0]:
            piece = end.recv(_PIECE)
            if not piece:
                return
            ends[end].sendall(piece)
