"""Workers that build their stacks from a description: one login for all, nothing left behind."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sessionkit.testing.server import IdentityProvider, LoopbackServer

ROOT = Path(__file__).parents[3]
METHODS = multiprocessing.get_all_start_methods()


@pytest.mark.parametrize("method", METHODS)
def test_four_workers_share_one_renewal_for_each_expiry(method: str, tmp_path: Path) -> None:
    """However workers are started, they log in once, at a server that ends the family on reuse."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server:
        command = ["tests.support.workers.pool", method, server.origin, str(tmp_path / "tokens.db")]
        with subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-m", *command],
            cwd=ROOT,
            env={**os.environ, "APP_REFRESH": "refresh-0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as pool:
            assert pool.stdin is not None
            assert pool.stdout is not None
            renewals: list[int] = []
            outcomes: list[Any] = []
            for number in range(4):
                pool.stdin.write(f"round/{number}\n")
                pool.stdin.flush()
                outcomes += json.loads(pool.stdout.readline() or "[]")
                renewals.append(identity.renewals)
                identity.expire()
            _, complaints = pool.communicate(timeout=60)

    assert [outcome for _, outcome in outcomes] == [["200"] * 4] * 16, complaints
    assert len({worker for worker, _ in outcomes}) == 4
    # The parent's login is there for all; then one renewal for each time that tokens ended.
    assert renewals == [1, 2, 3, 4]
    assert identity.reuse_detected == 0
    assert (pool.returncode, complaints) == (0, "")
