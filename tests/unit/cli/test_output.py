"""Lines and bars, on terminals and elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from sessionkit.cli._output import PlainOutput, RichOutput, bar, choose_output

HASHES = ("#", ".")


class Stream(io.TextIOWrapper):
    """Something to write to, a terminal or not."""

    def __init__(self, *, terminal: bool = True, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        self._terminal = terminal
        super().__init__(self._bytes, encoding=encoding, newline="")

    def isatty(self) -> bool:
        """Tell whether it is a terminal."""
        return self._terminal

    @property
    def text(self) -> str:
        """What was written."""
        self.flush()
        return self._bytes.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("part", "start", "drawn"),
    [
        (0.0, 0.0, ".........."),
        (0.5, 0.0, "#####....."),
        (1.0, 0.0, "##########"),
        (0.3, 0.5, ".....###.."),
        (0.9, 0.5, ".....#####"),
        (0.1, 1.0, ".........#"),
    ],
)
def test_a_bar_fills_its_columns(part: float, start: float, drawn: str) -> None:
    """Bars under each other can be compared."""
    assert bar(part, 10, HASHES, start=start) == drawn


def test_a_terminal_without_rich_is_written_over() -> None:
    """Progress stays on its line, and the next line leaves nothing of it."""
    stream = Stream()
    output = PlainOutput(stream)
    output.progress(1.5, 3.0, "s")
    output.progress(3, 4, "objects")
    output.line("done")

    first, second, last = stream.text.split("\r")[0], *stream.text.split("\r")[1:]
    assert first.endswith("1.5 of 3.0 s")
    assert second.endswith("3 of 4 objects")
    assert last == "done".ljust(len(second)) + "\n"


def test_progress_that_shrinks_leaves_nothing_behind() -> None:
    """A shorter text covers the longer one before it."""
    stream = Stream()
    output = PlainOutput(stream)
    output.progress(100, 480, "objects")
    output.progress(1, 2, "s")

    first, second = stream.text.split("\r")
    assert len(second) == len(first)


def test_progress_never_makes_a_line_wider_than_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a narrow terminal no empty lines come between those of the demo."""
    monkeypatch.setenv("COLUMNS", "60")
    stream = Stream()
    output = PlainOutput(stream)
    output.progress(1.5, 3.0, "seconds of work in eight threads, and then some more")
    output.line("done")

    assert [len(part.rstrip("\n")) for part in stream.text.split("\r")] == [60, 60]


def test_closing_ends_a_line_that_is_still_open() -> None:
    """The shell's prompt begins on a line of its own."""
    stream = Stream()
    output = PlainOutput(stream)
    output.close()
    assert stream.text == ""

    output.progress(0, 0, "s")
    output.close()
    assert stream.text.endswith("\n")


def test_a_pipe_gets_lines_and_no_progress() -> None:
    """A log is not full of bars."""
    stream = Stream(terminal=False)
    output = PlainOutput(stream)
    output.progress(1, 2, "s")
    output.line("done", "bold")

    assert stream.text == "done\n"


@pytest.mark.parametrize(
    ("encoding", "blocks"),
    [("utf-8", ("█", "░")), ("cp437", ("█", "░")), ("latin-1", HASHES), ("ascii", HASHES)],
)
def test_bars_are_made_of_what_the_terminal_can_show(
    encoding: str, blocks: tuple[str, str]
) -> None:
    """No UnicodeEncodeError, and no question marks, on an old terminal."""
    assert PlainOutput(Stream(encoding=encoding)).blocks == blocks
    assert RichOutput(Stream(encoding=encoding)).blocks == blocks


def test_a_stream_without_an_encoding_gets_ascii() -> None:
    """Whatever stdout was replaced by can be written to."""
    stream = io.StringIO()
    output = PlainOutput(stream)
    output.line("x")

    assert (output.blocks, stream.getvalue()) == (HASHES, "x\n")


@pytest.mark.parametrize(("columns", "width"), [("20", 40), ("60", 60), ("300", 88)])
def test_lines_are_as_wide_as_can_be_read(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a tiny nor a huge window spoils the picture."""
    monkeypatch.setenv("COLUMNS", columns)

    assert PlainOutput(Stream()).width == width


@pytest.mark.parametrize(
    ("terminal", "environ", "output"),
    [
        (True, {}, RichOutput),
        (True, {"NO_COLOR": ""}, RichOutput),
        (True, {"NO_COLOR": "1"}, PlainOutput),
        (True, {"TERM": "dumb"}, PlainOutput),
        (False, {}, PlainOutput),
    ],
)
def test_rich_is_for_terminals_that_want_it(
    terminal: bool, environ: dict[str, str], output: type
) -> None:
    """Colours only where a person looks, and only if that person likes them (no-color.org)."""
    assert type(choose_output(Stream(terminal=terminal), environ)) is output


def test_without_rich_a_terminal_is_written_to_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra makes it prettier; nothing needs it."""
    monkeypatch.setitem(sys.modules, "rich", None)

    assert type(choose_output(Stream(), {})) is PlainOutput


def test_rich_draws_progress_and_takes_it_off_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the demo the cursor is back, and only lines are left."""
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Stream()
    output = RichOutput(stream)
    output.progress(1.0, 3.0, "s")
    output.progress(2.0, 3.0, "s")
    output.line("done [not markup]", "bold")
    output.close()

    assert "2.0 of 3.0 s" in stream.text
    assert stream.text.rindex("\x1b[?25h") > stream.text.rindex("\x1b[?25l")
    assert "\x1b[1mdone [not markup]\x1b[0m\n" in stream.text
