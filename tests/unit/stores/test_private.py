"""Files that only their owner can read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from sessionkit.stores._private import claim, tighten

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="files have other rights here")


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Let the process make files that all may read and write, if nobody takes care."""
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_private_from_its_first_moment(tmp_path: Path) -> None:
    """There is no instant in which somebody else could open it."""
    claim(tmp_path / "new")

    assert rights(tmp_path / "new") == 0o600


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Claiming a store twice loses nothing."""
    (tmp_path / "old").write_text("kept")

    claim(tmp_path / "old")

    assert (tmp_path / "old").read_text() == "kept"
    assert rights(tmp_path / "old") == 0o666


def test_a_file_that_is_there_is_not_opened(tmp_path: Path) -> None:
    """SQLite's locks on it stand: closing any descriptor of a file would drop them all."""
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0)
    before = (tmp_path / "old").stat().st_atime_ns

    claim(tmp_path / "old")

    assert (tmp_path / "old").stat().st_atime_ns == before


@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_link_is_refused(tmp_path: Path, target: str) -> None:
    """A planted link leads nowhere."""
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / target)

    with pytest.raises(OSError, match="symbolic link"):
        claim(tmp_path / "link")
    assert not (tmp_path / "missing").exists()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """What is no file is told as such."""
    with pytest.raises(OSError, match="no plain file"):
        claim(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o620, 0o600), (0o600, 0o600), (0o400, 0o400)]
)
def test_others_lose_their_rights_and_the_owner_keeps_his(
    tmp_path: Path, before: int, after: int
) -> None:
    """Only what lets others in is changed."""
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(before)

    tighten(tmp_path / "file")

    assert rights(tmp_path / "file") == after
