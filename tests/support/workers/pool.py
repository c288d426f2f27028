"""A pool of workers that build their stacks from one description; driven by lines on its input.

Run as ``python -m tests.support.workers.pool METHOD ORIGIN DATABASE``. For each line, which is a
path, all workers call it at once, and one line of JSON tells what each came to.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from sessionkit import StackSpec
from tests.support.workers import stacks as worker_stacks

WORKERS = 4


def main(method: str, origin: str, database: str) -> None:
    """Serve until the input ends."""
    spec = StackSpec(
        worker_stacks.refreshing,
        kwargs={"base_url": origin, "client_id": "app"},
        store=f"sqlite://{database}",
        env={"refresh_token": "APP_REFRESH"},
    )
    # What a fork inherits: a stack that is in use, with an idle connection.
    worker_stacks.stack_of(spec).get("parent")
    context = multiprocessing.get_context(method)
    meeting = context.Barrier(WORKERS)
    with ProcessPoolExecutor(
        WORKERS, mp_context=context, initializer=worker_stacks.begin, initargs=(meeting,)
    ) as pool:
        for line in sys.stdin:
            calls = [pool.submit(worker_stacks.call, spec, line.strip()) for _ in range(WORKERS)]
            print(json.dumps([call.result() for call in calls]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
