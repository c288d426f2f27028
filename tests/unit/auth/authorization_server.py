"""An authorization server on loopback that checks as a real one does, and a user with a browser."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from sessionkit import SessionStack
from sessionkit.auth import AuthHandler, Grant
from sessionkit.auth.oauth import Endpoints
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.unit.auth.asking import Later

_URN = "urn:ietf:params:oauth:"
_PROOF = f"{_URN}client-assertion-type:jwt-bearer"


class Refused(Exception):
    """What is wrong with a request, as the standards name it."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


class AuthorizationServer:
    """Codes with PKCE, device codes, rotation, assertions, exchanged tokens, revocation.

    Args:
        public_key: Of the client that signs; None where clients are public.
    """

    def __init__(self, public_key: rsa.RSAPublicKey | None = None) -> None:
        self.origin = ""
        self.public_key = public_key
        self.lock = threading.Lock()
        self.codes: dict[str, dict[str, str]] = {}
        self.refreshing: set[str] = set()
        self.used: set[str] = set()
        self.live: set[str] = set()
        self.seen_jti: set[str] = set()
        self.number = 0
        self.rotations = 0
        self.reused = 0
        #: What the authorization page redirects with, in place of what it should.
        self.redirect: dict[str, str] = {}
        #: What the next device polls are answered, the last being a token.
        self.polls: list[ServerResponse] = []
        self.device: dict[str, Any] = {}
        self.described: dict[str, Any] = {}
        #: Whether refusals quote all that was sent.
        self.quotes = False

    def endpoints(self, **changes: Any) -> Endpoints:
        """Return where it is asked for what."""
        return Endpoints(
            f"{self.origin}/token",
            authorization_url=f"{self.origin}/authorize",
            device_authorization_url=f"{self.origin}/device",
            revocation_url=f"{self.origin}/revoke",
        )._replace(**changes)

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Answer any request; the API is all that is no endpoint."""
        ways = {
            "/authorize": self._authorize,
            "/token": self._token,
            "/device": self._device,
            "/revoke": self._revoke,
        }
        if seen.path.startswith("/.well-known/"):
            return self._describe(seen)
        if seen.path not in ways:
            known = seen.bearer in self.live
            return ServerResponse(200, {"path": seen.path}) if known else ServerResponse(401)
        try:
            with self.lock:
                return ways[seen.path](seen)
        except Refused as refused:
            said = f"refused: {seen.query} {seen.form}" if self.quotes else "refused"
            body = {"error": refused.error, "error_description": said}
            return ServerResponse(refused.status, body)

    # -- Endpoints

    def _authorize(self, seen: ServerRequest) -> ServerResponse:
        asked = {name: values[0] for name, values in seen.query.items()}
        _must(asked.get("response_type") == "code", "unsupported_response_type")
        _must(asked.get("client_id") == "app", "unauthorized_client")
        _must(asked.get("code_challenge_method") == "S256", "invalid_request")
        _must(len(asked.get("code_challenge", "")) == 43, "invalid_request")
        back = asked["redirect_uri"]
        _must(urlsplit(back).hostname in {"127.0.0.1", "localhost", "::1"}, "invalid_request")
        code = f"code-{secrets.token_hex(16)}"
        self.codes[code] = asked
        fields = {"code": code, "state": asked["state"], **self.redirect}
        return ServerResponse(302, b"", {"Location": f"{back}?{urlencode(fields)}"})

    def _token(self, seen: ServerRequest) -> ServerResponse:
        form = seen.form
        kind = form.get("grant_type", "")
        if kind.endswith(":device_code"):
            self._client(seen)
            _must(form.get("device_code") == "device-code-4711", "invalid_grant")
            return self.polls.pop(0) if self.polls else ServerResponse(200, self._issued())
        if kind == "authorization_code":
            self._client(seen)
            self._check_code(form)
        elif kind == "refresh_token":
            self._client(seen)
            self._check_refresh(form)
        elif kind == "client_credentials":
            self._client(seen)
        elif kind == f"{_URN}grant-type:jwt-bearer":
            claims = self._verified(form["assertion"])
            _must(claims["sub"] == "robot", "invalid_grant")
        elif kind == f"{_URN}grant-type:token-exchange":
            _must(form.get("subject_token") in self.live, "invalid_grant")
            _must(form["subject_token_type"].startswith(_URN), "invalid_request")
        else:
            raise Refused("unsupported_grant_type")
        return ServerResponse(200, self._issued())

    def _device(self, seen: ServerRequest) -> ServerResponse:
        self._client(seen)
        body = {
            "device_code": "device-code-4711",
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.origin}/activate",
            "expires_in": 60,
        }
        return ServerResponse(200, {**body, **self.device})

    def _revoke(self, seen: ServerRequest) -> ServerResponse:
        self._client(seen)
        token = seen.form["token"]
        self.live.discard(token)
        if token in self.refreshing:
            self.refreshing.clear()
            self.live.clear()
        return ServerResponse(200, b"")

    def _describe(self, seen: ServerRequest) -> ServerResponse:
        described = {
            "issuer": self.origin,
            "token_endpoint": f"{self.origin}/token",
            "authorization_endpoint": f"{self.origin}/authorize",
            "device_authorization_endpoint": f"{self.origin}/device",
            "revocation_endpoint": f"{self.origin}/revoke",
        }
        return ServerResponse(200, {**described, **self.described})

    # -- Checks

    def _client(self, seen: ServerRequest) -> None:
        form = seen.form
        _must(form.get("client_id") == "app", "invalid_client", 401)
        if self.public_key is None:
            return
        _must(form.get("client_assertion_type") == _PROOF, "invalid_client", 401)
        claims = self._verified(form["client_assertion"])
        _must(claims["iss"] == claims["sub"] == "app", "invalid_client", 401)

    def _verified(self, text: str) -> dict[str, Any]:
        if self.public_key is None:
            raise Refused("invalid_grant")
        try:
            claims: dict[str, Any] = jwt.decode(
                text,
                self.public_key,
                algorithms=["RS256"],
                audience=f"{self.origin}/token",
                options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
            )
        except jwt.InvalidTokenError as error:
            raise Refused("invalid_client", 401) from error
        _must(claims["exp"] - claims["iat"] <= 300, "invalid_client", 401)
        _must(claims["jti"] not in self.seen_jti, "invalid_client", 401)
        self.seen_jti.add(claims["jti"])
        return claims

    def _check_code(self, form: dict[str, str]) -> None:
        asked = self.codes.pop(form["code"], None)
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            raise Refused("invalid_grant")
        verifier = form["code_verifier"]
        _must(43 <= len(verifier) <= 128, "invalid_grant")
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        _must(challenge == asked["code_challenge"], "invalid_grant")

    def _check_refresh(self, form: dict[str, str]) -> None:
        token = form["refresh_token"]
        if token in self.used:
            self.reused += 1
            self.refreshing.clear()
            self.live.clear()
        _must(token in self.refreshing, "invalid_grant")
        self.refreshing.discard(token)
        self.used.add(token)
        self.rotations += 1

    def _issued(self) -> dict[str, Any]:
        self.number += 1
        access, refresh = f"access-{self.number}", f"refresh-{self.number}"
        self.live = {access}
        self.refreshing.add(refresh)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": 3600,
            "token_type": "Bearer",
        }

    def expire(self) -> None:
        """End every access token."""
        with self.lock:
            self.live.clear()

    def end(self) -> None:
        """End every token."""
        with self.lock:
            self.live.clear()
            self.refreshing.clear()


class Running:
    """An authorization server and its API, started; and what a user's browser did there.

    Args:
        server: By default one for public clients.
        answer: In place of the server's own.
        clocked: The ``clock`` of its stacks, where it is not the machine's.
    """

    def __init__(
        self,
        server: AuthorizationServer | None = None,
        *,
        answer: Callable[[ServerRequest], ServerResponse | bytes] | None = None,
        **clocked: Any,
    ) -> None:
        self.server = server if server is not None else AuthorizationServer()
        self.loopback = LoopbackServer(answer if answer is not None else self.server.answer)
        self.server.origin = self.loopback.origin
        self.clocked = clocked
        self.shown: list[str] = []
        self.visits: list[Later] = []

    def __enter__(self) -> Self:
        self.loopback.__enter__()
        return self

    def __exit__(self, *about: object) -> None:
        self.loopback.__exit__(None, None, None)

    def browse(self, url: str) -> None:
        """Be the user's browser: go there in another thread, and follow where it leads."""
        self.shown.append(url)
        self.visits.append(Later(lambda: requests.get(url, timeout=10)))

    def stack(self, grant: Grant, **settings: Any) -> tuple[SessionStack, AuthHandler]:
        """Return a stack that logs in by *grant*, and its handler."""
        auth = AuthHandler(grant, **settings)
        stack = SessionStack(handlers=[auth], base_url=self.server.origin, **self.clocked)
        return stack, auth


def going(*visits: Callable[[str], object]) -> Callable[[str], None]:
    """Return a browser in which *visits* are made one after another."""

    def browse(url: str) -> None:
        Later(lambda: [visit(url) for visit in visits])

    return browse


def _must(holds: bool, error: str, status: int = 400) -> None:
    if not holds:
        raise Refused(error, status)
