"""Cassettes as vcrpy holds them: read, cleaned of secrets and of noise, compared, written."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from vcr.request import Request
from vcr.serializers import yamlserializer

from sessionkit.testing._recorded import Message
from sessionkit.testing._standins import StandIns
from sessionkit.testing._vcr import (
    Archive,
    is_same_request,
    load,
    request_line,
    request_message,
    response_message,
)

URL = "https://api.example/orders"
JSON = {"Content-Type": "application/json"}


def request(body: Any = None, url: str = URL, **headers: str) -> Any:
    """A request as vcrpy notes it."""
    return Request("POST", url, body, {name.replace("_", "-"): v for name, v in headers.items()})


def answer(body: bytes = b"", **headers: str) -> dict[str, Any]:
    """An answer as vcrpy notes it."""
    listed = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return {
        "status": {"code": 200, "message": "OK"},
        "headers": listed,
        "body": {"string": body},
    }


def saved(file: Path, *pairs: tuple[Any, Any], secrets: tuple[str, ...] = ()) -> str:
    """Save a cassette, and return the text of its file."""
    requests, answers = [list(side) for side in zip(*pairs, strict=True)]
    archive = Archive(StandIns(secrets), recording=True)
    archive.save_cassette(str(file), {"requests": requests, "responses": answers}, yamlserializer)
    return file.read_text("utf-8")


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    """A cassette is played back as it was recorded, bytes included."""
    file = tmp_path / "new" / "folder" / "a.yaml"
    saved(file, (request(bytes(range(256))), answer(b"r\xc3\xa9sum\xc3\xa9\r\n", X_Node="1")))

    requests, answers = Archive(StandIns(), recording=False).load_cassette(str(file), None)

    assert request_message(requests[0]) == Message({}, bytes(range(256)), URL)
    assert response_message(answers[0]) == Message({"X-Node": ("1",)}, b"r\xc3\xa9sum\xc3\xa9\r\n")
    assert answers[0]["status"] == {"code": 200, "message": "OK"}


def test_a_recording_begins_with_nothing(tmp_path: Path) -> None:
    """What an earlier recording held does not stay in the file for ever."""
    saved(tmp_path / "a.yaml", (request(), answer()))

    assert Archive(StandIns(), recording=True).load_cassette(str(tmp_path / "a.yaml"), None) == (
        [],
        [],
    )


def test_what_a_later_message_gives_away_is_taken_from_the_earlier_ones(tmp_path: Path) -> None:
    """vcrpy filters one answer at a time, and not even with its request."""
    text = saved(
        tmp_path / "a.yaml",
        (request(), answer(b"welcome, planted-1")),
        (request(X_Api_Key="planted-1"), answer(b"planted-2", Set_Cookie="sid=planted-2; Path=/")),
    )

    assert "planted" not in text
    assert "welcome, secret-1" in text
    assert "sid=secret-2; Path=/" in text


def test_what_differs_from_run_to_run_is_left_out(tmp_path: Path) -> None:
    """A cassette recorded again without a change is the same file."""
    noisy = request(User_Agent="python-requests/1", Accept_Encoding="gzip, br", Accept="*/*")
    told = answer(
        Date="Sun, 22 Nov 2026 02:06:13 GMT",
        Server="x/1",
        Set_Cookie="sid=0123456789abcdef; Expires=Wed, 21 Oct 2099 07:28:00 GMT; Path=/",
    )
    saved(tmp_path / "a.yaml", (noisy, told))

    requests, answers = load(tmp_path / "a.yaml")

    assert request_message(requests[0]).headers == {"Accept": ("*/*",)}
    assert response_message(answers[0]).headers == {"Set-Cookie": ("sid=secret-1; Path=/",)}


@pytest.mark.parametrize("packed", [True, False])
def test_a_compressed_body_is_written_readable(tmp_path: Path, packed: bool) -> None:
    """A secret cannot hide in gzip, whether or not urllib3 has unpacked it already."""
    body = b'{"access_token": "planted"}'
    told = answer(gzip.compress(body) if packed else body, Content_Encoding="gzip", **JSON)
    saved(tmp_path / "a.yaml", (request(gzip.compress(body), Content_Encoding="gzip"), told))

    requests, answers = load(tmp_path / "a.yaml")

    assert request_message(requests[0]).body == b'{"access_token": "secret-1"}'
    assert response_message(answers[0]) == Message(
        {"Content-Type": ("application/json",)}, b'{"access_token": "secret-1"}'
    )


def test_lengths_are_put_right(tmp_path: Path) -> None:
    """A client that counts bytes finds as many as it was told; the answer to a HEAD has none."""
    body = b"password=planted-secret"
    form = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
    saved(
        tmp_path / "a.yaml",
        (request(body, **form), answer(body, **form)),
        (request(), answer(Content_Length="77")),
    )

    requests, answers = load(tmp_path / "a.yaml")

    assert request_message(requests[0]).header("content-length") == "17"
    assert response_message(answers[0]).header("content-length") == "17"
    assert response_message(answers[1]).header("content-length") == "77"


@pytest.mark.parametrize(
    "body", [b"abc", "abc", BytesIO(b"abc"), iter([b"a", b"bc"]), iter(["a", "bc"])]
)
def test_a_body_is_read_whatever_it_is(body: Any) -> None:
    """Files and generators are compared by what they held."""
    assert request_message(request(body)).body == b"abc"


def test_headers_of_bytes_are_read_too() -> None:
    """Some libraries give them so."""
    headers = {b"X-Api-Key": b"abc"}

    assert request_message(Request("GET", URL, None, headers)).headers == {"X-Api-Key": ("abc",)}


def multipart(boundary: str) -> Any:
    """A form with a file, as requests makes it with a random boundary."""
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--{boundary}--\r\n'
    )
    return request(body, Content_Type=f"multipart/form-data; boundary={boundary}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (request(X_Api_Key="a", Authorization="Bearer b"), request()),
        (request(url=f"{URL}?api_key=a&page=1"), request(url=f"{URL}?api_key=b&page=1")),
        (request('{"password": "a", "n": 1}'), request('{"password": "b", "n": 1}')),
        (request(url=f"{URL}/planted"), request(url=f"{URL}/secret-1")),
        (multipart("0123456789"), multipart("abcdef")),
        (request(gzip.compress(b"1"), Content_Encoding="gzip"), request("1")),
    ],
)
def test_requests_are_the_same_whatever_their_secrets(first: Any, second: Any) -> None:
    """Who has other credentials, or none, can play a cassette back."""
    assert is_same_request(StandIns(["planted"]), first, second)


@pytest.mark.parametrize(
    "other",
    [
        request("b"),
        request("a", url=f"{URL}?page=2"),
        Request("PUT", URL, b"a", {}),
    ],
)
def test_requests_differ_by_method_url_or_body(other: Any) -> None:
    """An upload that arrives empty is not taken for the one that was recorded."""
    assert not is_same_request(StandIns(), request("a"), other)


def test_a_line_about_a_request_holds_no_secret() -> None:
    """It is made to be printed."""
    assert request_line(request(url=f"{URL}?api_key=planted")) == f"POST {URL}?api_key=***"
