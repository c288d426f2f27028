"""A loopback identity server with strict rotation, and the API that it guards.

Run as ``python -m benchmarks.identity_server``: prints its port, tells its figures on request
(``begin``, ``end``, ``figures``), and ends when its input does. A refresh token works once; one
that comes a second time ends every token of its login (RFC 9700, section 4.14.2). A token request
takes 50 ms, a call of the API 1 ms.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from benchmarks.side_by_side import answer_questions
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
    refusal,
)

TOKEN_SECONDS, CALL_SECONDS = 0.05, 0.001
LIFE = 3600


class SlowIdentity:
    """An identity provider and its API, each of which takes its time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> dict[str, Any]:
        """Forget everything; begin a login, and return its first pair of tokens."""
        self._identity = IdentityProvider(expires_in=LIFE, keep_earlier=True)
        self._logins = 0
        return self._identity.login()

    def end(self) -> bool:
        """End every access token that there is."""
        self._identity.expire()
        return True

    def figures(self) -> dict[str, int]:
        """Return what came to the token endpoint: renewals granted, logins, used tokens."""
        identity = self._identity
        return {
            "renewals": identity.renewals,
            "logins": self._logins,
            "reused": identity.reuse_detected,
        }

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Respond to a token request, which is a POST, or to a call."""
        if request.method == "POST":
            time.sleep(TOKEN_SECONDS)
            if request.form.get("grant_type") == "password":
                with self._lock:
                    self._logins += 1
            return self._identity.token(request)
        time.sleep(CALL_SECONDS)
        return (
            ServerResponse(200, {"ok": True})
            if self._identity.admits(request)
            else refusal(request)
        )


def main() -> None:
    """Serve, and answer questions."""
    identity = SlowIdentity()
    questions = {"begin": identity.begin, "end": identity.end, "figures": identity.figures}
    with LoopbackServer(identity.respond, keep_requests=False) as server:
        answer_questions(questions, server.port)


if __name__ == "__main__":
    main()
