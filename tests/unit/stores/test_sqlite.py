from __future__ import annotations
from typing import TYPE_CHECKING
import pytest
from sessionkit.stores import SqliteTokenStore
from sessionkit.testing import TokenStoreContract
from pathlib import Path


class TestSqliteTokenStore(TokenStoreContract):
    """The contract of all stores."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> SqliteTokenStore:
        return SqliteTokenStore(tmp_path / "tokens.db")
