"""Stores tried out: real files, real servers, another process."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionkit import Token
from sessionkit.cli._stores import PROBE, _in_files, given_store, local_stores, use
from sessionkit.errors import SessionKitError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore, open_store


def test_every_store_of_this_machine_is_tried() -> None:
    """What works here is known before a program is written for it."""
    found = {finding.what: finding for finding in local_stores()}

    assert list(found) == ["memory", "sqlite", "file", "encrypted", "keyring"]
    for kind in ("sqlite", "file"):
        assert found[kind].state == "works"
        assert found[kind].detail.endswith("another process waits for the lock; files 0600")
    assert found["keyring"].state in {"works", "absent"}


def test_a_given_store_is_left_as_it_was(tmp_path: Path) -> None:
    """The tokens in it are not touched, and the probe is gone."""
    store = SqliteTokenStore(tmp_path / "tokens.db")
    store.save("ann", token := Token("x"))
    finding = given_store(f"sqlite://{tmp_path}/tokens.db")

    assert (finding.state, finding.part) == ("works", "the store given")
    assert store.keys() == ["ann"]
    assert store.load("ann") == token


def test_redis_is_tried_by_two_processes(redis_url: str) -> None:
    """That the fleet shares one lock is tried, not believed."""
    finding = given_store(redis_url)

    assert (finding.what, finding.state) == ("redis", "works"), finding
    assert "another process waits" in finding.detail
    assert "planted-password" not in repr(finding)
    assert open_store(redis_url).load(PROBE) is None


def test_postgresql_is_tried_by_two_processes(postgres_url: str) -> None:
    """As Redis is."""
    finding = given_store(postgres_url)

    assert finding.state == "works", finding
    assert "another process waits" in finding.detail


@pytest.mark.parametrize(
    ("url", "what", "cure"),
    [
        ("nowhere:x", "nowhere", "known are"),
        ("sqlite:///no/such/folder/tokens.db", "sqlite", "mkdir"),
        ("redis://:planted-password@127.0.0.1:1/0", "redis", "see that the server runs"),
    ],
)
def test_a_store_that_does_not_work_is_told_with_a_way_on(url: str, what: str, cure: str) -> None:
    """The reason, what to do, and no password."""
    finding = given_store(url)

    assert (finding.what, finding.state) == (what, "fails")
    assert cure in finding.cure
    assert "planted-password" not in repr(finding)


def test_a_store_in_memory_is_shared_by_nobody() -> None:
    """It works, and is told for what it is."""
    assert given_store("memory:").detail.endswith("of this process alone")


def test_a_store_that_only_this_process_can_open_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one whose keys the workers do not have."""
    # Python runs it first, in each process that begins.
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit(1)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = given_store(f"sqlite://{tmp_path}/tokens.db")

    assert finding.state == "fails"
    assert finding.detail == "another process cannot open the store"


def test_a_file_that_others_may_read_is_found_out(tmp_path: Path) -> None:
    """A folder or a system that gives files other rights than were asked for is told."""
    (tmp_path / "open").touch(0o644)

    with pytest.raises(SessionKitError, match="0o644"):
        _in_files(f"sqlite://{tmp_path}/tokens", tmp_path)


class Forgetful(MemoryTokenStore):
    """A store that loses what it saves, as a cache may."""

    def save(self, key: str, token: Token) -> None:
        """Save nothing."""


class Clinging(MemoryTokenStore):
    """A store that forgets nothing."""

    def forget(self, key: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize("kind", [Forgetful, Clinging])
def test_a_store_that_only_seems_to_work_is_found_out(kind: type[MemoryTokenStore]) -> None:
    """What it says it did is looked at."""
    with pytest.raises(SessionKitError):
        use(kind())
