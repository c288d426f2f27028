"""Where bodies stood, and whether they can be sent again."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit.bodies._request import BodyMarks, body_objects, freeze_iterators


class Unseekable(io.BytesIO):
    """A stream like a pipe: it has the methods to seek, and they do not work."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError("a pipe has no position")


class Endless:
    """An object that gives a new iterator each time."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"a", b"b"])


def generated() -> Iterator[bytes]:
    """Yield a body that can be read once."""
    yield b"once"


def test_a_stream_goes_back_to_where_it_stood_at_first(tmp_path: Path) -> None:
    """A file that the caller had read into is sent again from there, not from its start."""
    path = tmp_path / "upload"
    path.write_bytes(b"0123456789")
    marks = BodyMarks()
    with path.open("rb") as file:
        file.seek(4)
        marks.rewind([file])
        assert file.read() == b"456789"

        marks.rewind([file])

        assert file.read() == b"456789"


def test_each_object_has_a_mark_of_its_own() -> None:
    """Two parts of one upload do not disturb each other."""
    first, second = io.BytesIO(b"abc"), io.BytesIO(b"defg")
    second.seek(2)
    marks = BodyMarks()
    marks.rewind([first, second])
    first.read()
    second.read()

    marks.rewind([first, second])

    assert (first.tell(), second.tell()) == (0, 2)


def test_a_stream_that_joins_later_is_marked_where_it_stands_then() -> None:
    """A handler that exchanges the body for a second attempt has its own body sent whole."""
    early, late = io.BytesIO(b"abc"), io.BytesIO(b"defg")
    marks = BodyMarks()
    marks.rewind([early])
    late.seek(1)

    marks.rewind([late])
    late.read()
    marks.rewind([late])

    assert late.tell() == 1


@pytest.mark.parametrize("body", [io.BytesIO(b"x"), io.StringIO("x"), Endless(), memoryview(b"x")])
def test_what_can_be_read_again_can_be_repeated(body: object) -> None:
    """Streams that seek and objects that iterate anew are sent as often as need be."""
    marks = BodyMarks()
    marks.rewind([body])

    assert marks.can_replay([body])


def test_a_generator_cannot_be_repeated() -> None:
    """It is known before anything is sent that a second upload would be empty."""
    body = generated()
    marks = BodyMarks()

    assert not marks.can_replay([body])
    marks.rewind([body])
    assert not marks.can_replay([body])


def test_a_pipe_cannot_be_repeated() -> None:
    """A stream that only claims to seek is found out."""
    reader, writer = os.pipe()
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        for body in (pipe, Unseekable(b"x")):
            marks = BodyMarks()
            marks.rewind([body])

            assert not marks.can_replay([body])


def test_a_closed_file_cannot_be_repeated(tmp_path: Path) -> None:
    """An upload that was closed meanwhile is no empty upload."""
    path = tmp_path / "upload"
    path.write_bytes(b"x")
    file = path.open("rb")
    file.close()

    assert not BodyMarks().can_replay([file])


def test_a_stream_that_will_not_go_back_says_so(tmp_path: Path) -> None:
    """Nothing is sent from the wrong place."""
    path = tmp_path / "upload"
    path.write_bytes(b"x")
    marks = BodyMarks()
    with path.open("rb") as file:
        marks.rewind([file])

    with pytest.raises(ValueError, match="closed"):
        marks.rewind([file])


FILE = io.BytesIO(b"file")


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 0),
        ({"data": b"x"}, 0),
        ({"data": "x"}, 0),
        ({"data": {"a": "b"}}, 0),
        ({"data": [("a", "b")]}, 0),
        ({"json": {"a": "b"}}, 0),
        ({"data": FILE}, 1),
        ({"files": {"f": FILE}}, 1),
        ({"files": {"f": ("name", FILE)}}, 1),
        ({"files": {"f": ("name", FILE, "text/plain", {"X-A": "b"})}}, 1),
        ({"files": [("f", FILE), ("g", ("name", b"whole"))]}, 1),
        ({"files": {"f": b"whole", "g": ("name", None)}}, 0),
        ({"files": {"f": FILE}, "data": {"a": "b"}}, 1),
    ],
)
def test_what_is_read_from_is_found_in_every_form_that_requests_takes(
    options: dict[str, Any], count: int
) -> None:
    """No part of an upload is overlooked, and texts are not mistaken for streams."""
    assert list(body_objects(options, None)) == [FILE] * count


def test_the_body_of_a_prepared_request_is_its_own() -> None:
    """What was prepared before is rewound too; what was encoded already needs nothing."""
    streamed = requests.Request("POST", "http://api.example", data=FILE).prepare()
    encoded = requests.Request("POST", "http://api.example", json={"a": 1}).prepare()
    empty = requests.Request("GET", "http://api.example").prepare()

    assert list(body_objects({}, streamed)) == [FILE]
    assert list(body_objects({}, encoded)) == list(body_objects({}, empty)) == []


def test_parameters_and_files_given_as_iterators_are_kept_for_the_replay() -> None:
    """A second attempt asks the same question as the first."""
    options: dict[str, Any] = {
        "params": iter([("q", "1")]),
        "files": iter([("f", b"x")]),
        "data": {"ids": (str(number) for number in range(2)), "name": "x"},
    }

    freeze_iterators(options)

    assert options == {
        "params": [("q", "1")],
        "files": [("f", b"x")],
        "data": {"ids": ["0", "1"], "name": "x"},
    }


def test_values_of_parameters_that_are_iterators_are_kept_too() -> None:
    """``params={"id": map(str, ids)}`` reaches the server on every attempt."""
    options: dict[str, Any] = {"params": {"id": map(str, [1, 2]), "page": 1}}

    freeze_iterators(options)

    assert options == {"params": {"id": ["1", "2"], "page": 1}}


def test_a_body_that_streams_is_left_to_stream() -> None:
    """A large upload is not read into memory for a replay that may never come."""
    body, file = generated(), io.BytesIO(b"x")
    options: dict[str, Any] = {"data": body, "files": {"f": file}, "params": "q=1"}

    freeze_iterators(options)

    assert options["data"] is body
    assert options["files"] == {"f": file}
    assert (list(body), file.tell()) == ([b"once"], 0)


@pytest.mark.parametrize("files", [["bad file data"], {"f": ()}, [("one",)], "abc", [None]])
def test_files_of_no_known_form_are_left_to_requests(files: Any) -> None:
    """Its own error says what is wrong with them."""
    assert list(body_objects({"files": files}, None)) == []
