"""The policy of renewals: how early a token is renewed, and which responses say it has expired."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from sessionkit import _checks as checks
from sessionkit._tokens import MAX_LIFETIME
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit._tokens import Token

#: Seconds without a renewal: after an early one that failed, for a token that was rejected right
#: after its renewal, and for a target that rejected good tokens.
COOL_DOWN = 10.0
#: Renewal begins this many seconds before the token expires, never before 3/4 of its lifetime.
DEFAULT_LEEWAY = 120.0
_EARLY_PART = 0.25
_MODES = ("both", "proactive", "reactive")
_UNAUTHORIZED = 401


class RenewalPolicy:
    """When a token is renewed (refreshed). Immutable, hence thread-safe.

    Args:
        leeway: Seconds before its end from which a token is renewed ahead, by one call while the
            others go on with the old one; never before three quarters of its life. 0 renews at
            the end.
        mode: ``both`` renews ahead and where a response rejects the token. ``reactive`` looks at no
            clock: for vendors that punish early renewal. ``proactive`` takes each rejection as
            final.
        is_expired: Returns whether a response says that the token has expired; by default every 401
            does. It decides alone, so that of two credentials each knows its own rejections. On a
            response of 2xx only idempotent methods are sent again. What it raises about a body that
            is not as it expects counts as "no".
        login_path: Path of the page that asks users to log in, such as ``/login/``. A response that
            leads there says that the session has ended, and that nothing was done.
        expiry_header: Name of a header in which each response says for how many seconds the token
            is valid from then on (a sliding session), such as ``Session-Timeout``.

    Raises:
        ConfigError: An unknown mode, or a negative time.
    """

    __slots__ = ("_expiry_header", "_is_expired", "_leeway", "_login_path", "_mode")

    def __init__(
        self,
        *,
        leeway: float = DEFAULT_LEEWAY,
        mode: str = "both",
        is_expired: Callable[[Response], bool] | None = None,
        login_path: str | None = None,
        expiry_header: str | None = None,
    ) -> None:
        if mode not in _MODES:
            raise ConfigError(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")
        if is_expired is not None and not callable(is_expired):
            raise ConfigError("is_expired must be a function of the response", hint="or None")
        self._leeway = float(checks.seconds("leeway", leeway))
        self._mode = mode
        self._is_expired = is_expired
        self._login_path = login_path
        self._expiry_header = expiry_header

    def __repr__(self) -> str:
        name = getattr(self._is_expired, "__qualname__", type(self._is_expired).__name__)
        own = f", is_expired={name}" if self._is_expired is not None else ""
        own += f", login_path={self._login_path!r}" if self._login_path else ""
        own += f", expiry_header={self._expiry_header!r}" if self._expiry_header else ""
        return f"RenewalPolicy(leeway={self._leeway:g}, mode={self._mode!r}{own})"

    def renewal_time(self, token: Token, now: float) -> float:
        """Return the moment from which *token* is renewed ahead, in seconds since the epoch."""
        if token.expires_at is None or self._mode == "reactive":
            return math.inf
        life = token.expires_in if token.expires_in is not None else token.expires_at - now
        # Capped by the life, or a token of 30 s would be renewed for every call.
        return token.expires_at - min(self._leeway, life * _EARLY_PART)

    def is_usable(self, token: Token, now: float) -> bool:
        """Return whether *token* is worth sending."""
        return self._mode == "reactive" or token.is_valid(now)

    def is_rejection(self, response: Response) -> bool:
        """Return whether *response* says that the token has expired."""
        if self._mode == "proactive":
            return False
        if self._is_expired is None:
            return response.status_code == _UNAUTHORIZED or self.is_login_redirect(response)
        return self._says_expired(response) or self.is_login_redirect(response)

    def is_login_redirect(self, response: Response) -> bool:
        """Return whether *response* leads, or led, to the page that asks users to log in."""
        if self._login_path is None:
            return False
        return any(_leads_to(r) == self._login_path for r in (*response.history, response))

    def new_lifetime(self, response: Response) -> float | None:
        """Return for how many seconds *response* says the token is valid from now on, or None."""
        if self._expiry_header is None:
            return None
        try:
            seconds = float(response.headers.get(self._expiry_header, ""))
        except ValueError:
            return None
        return min(seconds, MAX_LIFETIME) if 0 < seconds < math.inf else None

    def _says_expired(self, response: Response) -> bool:
        try:
            return self._is_expired is not None and bool(self._is_expired(response))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # An HTML page where JSON was expected, a list where an object was, or too deep a one.
            return False


def _leads_to(response: Response) -> str | None:
    """Return the path that *response* redirects to, or None."""
    location = response.headers.get("Location")
    try:
        return urlsplit(urljoin(response.url or "", location)).path if location else None
    except ValueError:
        return None  # no URL at all, which is for requests to say


DEFAULT_POLICY = RenewalPolicy()
