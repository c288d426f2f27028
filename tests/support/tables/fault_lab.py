"""The fault lab: one server on 127.0.0.1 with a path for everything that a server can do wrong.

What is told of single errors (class, ``sent``, what is tried again) stands in faults.py; here
is the hostile and the odd, to the letter, each under a path of its own and on one pool.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from benchmarks.faulty_server import Then, received

#: What a client is given for a whole call, and for one read, in seconds.
DEADLINE, TIMEOUT = 0.3, 0.15
#: Between two pieces of a trickle: well within the time-out of a read.
PAUSE = 0.02
MILLION = 1_000_000
GIGABYTE = 1_000 * MILLION

Said = bytes | Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Fault:
    """What the server does at one path.

    Attributes:
        name: In words; the path is made of it.
        said: What it sends, to the letter; a function gives it in pieces.
        then: What becomes of the connection.
        pause: Seconds between two pieces.
        tls: Whether it does so in place of a TLS handshake.
    """

    name: str
    said: Said
    then: Then = Then.KEEP
    pause: float = 0.0
    tls: bool = False

    @property
    def path(self) -> str:
        """Its path, unlike all others."""
        return "/" + "".join(
            c if c.isalnum() and c.isascii() else f"_{ord(c):x}_" for c in self.name
        )

    @property
    def pieces(self) -> Iterable[bytes]:
        """What it sends, piece by piece."""
        return [self.said] if isinstance(self.said, bytes) else self.said()


def answer(
    status: str = "200 OK", body: bytes = b'{"ok": true}', headers: tuple[str, ...] = ()
) -> bytes:
    """Return a whole answer; JSON, unless a header says otherwise."""
    kind = () if "content-type" in str(headers).lower() else ("Content-Type: application/json",)
    lines = [f"HTTP/1.1 {status}", *kind, *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def header(line: str) -> bytes:
    """Return a good answer with one odd header."""
    return answer(headers=(line,))


def pouring(head: bytes, piece: bytes) -> Callable[[], Iterator[bytes]]:
    """Return what begins with *head* and has no end."""
    return lambda: itertools.chain([head], itertools.repeat(piece))


def one_by_one(text: bytes) -> Callable[[], Iterator[bytes]]:
    """Return what comes byte by byte."""
    return lambda: (bytes([byte]) for byte in text)


def zeros(size: int, *, wbits: int = 31) -> bytes:
    """Return *size* zero bytes, zipped: a thousandth of it."""
    packer = zlib.compressobj(9, wbits=wbits)
    step = 10 * MILLION
    pieces = [packer.compress(bytes(step)) for _ in range(size // step)]
    return b"".join([*pieces, packer.flush()])


HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 10\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
ZIPPED = HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
#: Ten megabytes that are ten gigabytes: made as it is sent, so that nobody waits for it.
BLOCK = zeros(100 * MILLION)


def bomb(head: bytes) -> Callable[[], Iterator[bytes]]:
    """Return a gzip of ten gigabytes in a hundred members, of a hundred kilobytes each."""
    return lambda: itertools.chain([head], itertools.repeat(BLOCK, 100))


BEFORE_THE_STATUS = (
    Fault("silence", b"", Then.STALL),
    Fault("closed at once", b"", Then.CLOSE),
    Fault("reset at once", b"", Then.RESET),
    Fault("half a status line", b"HTTP/1.1 2", Then.CLOSE),
    Fault("half a status line, reset", b"HTTP/1.1 2", Then.RESET),
    Fault("half a status line, stalled", b"HTTP/1.1 2", Then.STALL),
    Fault("another protocol", b"SSH-2.0-OpenSSH_9\r\n\r\n", Then.CLOSE),
    Fault("noise", bytes(range(256)) * 40, Then.CLOSE),
    Fault("HTTP/0.9", b"<html>a page without a head</html>", Then.CLOSE),
    Fault("a version of the future", b"HTTP/9.9 200 OK\r\nContent-Length: 0\r\n\r\n", Then.CLOSE),
    Fault("HTTP/2 unasked", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18), Then.CLOSE),
    Fault("a status of words", b"HTTP/1.1 OK fine\r\n\r\n", Then.CLOSE),
    Fault("a status of 0", b"HTTP/1.1 0 None\r\n\r\n", Then.CLOSE),
    Fault("a status of 99", b"HTTP/1.1 99 Low\r\n\r\n", Then.CLOSE),
    Fault("a status of 1000", b"HTTP/1.1 1000 High\r\n\r\n", Then.CLOSE),
    Fault("a status below 0", b"HTTP/1.1 -200 OK\r\n\r\n", Then.CLOSE),
    Fault("a status line without end", pouring(b"HTTP/1.1 200 ", b"O" * 65_536)),
    Fault("a storm of 100", lambda: [b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000], Then.CLOSE),
    Fault("103 and nothing more", b"HTTP/1.1 103 Early Hints\r\n\r\n", Then.CLOSE),
    Fault("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Then.CLOSE),
    Fault("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28", Then.CLOSE, tls=True),
    Fault("HTTP in place of TLS", answer("400 Bad"), Then.CLOSE, tls=True),
    Fault("half a handshake", b"\x16\x03\x03\x40\x00\x02", Then.CLOSE, tls=True),
    Fault("a handshake that stalls", b"\x16\x03\x03\x40\x00\x02", Then.STALL, tls=True),
)
IN_THE_HEAD = (
    Fault("headers that come slowly", one_by_one(answer()), pause=0.001),
    Fault("headers that stall", HEAD + b"X-One: 1\r\n", Then.STALL),
    Fault("headers that are cut", HEAD + b"X-One: 1\r\nX-Tw", Then.CLOSE),
    Fault("headers that are reset", HEAD + b"X-One: 1\r\nX-Tw", Then.RESET),
    Fault("headers without end", pouring(HEAD, b"X-More: 1\r\n" * 1_000)),
    Fault("one header without end", pouring(HEAD + b"X-Long: ", b"x" * 65_536)),
    Fault("one header of 60 kilobytes", header(f"X-Long: {'x' * 60_000}")),
    Fault("a header of 70 kilobytes", header(f"X-Long: {'x' * 70_000}"), Then.CLOSE),
    Fault("a header without a colon", header("X-None")),
    Fault("a header without a name", header(": none")),
    Fault("a header of spaces", header("   ")),
    Fault("a space before the colon", header("X-Odd : 1")),
    Fault("a folded header", header("X-Odd: 1\r\n and more\r\n\tand more")),
    Fault("a header folded first", HEAD + b" X-Odd: 1\r\nContent-Length: 2\r\n\r\nok"),
    Fault("NUL in a header", header("X-Odd: a\0b")),
    Fault("NUL in a header's name", header("X-O\0dd: 1")),
    Fault("escapes in a header", header("X-Odd: \x1b[31mred\x07")),
    Fault("a bare return in a header", header("X-Odd: a\rb: c")),
    Fault("all bytes in a header", header(f"X-Odd: {bytes(range(128, 256)).decode('latin-1')}")),
    Fault("two lengths", answer(headers=("Content-Length: 3",))),
    Fault("two lengths, the longer first", answer(headers=("Content-Length: 300",)), Then.CLOSE),
    Fault("a list of lengths", HEAD + b"Content-Length: 2, 2\r\n\r\nok", Then.CLOSE),
    Fault("a length of words", HEAD + b"Content-Length: two\r\n\r\nok", Then.CLOSE),
    Fault("a length below 0", HEAD + b"Content-Length: -2\r\n\r\nok", Then.CLOSE),
    Fault("a length of 5,000 digits", HEAD + b"Content-Length: %s\r\n\r\nok" % (b"9" * 5_000)),
    Fault("a length and chunks", HEAD + b"Content-Length: 2\r\n" + CHUNKED[17:] + b"0\r\n\r\n"),
    Fault("an unknown transfer coding", HEAD + b"Transfer-Encoding: x\r\n\r\nok", Then.CLOSE),
)
IN_THE_BODY = (
    Fault("a body that stalls", LENGTH + b"abc", Then.STALL),
    Fault("a body that is cut", LENGTH + b"abc", Then.CLOSE),
    Fault("a body that is reset", LENGTH + b"abc", Then.RESET),
    Fault("a body that never begins", LENGTH, Then.STALL),
    Fault("a body that trickles", pouring(HEAD + b"\r\n", b"."), Then.CLOSE, PAUSE),
    Fault("a body that trickles in chunks", pouring(CHUNKED, b"1\r\n.\r\n"), Then.CLOSE, PAUSE),
    Fault("a body longer than said", LENGTH + b"x" * 5_000),
    Fault("another answer behind this one", answer() + answer(body=b'{"poisoned": true}')),
    Fault("the last chunk missing", CHUNKED + b"2\r\nok\r\n", Then.CLOSE),
    Fault("half a chunk", CHUNKED + b"a\r\nabc", Then.CLOSE),
    Fault("half a chunk, stalled", CHUNKED + b"a\r\nabc", Then.STALL),
    Fault("half a chunk size", CHUNKED + b"a", Then.CLOSE),
    Fault("a chunk size of words", CHUNKED + b"size\r\nok\r\n0\r\n\r\n", Then.CLOSE),
    Fault("a chunk size below 0", CHUNKED + b"-2\r\nok\r\n0\r\n\r\n", Then.CLOSE),
    Fault("a chunk size with 0x", CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n", Then.CLOSE),
    Fault("a chunk size beyond 64 bits", CHUNKED + b"f" * 20 + b"\r\nok", Then.CLOSE),
    Fault("a chunk size without end", pouring(CHUNKED, b"0" * 65_536)),
    Fault("a chunk without its line end", CHUNKED + b"2\r\nok0\r\n\r\n", Then.CLOSE),
    Fault("a chunk of extensions", CHUNKED + b"2;" + b"a=b;" * 5_000 + b"\r\nok\r\n0\r\n\r\n"),
    # These end: http.client reads trailers, and answers of 1xx, to their end, whatever the time.
    Fault("trailers by the thousand", CHUNKED + b"0\r\n" + b"X-More: 1\r\n" * 9_000, Then.CLOSE),
    Fault("a trailer of a megabyte", CHUNKED + b"0\r\nX: " + b"x" * MILLION, Then.CLOSE),
    Fault("trailers that stall", CHUNKED + b"2\r\nok\r\n0\r\nX: 1\r\n", Then.STALL),
)
IN_THE_CODING = (
    Fault("no gzip", ZIPPED + b"not gzip at all", Then.CLOSE),
    Fault("half a gzip", ZIPPED + gzip.compress(bytes(range(256)) * 99)[:-200], Then.CLOSE),
    Fault("a gzip with a wrong sum", ZIPPED + gzip.compress(b"ok")[:-8] + bytes(8), Then.CLOSE),
    Fault("a gzip and noise", ZIPPED + gzip.compress(b"ok") + b"noise" * 99, Then.CLOSE),
    Fault("nothing for a gzip", ZIPPED, Then.CLOSE),
    Fault("a gzip in a gzip", ZIPPED + gzip.compress(gzip.compress(b"ok")), Then.CLOSE),
    Fault("no deflate", answer(body=b"\xff" * 99, headers=("Content-Encoding: deflate",))),
    Fault("an unknown coding", answer(headers=("Content-Encoding: x-own",))),
    Fault("codings without number", answer(headers=(f"Content-Encoding: {'gzip,' * 999}gzip",))),
    Fault("a gzip bomb", bomb(ZIPPED), Then.CLOSE),
    Fault("a gzip bomb as an error", bomb(b"HTTP/1.1 500 Oops" + ZIPPED[15:]), Then.CLOSE),
)
IN_THE_MEANING = (
    Fault("JSON that ends early", answer(body=b'{"items": [1, 2, {"a": "b')),
    Fault("JSON of nothing", answer(body=b"")),
    Fault("JSON nested without reason", answer(body=b"[" * 100_000)),
    Fault("JSON in UTF-32", answer(body='{"a": 1}'.encode("utf-32"))),
    Fault("a number of 100,000 digits", answer(body=b"9" * 100_000)),
    Fault("a page in place of JSON", answer(body=b"<html><title>Log in</title>")),
    Fault("a wrong charset", answer(body=b"\xff", headers=("Content-Type: a/b; charset=utf8",))),
    Fault("an unknown charset", answer(headers=("Content-Type: text/plain; charset=no-such",))),
    Fault("a charset with NUL", answer(headers=("Content-Type: text/plain; charset=a\0b",))),
    Fault("a charset that is no text", answer(headers=("Content-Type: text/plain; charset=hex",))),
    Fault("a type of noise", answer(headers=('Content-Type: ;;="\\,;charset=',))),
    Fault("half a JSON error", answer("500 Oops", b'{"error": {"message": "do')),
    Fault("an error nested without reason", answer("400 Bad", b'{"error":' * 50_000)),
    Fault("an error of 10 megabytes", answer("500 Oops", b'{"message": "' + b"x" * 10 * MILLION)),
    Fault("an error that trickles", pouring(b"HTTP/1.1 500 Oops\r\n\r\n", b"."), Then.CLOSE, PAUSE),
    Fault("an error without end", pouring(b"HTTP/1.1 404 Gone\r\n\r\n", b"x" * 65_536)),
    Fault("an error that stalls", b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nabc", Then.STALL),
    Fault("a problem of noise", answer("400 Bad", b'{"type": 7, "title": {}, "detail": [[1]]}',
        ("Content-Type: application/problem+json",))),
    Fault("401 without a challenge", answer("401 No")),
    Fault("401 with half a challenge", answer("401 No", headers=('WWW-Authenticate: Bearer a="',))),
    Fault("401 with a challenge of noise",
        answer("401 No", headers=(f"WWW-Authenticate: {'=,' * 9_000}",))),
    Fault("407 from no proxy", answer("407 No")),
    Fault("417 unasked", answer("417 No")),
    Fault("a status of 999", answer("999 Denied")),
)  # fmt: skip
PLACES = {
    "itself": "?",
    "nothing": "",
    "a space": " ",
    "another scheme": "javascript:alert(1)",
    "a file": "file:///etc/passwd",
    "no host": "http://",
    "half an address": "http://[::1",
    "a port beyond all": "http://127.0.0.1:99999/",
    "port 0": "http://127.0.0.1:0/",
    "NUL": "/a\0b",
    "noise": bytes(range(128, 256)).decode("latin-1"),
    "a long way": f"/{'x' * 50_000}",
    "a user": "http://user:pass@127.0.0.1:9/",
    "a host of dots": "http://....../",
    "a host of signs": "http://\xe2\x84\x80/",
}
REDIRECTS = (
    *(Fault(f"a redirect to {name}", answer("302 Found", b"moved", (f"Location: {to}",)))
        for name, to in PLACES.items()),
    Fault("a redirect without a place", answer("302 Found")),
    Fault("two places", answer("302 Found", headers=("Location: /fine", "Location: /fine"))),
    Fault("a redirect that trickles",
        pouring(b"HTTP/1.1 302 Found\r\nLocation: /fine\r\n\r\n", b"."), Then.CLOSE, PAUSE),
    Fault("a redirect that stalls",
        b"HTTP/1.1 302 Found\r\nLocation: /fine\r\nContent-Length: 9\r\n\r\n.", Then.STALL),
    Fault("a redirect without end",
        pouring(b"HTTP/1.1 302 Found\r\nLocation: /fine\r\n\r\n", b"x" * 65_536)),
    Fault("a redirect with a gzip bomb",
        bomb(b"HTTP/1.1 302 Found\r\nLocation: /fine" + ZIPPED[15:]), Then.CLOSE),
)  # fmt: skip
#: Waits of every shape; each with a 503, and where it is odd enough to be none.
WAITS = (
    *("0", "1", "-1", "+1", "1.5", "1e3", "0x10", "007", "99999999999999999999", "1" * 5_000),
    *("", " ", "soon", "NaN", "inf", "1, 2", "1;2", '"1"', "1 s", "\xb2", "\0"),
    *("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "31 Dec 2099"),
    *("Fri, 99 Dec 1999 99:99:99 GMT", "Friday, 31-Dec-99 23:59:59 GMT", "GMT", "0 0 0 0 0 0"),
    *("Fri, 31 Dec 1999 23:59:59 +9999", "1999-12-31T23:59:59Z"),
)
RETRY_AFTER = tuple(
    Fault(f"{number} Retry-After: {wait[:30]!r}",
        answer("503 Busy", headers=(f"Retry-After: {wait}",)))
    for number, wait in enumerate(WAITS)
)  # fmt: skip
#: Texts that are no value of any field.
NOISE = ('"', '"\\', ",;=", "=" * 999, 'a="' * 999, "<" * 999, "r=0;" * 999, "\xff\xfe\0")
FIELDS = (
    *("Link", "Server-Timing", "RateLimit", "RateLimit-Policy", "X-RateLimit-Reset", "Sunset"),
    *("Deprecation", "Warning", "Set-Cookie", "Date", "Age", "ETag", "Vary", "Cache-Control"),
    *("Content-Type", "Retry-After", "X-Request-Id", "X-API-Time", "Allow", "Content-Range"),
    *("WWW-Authenticate", "X-Runtime", "X-App-Rate-Limit", "X-RateLimit-Remaining"),
)
FIELDS_OF_NOISE = tuple(
    Fault(
        f"noise {number} in all fields of a {status}",
        answer(status, headers=tuple(f"{field}: {noise}" for field in FIELDS)),
    )
    for number, noise in enumerate(NOISE)
    for status in ("200 OK", "401 No", "429 Busy", "500 Oops")
)
REUSE = (
    Fault("an answer, then closed without a word", answer(), Then.CLOSE),
    Fault("an answer, then reset", answer(), Then.RESET),
    Fault("kept for no time", answer(headers=("Connection: keep-alive", "Keep-Alive: timeout=0"))),
)

FAULTS = (
    *BEFORE_THE_STATUS,
    *IN_THE_HEAD,
    *IN_THE_BODY,
    *IN_THE_CODING,
    *IN_THE_MEANING,
    *REDIRECTS,
    *RETRY_AFTER,
    *FIELDS_OF_NOISE,
    *REUSE,
)
FINE = {"fine": True}


class FaultLab:
    """The server; its threads, one for each connection, end with it."""

    def __init__(self) -> None:
        self._paths = {fault.path: fault for fault in FAULTS}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        #: Plain listeners that expect TLS, one for each fault of a handshake, by its path.
        self._secure = {
            fault.path: socket.create_server(("127.0.0.1", 0)) for fault in FAULTS if fault.tls
        }
        self.origin = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def url(self, fault: Fault) -> str:
        """Return where *fault* is met."""
        if not fault.tls:
            return f"{self.origin}{fault.path}"
        return f"https://127.0.0.1:{self._secure[fault.path].getsockname()[1]}/"

    def __enter__(self) -> Self:
        self._begin(self._accept, self._listener, self._serve)
        for path, listener in self._secure.items():
            fault = self._paths[path]
            self._begin(self._accept, listener, lambda peer, fault=fault: self._greet(peer, fault))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for listener in (self._listener, *self._secure.values()):
            # Wakes the thread that waits in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for peer in self._open:
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(10)

    def _begin(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name="fault lab")
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        while not self._over.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            self._begin(self._hold, peer, serve)

    def _hold(self, peer: socket.socket, serve: Callable[[socket.socket], None]) -> None:
        with self._lock:
            self._open.add(peer)
        with peer, contextlib.suppress(OSError):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serve(peer)
        with self._lock:
            self._open.discard(peer)

    def _serve(self, peer: socket.socket) -> None:
        while request := received(peer):
            path = request[0].split(" ", 2)[1].partition("?")[0]
            fault = self._paths.get(path)
            if fault is None:
                peer.sendall(answer(body=json.dumps(FINE).encode()))
            elif not self._do(peer, fault):
                return

    def _greet(self, peer: socket.socket, fault: Fault) -> None:
        peer.recv(65_536)
        self._do(peer, fault)

    def _do(self, peer: socket.socket, fault: Fault) -> bool:
        """Do what *fault* is, and tell whether the connection goes on."""
        for piece in fault.pieces:
            peer.sendall(piece)
            if fault.pause and self._over.wait(fault.pause):
                return False
        if fault.then is Then.STALL:
            peer.recv(1)
        elif fault.then is Then.RESET:
            # Lingering for no time at all is what makes a close a reset.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return fault.then is Then.KEEP
