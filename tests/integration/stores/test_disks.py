"""Token stores on disks that are full, too small for one more token, or read-only.

The disks are in memory and belong to a name space of the test's own (``unshare``), so nothing of
the machine is mounted or filled, and nobody has to be root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).resolve().parents[3]
SECONDS: Final = 60.0

START = """
import errno, os, pathlib, resource, signal, subprocess, sys
from sessionkit._tokens import Token
from sessionkit.errors import LockTimedOut, StoreError
from sessionkit.stores import open_store

folder = pathlib.Path(sys.argv[1])
url = f"{sys.argv[2]}://{folder}/tokens"
store = open_store(url)
small, large = Token("a", refresh_token="r"), Token("b" * 40_000)

def fails(work):
    try:
        work()
    except StoreError as error:
        assert not isinstance(error, LockTimedOut)
        assert "disk" in error.hint, error.hint
        assert "bbbb" not in f"{error} {error.hint} {error.__cause__}"
        return
    raise AssertionError("did not fail")

def hold():
    with store.lock("new", 5.0):
        pass
"""


@cache
def has_name_spaces() -> bool:
    command = ["unshare", "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


needs_a_disk = pytest.mark.skipif(not has_name_spaces(), reason="no disk can be made here")
both = pytest.mark.parametrize("kind", ["sqlite", "file"])


def run(text: str, kind: str, folder: Path, *, before: tuple[str, ...] = ()) -> None:
    """Run *text* in a process of its own, which must end well."""
    ran = subprocess.run(
        [*before, sys.executable, "-W", "error", "-c", START + text, str(folder), kind],
        cwd=ROOT,
        timeout=SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def on_a_small_disk(text: str, kind: str, folder: Path) -> None:
    """Run *text* where *folder* is a disk of 128 KiB."""
    mount = f"mount -t tmpfs -o size=128k,mode=700 tmpfs {folder}"
    run(
        text,
        kind,
        folder,
        before=("unshare", "-Urm", "sh", "-c", f'{mount} && exec "$@"', "sh"),
    )


@needs_a_disk
@both
def test_a_full_disk_costs_the_last_token_only(tmp_path: Path, kind: str) -> None:
    """What was safe stays safe; with room on the disk again, the store goes on by itself."""
    full = """
store.save("app", small)
filler = folder / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 512)
    except OSError as error:
        assert error.errno == errno.ENOSPC
fails(lambda: store.save("app", large))
fails(lambda: store.save("other", large))
assert store.load("app") == small
assert store.load("other") is None
assert store.keys() == ["app"]
assert open_store(url).load("app") == small
filler.unlink()
store.save("app", large)
assert open_store(url).load("app") == large
assert not list(folder.glob("*.new")) + list(folder.glob("*.corrupt-*"))
"""
    on_a_small_disk(full, kind, tmp_path)


@needs_a_disk
@both
def test_a_disk_that_is_full_from_the_start_is_a_store_error(tmp_path: Path, kind: str) -> None:
    """The very first login is told of the disk, and leaves no half store behind."""
    full = """
filler = folder / "filler"
try:
    filler.write_bytes(b"x" * 200_000)
except OSError:
    pass
fails(lambda: store.save("app", small))
assert store.load("app") is None
filler.unlink()
store.save("app", small)
assert store.load("app") == small
"""
    on_a_small_disk(full, kind, tmp_path)


@needs_a_disk
@both
def test_a_disk_that_became_read_only_can_still_be_read(tmp_path: Path, kind: str) -> None:
    """A token that lives is used on; a renewal that could not be saved is told as that."""
    read_only = """
store.save("app", small)
subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
assert store.load("app") == small
assert store.keys() == ["app"]
fails(lambda: store.save("app", large))
fails(lambda: store.delete("app"))
fails(hold)
assert store.load("app") == small
subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
store.save("app", large)
hold()
"""
    on_a_small_disk(read_only, kind, tmp_path)


@both
def test_a_limit_on_the_size_of_files_costs_the_last_token_only(tmp_path: Path, kind: str) -> None:
    """A quota is met as a full disk is, on any system."""
    limited = """
store.save("app", small)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, most))
fails(lambda: store.save("app", large))
assert store.load("app") == small
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
store.save("app", large)
assert open_store(url).load("app") == large
assert not list(folder.glob("*.new")) + list(folder.glob("*.corrupt-*"))
"""
    run(limited, kind, tmp_path)


@both
def test_a_folder_that_cannot_be_written_to_is_a_store_error(tmp_path: Path, kind: str) -> None:
    """A folder of the system's is told when the first token is to be kept."""
    closed = """
folder.chmod(0o500)
fails(lambda: store.save("app", small))
fails(hold)
assert store.load("app") is None
assert store.keys() == []
folder.chmod(0o700)
store.save("app", small)
folder.chmod(0o500)
assert store.load("app") == small
fails(lambda: store.save("app", large))
"""
    run(closed, kind, tmp_path, before=obeying_rights())


def obeying_rights() -> tuple[str, ...]:
    """Return the command in front of a program that the rights of folders hold for."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may write anywhere")
    return ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
