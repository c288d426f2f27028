"""The soak of benchmarks/soak.py, scaled down: a bad day of 400 calls."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.faulty_server import FAULTS
from sessionkit import SessionKitError, errors

ROOT = Path(__file__).resolve().parents[3]
CALLS = 400


def test_every_call_on_a_bad_day_ends_well_or_in_our_error() -> None:
    """Whatever a server does, nothing else is raised and nothing stays open or in memory."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks.soak", "--calls", str(CALLS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    sums = json.loads(done.stdout)
    assert sums["violations"] == []
    assert (done.returncode, done.stderr) == (0, "")
    ended = sums["ended"]
    assert sum(ended.values()) == sums["calls"] > CALLS
    # One attempt in ten failed, and most of those calls ended well all the same.
    assert ended.pop("success") > sums["calls"] * 0.9
    assert ended
    assert all(issubclass(getattr(errors, name), SessionKitError) for name in ended)
    assert sums["attempts"] > sums["calls"]
    assert sums["faults"].keys() == FAULTS.keys()
    assert sums["renewals"] > 1
