"""Size limits: the largest body of a response, after decoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sessionkit import _checks as checks
from sessionkit.bodies import BodyObserver, watch
from sessionkit.errors import BodyTooLarge

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from sessionkit.chain._exchange import CallNext, Exchange

_FIRST_ERROR_STATUS = 400


class SizeHandler:
    """Refuse responses whose decoded body is larger than a limit.

    requests takes a body into memory however large it is, and a megabyte of gzip may hold a
    gigabyte. With this handler such a call ends in :class:`~sessionkit.errors.BodyTooLarge`: at
    once if the response announces its size, else with the first byte above the limit. A stream ends
    so too, while the caller reads it, also through ``raw``. It is not retried.

    A response of 400 and above is cut at the limit instead, because its status says more; so is the
    body of a redirect that is followed, at 64 KiB.

    A call may carry its own ``max_bytes=``; None lifts the limit. The handler may stand anywhere
    in the chain; innermost, it also limits what others further out read. Immutable, hence shared
    between threads.

    Args:
        max_bytes: The largest body that is accepted, in bytes.

    Raises:
        ConfigError: Not a whole number above 0.
    """

    options = frozenset({"max_bytes"})

    __slots__ = ("_max_bytes",)

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = checks.size("max_bytes", max_bytes)

    def handle(self, exchange: Exchange, call_next: CallNext) -> Response:
        """Send the call, and limit the body of its response.

        Raises:
            BodyTooLarge: The body is larger, and the status is below 400.
            ConfigError: The ``max_bytes`` of the call is no number of bytes.
        """
        given = exchange.options.get("max_bytes", self._max_bytes)
        if given is None:
            return call_next(exchange)
        allowed = checks.size("max_bytes", given, hint="a whole number; None sets no limit")
        limit = _Limit(allowed, exchange)
        # With such a step the wire follows redirects itself, and reads no more of them than it
        # must; requests would take in whatever they hold.
        response = call_next(exchange.streamed().on_prepared(_as_it_is))
        limit.attach(response, exchange)
        if not exchange.stream:
            exchange.read(response)
            limit.check_content(response)  # what held it may be none of urllib3's, but a mock's
        return response

    def __repr__(self) -> str:
        return f"SizeHandler({self._max_bytes})"


class _Limit(BodyObserver):
    """Counts one body, and ends it at the limit."""

    __slots__ = ("_cuts", "_evidence", "_left", "max_bytes")

    def __init__(self, max_bytes: int, exchange: Exchange) -> None:
        self.max_bytes = max_bytes
        self._left = max_bytes
        self._cuts = False
        # No exchange: it would make a circle with the response that this hangs on.
        self._evidence: Any = {"method": exchange.method, "url": exchange.url}

    def attach(self, response: Response, exchange: Exchange) -> None:
        """Count whatever is read of *response* from here on.

        Raises:
            BodyTooLarge: It announces more than it may.
        """
        self._cuts = response.status_code >= _FIRST_ERROR_STATUS
        self._evidence["status"] = response.status_code
        if exchange.is_read(response) or not watch(response.raw, self):
            return
        encoded = "Content-Encoding" in response.headers
        if not (self._cuts or encoded) and (response.raw.length_remaining or 0) > self.max_bytes:
            response.close()
            raise self._exceeded()

    def check_content(self, response: Response) -> None:
        """Cut or refuse a body that is in memory already."""
        if len(response.content) > self.max_bytes:
            if not self._cuts:
                response.close()
                raise self._exceeded()
            response._content = response.content[: self.max_bytes]  # noqa: SLF001  # where requests keeps it

    def room(self) -> int:
        return max(self._left, 0) + (0 if self._cuts else 1)

    def take(self, piece: bytes, *, decoded: bool) -> bytes:  # noqa: ARG002  # either way it takes memory
        self._left -= len(piece)
        if self._left >= 0:
            return piece
        if not self._cuts:
            raise self._exceeded()
        return piece[: self._left]

    def _exceeded(self) -> BodyTooLarge:
        return BodyTooLarge(f"the body is larger than {self.max_bytes} bytes", **self._evidence)


def _as_it_is(_: PreparedRequest) -> None:
    """Leave a request alone."""
