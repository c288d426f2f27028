"""``python -m sessionkit``."""

from __future__ import annotations

import sys

from sessionkit.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
