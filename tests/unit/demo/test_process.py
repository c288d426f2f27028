"""The demo's server in a process of its own."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection

import pytest

from sessionkit.demo._process import ServerProcess, main
from sessionkit.errors import ConfigError


def test_the_child_serves_while_its_parent_holds_it() -> None:
    """Client and server do not share one interpreter, so timings are the client's own."""
    with ServerProcess() as server:
        connection = HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
        connection.request("GET", "/api/products")
        status = connection.getresponse().status
        connection.close()
        figures = server.figures()
        child = server._child
        assert child is not None

    assert status == 401
    assert figures["requests"] == 2
    assert child.returncode == 0


def test_the_child_ends_with_its_parent() -> None:
    """However the parent dies, nothing is left running."""
    program = (
        "import os; from sessionkit.demo._process import ServerProcess\n"
        "server = ServerProcess().__enter__()\n"
        "print(server.origin, flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program]
    # Returns when the last process that holds the error output is gone: the server's own.
    dead = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    address = dead.stdout.strip().removeprefix("http://").split(":")

    assert (dead.returncode, dead.stderr) == (-9, "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address[0], int(address[1])), timeout=10)


def test_a_child_that_does_not_end_is_ended() -> None:
    """Leaving the block takes a second at most."""
    server = ServerProcess()
    server._command = [sys.executable, "-c", "print(1, flush=True)\nwhile True: pass"]
    with server:
        child = server._child
        assert child is not None

    assert child.returncode != 0


def test_a_child_that_does_not_start_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A broken installation is a clear error and no hang."""
    server = ServerProcess()
    server._command = [sys.executable, "-c", "raise SystemExit('no server here')"]

    with pytest.raises(ConfigError, match="did not start"):
        server.__enter__()
    assert "no server here" in capfd.readouterr().err


def test_outside_its_block_it_has_no_address() -> None:
    """A forgotten ``with`` is told as what it is."""
    server = ServerProcess()
    server._stop()

    with pytest.raises(ConfigError, match="with-block"):
        _ = server.token_url


def test_the_child_says_its_port_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parent can read where to go, and the child lives on its input alone."""
    seen: list[dict[str, int]] = []

    class Input:
        """A standard input that ends after one look at the server."""

        class buffer:  # noqa: N801  # the name that sys.stdin gives it
            """The bytes of it."""

            @staticmethod
            def read() -> bytes:
                """Look at the server, then end."""
                port = capsys.readouterr().out.strip()
                connection = HTTPConnection(f"127.0.0.1:{port}", timeout=10)
                connection.request("GET", "/_figures")
                seen.append(json.load(io.BytesIO(connection.getresponse().read())))
                connection.close()
                return b""

    monkeypatch.setattr(sys, "stdin", Input)
    signals: list[int] = []
    monkeypatch.setattr(signal, "signal", lambda number, _: signals.append(number))

    main(["2.0", "40"])

    assert seen[0]["requests"] == 1
    assert signals == [signal.SIGINT]
