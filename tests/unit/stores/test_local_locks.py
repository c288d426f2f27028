"""Locks between processes, each a file of its own."""

from __future__ import annotations

import gc
import re
import sqlite3
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.errors import LockTimedOut, StoreError
from sessionkit.stores._database import Connection, is_busy
from sessionkit.stores._local_locks import FileLock, LocalLocks
from sessionkit.testing import FakeClock

if TYPE_CHECKING:
    from sessionkit._clock import Clock


def locks(folder: Path, clock: Clock = SYSTEM_CLOCK) -> LocalLocks:
    return LocalLocks(folder / "store", "MyStore", clock=clock, creates_folder=True)


def locked(path: Path) -> FileLock:
    lock = FileLock(path)
    lock.acquire(until=0.0, clock=SYSTEM_CLOCK)
    return lock


def test_each_key_has_an_empty_file_that_stays(tmp_path: Path) -> None:
    """Locks hold nothing, and no name on the disk tells whose they are."""
    one = locks(tmp_path / "folder")
    with one.hold("ann@example.org", 1.0), one.hold("../odd key", 1.0), one.hold_all(1.0):
        names = sorted(file.name for file in (tmp_path / "folder").iterdir())

    assert len(names) == 3
    assert all(re.fullmatch(r"store(\.[0-9a-f]{32})?\.lock", name) for name in names)
    assert {file.stat().st_size for file in (tmp_path / "folder").iterdir()} == {0}


def test_the_waits_for_another_process_start_short_and_stay_short(tmp_path: Path) -> None:
    """A renewal that another process ends is noticed within 20 ms; the time-out is kept."""
    clock = FakeClock()
    with (
        locks(tmp_path).hold("app", 1.0),
        pytest.raises(LockTimedOut, match=r"'app' did not come free within 0\.5 s") as caught,
        locks(tmp_path, clock).hold("app", 0.5),
    ):
        pass

    assert caught.value.store == "MyStore"
    assert clock.sleeps[:6] == (0.001, 0.002, 0.004, 0.008, 0.016, 0.020)
    assert max(clock.sleeps) == 0.020
    assert sum(clock.sleeps) == pytest.approx(0.5)


def test_a_lock_can_be_let_go_by_another_thread(tmp_path: Path) -> None:
    """A generator or a test that hands its lock on does not leave it held."""
    held = locks(tmp_path).hold("app", 1.0)
    held.__enter__()
    thread = threading.Thread(target=partial(held.__exit__, None, None, None))
    thread.start()
    thread.join()

    with locks(tmp_path).hold("app", 0.0):
        pass


def test_the_lock_of_the_store_is_none_of_its_keys(tmp_path: Path) -> None:
    """A renewal may save while it holds its own lock, whatever its key."""
    one = locks(tmp_path)
    for key in ("", "store", ".lock"):
        with one.hold(key, 0.0), one.hold_all(0.0):
            pass


def test_an_error_inside_arrives_as_it_was(tmp_path: Path) -> None:
    """Only what the locks themselves fail at is theirs to explain."""
    one = locks(tmp_path)
    error = LockTimedOut("somebody else's")
    with pytest.raises(LockTimedOut) as caught, one.hold_all(1.0):
        raise error
    assert caught.value is error
    with one.hold_all(0.0):
        pass


def test_a_lock_whose_file_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    """What the system says arrives as an error of the library, with the file's name."""
    (tmp_path / "folder").touch()

    one = locks(tmp_path / "folder")
    with pytest.raises(StoreError, match=r"cannot lock .*folder") as caught, one.hold("app", 1.0):
        pass
    assert not isinstance(caught.value, LockTimedOut)
    assert caught.value.key == "app"


def test_a_locked_file_is_busy_until_it_is_free(tmp_path: Path) -> None:
    """One renewal at a time; nothing is left behind by it."""
    path = tmp_path / "some.lock"
    held = locked(path)
    with pytest.raises(sqlite3.OperationalError) as caught:
        locked(path)
    held.close()

    assert is_busy(caught.value)
    locked(path).close()
    assert [(file.name, file.stat().st_size) for file in path.parent.iterdir()] == [(path.name, 0)]


def test_what_nobody_has_any_more_is_closed_without_a_warning(tmp_path: Path) -> None:
    """A cache that is dropped with its stack is no mistake, since Python 3.13 neither."""
    path = tmp_path / "some.lock"
    held = locked(path)
    del held
    gc.collect()

    locked(path).close()
    # Nor one that never was a connection.
    Connection.__new__(Connection).__del__()


def test_freeing_twice_does_no_harm(tmp_path: Path) -> None:
    """A forked child has closed its copy before the code that held it says so."""
    path = tmp_path / "some.lock"
    held = locked(path)
    held.close()
    held.close()


INTERRUPTED = """
import pathlib, sys
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.stores._local_locks import LocalLocks

one = LocalLocks(pathlib.Path(sys.argv[1]) / "store", "MyStore", clock=SYSTEM_CLOCK)

def stopped(moment):
    passed = 0
    def count(frame, event, argument):
        nonlocal passed
        # Where the interpreter looks for signals: when a function begins, and after one in C.
        passed += event in {"call", "c_return"}
        if passed == moment:
            sys.setprofile(None)
            raise KeyboardInterrupt
    sys.setprofile(count)
    try:
        with one.hold("app", 1.0), one.hold_all(1.0):
            sys.setprofile(None)
    except KeyboardInterrupt:
        return True
    finally:
        sys.setprofile(None)
    return False

moment = 1
while stopped(moment):
    moment += 1
    with one.hold("app", 0.0), one.hold_all(0.0):
        pass
assert moment > 50, moment
"""


def test_ctrl_c_at_any_moment_of_taking_a_lock_leaves_none_held(tmp_path: Path) -> None:
    """Whoever stops one call of a program that lives on does not stop all later ones."""
    # In a process of its own: what is interrupted includes SQLite's state of the process.
    ran = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(tmp_path)],
        cwd=Path(__file__).parents[3],
        timeout=60,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
