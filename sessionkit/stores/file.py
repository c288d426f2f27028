"""Tokens in a JSON file, shared by the processes of one machine; extra ``file`` for `for_app`."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._optional import require
from sessionkit._tokens import Token
from sessionkit.errors import ConfigError, StoreError, StoreUnreadable
from sessionkit.stores import _private
from sessionkit.stores._forms import file_path
from sessionkit.stores._local_locks import LocalLocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sessionkit._clock import Clock

__all__ = ["FileTokenStore"]

T = TypeVar("T")

_LOG = logging.getLogger("sessionkit.stores")
_VERSION: Final = 1


class FileTokenStore:
    """Keeps tokens in one JSON file, indented, that only its owner can read.

    For a command line or a laptop: some dozens of accounts in a file that can be looked at, copied
    and deleted. Each save writes the whole file anew beside the old one and then puts it in its
    place, so a process that is killed at any moment, or a disk that is full, leaves the old file
    or the new one, never half of one. For thousands of accounts `SqliteTokenStore` is faster.

    The file is made at the first save, with mode 0600, and so is its folder, with mode 0700. A
    file that others may read, a symbolic link and the file of another program are refused. One
    that is no JSON any more is kept under another name (``tokens.json.corrupt-`` and the time),
    with a warning in the log ``sessionkit.stores``, and the store starts anew. It must be on a
    local disk: file locks over a network cannot be relied on.

    Args:
        path: The file. ``~`` stands for the home folder; a relative path is taken from the
            working folder of this moment.
        busy_timeout: How long one call waits for those of others to end, in seconds.
        clock: Measures and makes the waits for other processes.

    Raises:
        ConfigError: *path* cannot be a file's.
        StoreError: The folder in which the file's folder would be does not exist.
    """

    __slots__ = ("_busy_timeout", "_clock", "_locks", "_path")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = 5.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._path = _private.absolute(os.fspath(path), "FileTokenStore")
        self._busy_timeout = busy_timeout
        self._clock = clock
        self._locks = LocalLocks(self._path, repr(self), clock=clock, creates_folder=True)
        above = self._path.parent.parent
        if not above.is_dir():
            raise StoreError(
                f"there is no folder {above} for the token store {self._path}",
                hint=f"make it: mkdir -p {above}",
                store=repr(self),
            )

    @classmethod
    def for_app(cls, name: str) -> Self:
        """Return the store where this system keeps the data of the user's programs.

        On Linux that is ``~/.local/share/NAME/tokens.json``.

        Args:
            name: Your program's, fit to be the name of a folder.

        Raises:
            ConfigError: It is not.
            ImportError: The extra ``file`` is not installed.
        """
        if not name.strip(". ") or set(name) & set("/\\:\0"):
            raise ConfigError(f"{name!r} cannot be the name of a folder")
        folder: Path = require("platformdirs", "file").user_data_path(name, appauthor=False)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return cls(folder / "tokens.json")

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of ``file:tokens.json`` or ``file:///var/lib/app/tokens.json``.

        Raises:
            ConfigError: The URL holds no path, or more than a path.
            StoreError: The folder in which the file's folder would be does not exist.
        """
        return cls(file_path(url))

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self._path)!r})"

    def __reduce__(self) -> tuple[Callable[..., FileTokenStore], tuple[Path]]:
        # A worker process gets the way to the tokens, not the tokens.
        build = partial(FileTokenStore, busy_timeout=self._busy_timeout, clock=self._clock)
        return build, (self._path,)

    def keys(self) -> list[str]:
        return sorted(self._run(None, self._look))

    def load(self, key: str) -> Token | None:
        entries = self._run(key, self._look)
        return self._token(key, entries[key]) if key in entries else None

    def save(self, key: str, token: Token) -> None:
        self._change(key, lambda entries: {**entries, key: token.to_dict()})

    def delete(self, key: str) -> None:
        if os.path.lexists(self._path):
            self._change(
                key, lambda entries: {name: entries[name] for name in entries if name != key}
            )

    def lock(self, key: str, timeout: float) -> AbstractContextManager[None]:
        return self._locks.hold(key, timeout)

    def _look(self) -> dict[str, Any]:
        """Return the entries, without a lock: no reader sees half a file."""
        entries = self._entries()
        if entries is None:
            with self._locks.hold_all(self._busy_timeout):
                entries = self._rescued()
        return entries

    def _change(self, key: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        def work() -> None:
            with self._locks.hold_all(self._busy_timeout):
                before = self._rescued()
                after = change(before)
                if after != before:
                    document = {"sessionkit": _VERSION, "tokens": after}
                    # ASCII, so that any text is a key, whatever its encoding.
                    _private.replace(self._path, json.dumps(document, indent=1).encode("ascii"))

        self._run(key, work)

    def _rescued(self) -> dict[str, Any]:
        """Return the entries; a file that is no JSON is moved away first. Under the lock only."""
        entries = self._entries()
        if entries is None:
            now = datetime.fromtimestamp(self._clock.time(), UTC)
            aside = _private.move_aside(self._path, f"corrupt-{now:%Y%m%dT%H%M%SZ}")
            _LOG.warning(
                "the token store %s was no JSON; it is kept as %s and the store starts anew",
                *(self._path, aside.name),
            )
            return {}
        return entries

    def _entries(self) -> dict[str, Any] | None:
        """Return what the file holds; None if it is no JSON."""
        content = _private.read(self._path)
        if content is None or not content.strip():
            return {}
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            return None
        version = document.get("sessionkit") if isinstance(document, dict) else None
        entries = document.get("tokens") if version == _VERSION else None
        if isinstance(entries, dict):
            return entries
        newer = isinstance(version, int) and version > _VERSION
        raise StoreUnreadable(
            f"the token store {self._path} "
            + ("was written by a newer sessionkit" if newer else "is the file of another program"),
            hint="upgrade sessionkit" if newer else "give another path",
            store=repr(self),
        )

    def _token(self, key: str, fields: Any) -> Token:
        try:
            return Token.from_dict(fields)
        except ValueError as error:
            # The message names the field, never what is in it.
            raise StoreUnreadable(
                f"what the token store {self._path} holds for {key!r:.80} is no token: {error}",
                hint="drop it with store.delete(key) and log in again",
                store=repr(self),
                key=key,
            ) from None

    def _run(self, key: str | None, work: Callable[[], T]) -> T:
        try:
            return work()
        except StoreError:
            # An OSError too, as every requests.RequestException.
            raise
        except OSError as error:
            raise StoreError(
                f"the token store cannot use {self._path}: {error}",
                hint="see that file and folder are yours alone, on a local disk with room left",
                store=repr(self),
                key=key,
            ) from error
