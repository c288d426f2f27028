"""Writes into the report of a run which package of others a test is about."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(autouse=True)
def _about(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    # The table of docs/explanation/compatibility.md is made of these; see compat/table.py.
    for marker in request.node.iter_markers("package"):
        name, kind = marker.args
        record_property("package", f"{name}|{version(name)}|{kind}|{request.path.name}")
