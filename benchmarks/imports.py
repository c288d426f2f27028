"""What ``from sessionkit import SessionStack, recommended`` costs on top of ``import requests``.

``python -m benchmarks.imports [--rounds 21]`` prints one JSON object, in milliseconds: medians and
minima over fresh interpreters, with compiled bytecode as after any first import.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from benchmarks.side_by_side import median, report, told

CODE = """
import time
began = time.perf_counter()
import requests
between = time.perf_counter()
from sessionkit import SessionStack, recommended
print(between - began, time.perf_counter() - between)
"""


def imported(environ: dict[str, str]) -> tuple[float, float]:
    """Return the milliseconds that requests takes, and sessionkit after it."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environ, capture_output=True, text=True, check=True
    )
    base, ours = map(float, done.stdout.split())
    return base * 1000, ours * 1000


def main() -> None:
    """Measure and print."""
    rounds = told(__doc__, rounds=21).rounds
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        imported(environ)
        pairs = [imported(environ) for _ in range(rounds)]
    base, ours = zip(*pairs, strict=True)
    report(
        {
            name: {"median_ms": median(took, 2), "min_ms": round(min(took), 2)}
            for name, took in (("requests", base), ("sessionkit", ours))
        }
    )


if __name__ == "__main__":
    main()
