"""What servers say about failures, in one normal form."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from sessionkit.errors import ErrorDetail, FieldError, read_details


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


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # Django REST framework
        ({"detail": "Not found."}, ErrorDetail(detail="Not found.")),
        (
            {"detail": "No.", "code": "token_not_valid"},
            ErrorDetail(detail="No.", code="token_not_valid"),
        ),
        (
            {"email": ["taken"], "name": ["too long", "odd"]},
            ErrorDetail(
                fields=(
                    FieldError("email", "taken"),
                    FieldError("name", "too long"),
                    FieldError("name", "odd"),
                )
            ),
        ),
        (
            {"non_field_errors": ["must differ"]},
            ErrorDetail(detail="must differ", fields=(FieldError("", "must differ"),)),
        ),
        (
            {"lines": [{}, {"qty": ["too many"]}], "to": {"zip": ["odd"]}},
            ErrorDetail(
                fields=(FieldError("lines.1.qty", "too many"), FieldError("to.zip", "odd"))
            ),
        ),
        (["just wrong"], ErrorDetail(detail="just wrong", fields=(FieldError("", "just wrong"),))),
        # lists of errors
        (
            {"errors": ["a", "b"]},
            ErrorDetail(detail="a", fields=(FieldError("", "a"), FieldError("", "b"))),
        ),
        (
            {"errors": [{"message": "ended", "errorType": "expired_token"}]},
            ErrorDetail(
                code="expired_token",
                detail="ended",
                fields=(FieldError("", "ended", code="expired_token"),),
            ),
        ),
        (
            {"message": "Validation Failed", "errors": [{"field": "title", "code": "missing"}]},
            ErrorDetail(
                detail="Validation Failed", fields=(FieldError("title", "missing", code="missing"),)
            ),
        ),
        (
            {"message": "invalid", "errors": {"email": ["taken"]}},
            ErrorDetail(detail="invalid", fields=(FieldError("email", "taken"),)),
        ),
        (
            {
                "errors": [
                    {
                        "status": "422",
                        "code": "short",
                        "title": "Too short",
                        "source": {"pointer": "/data/attributes/name"},
                    },
                    {"detail": "unknown", "source": {"parameter": "sort"}},
                ]
            },
            ErrorDetail(
                fields=(
                    FieldError("name", "Too short", code="short", pointer="/data/attributes/name"),
                    FieldError("sort", "unknown"),
                )
            ),
        ),
        ({"errors": [{"email": ["taken"]}]}, ErrorDetail(fields=(FieldError("email", "taken"),))),
        # OAuth, and those who borrowed its key
        (
            {"error": "invalid_grant", "error_description": "token ended"},
            ErrorDetail(code="invalid_grant", detail="token ended"),
        ),
        ({"error": "invalid_client"}, ErrorDetail(code="invalid_client")),
        ({"error": "Something broke"}, ErrorDetail(detail="Something broke")),
        (
            {"status": 404, "error": "Not Found", "message": "no order 7", "path": "/orders/7"},
            ErrorDetail(title="Not Found", detail="no order 7"),
        ),
        # error objects
        (
            {"error": {"code": 403, "message": "off", "status": "PERMISSION_DENIED"}},
            ErrorDetail(code="403", detail="off"),
        ),
        (
            {
                "error": {
                    "code": "Bad",
                    "message": "no",
                    "details": [{"target": "age", "message": "negative", "code": "Range"}],
                }
            },
            ErrorDetail(
                code="Bad", detail="no", fields=(FieldError("age", "negative", code="Range"),)
            ),
        ),
        ({"error": {"message": "no", "type": "card"}}, ErrorDetail(detail="no", type="card")),
        # FastAPI
        (
            {
                "detail": [
                    {"loc": ["body", "lines", 0, "a/b"], "msg": "required", "type": "missing"},
                    {"loc": ["query", "page"], "msg": "no int", "type": "int"},
                    {"loc": ["odd"], "msg": "x"},
                ]
            },
            ErrorDetail(
                fields=(
                    FieldError("lines.0.a/b", "required", code="missing", pointer="/lines/0/a~1b"),
                    FieldError("page", "no int", code="int"),
                    FieldError("odd", "x"),
                )
            ),
        ),
        ({"detail": {"code": "c", "message": "m"}}, ErrorDetail(code="c", detail="m")),
        # plain messages
        ({"message": "no"}, ErrorDetail(detail="no")),
        ({"code": 7, "msg": "no"}, ErrorDetail(code="7", detail="no")),
        ("no", ErrorDetail(detail="no")),
    ],
)
def test_the_common_shapes_become_one_normal_form(body: Any, expected: ErrorDetail) -> None:
    """A program reads ``details`` and need not know which framework the server uses."""
    assert detail_of(body) == expected


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
