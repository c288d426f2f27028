"""Rewind request bodies so that a request can be sent again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import PreparedRequest

_WHOLE = (str, bytes, bytearray, Mapping, list, tuple)
_PAIR = 2
_NOT_REPLAYABLE = -1
_NO_POSITION = -2


def body_objects(options: Mapping[str, Any], prepared: PreparedRequest | None) -> Iterator[object]:
    """Yield the objects of a request whose reading position matters: streams and file parts."""
    if prepared is not None:
        if prepared.body is not None and not isinstance(prepared.body, _WHOLE):
            yield prepared.body
        return
    data = options.get("data")
    if data is not None and not isinstance(data, _WHOLE):
        yield data
    files = options.get("files")
    if files:
        yield from _file_parts(files)


def _file_parts(files: Any) -> Iterator[object]:
    """Yield the file object of each part, in the forms that requests takes.

    Other forms are passed over: requests itself will say what is wrong with them.
    """
    pairs = files.items() if isinstance(files, Mapping) else files
    for pair in pairs:
        part = pair[1] if isinstance(pair, (tuple, list)) and len(pair) == _PAIR else None
        content = part[1] if isinstance(part, (tuple, list)) and len(part) > 1 else part
        if content is not None and not isinstance(content, _WHOLE):
            yield content


class BodyMarks:
    """Positions of body objects when they were first sent. Belongs to one call and one thread."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        # The object itself is kept beside its position, or its id could be given to another one.
        self._marks: dict[int, tuple[object, int]] = {}

    def rewind(self, objects: Iterable[object]) -> None:
        """Record the position of new objects; rewind those sent before.

        Raises:
            OSError: An object that gave its position cannot be set back to it.
        """
        for item in objects:
            known = self._marks.get(id(item))
            if known is None:
                self._marks[id(item)] = (item, _position(item))
            elif known[1] >= 0:
                known[0].seek(known[1])  # type: ignore[attr-defined]  # it gave its position

    def can_replay(self, objects: Iterable[object]) -> bool:
        """Return whether every object can be sent once more, whole."""
        for item in objects:
            known = self._marks.get(id(item))
            if (_position(item) if known is None else known[1]) == _NOT_REPLAYABLE:
                return False
        return True


def _position(item: object) -> int:
    """Return the position of *item*, or that it has none, or that it cannot be read twice."""
    seekable = getattr(item, "seekable", None)
    if hasattr(item, "seek") and hasattr(item, "tell"):
        try:
            if seekable is not None and not seekable():
                return _NOT_REPLAYABLE
            position: int = item.tell()
        except (OSError, ValueError):
            return _NOT_REPLAYABLE
        return position
    if hasattr(item, "read") or hasattr(item, "__next__"):
        return _NOT_REPLAYABLE
    return _NO_POSITION


def freeze_iterators(options: dict[str, Any]) -> None:
    """Turn iterators given as ``params``, ``files`` or values of ``data`` into lists, in place.

    The first attempt would spend them, and a replay would then ask another question.
    """
    for name in ("params", "files", "data"):
        value = options.get(name)
        if not value or isinstance(value, (str, bytes)):
            continue
        if hasattr(value, "__next__"):
            if name != "data" and not hasattr(value, "read"):
                options[name] = list(value)
        elif isinstance(value, Mapping) and any(hasattr(v, "__next__") for v in value.values()):
            options[name] = {k: _as_list(v) for k, v in value.items()}


def _as_list(value: Any) -> Any:
    # An open file is an iterator too; it is rewound instead.
    return list(value) if hasattr(value, "__next__") and not hasattr(value, "read") else value
