"""The command line: ``python -m sessionkit``. The only part of the library that prints."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from sessionkit import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    _Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # argparse has no other name for it

__all__ = ["main"]

_FAILED = 1
#: The environment variable that says which token store is looked at.
_STORE = "SESSIONKIT_STORE"
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
    _add_tokens(commands)
    text = "check which stores, locks and extras work on this machine"
    doctor = commands.add_parser("doctor", help=text, description=text.capitalize() + ".")
    doctor.add_argument("--store", metavar="URL", help="a token store to check too")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_tokens(commands: _Commands) -> None:
    text = "look at the tokens of a store, delete one, log in; no secret is ever shown"
    tokens = commands.add_parser("tokens", help=text, description=text.capitalize() + ".")
    parts = tokens.add_subparsers(dest="part", metavar="PART", required=True)
    for name, text in (
        ("list", "show all tokens of a store"),
        ("show", "show one"),
        ("delete", "delete one"),
    ):
        part = parts.add_parser(name, help=text, description=text.capitalize() + ".")
        if name != "list":
            part.add_argument("key", metavar="KEY", help="under which it is stored")
        where = f"such as sqlite:tokens.db; by default what {_STORE} holds"
        part.add_argument("--store", metavar="URL", help=where, default=os.environ.get(_STORE))
        if name != "delete":
            part.add_argument("--json", action="store_true", help="print JSON")
    text = "log in by a stack of yours"
    login = parts.add_parser("login", help=text, description=text.capitalize() + ".")
    made = "where the stack is: itself, a StackSpec, or a function that returns one"
    login.add_argument("target", metavar="MODULE:NAME", help=made)
    again = "delete what is stored first: for another account, or another scope"
    login.add_argument("--again", action="store_true", help=again)


def _run(chosen: argparse.Namespace) -> int:
    # Inside the guard: Ctrl-C may come while the library loads.
    if chosen.command == "demo":
        from sessionkit.cli._demo import demo

        return demo(as_json=chosen.json)
    if chosen.command == "doctor":
        from sessionkit.cli._doctor import doctor

        return doctor(chosen.store, as_json=chosen.json)
    return _run_tokens(chosen)


def _run_tokens(chosen: argparse.Namespace) -> int:
    from sessionkit.cli import _tokens
    from sessionkit.errors import ConfigError

    if chosen.part == "login":
        return _tokens.login(chosen.target, again=chosen.again)
    if not chosen.store:
        raise ConfigError("which store?", hint=f"give --store URL, or set {_STORE}")
    if chosen.part == "list":
        return _tokens.list_tokens(chosen.store, as_json=chosen.json)
    if chosen.part == "show":
        return _tokens.show_token(chosen.store, chosen.key, as_json=chosen.json)
    return _tokens.delete_token(chosen.store, chosen.key)
