"""The user's browser: open the login page, and receive the redirect (RFC 8252)."""

from __future__ import annotations

import math
import os
import queue
import secrets
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from sessionkit import _checks as checks
from sessionkit.auth.grants._runner import UserRequest
from sessionkit.auth.grants._token_endpoint import LOOPBACK
from sessionkit.errors import ConfigError, LoginRequired, RenewalFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit._clock import Clock
    from sessionkit.auth.grants._runner import TokenRequestRunner

#: Seconds that a connection may keep a thread: browsers open some that they never use.
_IDLE_TIMEOUT = 5.0
_MAX_FIELDS = 50


class Browser:
    """The user's browser: how it is shown a page, and where it comes back to.

    Args:
        open_url: Called with the URL of the page where the user logs in, such as ``print``; by
            default the machine's browser is opened.
        redirect_uri: Where the server sends it afterwards: http on this machine, as the client is
            registered; port 0 takes a free one (RFC 8252, section 7.3).
        timeout: How long the user may take, in seconds.

    Raises:
        ConfigError: A redirect that leads elsewhere, or a timeout that is not above 0.
    """

    __slots__ = ("open_url", "redirect_uri", "timeout")

    def __init__(
        self,
        open_url: Callable[[str], object] | None = None,
        *,
        redirect_uri: str = "http://127.0.0.1:0/callback",
        timeout: float = 300.0,
    ) -> None:
        parts = urlsplit(redirect_uri)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK or parts.query:
            message = "redirect_uri must be http on this machine, such as http://127.0.0.1:0/back"
            raise ConfigError(message, hint="the login comes back to this very program")
        checks.seconds("timeout", timeout, positive=True, maximum=math.inf)
        if open_url is not None and not callable(open_url):
            raise ConfigError("open_url must be a function of the URL, such as print")
        self.open_url = open_url if open_url is not None else _open_browser
        self.redirect_uri = redirect_uri
        self.timeout = timeout

    def __repr__(self) -> str:
        name = getattr(self.open_url, "__qualname__", type(self.open_url).__name__)
        return f"Browser({name.lstrip('_')}, redirect_uri={self.redirect_uri!r})"


def _open_browser(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        message = "no browser could be opened here"
        raise RenewalFailed(message, hint="have the URL shown: Browser(print); or use DeviceCode")


class BrowserRequest(UserRequest):
    """A request that the user's browser makes; its response is the redirect to this machine.

    Args:
        browser: The user's.
        url: The authorization endpoint.
        fields: Added to its query; ``redirect_uri`` and ``state`` are added here.
    """

    def __init__(self, browser: Browser, url: str, fields: dict[str, str]) -> None:
        super().__init__("GET", url)
        self._page = url
        self._browser = browser
        self._fields = fields

    def perform(self, runner: TokenRequestRunner) -> Response:
        """Open the page, and wait for the redirect.

        Raises:
            LoginRequired: No redirect came in time.
            RenewalFailed: The port is taken, or no browser could be opened.
        """
        runner.require_time_for_user()
        left = runner.time_left()
        timeout = self._browser.timeout if left is None else min(self._browser.timeout, left)
        deadline = runner.clock.monotonic() + timeout
        with RedirectListener(self._browser.redirect_uri) as listener:
            fields = {**self._fields, "redirect_uri": listener.uri, "state": listener.state}
            sign = "&" if "?" in self._page else "?"
            self._browser.open_url(f"{self._page}{sign}{urlencode(fields)}")
            query = listener.wait(runner.clock, deadline)
        response = requests.Response()
        response.status_code, response.url = 200, f"{listener.uri}?{query}"
        return response


class RedirectListener:
    """A server on this machine that accepts one redirect: the one that holds our state.

    Args:
        uri: Where it comes to; port 0 takes a free one.

    Attributes:
        uri: The same with the port that was taken.
        state: What tells our redirect from those that others send here (RFC 6749, section 10.12).

    Raises:
        RenewalFailed: The port is taken.
    """

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        kind = _IPv6Server if parts.hostname == "::1" else _Server
        address = "::1" if parts.hostname == "::1" else "127.0.0.1"
        try:
            self._server = kind((address, parts.port or 0), _Page)
        except OSError as error:
            message = f"port {parts.port} of this machine cannot be had: {error.strerror}"
            hint = "is another login under way? port 0 takes a free one"
            raise RenewalFailed(message, hint=hint) from error
        host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
        self.uri = f"http://{host}:{self._server.server_address[1]}{parts.path or '/'}"
        self.state = secrets.token_urlsafe(32)
        self._server.path, self._server.state = parts.path or "/", self.state
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="login redirect", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait(self, clock: Clock, deadline: float) -> str:
        """Return the query of our redirect.

        Raises:
            LoginRequired: None came until *deadline*, a moment of the clock's ``monotonic``.
        """
        try:
            return self._server.queries.get(timeout=max(deadline - clock.monotonic(), 0.0))
        except queue.Empty:
            rejected = self._server.rejected_requests
        note = f" ({rejected} without our state were rejected)" if rejected else ""
        message = f"no redirect came back from the login page in time{note}"
        raise LoginRequired(message, hint="log in again by login(stack)")


class _Server(socketserver.ThreadingTCPServer):
    """Not http.server's, which looks its own name up at a resolver."""

    # Elsewhere than on Windows, where it would let two programs share the port.
    allow_reuse_address = os.name != "nt"
    daemon_threads = True
    block_on_close = False
    path = ""
    state = ""
    rejected_requests = 0

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.queries: queue.SimpleQueue[str] = queue.SimpleQueue()
        #: Taken by the one redirect that counts.
        self.taken = threading.Lock()
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that left."""


class _IPv6Server(_Server):
    address_family = socket.AF_INET6


class _Page(BaseHTTPRequestHandler):
    timeout = _IDLE_TIMEOUT
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        """Accept our redirect, and reject everything else."""
        server, parts = self.server, urlsplit(self.path)
        fields = _unrepeated_fields(parts.query)
        if parts.path != server.path:
            self._say(404, "There is nothing here.")
        elif not secrets.compare_digest(fields.get("state", "").encode(), server.state.encode()):
            server.rejected_requests += 1
            self._say(400, "This is not the response to the login that is under way.")
        elif not server.taken.acquire(blocking=False):
            self._say(409, "This login has already been completed.")
        else:
            try:
                self._say(200, "You can close this window. The program goes on with the login.")
            finally:
                server.queries.put(parts.query)

    def _say(self, status: int, text: str) -> None:
        body = f"<!doctype html><title>Login</title><p>{text}</p>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        # The address holds the code: no cache keeps it, and no link passes it on.
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its parent's signature
        """Say nothing: the line would hold the code."""


def _unrepeated_fields(query: str) -> dict[str, str]:
    """Return the fields of a redirect; none where one came twice (RFC 6749, section 3.1)."""
    try:
        pairs = parse_qsl(query, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}
