"""Bodies that are read while they are sent: where they stood, and if they can be sent again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import PreparedRequest

_WHOLE = (str, bytes, bytearray, Mapping, list, tuple)
_PAIR = 2
_ONCE = -1
_ANY_TIME = -2


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
    """Yield what is read from of each part, in the forms that requests takes.

    Other forms are passed over: requests itself will say what is wrong with them.
    """
    pairs = files.items() if isinstance(files, Mapping) else files
    for pair in pairs:
        part = pair[1] if isinstance(pair, (tuple, list)) and len(pair) == _PAIR else None
        content = part[1] if isinstance(part, (tuple, list)) and len(part) > 1 else part
        if content is not None and not isinstance(content, _WHOLE):
            yield content


class BodyMarks:
    """Where each body object stood when it was first sent. Belongs to one call and one thread."""

    __slots__ = ("_marks",)

    def __init__(self) -> None:
        # The object itself is kept beside its position, or its id could be given to another one.
        self._marks: dict[int, tuple[object, int]] = {}

    def begin(self, objects: Iterable[object]) -> None:
        """Remember where new objects stand, and put those sent before back to there.

        Raises:
            OSError: An object that told its position would not go back to it.
        """
        for item in objects:
            known = self._marks.get(id(item))
            if known is None:
                self._marks[id(item)] = (item, _position(item))
            elif known[1] >= 0:
                known[0].seek(known[1])  # type: ignore[attr-defined]  # it told its position

    def can_repeat(self, objects: Iterable[object]) -> bool:
        """Tell whether every object could be sent once more, whole."""
        for item in objects:
            known = self._marks.get(id(item))
            if (_position(item) if known is None else known[1]) == _ONCE:
                return False
        return True


def _position(item: object) -> int:
    """Return where *item* stands, or that it can be read any time, or only once."""
    seekable = getattr(item, "seekable", None)
    if hasattr(item, "seek") and hasattr(item, "tell"):
        try:
            if seekable is not None and not seekable():
                return _ONCE
            position: int = item.tell()
        except (OSError, ValueError):
            return _ONCE
        return position
    if hasattr(item, "read") or hasattr(item, "__next__"):
        return _ONCE
    return _ANY_TIME


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
            options[name] = {k: _listed(v) for k, v in value.items()}


def _listed(value: Any) -> Any:
    # An open file is an iterator too; it is rewound instead.
    return list(value) if hasattr(value, "__next__") and not hasattr(value, "read") else value
