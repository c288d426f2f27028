"""Stores tried out: real files, real servers, another process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import keyring.backends.fail
import keyring.core
import pytest

from sessionkit import Token
from sessionkit.cli._stores import PROBE, _check_files, check_local_stores, check_store, exercise
from sessionkit.errors import SessionKitError
from sessionkit.stores import MemoryTokenStore, SqliteTokenStore, open_store
from tests.unit.auth.asking import Later

ROOT = Path(__file__).parents[3]


def test_every_store_of_this_machine_is_tried() -> None:
    """What works here is known before a program is written for it."""
    found = {finding.what: finding for finding in check_local_stores()}

    assert list(found) == ["memory", "sqlite", "file", "encrypted", "keyring"]
    for kind in ("sqlite", "file"):
        assert found[kind].state == "works"
        assert found[kind].detail.endswith("another process waits for the lock; files 0600")
    assert found["encrypted"].detail == "locks, saves, loads, deletes"
    assert found["keyring"].state in {"works", "absent"}


def test_a_store_that_is_not_installed_is_told_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of those there may be it is one more; of the one that was given it is a failure."""
    for library in ("cryptography.fernet", "redis"):
        monkeypatch.setitem(sys.modules, library, None)
    absent = {finding.what: finding for finding in check_local_stores()}["encrypted"]
    given = check_store("redis://127.0.0.1:1/0")

    assert (absent.state, given.state) == ("absent", "fails")
    for finding, extra in ((absent, "crypto"), (given, "redis")):
        assert finding.detail
        assert finding.cure == f'pip install "requests-sessionkit[{extra}]"'


def test_a_machine_that_starts_no_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a finding, and not by a traceback."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    finding = check_store(f"sqlite://{tmp_path}/tokens.db")

    assert finding.state == "fails"
    assert "No such file" in finding.detail
    found = {finding.what: finding.state for finding in check_local_stores()}
    assert (found["memory"], found["sqlite"], found["file"]) == ("works", "fails", "fails")


def test_a_lock_that_is_held_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """Two who look at one store do not take each other for a fault."""
    url = f"sqlite://{tmp_path}/tokens.db"
    with open_store(url).lock(PROBE, 1.0):
        looking = Later(lambda: check_store(url).state)
        looking.join(0.5)
    assert looking.outcome() == "works"


def test_a_lock_that_is_not_the_other_processs_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file for each working folder is no store to share: it is tried, and not believed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sitecustomize.py").write_text("import os; os.chdir('elsewhere')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.chdir(tmp_path)
    finding = check_store("sqlite:tokens.db")

    assert finding.state == "fails"
    assert finding.detail == "another process got the lock that was held here"


def test_a_keyring_that_does_not_work_is_a_failure_only_where_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a server none is the rule; whoever names one wants it."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]  # keyring's own
    found = {finding.what: finding for finding in check_local_stores()}["keyring"]
    given = check_store("keyring:program")

    assert (found.state, given.state) == ("absent", "fails")
    assert found.detail == given.detail


def test_a_look_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only asks what works finds no folder of ours at home afterwards."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    assert [finding.state for finding in check_local_stores()].count("works") >= 4
    assert list(tmp_path.rglob("*")) == []


def test_a_given_store_is_left_as_it_was(tmp_path: Path) -> None:
    """The tokens in it are not touched, and the probe is gone."""
    store = SqliteTokenStore(tmp_path / "tokens.db")
    store.save("ann", token := Token("x"))
    finding = check_store(f"sqlite://{tmp_path}/tokens.db")

    assert (finding.state, finding.part) == ("works", "the store given")
    assert store.keys() == ["ann"]
    assert store.load("ann") == token


def test_redis_is_tried_by_two_processes(redis_url: str) -> None:
    """That the fleet shares one lock is tried, not believed."""
    finding = check_store(redis_url)

    assert (finding.what, finding.state) == ("redis", "works"), finding
    assert "another process waits" in finding.detail
    assert "planted-password" not in repr(finding)
    assert open_store(redis_url).load(PROBE) is None


def test_postgresql_is_tried_by_two_processes(postgres_url: str) -> None:
    """As Redis is."""
    finding = check_store(postgres_url)

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
    finding = check_store(url)

    assert (finding.what, finding.state) == (what, "fails")
    assert cure in finding.cure
    assert finding.cure not in finding.detail
    assert "planted-password" not in repr(finding)


def test_a_store_in_memory_is_shared_by_nobody() -> None:
    """It works, and is told for what it is."""
    assert check_store("memory:").detail.endswith("of this process alone")


def test_a_store_that_only_this_process_can_open_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Such as one whose keys the workers do not have; its own words stay its own."""
    # Python runs it first, in each process that begins.
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('planted')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = check_store(f"sqlite://{tmp_path}/tokens.db")

    assert finding.state == "fails"
    assert finding.detail == "another process cannot open the store"
    assert capfd.readouterr() == ("", "")


def test_a_file_that_others_may_read_is_found_out(tmp_path: Path) -> None:
    """A folder or a system that gives files other rights than were asked for is told."""
    (tmp_path / "open").touch(0o644)

    with pytest.raises(SessionKitError, match="0o644"):
        _check_files(f"sqlite://{tmp_path}/tokens", tmp_path)


class Forgetful(MemoryTokenStore):
    """A store that loses what it saves, as a cache may."""

    def save(self, key: str, token: Token) -> None:
        """Save nothing."""


class Clinging(MemoryTokenStore):
    """A store that forgets nothing."""

    def delete(self, key: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize("kind", [Forgetful, Clinging])
def test_a_store_that_only_seems_to_work_is_found_out(kind: type[MemoryTokenStore]) -> None:
    """What it says it did is looked at."""
    with pytest.raises(SessionKitError):
        exercise(kind())
