"""Counting calls, and adding up where their time went."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from sessionkit.demo._figures import Span
from sessionkit.errors import SessionKitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    from sessionkit.chain._record import CallRecord
    from sessionkit.paging import Page

    T = TypeVar("T")

_MOST_FAILURES = 5


class Tally:
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
            proof: Text that the answer must hold to count as a success.

        Returns:
            The answer, or None where the call failed.
        """
        try:
            response = send()
        except Exception as error:  # noqa: BLE001  # whatever fails a call is what this counts
            self.failed(error)
            return None
        if proof not in response.text:
            self.failed(SessionKitError("the answer is not the one that was due"))
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
            if len(self._failures) < _MOST_FAILURES:
                self._failures.append(f"{type(error).__name__}{text}")

    def failures(self) -> tuple[str, ...]:
        """Return the first few failures, one line each."""
        with self._lock:
            return tuple(self._failures)

    def shares(self) -> dict[str, float]:
        """Return the seconds of all successful calls by place, outermost first."""
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
            for place, seconds in own.items():
                self._shares[place] = self._shares.get(place, 0.0) + seconds


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
