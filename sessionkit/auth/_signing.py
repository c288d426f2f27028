"""Request signing: sign each request just before it is sent, with a key that never leaves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from sessionkit.auth._schemes import NO_ORIGINS, AllowedOrigins, is_allowed
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import CallNext, Exchange


class SigningHandler:
    """Signs each request just before it is sent, when URL, headers and body are final.

    Each attempt is signed anew, with the time of its own; so is each redirect within the origin.
    Where a request goes elsewhere it goes unsigned, and what the signature wrote is taken off.
    Place it inside ``auth`` and ``retry``. Thread-safe if *sign* is.

    Args:
        sign: Called with the ``PreparedRequest`` and the time in seconds since the epoch; sets
            headers on it, such as an HMAC (RFC 2104) or a signature by RFC 9421. A body that is
            read while it is sent (a file, a generator) cannot be signed: its ``body`` is that
            object.
        origins: The only origins whose requests are signed; by default that of the stack's
            ``base_url``.

    Raises:
        ConfigError: *sign* is no function, or an origin is no absolute URL.
    """

    __slots__ = ("_origins", "_sign")

    name = "signing"

    def __init__(
        self,
        sign: Callable[[PreparedRequest, float], object],
        *,
        origins: Iterable[str] | None = None,
    ) -> None:
        if not callable(sign):
            message = "sign must be a function of the prepared request and the time"
            raise ConfigError(message)
        self._sign = sign
        self._origins = AllowedOrigins(origins)

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send *exchange* signed, unless it is foreign."""
        allowed = self._origins.for_exchange(exchange)
        if allowed is NO_ORIGINS:
            return call_next(exchange)
        return call_next(
            exchange.on_prepared(partial(self._sign_request, exchange.clock.time, allowed))
        )

    def _sign_request(
        self, now: Callable[[], float], allowed: frozenset[str], request: PreparedRequest
    ) -> None:
        # A relative URL may lead anywhere; only here is it known where.
        if is_allowed(request.url, allowed):
            self._sign(request, now())

    def __reduce__(self) -> NoReturn:
        message = "a signing handler is not pickled: the key it signs with would go along"
        raise ConfigError(message, hint="build it in the process that uses it")

    def __repr__(self) -> str:
        name = getattr(self._sign, "__qualname__", type(self._sign).__name__)
        return f"SigningHandler({name}{self._origins!r})"
