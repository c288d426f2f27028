"""Files that only their owner can read."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

OWNER_ONLY: Final = 0o600
_OTHERS: Final = 0o077


def claim(path: Path) -> None:
    """Make an empty file that only its owner can read, or see that *path* is a plain file.

    An existing file is looked at but not opened: closing any descriptor of a file drops all locks
    that the process has on it (POSIX, fcntl), those of SQLite included.

    Args:
        path: Where. A symbolic link is refused, because whoever made it chooses where the
            tokens go.

    Raises:
        OSError: It cannot be made, or is no plain file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
    try:
        os.close(os.open(path, flags, OWNER_ONLY))
    except FileExistsError:
        kind = path.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise OSError("it is a symbolic link; give the path of the file itself") from None
        if not stat.S_ISREG(kind):
            raise OSError("it is no plain file") from None


def tighten(path: Path) -> None:
    """Take the rights of everybody but the owner from a file, if they have any.

    Not refused, because refusing would stop a program for what is mended here, and nobody who
    may have read the file would know less for it.

    Raises:
        OSError: The rights cannot be changed: the file belongs to somebody else.
    """
    # Windows has no such rights, and shows made-up ones.
    if os.name == "posix" and path.lstat().st_mode & _OTHERS:
        path.chmod(OWNER_ONLY)
