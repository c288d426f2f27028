"""What servers say about failures, in one normal form."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests

from sessionkit.errors import ErrorDetail, FieldError
from sessionkit.errors.tools import read_details


def answer(
    body: object, kind: str | None = "application/json", status: int = 422, reason: str = ""
) -> requests.Response:
    """Return a response whose body has been read."""
    response = requests.Response()
    response.status_code = status
    response.reason = reason
    response.url = "https://api.x/orders/7"
    if kind is not None:
        response.headers["Content-Type"] = kind
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response._content_consumed = True
    return response


def detail_of(body: object, kind: str | None = "application/json") -> ErrorDetail:
    """Return the normal form without the raw body, so that it can be compared."""
    found = read_details(answer(body, kind))
    found.raw = None
    return found


def test_problem_details_are_read_as_they_are_meant() -> None:
    """RFC 9457 with the extension that its own example uses."""
    body = {
        "type": "/probs/invalid",
        "title": "Your request is not valid.",
        "detail": "Two things are wrong.",
        "instance": "/orders/7/log/1",
        "status": 422,
        "errors": [
            {"detail": "must be positive", "pointer": "#/age"},
            {"detail": "unknown colour", "pointer": "#/profile/color", "code": "colour"},
        ],
    }

    assert detail_of(body, "application/problem+json; charset=utf-8") == ErrorDetail(
        title="Your request is not valid.",
        detail="Two things are wrong.",
        type="https://api.x/probs/invalid",
        instance="/orders/7/log/1",
        fields=(
            FieldError("age", "must be positive", pointer="#/age"),
            FieldError("profile.color", "unknown colour", code="colour", pointer="#/profile/color"),
        ),
    )


def test_problem_details_without_a_type_are_about_blank() -> None:
    """RFC 9457, section 3.1.1; members of the wrong type are as if they were not there."""
    found = detail_of({"title": "Gone", "detail": ["x"], "type": 7.5}, "application/problem+json")

    assert (found.type, found.title, found.detail) == ("about:blank", "Gone", "x")


def test_the_raw_body_is_kept_beside_the_normal_form() -> None:
    """Members that the normal form has no place for are not lost."""
    assert read_details(answer({"message": "no", "balance": 30})).raw == {
        "message": "no",
        "balance": 30,
    }


@pytest.mark.parametrize("kind", [None, "text/plain", "text/html", "application/octet-stream"])
def test_json_under_another_name_is_still_read(kind: str | None) -> None:
    """Many servers send the wrong content type with their errors."""
    assert detail_of({"message": "no"}, kind) == ErrorDetail(detail="no")


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (
            b"<html><head><TITLE>502 Bad\n Gateway &amp; more</TITLE>",
            "text/html",
            ErrorDetail(title="502 Bad Gateway & more"),
        ),
        (b"  <!doctype html><title>Login</title>", None, ErrorDetail(title="Login")),
        (b"\n upstream is down \nmore", "text/plain", ErrorDetail(detail="upstream is down")),
        (b"upstream is down", None, ErrorDetail(detail="upstream is down")),
        (b'{"message": "cut', "application/json", ErrorDetail(detail='{"message": "cut')),
        ("grün".encode("latin-1"), "text/plain; charset=latin-1", ErrorDetail(detail="grün")),
        ("grün".encode(), "text/plain; charset=klingon", ErrorDetail(detail="grün")),
    ],
)
def test_what_is_no_json_gives_its_title_or_first_line(
    body: bytes, kind: str | None, expected: ErrorDetail
) -> None:
    """A proxy's page says in one line what is wrong."""
    response = answer(body, kind)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    found = read_details(response)
    found.raw = None

    assert found == expected


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"  \n", None),
        (b"<html>no title", "text/html"),
        (b"\x89PNG\r\n", "image/png"),
        (b"\xff\xfe\x00", None),
        (b"\x00\x01", None),
        (b"{}", "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b"true", "application/json"),
        (b'{"a": {"b": 1.5}}', "application/json"),
        (b"[" * 60_000, "application/json"),
        (b'{"error":' * 20 + b"1" + b"}" * 20, "application/json"),
    ],
)
def test_what_says_nothing_gives_the_reason_phrase(body: bytes, kind: str | None) -> None:
    """There is always a title, whatever a stranger sends."""
    found = read_details(answer(body, kind, reason="Odd"))

    assert found.title == "Odd" or found.detail is not None


def test_without_a_reason_the_usual_phrase_stands_in() -> None:
    """HTTP/2 has no reason phrases; an unknown status has none either."""
    assert read_details(answer(b"", status=404)).title == "Not Found"
    assert read_details(answer(b"", status=499)).title is None


def test_only_the_first_64_kib_are_looked_at() -> None:
    """A body of any size costs the same."""
    long = b'{"message": "' + b"x" * 100_000 + b'"}'

    assert len(read_details(answer(long)).detail or "") == 1_000


def test_a_flood_of_field_errors_is_cut() -> None:
    """An error stays of a size that can be logged."""
    assert len(read_details(answer({"errors": ["x"] * 5_000})).fields) == 100


def test_an_unread_body_is_not_read_here() -> None:
    """Reading may block; whoever asks for details decides that before."""
    response = requests.Response()
    response.status_code = 500

    assert read_details(response) == ErrorDetail(title="Internal Server Error")


def test_nesting_without_end_is_left_alone() -> None:
    """A document made to exhaust a reader is no more than a strange body."""
    body: dict[str, Any] = {"a": ["deep"]}
    for _ in range(30):
        body = {"errors": body}

    assert read_details(answer(body, reason="Odd")).title == "Odd"


def test_the_content_type_comes_before_the_shape() -> None:
    """What calls itself a problem is read as one, though it looks like another format too."""
    body = {"title": "Odd", "detail": "so", "error": {"message": "not this"}}

    as_problem = detail_of(body, "application/problem+json")

    assert (as_problem.type, as_problem.title, as_problem.detail) == ("about:blank", "Odd", "so")
    assert detail_of(body, "application/json").detail == "not this"


@pytest.mark.parametrize(
    ("encoding", "kind"),
    [
        ("utf-8", "application/json"),
        ("utf-8-sig", "application/json; charset=utf-8"),
        ("utf-16", "application/json"),
        ("utf-32-le", None),
        ("latin-1", "application/json"),
        ("latin-1", "application/json; charset=utf-8"),
        ("cp1252", "application/json; charset=cp1252"),
        ("utf-8", "text/plain"),
        ("utf-8", "application/json; charset=klingon"),
    ],
)
def test_a_charset_that_is_wrong_or_missing_costs_no_word(encoding: str, kind: str | None) -> None:
    """The sentence is read as it was meant, whatever the header says of its bytes."""
    response = answer('{"message": "grün"}'.encode(encoding), kind)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)

    assert read_details(response).detail == "grün"


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=utf-8", None])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_plain_sentence_is_read_in_either_encoding(encoding: str, kind: str | None) -> None:
    """requests takes all text without a charset for ISO-8859-1; servers seldom do."""
    response = answer("nicht gefunden: grün".encode(encoding), kind)
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)

    assert read_details(response).detail == "nicht gefunden: grün"


def test_a_character_that_was_cut_through_spoils_no_other() -> None:
    """A body that is cut at 64 KiB may end inside a character."""
    assert read_details(answer("grün".encode() + "ü".encode()[:1], None)).detail == "grün"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"code": 7, "message": "no \\"order\\" 7", "trace": "at li', 'no "order" 7'),
        ('{"errors": [{"message": "first"}, {"message": "sec', "first"),
        ('{"title": "", "detail": "so", "x": [', "so"),
        ('[{"msg" : "gr\\u00fcn"}, {"msg', "grün"),
        ('{"trace": "at line', '{"trace": "at line'),
    ],
)
def test_a_body_that_was_cut_off_says_what_came_whole(body: str, said: str) -> None:
    """A sentence is of more use than half a document."""
    assert read_details(answer(body.encode())).detail == said


@pytest.mark.parametrize("piece", [b'"message":', b'{"message":"', b'"message" : "a\\', b"[{"])
def test_hostile_megabytes_cost_no_more_than_kilobytes(piece: bytes) -> None:
    """Ten megabytes made to confuse a reader are looked at as far as 64 KiB, in linear time."""
    body = b"{" + piece * (10_000_000 // len(piece))
    began = time.process_time()

    details = read_details(answer(body))

    assert time.process_time() - began < 1.0
    assert len(details.summary) <= 1_000
