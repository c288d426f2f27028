"""Files that only their owner can read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from sessionkit.errors import ConfigError
from sessionkit.stores._private import (
    absolute,
    create_private,
    make_folder,
    move_aside,
    read,
    replace,
    restrict_permissions,
)

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
    create_private(tmp_path / "new")

    assert rights(tmp_path / "new") == 0o600


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """Claiming a store twice loses nothing."""
    (tmp_path / "old").write_text("kept")

    create_private(tmp_path / "old")

    assert (tmp_path / "old").read_text() == "kept"
    assert rights(tmp_path / "old") == 0o666


def test_a_file_that_is_there_is_not_opened(tmp_path: Path) -> None:
    """SQLite's locks on it stand: closing any descriptor of a file would drop them all."""
    (tmp_path / "old").touch()
    (tmp_path / "old").chmod(0)
    before = (tmp_path / "old").stat().st_atime_ns

    create_private(tmp_path / "old")

    assert (tmp_path / "old").stat().st_atime_ns == before


@pytest.mark.parametrize("target", ["there", "missing"])
def test_a_link_is_refused(tmp_path: Path, target: str) -> None:
    """A planted link leads nowhere."""
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / target)

    with pytest.raises(OSError, match="symbolic link"):
        create_private(tmp_path / "link")
    assert not (tmp_path / "missing").exists()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """What is no file is told as such."""
    with pytest.raises(OSError, match="no plain file"):
        create_private(tmp_path)


@pytest.mark.parametrize(
    ("before", "after"), [(0o644, 0o600), (0o620, 0o600), (0o600, 0o600), (0o400, 0o400)]
)
def test_others_lose_their_rights_and_the_owner_keeps_his(
    tmp_path: Path, before: int, after: int
) -> None:
    """Only what lets others in is changed."""
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(before)

    restrict_permissions(tmp_path / "file")

    assert rights(tmp_path / "file") == after


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Not even the names of the files in it are told to others."""
    make_folder(tmp_path / "private")
    make_folder(tmp_path / "private")

    assert rights(tmp_path / "private") == 0o700


def test_what_is_replaced_is_private_and_whole(tmp_path: Path) -> None:
    """A reader sees the old content or the new, and others see nothing."""
    path = tmp_path / "file"
    replace(path, b"old")
    with path.open("rb") as reader:
        replace(path, b"new")

        assert reader.read() == b"old"
    assert read(path) == b"new"
    assert rights(path) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_link_in_the_way_of_a_new_file_is_not_followed(tmp_path: Path) -> None:
    """Whoever can guess the name of the next file cannot choose where it goes."""
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / "file.new").symlink_to(tmp_path / "theirs")

    replace(tmp_path / "file", b"new")

    assert (tmp_path / "theirs").read_text() == "kept"
    assert read(tmp_path / "file") == b"new"
    assert not (tmp_path / "file").is_symlink()


def test_what_cannot_be_replaced_stays(tmp_path: Path) -> None:
    """A failure on the way leaves the file as it was, and nothing half-written."""
    (tmp_path / "file").mkdir()

    with pytest.raises(IsADirectoryError):
        replace(tmp_path / "file", b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    """The first look is no error."""
    assert read(tmp_path / "file") is None
    assert read(tmp_path / "folder" / "file") is None


def test_what_the_system_says_of_a_path_arrives(tmp_path: Path) -> None:
    """Only a link has words of its own; any other trouble is told as it is."""
    with pytest.raises(OSError, match="too long"):
        read(tmp_path / ("n" * 300))


def test_a_file_moved_aside_takes_nobodys_place(tmp_path: Path) -> None:
    """What was kept once is kept for good."""
    names = []
    for content in ("a", "b", "c"):
        (tmp_path / "file").write_text(content)
        names.append(move_aside(tmp_path / "file", "old").name)

    assert names == ["file.old", "file.old-2", "file.old-3"]
    assert [(tmp_path / name).read_text() for name in names] == ["a", "b", "c"]


def test_a_path_that_is_none_is_told_with_its_store(tmp_path: Path) -> None:
    """Who reads the error knows which setting it is about."""
    assert absolute(f"{tmp_path}/folder/../file", "MyStore") == tmp_path / "file"
    with pytest.raises(ConfigError, match="a MyStore needs the path"):
        absolute("nul\0", "MyStore")
