"""A loopback server on a bad day: every tenth request fails, in ten ways by turns.

Run as ``python -m benchmarks.faulty_server``: prints its port, tells its figures on request
(``faults``, ``renewals``, ``open``), and ends when its input does. ``POST /token`` gives a token
and always works; anything else needs the latest one, and is told how many bytes it sent.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any

from benchmarks.side_by_side import answer_questions

if TYPE_CHECKING:
    from collections.abc import Iterator


class Then(Enum):
    """What becomes of the connection after an answer."""

    KEEP = "serve the next request"
    CLOSE = "close it"
    RESET = "close it with a reset"
    STALL = "wait until the client leaves"


def answer(status: str, body: object, *headers: str) -> bytes:
    """Return a whole answer of JSON."""
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


HALF = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40\r\n\r\n{"
NO_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip"
REFUSED = answer("401 Unauthorized", {"detail": "token ended"}, "WWW-Authenticate: Bearer")
EXPIRY = "token ends"
FAULTS: dict[str, tuple[bytes, Then]] = {
    "500": (answer("500 Oops", {"detail": "oops"}), Then.KEEP),
    "503": (answer("503 Busy", {"detail": "busy"}, "Retry-After: 0"), Then.KEEP),
    "reset before the answer": (b"", Then.RESET),
    "reset in the body": (HALF, Then.RESET),
    "body too short": (HALF, Then.CLOSE),
    "no gzip": (NO_GZIP, Then.KEEP),
    "stall": (b"", Then.STALL),
    "garbage": (b"SSH-2.0-OpenSSH\r\n\r\n", Then.CLOSE),
    "429": (answer("429 Slow Down", {"detail": "slow down"}, "Retry-After: 0"), Then.KEEP),
    EXPIRY: (REFUSED, Then.KEEP),
}
EVERY = 10
#: A token is ended only after as many uses: one that ends at once is another story.
PROVEN = 20


class FaultyServer:
    """Counts what it does; each connection has a thread."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._requests = self._used = 0
        self.open = self.renewals = 0
        self.faults: Counter[str] = Counter()

    def accept(self) -> None:
        """Accept for ever."""
        while True:
            connection, _ = self._listener.accept()
            with self._lock:
                self.open += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Closed before it is counted as such.
        with self._counted(), connection, contextlib.suppress(OSError):
            while request := received(connection):
                given, then = self._answer(*request)
                connection.sendall(given)
                if then is Then.STALL:
                    connection.recv(1)
                elif then is Then.RESET:
                    # Lingering for no time at all is what makes a close a reset.
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if then is not Then.KEEP:
                    return

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1

    def _answer(self, head: str, body: bytes) -> tuple[bytes, Then]:
        with self._lock:
            if head.startswith("POST /token "):
                self.renewals += 1
                self._used = 0
                return answer("200 OK", {"access_token": f"token-{self.renewals}"}), Then.KEEP
            if f"Authorization: Bearer token-{self.renewals}\r\n" not in head or self._used < 0:
                return REFUSED, Then.KEEP
            self._requests += 1
            self._used += 1
            turn, rest = divmod(self._requests, EVERY)
            name = list(FAULTS)[turn % len(FAULTS)]
            if rest or (name == EXPIRY and self._used < PROVEN):
                return answer("200 OK", {"size": len(body)}), Then.KEEP
            self.faults[name] += 1
            if name == EXPIRY:
                self._used = -1
            return FAULTS[name]


def received(connection: socket.socket) -> tuple[str, bytes] | None:
    """Return head and body of the next request; None where the client has left."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(65_536)):
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
    while length is not None and len(body) < int(length[1]):
        if not (piece := connection.recv(65_536)):
            return None
        body += piece
    return head.decode("latin-1") + "\r\n", body


def main() -> None:
    """Serve until the input ends."""
    server = FaultyServer()
    threading.Thread(target=server.accept, daemon=True).start()
    figures: dict[str, Any] = {
        "faults": lambda: dict(server.faults),
        "renewals": lambda: server.renewals,
        "open": lambda: server.open,
    }
    answer_questions(figures, server.port)


if __name__ == "__main__":
    main()
