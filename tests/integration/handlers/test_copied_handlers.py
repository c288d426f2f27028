"""Handlers of the library use nothing that a handler of yours could not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "tests" / "unit" / "handlers"


def test_the_most_demanding_handlers_work_outside_the_package() -> None:
    """Copied into modules of their own that import public names, they pass their tests."""
    tests = ["test_errors.py", "test_retry.py", "cache/test_handler.py"]
    plugins = ["-p", "tests.support.copied_handlers", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *(str(UNIT / test) for test in tests)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-1_000:]
