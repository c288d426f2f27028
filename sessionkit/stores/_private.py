"""Files that only their owner can read."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from sessionkit.errors import ConfigError

OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077
_OWNER_ONLY_FOLDER: Final = 0o700
_LINK: Final = "it is a symbolic link; give the path of the file itself"
_CLOSED_ON_EXEC: Final = getattr(os, "O_CLOEXEC", 0)
# A pipe in the file's place must not hang who opens it.
_READ: Final = (
    os.O_RDONLY | _CLOSED_ON_EXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
)


def absolute(path: str, owner: str) -> Path:
    """Return where *path* leads from the working folder of this moment.

    Args:
        path: As a user writes it; ``~`` stands for the home folder.
        owner: The store, as the error shall name it.

    Raises:
        ConfigError: It cannot be a path.
    """
    if "\0" in path:
        raise ConfigError(f"a {owner} needs the path of a file")
    try:
        given = Path(path).expanduser().absolute()
        # The folder resolved, for SQLite stumbles over `..`; the file not, for a link is refused.
        return given.parent.resolve() / given.name
    except RuntimeError as error:
        raise ConfigError(f"a {owner} cannot be at {path!r}: {error}") from error


def create_private(path: Path) -> None:
    """Make an empty file that only its owner can read, or see that *path* is a plain file.

    An existing file is looked at but not opened: closing any descriptor of a file drops all locks
    that the process has on it (POSIX, fcntl), those of SQLite included.

    Args:
        path: Where. A symbolic link is refused, because the user who made it chooses where
            the tokens go.

    Raises:
        OSError: It cannot be made, or is no plain file.
    """
    try:
        os.close(_created(path))
    except FileExistsError:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise OSError(_LINK) from None
        if not stat.S_ISREG(kind):
            raise OSError("it is no plain file") from None


def restrict_permissions(path: Path) -> None:
    """Take all rights on a file from users other than its owner.

    Not refused: that would stop a program for what is mended here, and take back nothing that
    others may have read before.

    Raises:
        OSError: The rights cannot be changed: the file belongs to another user.
    """
    # Windows has no such rights, and shows made-up ones.
    if os.name == "posix" and path.lstat().st_mode & _OTHERS:
        path.chmod(OWNER_ONLY)


def make_folder(folder: Path) -> None:
    """Make *folder*, for its owner alone, if it is not there.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(_OWNER_ONLY_FOLDER, exist_ok=True)


def read(path: Path) -> bytes | None:
    """Return what a private file holds, or None if it is not there.

    The check is of the open file, so the file cannot be exchanged after it.

    Raises:
        OSError: It cannot be read, is no plain file, or other users may read or replace it.
    """
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        return None
    except OSError as error:
        # Of a link, which O_NOFOLLOW does not follow; the system's words would not help.
        if error.errno == errno.ELOOP:
            raise OSError(_LINK) from None
        raise
    try:
        _check_owner_and_mode(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def replace(path: Path, content: bytes) -> None:
    """Put *content* in the place of a private file: wholly or, after any mishap, not at all.

    On return it is on the disk. Only one may do this at a time; what a killed one left behind, the
    next one clears away.

    Raises:
        OSError: It cannot be written; the file is as it was.
    """
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(_created(fresh), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _fsync_directory(path.parent)


def move_aside(path: Path, stamp: str) -> Path:
    """Give a file another name, which no file has yet; return the new path.

    Args:
        path: Which file. Only one may do this at a time.
        stamp: What the new name ends in.

    Raises:
        OSError: It cannot be renamed.
    """
    aside = path.with_name(f"{path.name}.{stamp}")
    number = 1
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.{stamp}-{number}")
    path.rename(aside)
    return aside


def _created(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _CLOSED_ON_EXEC
    return os.open(path, flags, OWNER_ONLY)


def _check_owner_and_mode(path: Path, file: os.stat_result) -> None:
    if not stat.S_ISREG(file.st_mode):
        raise OSError("it is no plain file")
    if os.name != "posix":
        return
    if file.st_uid != os.geteuid():
        raise OSError("it belongs to another user, who may read what is written to it")
    mode = stat.S_IMODE(file.st_mode)
    if mode & _OTHERS:
        raise OSError(f"others may read or write it (mode {mode:04o}): chmod 600 {path}")
    folder = path.parent.stat().st_mode
    if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
        raise OSError(f"anybody may replace it; close its folder: chmod go-w {path.parent}")


def _fsync_directory(folder: Path) -> None:
    """Have the names in *folder* written to the disk, or a power cut takes the renaming back."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY | _CLOSED_ON_EXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
