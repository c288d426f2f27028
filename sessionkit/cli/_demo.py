"""``python -m sessionkit demo``: the tour, told on a terminal, in a pipe or as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.cli._pens import choose_pen
from sessionkit.cli._screen import Screen
from sessionkit.demo._server import ServerProcess
from sessionkit.demo._tour import Tour

if TYPE_CHECKING:
    from sessionkit._clock import Clock
    from sessionkit.demo._report import Report
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
        report = Tour(server, Silence(), clock=clock).run()
        print(json.dumps(asdict(report.figures)))
    else:
        report = _told(server, clock)
    broken = [promise for promise, kept in report.figures.promises().items() if not kept]
    for line in (*broken, *report.failures):
        print(f"not as promised: {line}", file=sys.stderr)
    return 1 if broken else 0


def _told(server: Server, clock: Clock) -> Report:
    screen = Screen(choose_pen(sys.stdout))
    try:
        screen.opening(server.token_seconds, server.token_uses)
        report = Tour(server, screen, clock=clock).run()
        screen.closing(report)
    finally:
        screen.close()
    return report
