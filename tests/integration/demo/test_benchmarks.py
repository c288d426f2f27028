"""The quick benchmarks run, scaled down: a figure that nobody can measure again is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sessionkit import handlers

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("imports", "--rounds 1"),
        ("overhead", "--rounds 1 --calls 1"),
        ("handlers", "--rounds 1 --calls 1"),
        ("wire", "--rounds 1 --calls 1"),
        ("storm", "--rounds 1 --threads 2 --processes 2 --peers 0"),
    ],
)
def test_a_benchmark_runs_and_prints_one_object(name: str, options: str) -> None:
    """Without a warning; what the figures are is no matter of tests."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", f"benchmarks.{name}", *options.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told
    if name == "handlers":
        every = {handler for handler in handlers.__all__ if handler.endswith("Handler")}
        assert told.keys() >= every
