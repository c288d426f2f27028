"""Servers that want a login of several rounds, each as its standard has it, and one such login."""

from __future__ import annotations

import base64
import hashlib
import threading
from typing import Any

import requests
import spnego
from requests.auth import AuthBase
from requests.utils import parse_dict_header

from sessionkit.testing.server import ServerRequest, ServerResponse

USER, PASSWORD = "user", "pass word"


class Door:
    """A server that wants a login, each kind in its own way, and a gateway's key besides."""

    challenge = ""

    def __init__(self) -> None:
        self.key = "k-1"
        self.renewals = 0

    def renewed(self, *_: Any) -> str:
        """Return the key that is right; the grant of the stack, counted."""
        self.renewals += 1
        return self.key

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Answer; the key is asked for first, so that its 401 can be told apart."""
        if "x-key" in seen.headers and seen.headers["x-key"] != self.key:
            return ServerResponse(401, {"detail": "this key has ended"})
        if (refused := self.refusal(seen)) is not None:
            return refused
        if seen.path == "/moved":
            return ServerResponse(307, b"", {"Location": "/end"})
        return ServerResponse(200, {"path": seen.path, "body": seen.body.decode()}, self.farewell())

    def refusal(self, seen: ServerRequest) -> ServerResponse | None:
        """Return the answer to a request that is not let in, or None."""
        return None if self.admits(seen) else self.refuse(self.challenge)

    def admits(self, seen: ServerRequest) -> bool:
        """Tell whether the request is let in."""
        raise NotImplementedError

    def refuse(self, challenge: str) -> ServerResponse:
        """Ask for a login."""
        return ServerResponse(401, b"who are you? " * 100, {"WWW-Authenticate": challenge})

    def farewell(self) -> dict[str, str]:
        """Return headers of an answer."""
        return {}


class BasicDoor(Door):
    """Basic (RFC 7617)."""

    challenge = 'Basic realm="door"'

    def admits(self, seen: ServerRequest) -> bool:
        """Compare."""
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return seen.headers.get("authorization") == f"Basic {pair}"


class DigestDoor(Door):
    """Digest (RFC 7616, section 3.4)."""

    challenge = 'Digest realm="door", nonce="n-1", qop="auth", algorithm=SHA-256'

    def admits(self, seen: ServerRequest) -> bool:
        """Compute what the client should have."""
        return is_digest(seen, seen.headers.get("authorization", ""))


def is_digest(seen: ServerRequest, header: str) -> bool:
    """Verify a Digest response."""

    def hashed(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    given: dict[str, Any] = parse_dict_header(header.removeprefix("Digest "))
    if not header.startswith("Digest "):
        return False
    who, what = hashed(USER, "door", PASSWORD), hashed(seen.method, given["uri"])
    sequence = (given["nonce"], given["nc"], given["cnonce"], given["qop"])
    return bool(given["response"] == hashed(who, *sequence, what))


class ByConnection(Door):
    """A server that logs connections in, not requests, over several rounds on the same one."""

    scheme = ""

    def __init__(self) -> None:
        super().__init__()
        # A thread of the server is a connection.
        self.here = threading.local()

    def refusal(self, seen: ServerRequest) -> ServerResponse | None:
        """Take the next step of this connection's conversation."""
        if getattr(self.here, "user", None) is not None:
            return None
        scheme, _, token = seen.headers.get("authorization", "").partition(" ")
        if scheme != self.scheme:
            self.here.talk = None
            return self.refuse(self.scheme)
        said = self.step(base64.b64decode(token))
        if getattr(self.here, "user", None) is not None:
            return None
        return self.refuse(f"{self.scheme} {base64.b64encode(said).decode()}".strip())

    def step(self, token: bytes) -> bytes:
        """Answer a token; set ``here.user`` when it was the last."""
        raise NotImplementedError


class NtlmDoor(ByConnection):
    """NTLM by pyspnego, which is what a Windows server would compute."""

    scheme = "NTLM"

    def step(self, token: bytes) -> bytes:
        """Challenge, then believe or not."""
        if self.here.talk is None:
            self.here.talk = spnego.server(protocol="ntlm")
        try:
            said: bytes | None = self.here.talk.step(token)
        except spnego.exceptions.SpnegoError:
            self.here.talk = None
            return b""
        if self.here.talk.complete:
            self.here.user = self.here.talk.client_principal
        return said or b""


class TicketDoor(ByConnection):
    """Three rounds of proof on one connection, and a proof of the server's at the end."""

    scheme = "Negotiate"

    def step(self, token: bytes) -> bytes:
        """Ask for the next round; the third is the last."""
        rounds = getattr(self.here, "rounds", 0)
        if token != b"round %d of %s" % (rounds, PASSWORD.encode()):
            return b""
        self.here.rounds = rounds + 1
        if self.here.rounds == 3:
            self.here.user = USER
        return b"go on %d" % self.here.rounds

    def farewell(self) -> dict[str, str]:
        """Prove that the server is who it should be, as Kerberos' mutual authentication does."""
        return {"WWW-Authenticate": "Negotiate " + base64.b64encode(b"it is me").decode()}


class TicketAuth(AuthBase):
    """What the Kerberos plug-ins do: a response hook that talks on over the same connection."""

    def __init__(self, password: str = PASSWORD) -> None:
        self._password = password
        self.proven = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Hook in, and remember where the body stands."""
        tell = getattr(request.body, "tell", lambda: None)
        position = tell()
        request.register_hook("response", lambda r, **kwargs: self._talk(r, position, kwargs))
        return request

    def _talk(self, response: Any, position: int | None, kwargs: Any) -> Any:
        history = []
        for number in range(3):
            challenge = response.headers.get("www-authenticate", "")
            if response.status_code != 401 or not challenge.startswith("Negotiate"):
                break
            response.content  # noqa: B018  # so that its connection serves the next round
            response.raw.release_conn()
            history.append(response)
            request = response.request.copy()
            if position is not None:
                request.body.seek(position)
            token = base64.b64encode(f"round {number} of {self._password}".encode()).decode()
            request.headers["Authorization"] = f"Negotiate {token}"
            response = response.connection.send(request, **kwargs)
        response.history = [*history, *response.history]
        self.proven += response.headers.get("www-authenticate", "").endswith("aXQgaXMgbWU=")
        return response
