"""``python -m sessionkit demo``: the tour, told on a terminal, in a pipe or as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from sessionkit.cli._pens import choose_pen
from sessionkit.cli._screen import Screen
from sessionkit.demo import ServerProcess
from sessionkit.demo._tour import Tour

if TYPE_CHECKING:
    from sessionkit.demo._figures import Figures
    from sessionkit.demo._tour import Server


class Silence:
    """A listener that shows nothing."""

    def phase(self, title: str) -> None:
        """Show nothing."""

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""


def demo(*, as_json: bool) -> int:
    """Start the server, make the tour and show what came of it.

    Args:
        as_json: Print nothing but the figures, as one JSON object.

    Returns:
        The exit status: 0 if every promise was kept, else 1.

    Raises:
        SessionKitError: The server did not start, or the first login failed.
        KeyboardInterrupt: At Ctrl-C; server and threads have ended.
    """
    with ServerProcess() as server:
        return _as_json(server) if as_json else _told(server)


def _as_json(server: Server) -> int:
    report = Tour(server, Silence()).run()
    print(json.dumps(asdict(report.figures)))
    broken = broken_promises(report.figures)
    for line in (*broken, *report.failures):
        print(f"not as promised: {line}", file=sys.stderr)
    return 1 if broken else 0


def _told(server: Server) -> int:
    screen = Screen(choose_pen(sys.stdout))
    try:
        screen.opening(server.token_seconds, server.token_uses)
        report = Tour(server, screen).run()
        screen.closing(report)
    finally:
        screen.close()
    return 1 if broken_promises(report.figures) else 0


def broken_promises(figures: Figures) -> list[str]:
    """Return the promises that *figures* do not keep, in words."""
    return [promise for promise, kept in figures.promises().items() if not kept]
