"""``python -m sessionkit demo``: run the tour and print it as text or as JSON."""

from __future__ import annotations

import json
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.cli._output import bar, choose_output
from sessionkit.demo._server import ServerProcess
from sessionkit.demo._tour import Tour

if TYPE_CHECKING:
    from sessionkit._clock import Clock
    from sessionkit.cli._output import Output
    from sessionkit.demo._report import Report, Span
    from sessionkit.demo._tour import Server

_INDENT = "  "
#: Columns of a line beside its bar: name, status or share, and time.
_BESIDE = 30


class SilentListener:
    """A listener that ignores everything."""

    def phase(self, title: str) -> None:
        """Show nothing."""

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


def demo(*, as_json: bool) -> int:
    """Start the server in a process of its own, and show what one stack makes of it.

    Args:
        as_json: Print nothing but the figures, as one JSON object.

    Returns:
        The exit status: 0 if every promise was kept, else 1.

    Raises:
        SessionKitError: The server did not start, or the first login failed.
        KeyboardInterrupt: At Ctrl-C; server and threads have ended.
    """
    with ServerProcess() as server:
        return show(server, as_json=as_json)


def show(server: Server, *, as_json: bool, clock: Clock = SYSTEM_CLOCK) -> int:
    """Make the tour and show what came of it; see :func:`demo`.

    Args:
        server: The demo's server, running.
        as_json: Print nothing but the figures, as one JSON object.
        clock: Where the tour's time comes from.
    """
    if as_json:
        report = Tour(server, SilentListener(), clock=clock).run()
        print(json.dumps(asdict(report.figures)))
    else:
        report = _run_on_screen(server, clock)
    broken = [promise for promise, kept in report.figures.promises().items() if not kept]
    for line in (*broken, *report.failures):
        print(f"not as promised: {line}", file=sys.stderr)
    return 1 if broken else 0


def _run_on_screen(server: Server, clock: Clock) -> Report:
    screen = Screen(choose_output(sys.stdout))
    try:
        screen.opening(server.token_seconds, server.token_uses)
        report = Tour(server, screen, clock=clock).run()
        screen.closing(report)
    finally:
        screen.close()
    return report


class Screen:
    """Write what the tour shows, in lines that fit. For one thread.

    Args:
        output: Where the lines go.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._bar = max(output.width - _BESIDE, 10)

    def opening(self, token_seconds: float, token_uses: int) -> None:
        """Say what is about to be shown."""
        self._output.line("sessionkit demo", "bold")
        self.say(
            f"An API on this machine whose tokens end after {token_seconds:g} s or {token_uses} "
            "uses, and never say so. One stack meets it."
        )

    def phase(self, title: str) -> None:
        """Begin a part."""
        self._output.line("")
        self._output.line(title, "bold cyan")

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show how far the part is."""
        self._output.progress(done, total, unit)

    def say(self, text: str) -> None:
        """Show text, wrapped."""
        for line in textwrap.wrap(text, self._output.width - len(_INDENT)):
            self._output.line(_INDENT + line)

    def closing(self, report: Report) -> None:
        """Show where the time went, and whether all was as promised."""
        self._time_line(report.spans)
        self._shares(report)
        self.phase(f"As promised? ({report.figures.seconds:.1f} s)")
        for promise, kept in report.figures.promises().items():
            self._output.line(
                f"{_INDENT}{'yes' if kept else 'NO':4}{promise}", "" if kept else "red"
            )

    def close(self) -> None:
        """Restore the terminal."""
        self._output.close()

    def _time_line(self, spans: tuple[Span, ...]) -> None:
        if not spans:
            return
        self.phase("One of these uploads, as it went")
        whole = max(span.started + span.seconds for span in spans) or 1.0
        for span in spans:
            # A column at least: it did happen.
            start, part = span.started / whole, max(span.seconds / whole, 1 / self._bar)
            drawn = bar(part, self._bar, self._output.blocks, start=start)
            what = f"{span.name:8} {span.status or '---'}"
            self._output.line(f"{_INDENT}{what:14}{drawn} {span.seconds * 1000:7.1f} ms")

    def _shares(self, report: Report) -> None:
        """Show the handlers on a scale of their own: beside the server they would be invisible."""
        if not report.shares:
            return
        handlers = dict(report.shares)
        outside = {name: handlers.pop(name) for name in ("server", "wire", "renewal")}
        calls = report.figures.calls
        self.phase("Where the time went, in milliseconds per call")
        self._bars({**outside, "handlers": sum(handlers.values())}, calls)
        self.phase("Of that, in each handler")
        self._bars(handlers, calls)

    def _bars(self, seconds: dict[str, float], calls: int) -> None:
        whole = sum(seconds.values()) or 1.0
        for name, spent in seconds.items():
            drawn = bar(spent / whole, self._bar, self._output.blocks)
            self._output.line(f"{_INDENT}{name:14}{drawn} {spent * 1000 / calls:7.3f} ms")
