"""The demo's server in a process of its own, which ends with the one that started it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from http.client import HTTPConnection
from typing import TYPE_CHECKING

from sessionkit.demo._server import DemoServer
from sessionkit.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_HOST = "127.0.0.1"
_PATIENCE = 1.0
_CHILD = f"import sys; from {__name__} import main; main(sys.argv[1:])"


class ServerProcess:
    """A :class:`DemoServer` in a child process; a context manager.

    Server and client then do not share one interpreter, so the client's timings are its own. The
    child listens to nobody but 127.0.0.1 and ends when its input ends: with this context, or
    with this process, however that dies. Belongs to the thread that entered it.

    Args:
        token_seconds: Life of an access token, in seconds.
        token_uses: How many requests an access token is good for.
    """

    def __init__(self, token_seconds: float = 2.0, token_uses: int = 40) -> None:
        self.token_seconds = token_seconds
        self.token_uses = token_uses
        self._command = [sys.executable, "-c", _CHILD, str(token_seconds), str(token_uses)]
        self._child: subprocess.Popen[bytes] | None = None
        self._port = 0

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end.

        Raises:
            ConfigError: The server is not running.
        """
        if self._child is None:
            raise ConfigError("the demo server runs only inside its with-block")
        return f"http://{_HOST}:{self._port}"

    @property
    def base_url(self) -> str:
        """The API's base, with a slash at the end."""
        return f"{self.origin}/api/"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.origin}/oauth/token"

    def figures(self) -> dict[str, int]:
        """Ask the server what it counted.

        Raises:
            OSError: The server is gone.
        """
        connection = HTTPConnection(_HOST, self._port, timeout=5)
        try:
            connection.request("GET", "/_figures")
            figures: dict[str, int] = json.load(connection.getresponse())
        finally:
            connection.close()
        return figures

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(  # noqa: S603  # this very interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C at a terminal is for us; the child ends in its own order, after us.
            start_new_session=True,
        )
        try:
            self._port = _read_port(self._child)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        try:
            # Ends its input, and reads on: a child that is just starting still tells its port.
            child.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


def _read_port(child: subprocess.Popen[bytes]) -> int:
    line = child.stdout.readline() if child.stdout else b""
    if not line:
        raise ConfigError("the demo server did not start", hint="what it said is above")
    return int(line)


def main(arguments: list[str]) -> None:
    """Serve until the input ends; the first line of output is the port."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seconds, uses = arguments
    with DemoServer(float(seconds), int(uses)) as server:
        sys.stdout.write(server.origin.rpartition(":")[2] + "\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
