"""What a tour comes to: figures, the promises they are held against, and where time went."""

from __future__ import annotations

from dataclasses import dataclass, field

from sessionkit.demo._catalogue import PRODUCTS

WALKS = 4
ERRORS = 2


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
        status: HTTP status, or None where no answer came.
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
