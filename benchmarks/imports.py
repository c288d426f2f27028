"""What ``from sessionkit import SessionStack, recommended`` costs on top of ``import requests``.

``python benchmarks/imports.py [--rounds 21]`` prints one JSON object, in milliseconds: medians and
minima over fresh interpreters, with compiled bytecode as after any first import.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        imported(environ)
        pairs = [imported(environ) for _ in range(rounds)]
    report = {
        name: {"median_ms": round(statistics.median(took), 2), "min_ms": round(min(took), 2)}
        for name, took in zip(("requests", "sessionkit"), zip(*pairs, strict=True), strict=True)
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
