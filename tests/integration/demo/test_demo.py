"""``python -m sessionkit demo`` as users run it: a process of its own, and real time."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from sessionkit.cli import main

COMMAND = [sys.executable, "-m", "sessionkit", "demo"]
PATIENCE = 30


def _heed_ctrl_c() -> None:
    # A job in the background ignores it, and so would its children.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def demo(**environ: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo with its output in a pipe."""
    child = subprocess.Popen(
        COMMAND,
        preexec_fn=_heed_ctrl_c,  # noqa: PLW1509  # no thread of this test is under way
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"COLUMNS": "60", "PYTHONIOENCODING": "utf-8"} | environ,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def line_of(child: subprocess.Popen[str], start: str) -> str:
    """Read the output up to the line that begins with *start*."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(start):
            return line
    raise AssertionError(f"no line begins with {start!r}")


def test_the_demo_keeps_every_promise(capsys: pytest.CaptureFixture[str]) -> None:
    """The figures of the README come from this very command, told to a person or to a script."""
    with demo(HTTP_PROXY="http://127.0.0.1:9", NO_COLOR="1") as told:
        status = main(["demo", "--json"])
        text, errors = told.communicate(timeout=PATIENCE)
    figures = json.loads(capsys.readouterr().out)

    assert status == 0
    assert figures["calls_ok"] == figures["calls"] > 200
    assert figures["renewals"] == figures["expiries"] > 0
    assert figures["reuse_detected"] == 0
    assert figures["replayed_posts_intact"] == figures["replayed_posts"] > 0
    assert (figures["pages"], figures["objects"], figures["errors_mapped"]) == (48, 480, 2)
    assert figures["seconds"] < 15
    assert (told.returncode, errors) == (0, "")
    assert max(map(len, text.splitlines())) <= 60
    assert "\x1b" not in text


def test_ctrl_c_ends_the_demo_and_its_server() -> None:
    """No traceback, and no process left behind."""
    with demo() as child:
        line_of(child, "8 threads at work")
        child.send_signal(signal.SIGINT)
        # The error output ends when the last process that holds it is gone: the server's own.
        _, errors = child.communicate(timeout=PATIENCE)

    assert (child.returncode, errors) == (130, "\nstopped\n")


def test_a_reader_that_goes_away_ends_the_demo_quietly() -> None:
    """``| head -1`` is a fair thing to do."""
    with demo() as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.stdout.close()
        child.stdout = None
        _, errors = child.communicate(timeout=PATIENCE)

    assert (child.returncode, errors) == (141, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_ctrl_c_at_a_terminal_gives_the_cursor_back() -> None:
    """Progress hides the cursor; whoever stops the demo sees it again."""
    main_end, terminal = os.openpty()
    environ = os.environ | {"COLUMNS": "60", "TERM": "xterm-256color", "NO_COLOR": ""}
    with subprocess.Popen(
        COMMAND,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env=environ,
        preexec_fn=_heed_ctrl_c,  # noqa: PLW1509  # no thread of this test is under way
    ) as child:
        os.close(terminal)
        seen, stopped = b"", False
        # A terminal whose last writer is gone reads as an error.
        with suppress(OSError):
            while select.select([main_end], [], [], PATIENCE)[0]:
                seen += os.read(main_end, 65_536)
                if b"of 3.0 s" in seen and not stopped:
                    child.send_signal(signal.SIGINT)
                    stopped = True
        os.close(main_end)

    assert child.returncode == 130
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") > 0
    assert seen.endswith(b"stopped\r\n")
    assert b"Traceback" not in seen
