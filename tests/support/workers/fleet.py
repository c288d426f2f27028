"""Processes that share one login through a token store, each with a stack of its own.

As a program (``python -m tests.support.workers.fleet ORIGIN PROCESSES THREADS``) it is one process
that forks the others; the store's URL is in ``TOKEN_STORE``, the first refresh token and the
client's secret in ``REFRESH_TOKEN`` and ``APP_SECRET``. For each line of input, a path, all threads
of all processes call it at once, and one line of JSON tells what came back.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken
from sessionkit.stores import open_store
from tests.support.threads import at_once

ROOT = Path(__file__).parents[3]


class Fleet:
    """The program, as its user sees it.

    Args:
        origin: The API, with its token endpoint at ``/token``.
        store: URL of the store.
        processes: How many.
        threads: How many in each.
        refresh: The first refresh token.
        secret: The client's, if it has one.
    """

    def __init__(
        self,
        origin: str,
        store: str,
        *,
        processes: int,
        threads: int = 1,
        refresh: str = "refresh-0",
        secret: str = "",
    ) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.workers.fleet",
                origin,
                str(processes),
                str(threads),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "TOKEN_STORE": store,
                "REFRESH_TOKEN": refresh,
                "APP_SECRET": secret,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, path: str) -> list[str]:
        """Call *path* everywhere at once; return the statuses, or what the errors say."""
        self.start(path)
        return self.results()

    def start(self, path: str) -> None:
        """Begin to call *path* everywhere at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(path + "\n")
        self._process.stdin.flush()

    def results(self) -> list[str]:
        """Wait for what came back."""
        assert self._process.stdout is not None
        results: list[str] = json.loads(self._process.stdout.readline())
        return results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._process.communicate(timeout=60)
        finally:
            self._process.kill()
            self._process.wait(30)


def _tried(stack: SessionStack, path: str, _: int) -> str:
    try:
        return str(stack.get(path).status_code)
    except requests.RequestException as error:
        return f"{type(error).__name__}: {error} | {getattr(error, 'hint', '')}"


def _member(pipe: Connection, origin: str, threads: int) -> None:
    grant = RefreshToken(
        f"{origin}/token",
        os.environ["REFRESH_TOKEN"],
        client_id="app",
        client_secret=os.environ["APP_SECRET"] or None,
    )
    store: Any = open_store(os.environ["TOKEN_STORE"])
    with requests.Session() as session:
        stack = SessionStack(session, recommended(grant, store=store), base_url=origin)
        while path := pipe.recv():
            pipe.send(at_once(threads, partial(_tried, stack, path)))
    store.close()


def main(origin: str, processes: int, threads: int) -> None:
    """Serve until the input ends."""
    if os.environ["TOKEN_STORE"].startswith("django-cache:"):
        from tests.support.shared_stores import configure_django

        configure_django()
    forking = multiprocessing.get_context("fork")
    members = []
    for _ in range(processes):
        ours, theirs = forking.Pipe()
        members.append((forking.Process(target=_member, args=(theirs, origin, threads)), ours))
        members[-1][0].start()
    for line in sys.stdin:
        for _, pipe in members:
            pipe.send(line.strip())
        print(json.dumps([result for _, pipe in members for result in pipe.recv()]), flush=True)
    for process, pipe in members:
        pipe.send("")
        process.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
