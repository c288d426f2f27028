"""A loopback identity server with strict rotation, and the API that it guards.

Run as ``python -m benchmarks.identity_server``: prints its port, tells its figures on request
(``begin``, ``end``, ``figures``), and ends when its input does. A refresh token works once; one
that comes a second time ends every token of its login (RFC 9700, section 4.14.2). A token request
takes 50 ms, an answer of the API 1 ms.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from benchmarks.side_by_side import answer_questions

TOKEN_SECONDS, CALL_SECONDS = 0.05, 0.001
LIFE = 3600


class Login:
    """What one login led to; its tokens live and die together."""

    def __init__(self) -> None:
        self.alive = True
        self.access: set[str] = set()
        self.refresh = ""


class Identity:
    """Logins, and what is asked with their tokens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._logins: dict[str, Login] = {}
        self._counts: Counter[str] = Counter()

    def begin(self) -> dict[str, str]:
        """Forget everything; begin a login, and return its first pair of tokens."""
        with self._lock:
            self._logins.clear()
            self._counts.clear()
            return self._pair(Login())

    def end(self) -> bool:
        """End every access token that there is."""
        with self._lock:
            for login in self._logins.values():
                login.access.clear()
        return True

    def figures(self) -> dict[str, int]:
        """Return what came to the token endpoint: renewals granted, logins, used tokens."""
        with self._lock:
            return {name: self._counts[name] for name in ("renewals", "logins", "reused")}

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, object]]:
        """Answer a token request."""
        time.sleep(TOKEN_SECONDS)
        refresh = form.get("refresh_token", [""])[0]
        with self._lock:
            if form["grant_type"] == ["password"]:
                self._counts["logins"] += 1
                return 200, self._answer(Login())
            login = self._logins.get(refresh)
            if login is None or not login.alive or login.refresh != refresh:
                self._counts["reused"] += 1
                if login is not None:
                    login.alive = False
                return 400, {"error": "invalid_grant"}
            self._counts["renewals"] += 1
            return 200, self._answer(login)

    def call(self, authorization: str) -> tuple[int, dict[str, object]]:
        """Answer a call of the API."""
        time.sleep(CALL_SECONDS)
        value = authorization.removeprefix("Bearer ")
        with self._lock:
            known = self._logins.values()
            good = any(login.alive and value in login.access for login in known)
        return (200, {"ok": True}) if good else (401, {"detail": "token ended"})

    def _answer(self, login: Login) -> dict[str, object]:
        return {**self._pair(login), "token_type": "Bearer", "expires_in": LIFE}

    def _pair(self, login: Login) -> dict[str, str]:
        number = next(self._numbers)
        login.refresh = f"refresh-{number}"
        login.access.add(f"access-{number}")
        self._logins[login.refresh] = login
        return {"access_token": f"access-{number}", "refresh_token": login.refresh}


class Handler(BaseHTTPRequestHandler):
    """Answers both."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    identity: Identity

    def do_GET(self) -> None:
        """Answer a call."""
        self._say(*self.identity.call(self.headers.get("Authorization", "")))

    def do_POST(self) -> None:
        """Answer a token request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._say(*self.identity.token(parse_qs(body.decode())))

    def _say(self, status: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        if status == 401:
            self.send_header("WWW-Authenticate", 'Bearer error="invalid_token"')
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its parent's signature
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as a storm makes."""

    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    """Serve, and answer questions."""
    identity = Handler.identity = Identity()
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    questions = {"begin": identity.begin, "end": identity.end, "figures": identity.figures}
    answer_questions(questions, server.server_address[1])


if __name__ == "__main__":
    main()
