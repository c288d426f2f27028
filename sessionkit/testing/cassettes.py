"""Recorded runs without their secrets, to be played back without a server.

Needs vcrpy (extra ``testing``). The files are cassettes of vcrpy's own format, which it can play
back by itself; what differs is only what is written into them.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sessionkit._optional import require
from sessionkit.errors import ConfigError
from sessionkit.testing._standins import StandIns, unmasked_names
from sessionkit.testing._vcr import (
    EXTRA,
    Archive,
    is_same_request,
    load,
    request_line,
    request_message,
    response_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Cassette", "NotRecorded", "cassette", "find_secrets"]

Mode: TypeAlias = Literal["none", "once", "all"]


class NotRecorded(AssertionError):
    """A cassette was asked for what it does not hold.

    No error of requests or of sessionkit, so that no handler retries or maps it.
    """


class Cassette:
    """A cassette that is open. Belongs to the thread that opened it.

    Args:
        path: The file.
        inner: vcrpy's own cassette.
        recording: Whether it is being recorded.
    """

    __slots__ = ("_inner", "path", "recording")

    def __init__(self, path: Path, inner: Any, *, recording: bool) -> None:
        self.path = path
        self.recording = recording
        self._inner = inner

    def __repr__(self) -> str:
        return f"<Cassette {self.path}: {len(self.left)} of {len(self._inner)} requests left>"

    @property
    def left(self) -> tuple[str, ...]:
        """The recorded requests that were not asked for yet, such as ``GET https://...``."""
        if self.recording:
            return ()
        played = self._inner.play_counts
        return tuple(
            request_line(request)
            for place, request in enumerate(self._inner.requests)
            if not played[place]
        )


@contextmanager
def cassette(
    path: str | os.PathLike[str],
    *,
    record: Mode = "none",
    secrets: Iterable[str] = (),
    hosts: Mapping[str, str] | None = None,
    hint: str = "record it again with record='all'",
) -> Iterator[Cassette]:
    """Play a recorded run back, or record it, without its secrets.

    In a recording each secret has a stand-in: ``secret-1``, ``secret-2``, ... in the order in which
    they are met, so a renewal that is played back still brings another token. Secret are values of
    headers, cookies, query parameters and of fields of forms, JSON and XML with names such as
    ``Authorization``, ``api_key``, ``access_token`` or ``password``, in requests and in responses,
    the token endpoint's included. What was found in one place is replaced in all: in paths, in
    texts that quote it, in Base64.

    A request gets the first response, not played yet, to a recorded one of the same method, URL and
    body; secrets do not count, nor do headers. No connection is opened.

    Not thread-safe, as vcrpy is not: it takes the place of urllib3's connections in the whole
    process, and loses requests of several threads. Where the block ends in an error, nothing is
    written.

    Args:
        path: The file, such as ``cassettes/login.yaml``.
        record: ``none`` plays back; ``once`` records if there is no file; ``all`` records anew.
        secrets: More texts to replace wherever they turn up; they get the first stand-ins.
        hosts: What to write for a host and port that differ from run to run, such as
            ``{"127.0.0.1:40123": "api.example"}``.
        hint: What to do about a request that was not recorded, for the error.

    Raises:
        NotRecorded: There is no such file; raised also by each request that is not in it.
        ConfigError: No such mode, or a secret under four characters.
        ImportError: vcrpy is not installed; the message is the line that installs it.
    """
    if record not in {"none", "once", "all"}:
        raise ConfigError(f"record is 'none', 'once' or 'all', not {record!r}")
    file, stand_ins, vcr = Path(path), StandIns(secrets, hosts), require("vcr", EXTRA)
    recording = record == "all" or (record == "once" and not file.is_file())
    if not recording and not file.is_file():
        raise NotRecorded(f"there is no cassette {file}: {hint}")

    def not_recorded(*, cassette: Any, failed_request: Any) -> NotRecorded:
        left = ", ".join(Cassette(file, cassette, recording=False).left) or "nothing"
        asked_for = stand_ins.replace_in(request_line(failed_request))
        return NotRecorded(
            f"{asked_for} is not in {file}, or with another body, or was played back already "
            f"(left there: {left}): {hint}"
        )

    def sessionkit(first: Any, second: Any) -> bool:
        return is_same_request(stand_ins, first, second)

    recorder = vcr.VCR(
        record_mode="all" if recording else "none",
        match_on=["sessionkit"],
        record_on_exception=False,
        # vcrpy's own error quotes URLs and bodies as they are.
        custom_patches=((vcr.stubs, "CannotOverwriteExistingCassetteException", not_recorded),),
    )
    recorder.register_matcher("sessionkit", sessionkit)
    recorder.register_persister(Archive(stand_ins, recording=recording))
    with _quiet(), recorder.use_cassette(os.fspath(file)) as inner:
        yield Cassette(file, inner, recording=recording)


def find_secrets(path: str | os.PathLike[str], secrets: Iterable[str] = ()) -> list[str]:
    """Return where cassettes hold secrets, one line a place, which does not quote them.

    Looked for are values under secret names that are no stand-ins, and exact texts: as they are,
    and as they look in URLs, in JSON and in Base64.

    Args:
        path: A cassette, or a folder with cassettes in it.
        secrets: Texts that must not be there.

    Raises:
        ConfigError: There is no cassette, so nothing would be proven; or a secret under four
            characters.
        ImportError: vcrpy is not installed.
    """
    root = Path(path)
    files = sorted(root.rglob("*.y*ml")) if root.is_dir() else [root]
    if not files or not files[0].is_file():
        raise ConfigError(f"there is no cassette at {root}")
    given = StandIns(secrets)
    return [place for file in files for place in _places(file, given)]


def _places(file: Path, given: StandIns) -> Iterator[str]:
    text = file.read_text("utf-8")
    if given.replace_in(text) != text:
        yield f"{file}: one of the secrets"
    for number, (request, response) in enumerate(zip(*load(file), strict=True), 1):
        for side, message in (
            ("request", request_message(request)),
            ("response", response_message(response)),
        ):
            for name in unmasked_names(message):
                yield f"{file}: {side} {number}: the value of {name}"
            # Lines of a file are folded, and bytes are in Base64 there.
            if message.each_text(given.replace_in) != message:
                yield f"{file}: {side} {number}: one of the secrets"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep vcrpy from logging requests and responses as they are, bodies included."""
    logger = logging.getLogger("vcr")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
