"""The demo's API on loopback: identity, a paged catalogue, orders and failures."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from http.client import HTTPConnection
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.demo._catalogue import Refused, catalogue, number_of, problem, text_of
from sessionkit.errors import ConfigError
from sessionkit.testing.server import IdentityProvider, LoopbackServer, ServerResponse, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from sessionkit._clock import Clock
    from sessionkit.testing.server import ServerRequest

    Routes: TypeAlias = dict[tuple[str, str], Callable[[ServerRequest], ServerResponse]]

# Known to everybody, so that the demo can be tried by hand; its tokens are random all the same.
CLIENT_ID = "app"
CLIENT_SECRET = "demo-client-secret"  # noqa: S105  # opens nothing but the demo
USERNAME = "demo"
PASSWORD = "demo-password"  # noqa: S105  # as above

_HOST = "127.0.0.1"
_STOP_TIMEOUT = 1.0
_MAX_MILLISECONDS = 5_000
_CHILD = f"import sys; from {__name__} import main; main(sys.argv[1:])"


class DemoServer:
    """A loopback API to try everything against; a context manager. Thread-safe.

    Identity with strict refresh-token rotation, a paged catalogue, orders and failures, on a
    free port of 127.0.0.1. Leaving the context ends its threads and closes its connections.

    Args:
        token_seconds: Life of an access token, in seconds; the responses do not tell it.
        token_uses: How many requests an access token is good for.
        seed: Equal seeds give equal rows.
        clock: Where the server's time comes from.

    Attributes:
        client_id: Of the one client that the token endpoint knows.
        client_secret: Its secret, which opens nothing but the demo.
        username: Of the one user.
        password: Theirs, for the password grant.
        token_seconds: As given.
        token_uses: As given.
    """

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET
    username = USERNAME
    password = PASSWORD

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
        self._clock = clock
        self._identity = IdentityProvider(
            lifetime=token_seconds,
            max_uses=token_uses,
            keep_earlier=True,
            secrets={CLIENT_ID: CLIENT_SECRET, USERNAME: PASSWORD},
            clock=clock,
        )
        self._orders = Orders()
        self._lock = Lock()
        self._requests = 0
        self._tries: Counter[str] = Counter()
        self._server: LoopbackServer | None = None
        self._listings = catalogue(seed)
        self._open: Routes = {
            ("POST", "/oauth/token"): self._token,
            ("GET", "/_figures"): lambda _: ServerResponse(200, self.figures()),
        }
        self._guarded: Routes = {
            ("POST", "/api/orders"): self._orders.take,
            ("GET", "/api/busy"): self._busy,
            ("POST", "/api/busy"): self._busy,
            ("GET", "/api/flaky"): self._flaky,
            ("GET", "/api/slow"): self._slow,
        }
        for name, listing in self._listings.items():
            self._guarded["GET", f"/api/{name}"] = listing.by_link
            self._guarded["GET", f"/api/next/{name}"] = listing.by_next
            self._guarded["GET", f"/api/cursor/{name}"] = listing.by_cursor
            self._guarded["GET", f"/api/offset/{name}"] = listing.by_offset

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end.

        Raises:
            ConfigError: The server is not running.
        """
        if self._server is None:
            raise ConfigError("the demo server runs only inside its with-block")
        return self._server.origin

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
        identity = self._identity
        return {
            "requests": self._requests,
            "expiries": len(identity.refused),
            "renewals": identity.renewals,
            "reuse_detected": identity.reuse_detected,
            **self._orders.figures(),
        }

    def _respond(self, request: ServerRequest) -> ServerResponse:
        """Return the response to *request*; whatever is wrong with it is a response too."""
        started = self._clock.monotonic()
        with self._lock:
            self._requests += 1
        try:
            response = self._route(request)
        except Refused as refused:
            response = refused.response
        seconds = f"{self._clock.monotonic() - started:.3f}s"
        return _with_headers(response, {"X-API-Node": "demo-1", "X-API-Time": seconds})

    def __enter__(self) -> Self:
        self._server = LoopbackServer(self._respond, keep_requests=False).__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.__exit__(kind, error, trace)

    def _route(self, request: ServerRequest) -> ServerResponse:
        if not request.path.startswith("/api/"):
            return _find(self._open, request)(request)
        left = self._identity.use(request.bearer)
        if left is None:
            self._orders.refused(request)
            headers = refusal(request).headers
            return problem(401, "a token is needed, and this one has ended or is none", headers)
        return _with_headers(self._resource(request), {"X-Token-Uses-Left": str(left)})

    def _resource(self, request: ServerRequest) -> ServerResponse:
        name, _, number = request.path.removeprefix("/api/").rpartition("/")
        if name in self._listings and request.method in {"GET", "HEAD"}:
            return self._listings[name].one(number)
        return _find(self._guarded, request)(request)

    def _token(self, request: ServerRequest) -> ServerResponse:
        response = self._identity.token(request)
        if request.form.get("grant_type") == "client_credentials":
            # RFC 6749, section 4.4.3: a client that can ask again gets no refresh token.
            response.body.pop("refresh_token", None)
        return response

    def _busy(self, request: ServerRequest) -> ServerResponse:
        after = number_of(request, "after", 1, maximum=3_600)
        return problem(503, "come back later", {"Retry-After": str(after)})

    def _flaky(self, request: ServerRequest) -> ServerResponse:
        key = text_of(request, "key")
        with self._lock:
            self._tries[key] += 1
            tries = self._tries[key]
        if tries <= number_of(request, "times", 1, maximum=100):
            return self._busy(request)
        return ServerResponse(200, {"key": key, "tries": tries})

    def _slow(self, request: ServerRequest) -> ServerResponse:
        milliseconds = number_of(request, "ms", 100, maximum=_MAX_MILLISECONDS)
        self._clock.sleep(milliseconds / 1000)
        return ServerResponse(200, {"ms": milliseconds})


def _with_headers(response: ServerResponse, headers: dict[str, str]) -> ServerResponse:
    return replace(response, headers={**headers, **response.headers})


def _find(routes: Routes, request: ServerRequest) -> Callable[[ServerRequest], ServerResponse]:
    method = "GET" if request.method == "HEAD" else request.method
    if route := routes.get((method, request.path)):
        return route
    allowed = ", ".join(method for method, path in routes if path == request.path)
    if allowed:
        raise Refused(problem(405, f"this takes {allowed}", {"Allow": allowed}))
    raise Refused(problem(404, "there is nothing here"))


class Orders:
    """Take orders and compare each body with the digest its sender gave. Thread-safe.

    A sender names each order by an ``Idempotency-Key`` header and gives the body's SHA-256 in
    ``Content-Digest`` (RFC 9530, section 2): so the server itself can tell that a body refused
    with an ended token came again, and came whole.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count(1)
        self._refused: set[str] = set()
        self._replayed = 0
        self._intact = 0

    def refused(self, request: ServerRequest) -> None:
        """Note that *request* was refused, because its token had ended."""
        if key := request.headers.get("idempotency-key"):
            with self._lock:
                self._refused.add(key)

    def take(self, request: ServerRequest) -> ServerResponse:
        """Return the number of an order, and the size and SHA-256 (in hex) of what arrived."""
        digest = hashlib.sha256(request.body)
        with self._lock:
            number = next(self._numbers)
            self._count(request, digest.digest())
        document = {"id": number, "size": len(request.body), "sha256": digest.hexdigest()}
        return ServerResponse(201, document)

    def figures(self) -> dict[str, int]:
        """Return how many orders were taken after a refusal, and how many of these came whole."""
        with self._lock:
            return {"replayed_posts": self._replayed, "replayed_posts_intact": self._intact}

    def _count(self, request: ServerRequest, digest: bytes) -> None:
        key = request.headers.get("idempotency-key", "")
        if key not in self._refused:
            return
        self._refused.discard(key)
        self._replayed += 1
        self._intact += request.headers.get("content-digest") == content_digest(digest)


def content_digest(digest: bytes) -> str:
    """Write a SHA-256 as the value of a ``Content-Digest`` header (RFC 9530, section 2)."""
    return f"sha-256=:{base64.b64encode(digest).decode()}:"


class ServerProcess:
    """A :class:`DemoServer` in a child process; a context manager.

    Server and client then do not share one interpreter, so the client's timings are its own. The
    child listens on 127.0.0.1 only and ends when its input ends: with this context, or
    with this process, however that dies. Belongs to the thread that entered it.

    Args:
        token_seconds: Life of an access token, in seconds.
        token_uses: How many requests an access token is good for.
    """

    def __init__(self, token_seconds: float = 2.0, token_uses: int = 40) -> None:
        self.token_seconds = token_seconds
        self.token_uses = token_uses
        self._command = [sys.executable, "-c", _CHILD, str(token_seconds), str(token_uses)]
        self._child: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end.

        Raises:
            ConfigError: The server is not running.
        """
        if self._child is None:
            raise ConfigError("the demo server runs only inside its with-block")
        return f"http://{_HOST}:{self._port}"

    @property
    def base_url(self) -> str:
        """The API's base, with a slash at the end."""
        return f"{self.origin}/api/"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.origin}/oauth/token"

    def figures(self) -> dict[str, int]:
        """Ask the server what it counted.

        Raises:
            OSError: The server is gone.
        """
        connection = HTTPConnection(_HOST, self._port, timeout=5)
        try:
            connection.request("GET", "/_figures")
            figures: dict[str, int] = json.load(connection.getresponse())
        finally:
            connection.close()
        return figures

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(  # noqa: S603  # this very interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C at a terminal is for us; the child ends in its own order, after us.
            start_new_session=True,
        )
        try:
            self._port = _read_port(self._child)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        try:
            # Ends its input, and reads on: a child that is just starting still tells its port.
            child.communicate(timeout=_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


def _read_port(child: subprocess.Popen[bytes]) -> int:
    line = child.stdout.readline() if child.stdout else b""
    if not line:
        raise ConfigError("the demo server did not start", hint="what it said is above")
    return int(line)


def main(arguments: list[str]) -> None:
    """Serve until the input ends; the first line of output is the port."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seconds, uses = arguments
    with DemoServer(float(seconds), int(uses)) as server:
        sys.stdout.write(server.origin.rpartition(":")[2] + "\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
