"""A loopback server as fast as Python can make one: fixed answers, one thread a connection.

Run as ``python benchmarks/fast_server.py``: prints its port, and ends when its input does.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

BODY = b'{"id": 7, "name": "' + b"x" * 160 + b'"}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: fast\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: " + str(len(BODY)).encode() + b"\r\n"
    b"X-Request-Id: 4711\r\nCache-Control: no-store\r\nVary: Accept\r\n\r\n" + BODY
)


def serve(connection: socket.socket) -> None:
    """Answer whatever ends a head; requests here have no bodies."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        while received := connection.recv(65_536):
            connection.sendall(ANSWER * received.count(b"\r\n\r\n"))


def accept(listener: socket.socket) -> None:
    """Give each connection a thread."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main() -> None:
    """Serve until the input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    sys.stdin.read()
    # Threads wait in accept and recv; nothing of theirs is worth a farewell.
    os._exit(0)


if __name__ == "__main__":
    main()
