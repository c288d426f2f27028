"""A process that makes calls with a token shared through SQLite; driven by lines on its input.

Run as ``python -m tests.renewal_worker ORIGIN DATABASE THREADS``. Each line of input is a path; for
each, all threads call it at once, and one line of JSON tells what came back.
"""

from __future__ import annotations

import json
import sys

import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken
from sessionkit.stores import SqliteTokenStore
from tests.threads import at_once


def main(origin: str, database: str, threads: int) -> None:
    """Serve until the input ends."""
    grant = RefreshToken(f"{origin}/token", "refresh-0", client_id="app")
    store = SqliteTokenStore(database)
    with requests.Session() as session:
        stack = SessionStack(session, recommended(grant, store=store), base_url=origin)

        def call(path: str) -> str:
            try:
                return str(stack.get(path).status_code)
            except requests.RequestException as error:
                return f"{type(error).__name__}: {error} | {getattr(error, 'hint', '')}"

        for line in sys.stdin:
            path = line.strip()
            print(json.dumps(at_once(threads, lambda _, path=path: call(path))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
