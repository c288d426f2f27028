"""A loopback server as fast as Python can make one: fixed answers, one thread a connection.

Run as ``python -m benchmarks.fast_server [milliseconds before each answer]``: prints its port, says
on request how many ``connections`` were opened, and ends when its input does.
"""

from __future__ import annotations

import socket
import sys
import threading
import time

from benchmarks.side_by_side import answer_questions

BODY = b'{"id": 7, "name": "' + b"x" * 160 + b'"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: fast\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: " + str(len(BODY)).encode() + b"\r\n"
    b"X-Request-Id: 4711\r\nCache-Control: no-store\r\nVary: Accept\r\n\r\n" + BODY
)


class FastServer:
    """Gives each connection a thread, and counts them."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0

    def accept(self) -> None:
        """Accept for ever."""
        while True:
            connection, _ = self._listener.accept()
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Answer whatever ends a head; requests here have no bodies."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            while received := connection.recv(65_536):
                if self._delay:
                    time.sleep(self._delay)
                connection.sendall(ANSWER * received.count(b"\r\n\r\n"))


def main() -> None:
    """Serve until the input ends."""
    server = FastServer(float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0)
    threading.Thread(target=server.accept, daemon=True).start()
    answer_questions({"connections": lambda: server.connections}, server.port)


if __name__ == "__main__":
    main()
