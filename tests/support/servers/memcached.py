"""A memcached: the real one if this machine has it, and a small one for what a token store needs.

No package brings a memcached server, so the small one speaks the part of the text protocol
(memcached, doc/protocol.txt) that the recipe in ``examples`` uses: get, gets, set, add, cas,
delete, and times of life in seconds.
"""

from __future__ import annotations

import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_A_MONTH = 30 * 86_400


@dataclass(frozen=True)
class Item:
    """What is kept under a key."""

    flags: str
    content: bytes
    version: int
    ends: float

    def lives(self) -> bool:
        """Tell whether it is still to be found."""
        return time.monotonic() < self.ends


class _Connection(socketserver.StreamRequestHandler):
    wbufsize = -1

    def handle(self) -> None:
        while line := self.rfile.readline():
            word, *arguments = line.decode("ascii").split()
            content = b""
            if word in {"set", "add", "cas"}:
                content = self.rfile.read(int(arguments[3]) + 2)[:-2]
            self.wfile.write(self.server.answer(word, arguments, content))  # type: ignore[attr-defined]  # our own server's
            self.wfile.flush()


class SmallMemcached(socketserver.ThreadingTCPServer):
    """Serves until it is shut down."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self._items: dict[str, Item] = {}
        self._versions = 0
        self._guard = threading.Lock()

    def answer(self, word: str, arguments: list[str], content: bytes) -> bytes:
        """Answer one command."""
        with self._guard:
            held = self._items.get(arguments[0])
            if held and not held.lives():
                held = self._items.pop(arguments[0]) and None
            if word in {"get", "gets"}:
                return self._found(arguments[0], held, versions=word == "gets")
            if word == "delete":
                self._items.pop(arguments[0], None)
                return b"DELETED\r\n" if held else b"NOT_FOUND\r\n"
            if word == "add" and held:
                return b"NOT_STORED\r\n"
            if word == "cas" and not held:
                return b"NOT_FOUND\r\n"
            if word == "cas" and held and held.version != int(arguments[4]):
                return b"EXISTS\r\n"
            return self._stored(arguments, content)

    def _found(self, key: str, held: Item | None, *, versions: bool) -> bytes:
        if held is None:
            return b"END\r\n"
        version = f" {held.version}" if versions else ""
        head = f"VALUE {key} {held.flags} {len(held.content)}{version}\r\n"
        return head.encode() + held.content + b"\r\nEND\r\n"

    def _stored(self, arguments: list[str], content: bytes) -> bytes:
        key, flags, life = arguments[0], arguments[1], int(arguments[2])
        assert len(key) <= 250
        assert life <= _A_MONTH
        self._versions += 1
        ends = time.monotonic() + life if life else float("inf")
        self._items[key] = Item(flags, content, self._versions, ends)
        return b"STORED\r\n"


@contextmanager
def small_memcached() -> Iterator[str]:
    """Start the small one, and yield its address."""
    with SmallMemcached() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def has_memcached() -> bool:
    """Tell whether the real one is installed."""
    return shutil.which("memcached") is not None


@contextmanager
def real_memcached() -> Iterator[str]:
    """Start the real one on a free port of this machine, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["memcached", "-l", "127.0.0.1", "-p", str(port), "-u", "nobody"])
    try:
        _await(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _await(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            continue
        return
    raise RuntimeError("memcached does not start")
