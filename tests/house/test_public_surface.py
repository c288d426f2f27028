"""The public surface is what its snapshot says: a change of it is seen in review."""

from __future__ import annotations

import difflib

from tests.house.public_surface import SNAPSHOT, surface


def test_the_public_surface_is_that_of_the_snapshot() -> None:
    """A change of a public name or signature is meant, and is seen in review."""
    known = SNAPSHOT.read_text("utf-8").splitlines()
    changes = "\n".join(difflib.unified_diff(known, surface().splitlines(), lineterm="", n=0))

    assert not changes, (
        f"write it anew if you mean it: python -m tests.house.public_surface\n{changes}"
    )
