"""The whole tour, in a time that passes only when somebody waits."""

from __future__ import annotations

from sessionkit.demo import DemoServer
from sessionkit.demo._tour import Tour
from sessionkit.testing import FakeClock


class Notes:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.said: list[str] = []
        self.units: set[str] = set()

    def phase(self, title: str) -> None:
        """Keep the title."""
        self.phases.append(title)

    def progress(self, done: float, total: float, unit: str) -> None:
        """Keep the unit."""
        assert 0 <= done <= total
        self.units.add(unit)

    def say(self, text: str) -> None:
        """Keep the text."""
        self.said.append(text)


def test_a_tour_keeps_every_promise() -> None:
    """Tokens end all the time, and no call, body, page or object is lost."""
    clock, notes = FakeClock(), Notes()
    with DemoServer(clock=clock) as server:
        report = Tour(server, notes, workers=4, seconds=2.0, clock=clock).run()

    assert all(report.figures.promises().values()), (report.figures, report.failures)
    assert report.figures.pages == 48
    assert report.figures.seconds > 4
    assert {span.name: span.status for span in report.spans} == {
        "try 1": 401,
        "renewal": 200,
        "try 2": 201,
    }
    assert list(report.shares) == [
        *("errors", "timing", "timeout", "retry", "auth"),
        *("renewal", "wire", "server"),
    ]
    assert notes.units == {
        *("s", "bytes", "a file", "a file read from its middle"),
        *("objects", "errors"),
    }


def test_a_tour_tells_what_it_finds() -> None:
    """Each part has a title and something to show."""
    clock, notes = FakeClock(), Notes()
    with DemoServer(clock=clock) as server:
        Tour(server, notes, workers=2, seconds=0.5, clock=clock).run()

    assert len(notes.phases) == 5
    assert "2 threads come back at once; renewals: 1" in notes.said
    assert any("3 of 3 arrived whole" in text for text in notes.said)
    assert any("green rake, 25.61 EUR" in text for text in notes.said)
    assert any("requests.HTTPError" in text for text in notes.said)
    assert any("come back in 120 s" in text for text in notes.said)


def test_a_tour_of_a_broken_server_comes_to_its_end() -> None:
    """A promise that is not kept is a figure that says so, not a hang or a traceback."""
    clock, notes = FakeClock(), Notes()
    with DemoServer(token_uses=0, clock=clock) as server:
        report = Tour(server, notes, workers=2, seconds=0.5, clock=clock).run()

    assert not any(
        kept for text, kept in report.figures.promises().items() if "refresh token" not in text
    )
    assert report.figures.calls > report.figures.calls_ok == 0
    assert (report.spans, report.shares) == ((), {})
    assert any("AuthenticationFailed" in text for text in report.failures)
