"""What a tour comes to: call statistics, promises that were kept, and where time went."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from sessionkit.demo._catalogue import PRODUCTS
from sessionkit.errors import SessionKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    from sessionkit.chain._record import CallRecord
    from sessionkit.paging import Page

    T = TypeVar("T")

WALKS = 4
ERRORS = 2
_MAX_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one tour.

    Args:
        calls: Calls made that ought to succeed; a page is a call, a replay is none of its own.
        calls_ok: Those that did.
        expiries: Distinct tokens that the API refused, counted by the server.
        renewals: Refresh grants given, counted by the server.
        reuse_detected: Refresh tokens that came a second time, counted by the server.
        replayed_posts: Orders taken that had been refused with 401 before, counted by the server.
        replayed_posts_intact: Those whose body had the digest that the client told.
        pages: Pages walked.
        objects: Distinct typed objects read from them.
        errors_mapped: Failures that came as the error class they ought to be.
        seconds: The whole tour, in seconds.
    """

    calls: int
    calls_ok: int
    expiries: int
    renewals: int
    reuse_detected: int
    replayed_posts: int
    replayed_posts_intact: int
    pages: int
    objects: int
    errors_mapped: int
    seconds: float

    def promises(self) -> dict[str, bool]:
        """Return each promise in words, and whether it was kept."""
        posts, intact = self.replayed_posts, self.replayed_posts_intact
        return {
            f"every call succeeded ({self.calls_ok} of {self.calls})": (
                self.calls_ok == self.calls > 0
            ),
            f"one renewal per ended token ({self.renewals} for {self.expiries})": (
                self.renewals == self.expiries > 0
            ),
            f"no refresh token used twice ({self.reuse_detected})": self.reuse_detected == 0,
            f"replayed bodies arrived whole ({intact} of {posts})": intact == posts > 0,
            f"every object was read ({self.objects} of {WALKS * PRODUCTS})": (
                self.objects == WALKS * PRODUCTS
            ),
            f"failures came as errors ({self.errors_mapped} of {ERRORS})": (
                self.errors_mapped == ERRORS
            ),
        }


@dataclass(frozen=True, slots=True)
class Span:
    """One request of a call, on the call's own time line.

    Args:
        name: What it was, such as ``try 1``.
        status: HTTP status, or None where no response came.
        started: Seconds after the call began.
        seconds: How long it took.
    """

    name: str
    status: int | None
    started: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a tour found out.

    Args:
        figures: The figures.
        shares: Seconds over all calls by place, outermost handler first.
        spans: The requests of one upload that met an ended token.
        failures: What went wrong, one line each; the first few.
    """

    figures: Figures
    shares: dict[str, float] = field(default_factory=dict)
    spans: tuple[Span, ...] = ()
    failures: tuple[str, ...] = ()


class CallStatistics:
    """Count the calls of a tour. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failures: list[str] = []
        self._shares: dict[str, float] = {}
        self.calls = 0
        self.calls_ok = 0

    def call(self, send: Callable[[], Response], *, proof: str = "") -> Response | None:
        """Make one call; its failure is a figure, not an exception.

        Args:
            send: Makes the call.
            proof: Text that the response must hold to count as a success.

        Returns:
            The response, or None where the call failed.
        """
        try:
            response = send()
        except Exception as error:  # noqa: BLE001  # whatever fails a call is what this counts
            self.failed(error)
            return None
        if proof not in response.text:
            self.failed(SessionKitError("the response is not the one that was due"))
            return None
        self._succeeded(response)
        return response

    def walk(self, pages: Iterator[Page[T]]) -> Iterator[Page[T]]:
        """Pass *pages* on, each counted as a call; a failure ends the walk."""
        try:
            for page in pages:
                self._succeeded(page.response)
                yield page
        except Exception as error:  # noqa: BLE001  # as above
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Count a call that failed."""
        # Only our own errors promise to hold no secret.
        text = f": {error}" if isinstance(error, SessionKitError) else ""
        with self._lock:
            self.calls += 1
            if len(self._failures) < _MAX_FAILURES:
                self._failures.append(f"{type(error).__name__}{text}")

    def failures(self) -> tuple[str, ...]:
        """Return the first few failures, one line each."""
        with self._lock:
            return tuple(self._failures)

    def shares(self) -> dict[str, float]:
        """Return the seconds of all successful calls by handler, outermost first."""
        with self._lock:
            return dict(self._shares)

    def _succeeded(self, response: Response) -> None:
        record = record_of(response)
        own = dict(record.handlers)
        # Renewal happens inside auth, and the server's work inside the wire: show them apart.
        own["auth"] -= record.renewal_duration
        on_wire = own.pop("wire")
        server = min(getattr(record.server_timing, "api_time", None) or 0.0, on_wire)
        own |= {"renewal": record.renewal_duration, "wire": on_wire - server, "server": server}
        with self._lock:
            self.calls += 1
            self.calls_ok += 1
            for name, seconds in own.items():
                self._shares[name] = self._shares.get(name, 0.0) + seconds


def record_of(response: Response) -> CallRecord:
    """Return what a stack with handlers noted of a call."""
    record: CallRecord = response.record  # type: ignore[attr-defined]  # requests knows no such name
    return record


def spans_of(record: CallRecord) -> tuple[Span, ...]:
    """Return the requests of one call in the order of their start, token requests included."""
    tries = [
        Span(f"try {attempt.number}", attempt.status, attempt.started, attempt.duration)
        for attempt in record.attempts
    ]
    renewals = [
        Span("renewal", attempt.status, attempt.started, attempt.duration)
        for attempt in record.renewals
    ]
    return tuple(sorted([*tries, *renewals], key=lambda span: span.started))
