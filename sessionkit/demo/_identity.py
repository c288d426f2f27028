"""Who may ask: a token endpoint with strict rotation (RFC 6749), and the gate before the API."""

from __future__ import annotations

import base64
import binascii
import secrets
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.demo._messages import Ask, Refused, Reply, json_reply, problem

if TYPE_CHECKING:
    from sessionkit._clock import Clock

# Known to everybody, so that the demo can be tried by hand; its tokens are random all the same.
CLIENT_ID = "app"
CLIENT_SECRET = "demo-client-secret"  # noqa: S105  # opens nothing but the demo
USERNAME = "demo"
PASSWORD = "demo-password"  # noqa: S105  # as above

_REALM = 'Bearer realm="demo"'


class _Family:
    """The tokens that one login led to; they live and die together."""

    __slots__ = ("alive", "current")

    def __init__(self) -> None:
        self.alive = True
        self.current = ""


class _Access:
    """An access token's own end: a moment and a number of uses, whichever comes first."""

    __slots__ = ("ends", "family", "uses_left")

    def __init__(self, family: _Family, ends: float, uses: int) -> None:
        self.family = family
        self.ends = ends
        self.uses_left = uses


class Identity:
    """Issue tokens, refuse ended ones, and count both. Thread-safe: all state is under one lock.

    Its answers never say how long a token lives, as many servers do: a client learns of the end
    by being refused. A refresh token works once; one that comes a second time ends every token
    of its login (RFC 9700, section 4.14.2). A new access token leaves the older one as it was.

    Args:
        token_seconds: Life of an access token, in seconds.
        token_uses: How many requests an access token is good for.
        clock: Where the time comes from.
    """

    def __init__(
        self, *, token_seconds: float = 2.0, token_uses: int = 40, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._seconds = token_seconds
        self._uses = token_uses
        self._clock = clock
        self._lock = Lock()
        self._access: dict[str, _Access] = {}
        self._refresh: dict[str, _Family] = {}
        self._refused: set[str] = set()
        self._renewals = 0
        self._reuse_detected = 0

    def login(self) -> dict[str, str]:
        """Return a first pair of tokens, as the token endpoint's answer to a login would be."""
        with self._lock:
            return self._pair(_Family())

    def answer(self, ask: Ask) -> Reply:
        """Answer a token request (RFC 6749, sections 4.3.2, 4.4.2 and 6).

        Raises:
            Refused: The request is wrong, or its credentials are (section 5.2).
        """
        form = ask.form()
        client = _client(ask, form)
        grant = form.get("grant_type", "")
        if grant == "refresh_token":
            issued = self._renew(form.get("refresh_token", ""))
        elif grant == "password":
            issued = self._by_password(form)
        elif grant == "client_credentials":
            issued = self._by_client(client)
        else:
            raise _oauth_error("unsupported_grant_type" if grant else "invalid_request")
        return json_reply(200, issued, {"Cache-Control": "no-store"})

    def spend(self, authorization: str) -> int:
        """Use the bearer token in *authorization* once; return how many uses it has left.

        Raises:
            Refused: There is no token, or it has ended: 401 (RFC 6750, section 3).
        """
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() != "bearer" or not value:
            # Section 3.1: who sends no token is told of no error, only of the scheme.
            raise Refused(problem(401, "a bearer token is needed", {"WWW-Authenticate": _REALM}))
        with self._lock:
            access = self._access.get(value)
            if access is None or not self._lives(access):
                self._refused.add(value)
                challenge = f'{_REALM}, error="invalid_token", error_description="it has ended"'
                raise Refused(problem(401, "this token has ended", {"WWW-Authenticate": challenge}))
            access.uses_left -= 1
            return access.uses_left

    def figures(self) -> dict[str, int]:
        """Return the counters: tokens refused (each once), refresh grants given, reuse seen."""
        with self._lock:
            return {
                "expiries": len(self._refused),
                "renewals": self._renewals,
                "reuse_detected": self._reuse_detected,
            }

    def _lives(self, access: _Access) -> bool:
        on_time = self._clock.monotonic() < access.ends
        return access.family.alive and on_time and access.uses_left > 0

    def _renew(self, refresh_token: str) -> dict[str, str]:
        with self._lock:
            family = self._refresh.get(refresh_token)
            if family is not None and family.current != refresh_token:
                family.alive = False
                self._reuse_detected += 1
            if family is None or not family.alive:
                raise _oauth_error("invalid_grant")
            self._renewals += 1
            return self._pair(family)

    def _by_password(self, form: dict[str, str]) -> dict[str, str]:
        given = (form.get("username"), form.get("password"))
        if given != (USERNAME, PASSWORD):
            raise _oauth_error("invalid_grant")
        return self.login()

    def _by_client(self, client: str) -> dict[str, str]:
        if not client:
            raise _invalid_client()
        with self._lock:
            issued = self._pair(_Family())
        # RFC 6749, section 4.4.3: a client that can ask again gets no refresh token.
        del issued["refresh_token"]
        return issued

    def _pair(self, family: _Family) -> dict[str, str]:
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._access[access] = _Access(family, self._clock.monotonic() + self._seconds, self._uses)
        self._refresh[refresh] = family
        family.current = refresh
        return {"access_token": access, "token_type": "Bearer", "refresh_token": refresh}


def _client(ask: Ask, form: dict[str, str]) -> str:
    """Return the client that proved itself (RFC 6749, section 2.3.1), or "" if none tried to."""
    given = _basic(ask.headers.get("authorization", ""))
    if given is None:
        if "client_secret" not in form:
            return ""
        given = (form.get("client_id", ""), form["client_secret"])
    if given != (CLIENT_ID, CLIENT_SECRET):
        raise _invalid_client()
    return CLIENT_ID


def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ("", "")
    # Both halves were form-encoded before (RFC 6749, section 2.3.1).
    return unquote_plus(user), unquote_plus(password)


def _oauth_error(code: str) -> Refused:
    return Refused(json_reply(400, {"error": code}, {"Cache-Control": "no-store"}))


def _invalid_client() -> Refused:
    challenge = {"WWW-Authenticate": 'Basic realm="demo"', "Cache-Control": "no-store"}
    return Refused(json_reply(401, {"error": "invalid_client"}, challenge))
