"""A process that calls as fast as a fleet's rate lets it; driven by a line on its input.

Run as ``python -m tests.support.workers.rate ORIGIN REDIS AMOUNT THREADS CALLS``. After a line of
input each thread makes its calls, and one line of JSON tells when each was given leave, by the
timestamps that ``limits`` itself gave to Redis.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import requests
from limits.storage import RedisStorage
from requests.adapters import HTTPAdapter

from sessionkit import SessionStack
from sessionkit.handlers import RateLimitHandler
from sessionkit.handlers.limits import SharedRateLimiter
from tests.support.threads import at_once


def watched(url: str, leaves: list[float]) -> RedisStorage:
    """Return a storage that keeps the timestamp of each leave that Redis gave."""
    storage = RedisStorage(url)
    acquire: Any = storage.lua_acquire_moving_window

    def acquiring(keys: list[str], arguments: list[float]) -> object:
        given = acquire(keys, arguments)
        if given:
            leaves.append(arguments[0])
        return given

    storage.lua_acquire_moving_window = acquiring  # type: ignore[assignment]  # as it is called
    return storage


def main(origin: str, redis: str, amount: int, *, threads: int, calls: int) -> None:
    """Serve one line of input."""
    leaves: list[float] = []
    rate = SharedRateLimiter((amount, 1), watched(redis, leaves))
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=threads))
        stack = SessionStack(session, [RateLimitHandler(rate)], base_url=origin)
        print("ready", flush=True)
        sys.stdin.readline()
        results = at_once(
            threads, lambda _: [stack.get("x").status_code for _ in range(calls)] == [200] * calls
        )
    assert results == [True] * threads, results
    print(json.dumps(leaves), flush=True)


if __name__ == "__main__":
    main(
        *(sys.argv[1], sys.argv[2], int(sys.argv[3])),
        threads=int(sys.argv[4]),
        calls=int(sys.argv[5]),
    )
