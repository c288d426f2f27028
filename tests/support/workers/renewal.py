"""A process that makes calls with a token shared through a store; driven by lines on its input.

Run as ``python -m tests.support.workers.renewal ORIGIN STORE THREADS``, the store as a URL. Each
line of input is a path; for each, all threads call it at once, and one line of JSON tells what came
back.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import requests

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken
from sessionkit.stores import open_store
from tests.support.threads import at_once


def tried(stack: SessionStack, path: str, _: int) -> str:
    """Call *path*; return the status, or all that the error says."""
    try:
        return str(stack.get(path).status_code)
    except requests.RequestException as error:
        return f"{type(error).__name__}: {error} | {getattr(error, 'hint', '')}"


def main(origin: str, url: str, threads: int) -> None:
    """Serve until the input ends."""
    grant = RefreshToken(f"{origin}/token", "refresh-0", client_id="app")
    store = open_store(url)
    with requests.Session() as session:
        stack = SessionStack(session, recommended(grant, store=store), base_url=origin)
        for line in sys.stdin:
            results = at_once(threads, partial(tried, stack, line.strip()))
            print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
