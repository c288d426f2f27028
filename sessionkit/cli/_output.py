"""Write lines and progress bars: as plain text, or by rich on a terminal."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.progress import Progress

_NARROW = 60
_WIDE = 88
_BAR = 24


class Output(Protocol):
    """Where a command writes its lines. For one thread.

    Attributes:
        width: Columns that a line may fill.
        blocks: What bars are made of: one character for "full", one for "empty".
    """

    width: int
    blocks: tuple[str, str]

    def line(self, text: str, style: str = "") -> None:
        """Write one line in *style*, a style of rich, where styles can be shown."""
        ...

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show how much is done, in place of what was shown before."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


class PlainOutput:
    """Write plain text, and progress on a terminal.

    Args:
        stream: Where the text is written.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown = 0
        self.width = _width()
        self.blocks = _blocks(stream.encoding)

    def line(self, text: str, style: str = "") -> None:  # noqa: ARG002  # plain text has no styles
        """Write one line in place of the progress."""
        self._stream.write(self._over(text) + "\n")
        self._shown = 0
        # A reader at the other end of a pipe sees each line when it is written.
        self._stream.flush()

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show a bar on a terminal; elsewhere nothing."""
        if self._is_terminal:
            shown = f"  {bar(done / (total or 1), _BAR, self.blocks)} {_amount(done, total, unit)}"
            text = shown[: self.width]
            self._stream.write(self._over(text))
            self._shown = len(text)
            self._stream.flush()

    def close(self) -> None:
        """End the line that progress was shown on."""
        if self._shown:
            self.line("")

    def _over(self, text: str) -> str:
        return "\r" + text.ljust(self._shown) if self._shown else text


class RichOutput:
    """Write with rich, which must be installed.

    Args:
        stream: A terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._progress: Progress | None = None
        self.width = _width()
        self.blocks = _blocks(stream.encoding)

    def line(self, text: str, style: str = "") -> None:
        """Write one line in *style* and end the progress."""
        self.close()
        self._console.print(text, style=style or None, soft_wrap=True)

    def progress(self, done: float, total: float, unit: str) -> None:
        """Show a bar that moves."""
        if self._progress is None:
            self._progress = _rich_progress(self._console)
            self._progress.start()
            self._progress.add_task("", total=total, text="")
        task = self._progress.task_ids[0]
        text = _amount(done, total, unit)
        self._progress.update(task, completed=done, text=text, refresh=True)

    def close(self) -> None:
        """Remove the progress from the screen."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def choose_output(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Output:
    """Return the output for *stream*: rich on a terminal with colours, else plain text.

    Args:
        stream: Where to write.
        environ: ``NO_COLOR``, if it is there and not empty, asks for plain text (no-color.org).
    """
    fancy = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return RichOutput(stream) if fancy and find_spec("rich") else PlainOutput(stream)


def bar(part: float, width: int, blocks: tuple[str, str], *, start: float = 0.0) -> str:
    """Return a bar of *width* columns.

    Args:
        part: How much of it is full, from 0 to 1.
        width: Its columns.
        blocks: One character for "full", one for "empty".
        start: Where the full part begins, from 0 to 1.
    """
    before = min(int(start * width), width - 1)
    full = min(round(part * width), width - before)
    return blocks[1] * before + blocks[0] * full + blocks[1] * (width - before - full)


def _width() -> int:
    return min(max(shutil.get_terminal_size((_NARROW, 24)).columns, 40), _WIDE)


def _blocks(encoding: str | None) -> tuple[str, str]:
    try:
        "\u2588\u2591".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#", "."
    return "\u2588", "\u2591"


def _amount(done: float, total: float, unit: str) -> str:
    if isinstance(done, float) or isinstance(total, float):
        return f"{done:.1f} of {total:.1f} {unit}"
    return f"{done} of {total} {unit}"


def _rich_progress(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn(" "), BarColumn(_BAR), TextColumn("{task.fields[text]}"))
    # Without a thread of its own: it is drawn when there is something new.
    return Progress(*columns, console=console, transient=True, auto_refresh=False)
