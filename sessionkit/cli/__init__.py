"""The command line: ``python -m sessionkit``. The only part of the library that prints."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from sessionkit import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]

_FAILED = 1
#: As shells report a program that a signal ended: 128 and the signal's number.
_INTERRUPTED = 130
_PIPE_CLOSED = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What stands behind ``python -m sessionkit``; by default the program's own.

    Returns:
        The exit status: 0 if all went as promised, 1 if not, 130 after Ctrl-C, 141 where the
        reader of the output went away.

    Raises:
        SystemExit: For ``--help``, ``--version`` and arguments that make no sense.
    """
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    return _guarded(lambda: _run(chosen))


def _guarded(run: Callable[[], int]) -> int:
    """Turn what may end a command into its exit status, without a traceback."""
    try:
        status = run()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except Exception as error:
        # Only now: who asks for --help does not wait for the library to load.
        from sessionkit.errors import SessionKitError

        if not isinstance(error, (SessionKitError, OSError)):
            raise
        hint = getattr(error, "hint", "")
        print(f"sessionkit: {error}\n{hint}".rstrip(), file=sys.stderr)
        return _FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sessionkit",
        description="Renewing authentication, honest errors and paging for a requests.Session.",
    )
    parser.add_argument("--version", action="version", version=f"sessionkit {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    text = "show everything at work against a server on this machine, in about six seconds"
    demo = commands.add_parser("demo", help=text, description=text.capitalize() + ".")
    demo.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    # Inside the guard: Ctrl-C may come while the library loads.
    from sessionkit.cli._demo import demo

    return demo(as_json=chosen.json)
