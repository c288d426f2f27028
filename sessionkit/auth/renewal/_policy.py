"""When a token is renewed: how early, at which answers, and what it is not renewed for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from sessionkit import _checks as checks
from sessionkit._tokens import LONGEST_LIFE
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import Response

    from sessionkit._tokens import Token

#: After an early renewal that failed, for a token that was refused right after its renewal, and for
#: a place that refused good tokens: no renewal for so many seconds.
COOL_DOWN = 10.0
#: Renewal begins this many seconds before the end, but never before three quarters of the life.
EARLY_SECONDS = 120.0
_EARLY_PART = 0.25
_MODES = ("both", "proactive", "reactive")
_UNAUTHORIZED = 401


class RenewalPolicy:
    """When a token is renewed. Immutable, hence thread-safe.

    Args:
        early: Seconds before its end from which a token is renewed ahead, by one call while the
            others go on with the old one; never before three quarters of its life. 0 renews at
            the end.
        mode: ``both`` renews ahead and where an answer refuses the token. ``reactive`` looks at no
            clock: for vendors that punish early renewal. ``proactive`` takes each refusal as final.
        expired: Tells whether an answer says that the token has ended; by default every 401 does.
            It decides alone, so that of two credentials each knows its own refusals. On an answer
            of 2xx only idempotent methods are sent again. What it raises about a body that is
            not as it expects counts as "no".
        login_page: Path of the page that asks users to log in, such as ``/login/``. An answer that
            leads there says that the session has ended, and that nothing was done.
        sliding: Name of a header in which each answer says for how many seconds the token lives on,
            such as ``Session-Timeout``.

    Raises:
        ConfigError: An unknown mode, or a negative time.
    """

    __slots__ = ("_early", "_expired", "_login_page", "_mode", "_sliding")

    def __init__(
        self,
        *,
        early: float = EARLY_SECONDS,
        mode: str = "both",
        expired: Callable[[Response], bool] | None = None,
        login_page: str | None = None,
        sliding: str | None = None,
    ) -> None:
        if mode not in _MODES:
            raise ConfigError(f"mode must be one of {', '.join(_MODES)}, not {mode!r}")
        if expired is not None and not callable(expired):
            raise ConfigError("expired must be a function of the answer", hint="or None")
        self._early = float(checks.seconds("early", early))
        self._mode = mode
        self._expired = expired
        self._login_page = login_page
        self._sliding = sliding

    def __repr__(self) -> str:
        name = getattr(self._expired, "__qualname__", type(self._expired).__name__)
        told = f", expired={name}" if self._expired is not None else ""
        told += f", login_page={self._login_page!r}" if self._login_page else ""
        told += f", sliding={self._sliding!r}" if self._sliding else ""
        return f"RenewalPolicy(early={self._early:g}, mode={self._mode!r}{told})"

    def renew_at(self, token: Token, now: float) -> float:
        """Return the moment from which *token* is renewed ahead, in seconds since the epoch."""
        if token.expires_at is None or self._mode == "reactive":
            return math.inf
        life = token.expires_in if token.expires_in is not None else token.expires_at - now
        # Capped by the life, or a token of 30 s would be renewed for every call.
        return token.expires_at - min(self._early, life * _EARLY_PART)

    def usable(self, token: Token, now: float) -> bool:
        """Tell whether *token* is worth sending."""
        return self._mode == "reactive" or token.is_valid(now)

    def refuses(self, response: Response) -> bool:
        """Tell whether an answer says that the token has ended."""
        if self._mode == "proactive":
            return False
        if self._expired is None:
            return response.status_code == _UNAUTHORIZED or self.turned_away(response)
        return self._says_expired(response) or self.turned_away(response)

    def turned_away(self, response: Response) -> bool:
        """Tell whether an answer leads, or led, to the page that asks users to log in."""
        if self._login_page is None:
            return False
        return any(_leads_to(r) == self._login_page for r in (*response.history, response))

    def extended(self, response: Response) -> float | None:
        """Return for how many seconds an answer lets the token live on, or None."""
        if self._sliding is None:
            return None
        try:
            seconds = float(response.headers.get(self._sliding, ""))
        except ValueError:
            return None
        return min(seconds, LONGEST_LIFE) if 0 < seconds < math.inf else None

    def _says_expired(self, response: Response) -> bool:
        try:
            return self._expired is not None and bool(self._expired(response))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            # An HTML page where JSON was expected, a list where an object was, or too deep a one.
            return False


def _leads_to(response: Response) -> str | None:
    """Return the path that an answer leads to, or None."""
    place = response.headers.get("Location")
    try:
        return urlsplit(urljoin(response.url or "", place)).path if place else None
    except ValueError:
        return None  # no URL at all, which is for requests to say


USUAL = RenewalPolicy()
