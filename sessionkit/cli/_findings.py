"""What a look at this machine found: one line for each thing that works, is not there, or fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["works", "absent", "fails"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: What it belongs to, such as ``stores``.
        what: Its name.
        state: Whether it works; ``absent`` is no failure.
        detail: Versions, or what is wrong.
        cure: What to type or to do, if anything.
    """

    part: str
    what: str
    state: State
    detail: str = ""
    cure: str = ""
