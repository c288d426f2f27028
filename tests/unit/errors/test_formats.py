"""The shapes in which servers tell of failures."""

from __future__ import annotations

from typing import Any

import pytest

from sessionkit.errors import ErrorDetail, FieldError
from sessionkit.errors._formats import normal_form, problem_details

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
