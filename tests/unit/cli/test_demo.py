"""``python -m sessionkit demo``, in a time that passes only when somebody waits."""

from __future__ import annotations

import json

import pytest

from sessionkit.cli._demo import Screen, show
from sessionkit.demo import DemoServer
from sessionkit.demo._report import Figures, Report, Span
from sessionkit.demo._server import PASSWORD
from sessionkit.testing import FakeClock

FIGURES = Figures(
    calls=100,
    calls_ok=99,
    expiries=5,
    renewals=5,
    reuse_detected=0,
    replayed_posts=4,
    replayed_posts_intact=4,
    pages=48,
    objects=480,
    errors_mapped=2,
    seconds=5.0,
)
SHARES = {"errors": 0.1, "auth": 0.3, "renewal": 0.2, "wire": 0.5, "server": 0.9}


class RecordedOutput:
    """An output that keeps what is written."""

    def __init__(self, width: int = 50) -> None:
        self.width = width
        self.blocks = ("#", ".")
        self.lines: list[str] = []
        self.shown: list[tuple[float, float, str]] = []
        self.closed = False

    def line(self, text: str, style: str = "") -> None:
        """Keep the line."""
        self.lines.append(f"{style}|{text}" if style == "red" else text)

    def progress(self, done: float, total: float, unit: str) -> None:
        """Keep the amount."""
        self.shown.append((done, total, unit))

    def close(self) -> None:
        """Keep that it was closed."""
        self.closed = True


def closing_lines(report: Report, width: int = 50) -> list[str]:
    """The lines at the end of a tour."""
    output = RecordedOutput(width)
    Screen(output).closing(report)
    return output.lines


def test_the_figures_are_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    """A script reads what a person would be shown."""
    clock = FakeClock()
    with DemoServer(clock=clock) as server:
        status = show(server, as_json=True, clock=clock)

    shown = capsys.readouterr()
    assert (status, shown.err) == (0, "")
    assert list(json.loads(shown.out)) == [
        *("calls", "calls_ok", "expiries", "renewals", "reuse_detected"),
        *("replayed_posts", "replayed_posts_intact", "pages", "objects"),
        *("errors_mapped", "seconds"),
    ]


def test_the_story_fits_sixty_columns_and_holds_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads well in a pipe, and a log of it may be shown to anybody."""
    monkeypatch.setenv("COLUMNS", "60")
    clock = FakeClock()
    with DemoServer(clock=clock) as server:
        status = show(server, as_json=False, clock=clock)
        identity = server._identity
        secrets = [PASSWORD, *identity._access, *identity._logins]

    text, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    assert max(map(len, text.splitlines())) <= 60
    assert not any(mark in text for mark in ("\r", "\x1b"))
    assert not [secret for secret in secrets if secret in text]
    assert "yes one renewal per ended token" in text
    assert "Where the time went" in text


@pytest.mark.parametrize("as_json", [False, True])
def test_a_broken_promise_is_told_and_ends_with_status_1(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo cannot look fine when it is not."""
    clock = FakeClock()
    with DemoServer(token_uses=0, clock=clock) as server:
        status = show(server, as_json=as_json, clock=clock)

    assert status == 1
    assert "not as promised: every call succeeded (0 of" in capsys.readouterr().err


def test_text_is_wrapped_and_set_in() -> None:
    """Whatever is said fits the window."""
    output = RecordedOutput(width=40)
    screen = Screen(output)
    screen.opening(2.0, 40)
    screen.phase("Work")
    screen.say("word " * 30)

    assert max(map(len, output.lines)) <= 40
    assert "  An API on this machine whose tokens" in output.lines
    assert "Work" in output.lines


def test_progress_and_the_end_are_left_to_the_output() -> None:
    """Terminals differ; the output knows them."""
    output = RecordedOutput()
    screen = Screen(output)
    screen.progress(1, 2, "s")
    screen.close()

    assert (output.shown, output.closed) == ([(1, 2, "s")], True)


def test_a_replay_is_drawn_on_a_time_line() -> None:
    """One sees the refusal, the renewal and the second try, one after the other."""
    spans = (
        Span("try 1", 401, 0.0, 0.010),
        Span("renewal", None, 0.010, 0.00001),
        Span("try 2", 201, 0.015, 0.005),
    )

    lines = closing_lines(Report(FIGURES, spans=spans))

    start = lines.index("One of these uploads, as it went") + 1
    assert lines[start : start + 3] == [
        "  try 1    401  ##########..........    10.0 ms",
        "  renewal  ---  ..........#.........     0.0 ms",
        "  try 2    201  ...............#####     5.0 ms",
    ]


def test_handlers_are_drawn_on_a_scale_of_their_own() -> None:
    """What the library itself costs is seen, however slow the server."""
    lines = closing_lines(Report(FIGURES, shares=SHARES))

    start = lines.index("Where the time went, in milliseconds per call") + 1
    assert lines[start : start + 8] == [
        "  server        #########...........   9.000 ms",
        "  wire          #####...............   5.000 ms",
        "  renewal       ##..................   2.000 ms",
        "  handlers      ####................   4.000 ms",
        "",
        "Of that, in each handler",
        "  errors        #####...............   1.000 ms",
        "  auth          ###############.....   3.000 ms",
    ]


def test_without_a_success_there_is_no_picture() -> None:
    """A tour in which every call failed still ends with its verdict."""
    lines = closing_lines(Report(FIGURES))

    assert lines[:2] == ["", "As promised? (5.0 s)"]


@pytest.mark.parametrize("width", [50, 60])
def test_each_promise_is_held_up(width: int) -> None:
    """What was not kept stands out."""
    lines = closing_lines(Report(FIGURES), width)

    assert "red|  NO  every call succeeded (99 of 100)" in lines
    assert "  yes one renewal per ended token (5 for 5)" in lines


def test_a_time_that_was_not_measured_draws_nothing() -> None:
    """With clocks that stand still there is a picture, though an empty one."""
    lines = closing_lines(Report(FIGURES, shares=dict.fromkeys(SHARES, 0.0)))

    assert "  auth          ....................   0.000 ms" in lines
