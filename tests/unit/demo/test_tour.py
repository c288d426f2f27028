"""The whole tour, in a time that passes only when somebody waits."""

from __future__ import annotations

import threading

import pytest

from sessionkit.demo import DemoServer
from sessionkit.demo._tour import Tour, WorkerThreads
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


# -- Threads


def test_every_thread_does_the_task_once() -> None:
    """The work is shared by number."""
    seen: list[int] = []

    WorkerThreads(4).run(seen.append)

    assert sorted(seen) == [0, 1, 2, 3]


def test_the_caller_is_told_while_it_waits() -> None:
    """Progress can be shown by the thread that owns the screen."""
    gate = threading.Event()
    glances: list[str] = []

    def watch() -> None:
        glances.append(threading.current_thread().name)
        gate.set()

    def task(_: int) -> None:
        gate.wait(10)

    WorkerThreads(1).run(task, watch)

    assert set(glances) == {threading.current_thread().name}


def test_an_interrupt_stops_all_threads() -> None:
    """Ctrl-C leaves nothing running."""
    threads = WorkerThreads(3)
    ended: list[int] = []

    def task(worker: int) -> None:
        threads.stop.wait(10)
        ended.append(worker)

    def watch() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        threads.run(task, watch)
    assert sorted(ended) == [0, 1, 2]


def test_an_interrupt_does_not_wait_for_threads_that_have_ended() -> None:
    """Leaving takes no longer than it must."""
    threads = WorkerThreads(2)
    others = set(threading.enumerate())

    def task(worker: int) -> None:
        if worker:
            threads.stop.wait(10)

    def watch() -> None:
        if len(set(threading.enumerate()) - others) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        threads.run(task, watch)
    assert set(threading.enumerate()) <= others
