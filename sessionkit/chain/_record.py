"""What happened to one call: its attempts, its renewals, and where its time went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sessionkit._redact import redact_url

if TYPE_CHECKING:
    from sessionkit.errors import Sent

_SENT: tuple[Sent, ...] = ("no", "maybe", "yes")


class Attempt:
    """One request of a call, or one direct request; plain data.

    Attributes:
        number: Counted from 1 within its list.
        started: Seconds after the call began.
        duration: Seconds until the head of the response, or the failure, was there.
        status: HTTP status, or None without a response.
        error: Class name of the exception that ended it, or None.
        sent: Whether the server may have acted on it: ``"no"``, ``"maybe"`` or ``"yes"``. A 401 is
            a refusal, hence "no".
    """

    __slots__ = ("duration", "error", "number", "sent", "started", "status")

    def __init__(self, number: int, started: float) -> None:
        self.number = number
        self.started = started
        self.duration = 0.0
        self.status: int | None = None
        self.error: str | None = None
        self.sent: Sent = "maybe"

    def _note_status(self, status: int) -> None:
        """Note the status of a response, or of the redirect that led to a failure."""
        self.status = status
        self.sent = "no" if status == 401 else "yes"

    def _note_failure(self, error: str, sent: Sent) -> None:
        """Note the class name of what ended it, and whether the server may have acted by then."""
        self.error = error
        if self.status is None:
            self.sent = sent

    def __repr__(self) -> str:
        return f"<Attempt {self.number}: {self.error or self.status} in {self.duration:.3f}s>"


class CallRecord:
    """What happened to one call; found at ``response.record``. Plain data, no live response.

    Attributes:
        method: As sent first.
        url: As sent first, secrets masked.
        started: Reading of the stack's monotonic clock when the call began, in seconds.
        duration: The whole call, in seconds; 0.0 until it ends.
        attempts: Requests that went out, in order.
        renewals: Requests made for tokens, in order.
        renewal_duration: Seconds spent on renewal, waiting for another thread's included.
        server_timing: What the server said of its own time, where a timing handler read it.
        from_cache: Whether the response came from a cache.
        request_id: What a headers handler named this call, or None.
        credential_names: Names of the headers, parameters and cookies in which credentials were
            placed, for code that must keep their values out of what it writes.
    """

    __slots__ = (
        *("_inner_durations", "_names", "_url", "attempts", "credential_names", "duration"),
        *("from_cache", "method", "renewal_duration", "renewals", "request_id", "server_timing"),
        "started",
    )

    def __init__(self, method: str, url: str, names: tuple[str, ...], started: float) -> None:
        self.method = method
        self._url = url
        self.started = started
        self.duration = 0.0
        self.attempts: list[Attempt] = []
        self.renewals: list[Attempt] = []
        self.renewal_duration = 0.0
        self.server_timing: object | None = None
        self.from_cache = False
        self.request_id: str | None = None
        self.credential_names: frozenset[str] = frozenset()
        self._names = names
        self._inner_durations = [0.0] * len(names)

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """Leave the URL's secrets out of pickles and copies."""
        return None, {n: getattr(self, n) for n in self.__slots__ if n != "_url"} | {
            "_url": self.url
        }

    @property
    def url(self) -> str:
        """The URL as it was sent first, secrets masked."""
        return redact_url(self._url)

    @property
    def sent(self) -> Sent:
        """Whether the server may have acted on this call: on any attempt of it."""
        return max((attempt.sent for attempt in self.attempts), key=_SENT.index, default="no")

    @property
    def handlers(self) -> dict[str, float]:
        """Seconds that each handler took itself, outermost first; ``wire`` is the rest."""
        spans = [self.duration, *self._inner_durations]
        names = (*self._names, "wire")
        own = [span - below for span, below in zip(spans, [*spans[1:], 0.0], strict=True)]
        return dict(zip(names, own, strict=True))

    def _count_reading(self, depth: int, seconds: float) -> None:
        """Count what reading a body took, inside the handler at *depth*, as the wire's time."""
        for index in range(depth, len(self._inner_durations)):
            self._inner_durations[index] += seconds

    def __repr__(self) -> str:
        counts = f"attempts: {len(self.attempts)}, renewals: {len(self.renewals)}"
        return f"<CallRecord {self.method} {self.url} in {self.duration:.3f}s, {counts}>"
