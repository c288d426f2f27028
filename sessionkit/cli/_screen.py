"""How the demo looks: what is said, and where on the lines it stands."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sessionkit.cli._pens import bar

if TYPE_CHECKING:
    from sessionkit.cli._pens import Pen
    from sessionkit.demo._report import Report, Span

_INDENT = "  "
#: Columns of a line beside its bar: name, status or share, and time.
_BESIDE = 30


class Screen:
    """Tell a tour with a pen, in lines that fit. Belongs to one thread.

    Args:
        pen: What to write with.
    """

    def __init__(self, pen: Pen) -> None:
        self._pen = pen
        self._bar = max(pen.width - _BESIDE, 10)

    def opening(self, token_seconds: float, token_uses: int) -> None:
        """Say what is about to be shown."""
        self._pen.line("sessionkit demo", "bold")
        self.say(
            f"An API on this machine whose tokens end after {token_seconds:g} s or {token_uses} "
            "uses, and never say so. One stack meets it."
        )

    def phase(self, title: str) -> None:
        """Begin a part."""
        self._pen.line("")
        self._pen.line(title, "bold cyan")

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show how far the part is."""
        self._pen.progress(done, total, unit)

    def say(self, text: str) -> None:
        """Show something that was found out, wrapped."""
        for line in textwrap.wrap(text, self._pen.width - len(_INDENT)):
            self._pen.line(_INDENT + line)

    def closing(self, report: Report) -> None:
        """Show where the time went, and whether all was as promised."""
        self._time_line(report.spans)
        self._shares(report)
        self.phase(f"As promised? ({report.figures.seconds:.1f} s)")
        for promise, kept in report.figures.promises().items():
            self._pen.line(f"{_INDENT}{'yes' if kept else 'NO':4}{promise}", "" if kept else "red")

    def close(self) -> None:
        """Leave the terminal as it was found."""
        self._pen.close()

    def _time_line(self, spans: tuple[Span, ...]) -> None:
        if not spans:
            return
        self.phase("One of these uploads, as it went")
        whole = max(span.started + span.seconds for span in spans) or 1.0
        for span in spans:
            # A column at least: it did happen.
            start, part = span.started / whole, max(span.seconds / whole, 1 / self._bar)
            drawn = bar(part, self._bar, self._pen.blocks, start=start)
            what = f"{span.name:8} {span.status or '---'}"
            self._pen.line(f"{_INDENT}{what:14}{drawn} {span.seconds * 1000:7.1f} ms")

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
            drawn = bar(spent / whole, self._bar, self._pen.blocks)
            self._pen.line(f"{_INDENT}{name:14}{drawn} {spent * 1000 / calls:7.3f} ms")
