"""What servers say about failures, in one normal form, and the values that hold it."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import replace
from typing import Any

import pytest
import requests

from sessionkit.errors import ErrorDetail, FieldError, Problem
from sessionkit.errors._formats import normal_form, problem_details
from sessionkit.errors.tools import read_details


def test_values_with_the_same_content_are_equal() -> None:
    """Tests and sets can compare them."""
    one, two = FieldError("a", "b", code="c"), FieldError("a", "b", code="c")

    assert one == two
    assert len({one, two}) == 1
    assert one != FieldError("a", "b")
    assert Problem("a", "b") != Problem("a", "c")
    assert len({ErrorDetail(raw=[1]), ErrorDetail(raw=[1])}) == 1


def test_a_value_shows_what_is_known() -> None:
    """A debugger's line is not filled with None."""
    assert repr(FieldError("a", "b")) == "FieldError(name='a', message='b')"
    assert repr(ErrorDetail(title="t")) == "ErrorDetail(title='t')"


def test_values_survive_a_pickle() -> None:
    """Errors travel between processes with all they carry."""
    detail = ErrorDetail(code="c", fields=(FieldError("a", "b", pointer="/a"),), raw={"x": [1]})

    assert pickle.loads(pickle.dumps(detail)) == detail
    assert pickle.loads(pickle.dumps(Problem("/a", "b"))) == Problem("/a", "b")


def test_a_value_reads_as_a_sentence() -> None:
    """It can be printed as it is."""
    assert str(FieldError("email", "taken")) == "email: taken"
    assert str(FieldError("", "taken")) == "taken"
    assert str(Problem("/a/0", "not a number")) == "/a/0: not a number"
    assert str(Problem("", "no object")) == "no object"


@pytest.mark.parametrize(
    ("detail", "summary"),
    [
        (ErrorDetail(), ""),
        (ErrorDetail(code="c"), "c"),
        (ErrorDetail(code="c", title="t"), "t"),
        (ErrorDetail(title="t", detail="d"), "d"),
        (ErrorDetail(detail="d", fields=(FieldError("a", "b"),)), "a: b"),
        (ErrorDetail(fields=(FieldError("a", "b"), FieldError("c", "d"))), "a: b (+1)"),
    ],
)
def test_the_summary_is_the_most_precise_thing_known(detail: ErrorDetail, summary: str) -> None:
    """One line says what to correct first, and how much more there is."""
    assert detail.summary == summary


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
    return replace(read_details(answer(body, kind)), raw=None)


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

    assert replace(read_details(response), raw=None) == expected


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


URL = "https://api.x/orders/7"


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
            ErrorDetail(code="PERMISSION_DENIED", detail="off"),
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
    assert normal_form(body) == expected


FORMATS: dict[str, tuple[Any, ErrorDetail]] = {
    "JSON:API, in a header and in nothing": (
        {
            "errors": [
                {"id": "1", "status": "400", "detail": "odd", "source": {"header": "Prefer"}},
                {"status": "400", "code": "x", "title": "Broken", "meta": {"a": 1}},
            ]
        },
        ErrorDetail(fields=(FieldError("Prefer", "odd"), FieldError("", "Broken", code="x"))),
    ),
    "OData 2, a sentence with its language": (
        {"error": {"code": "005056A509B1", "message": {"lang": "en", "value": "no order 7"}}},
        ErrorDetail(code="005056A509B1", detail="no order 7"),
    ),
    "OData 3": (
        {"odata.error": {"code": "-1", "message": {"lang": "en-US", "value": "no list"}}},
        ErrorDetail(code="-1", detail="no list"),
    ),
    "Azure, one target": (
        {
            "error": {
                "code": "InvalidName",
                "message": "is taken",
                "target": "name",
                "innererror": {"code": "Reserved"},
            }
        },
        ErrorDetail(
            code="InvalidName",
            detail="is taken",
            fields=(FieldError("name", "is taken", code="InvalidName"),),
        ),
    ),
    "Google, field violations": (
        {
            "error": {
                "code": 400,
                "message": "Invalid value",
                "status": "INVALID_ARGUMENT",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "7"},
                    {
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        "fieldViolations": [{"field": "user.age", "description": "negative"}],
                    },
                ],
            }
        },
        ErrorDetail(
            code="INVALID_ARGUMENT",
            detail="Invalid value",
            fields=(FieldError("user.age", "negative"),),
        ),
    ),
    "Google, the older lists": (
        {"error": {"errors": [{"domain": "global", "reason": "notFound", "message": "no file"}]}},
        ErrorDetail(detail="no file", fields=(FieldError("", "no file"),)),
    ),
    "OAuth, with a page to read": (
        {"error": "invalid_grant", "error_description": "ended", "error_uri": "https://id.x/e"},
        ErrorDetail(code="invalid_grant", detail="ended", doc_url="https://id.x/e"),
    ),
    "Django, whole forms": (
        {"email": [{"message": "taken", "code": "unique"}], "__all__": [{"message": "odd"}]},
        ErrorDetail(fields=(FieldError("email", "taken", code="unique"), FieldError("", "odd"))),
    ),
    "Spring, bound fields": (
        {
            "timestamp": "2024-05-01T10:00:00Z",
            "status": 400,
            "error": "Bad Request",
            "path": "/orders",
            "errors": [
                {"codes": ["NotNull.a"], "objectName": "order", "field": "qty", "code": "NotNull"}
                | {"defaultMessage": "must not be null", "rejectedValue": None}
            ],
        },
        ErrorDetail(
            title=None,
            detail="Bad Request",
            fields=(FieldError("qty", "must not be null", code="NotNull"),),
        ),
    ),
    "Rails, fields and the record itself": (
        {"errors": {"base": ["is locked"], "email": ["is taken", "is odd"]}},
        ErrorDetail(
            detail="is locked",
            fields=(
                FieldError("", "is locked"),
                FieldError("email", "is taken"),
                FieldError("email", "is odd"),
            ),
        ),
    ),
    "GitHub": (
        {
            "message": "Validation Failed",
            "errors": [{"resource": "Issue", "field": "title", "code": "missing_field"}],
            "documentation_url": "https://docs.x/rest",
        },
        ErrorDetail(
            detail="Validation Failed",
            doc_url="https://docs.x/rest",
            fields=(FieldError("title", "missing_field", code="missing_field"),),
        ),
    ),
    "Stripe": (
        {
            "error": {
                "code": "parameter_missing",
                "doc_url": "https://docs.x/parameter-missing",
                "message": "Missing required param: amount.",
                "param": "amount",
                "type": "invalid_request_error",
            }
        },
        ErrorDetail(
            code="parameter_missing",
            detail="Missing required param: amount.",
            type="invalid_request_error",
            doc_url="https://docs.x/parameter-missing",
            fields=(
                FieldError("amount", "Missing required param: amount.", code="parameter_missing"),
            ),
        ),
    ),
    "GraphQL": (
        {
            "errors": [
                {
                    "message": "no such user",
                    "locations": [{"line": 2, "column": 3}],
                    "path": ["users", 0, "name"],
                    "extensions": {"code": "NOT_FOUND"},
                },
                {"message": "too deep"},
            ],
            "data": None,
        },
        ErrorDetail(
            fields=(
                FieldError("users.0.name", "no such user", code="NOT_FOUND"),
                FieldError("", "too deep"),
            )
        ),
    ),
    "Sprocket": (
        {"message": "not saved", "succeeded": False, "errors": [], "error_dict": {"name": ["bad"]}},
        ErrorDetail(detail="not saved", fields=(FieldError("name", "bad"),)),
    ),
    "Vault": (
        {"errors": ["permission denied", "no policy"], "warnings": None},
        ErrorDetail(
            detail="permission denied",
            fields=(FieldError("", "permission denied"), FieldError("", "no policy")),
        ),
    ),
    "Fitbit": (
        {
            "success": False,
            "errors": [{"errorType": "validation", "fieldName": "date", "message": "no date"}],
        },
        ErrorDetail(fields=(FieldError("date", "no date", code="validation"),)),
    ),
    "Braintree, lists inside of objects": (
        {
            "message": "Declined",
            "errors": {
                "errors": [],
                "customer": {
                    "errors": [],
                    "card": {
                        "errors": [{"code": "81715", "attribute": "number", "message": "invalid"}]
                    },
                },
            },
        },
        ErrorDetail(
            detail="Declined",
            fields=(FieldError("customer.card.number", "invalid", code="81715"),),
        ),
    ),
    "Mongoose, an object for each field": (
        {"message": "failed", "errors": {"email": {"message": "taken", "path": "email"}}},
        ErrorDetail(detail="failed", fields=(FieldError("email", "taken"),)),
    ),
    "problem details of before, by the example of RFC 7807": (
        {"title": "Invalid", "invalid-params": [{"name": "age", "reason": "negative"}]},
        ErrorDetail(title="Invalid", fields=(FieldError("age", "negative"),)),
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_formats_of_vendors_become_one_normal_form(name: str) -> None:
    """What one has to know of a vendor's format is known here, once for all."""
    body, expected = FORMATS[name]

    assert normal_form(body) == expected


def test_a_problem_is_read_by_its_own_members() -> None:
    """RFC 9457: an extension that looks like another format is an extension."""
    body = {
        "type": "/probs/locked",
        "title": "Locked",
        "detail": "by somebody else",
        "error": {"message": "not this one"},
        "violations": [{"propertyPath": "qty", "message": "negative"}],
    }

    assert problem_details(body, URL) == ErrorDetail(
        type="https://api.x/probs/locked",
        title="Locked",
        detail="by somebody else",
        fields=(FieldError("qty", "negative"),),
    )


def test_what_is_wrong_at_one_place_can_be_asked_for() -> None:
    """A form marks its own part of what a server did not like."""
    names = ("customer", "customer.card.number", "customer.cardinal", "note")
    detail = ErrorDetail(fields=tuple(FieldError(name, "bad") for name in names))

    assert [field.name for field in detail.at("customer")] == list(names[:3])
    assert [field.name for field in detail.at("customer", "card")] == ["customer.card.number"]
    assert detail.at("nothing") == ()
