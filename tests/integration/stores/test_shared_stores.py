"""Every store that processes of one machine share, held to the contract of such stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sessionkit.stores.encrypted import EncryptedTokenStore
from sessionkit.testing import SharedTokenStoreContract

if TYPE_CHECKING:
    from pathlib import Path


class TestSqliteTokenStore(SharedTokenStoreContract):
    """One database on one machine."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> str:
        return opened(f"sqlite://{tmp_path}/tokens.db")


class TestFileTokenStore(SharedTokenStoreContract):
    """One JSON file."""

    @pytest.fixture
    def opening(self, tmp_path: Path) -> str:
        return opened(f"file://{tmp_path}/tokens.json")


class TestEncryptedTokenStore(SharedTokenStoreContract):
    """Ciphertext in a database; the keys come by the environment."""

    @pytest.fixture
    def opening(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("TEST_TOKEN_KEYS", EncryptedTokenStore.new_key())
        return opened(f"encrypted+sqlite://{tmp_path}/tokens.db?keys_env=TEST_TOKEN_KEYS")


class TestKeyringTokenStore(SharedTokenStoreContract):
    """A keyring in a file, which bears no two programs at once by itself."""

    @pytest.fixture
    def opening(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
        return opened("keyring:sessionkit-test")


def opened(url: str) -> str:
    return f"from sessionkit.stores import open_store\nstore = open_store({url!r})"
