"""Shapes of JSON in which servers tell of failures, all read into one normal form. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from sessionkit.errors._details import ErrorDetail, FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT = 1_000
_MOST_FIELDS = 100
_DEEPEST = 8

_CODE_KEYS = ("code", "error_code", "errorCode", "errorType")
#: Keys of sentences, the plainest first.
DETAIL_KEYS = (
    *("detail", "error_description", "message", "msg", "error_message", "errorMessage"),
    *("defaultMessage", "description", "reason"),
)
_NAME_KEYS = (
    *("field", "fieldName", "name", "param", "parameter", "path", "target", "property"),
    *("propertyPath", "attribute"),
)
_DOC_KEYS = ("documentation_url", "doc_url", "error_uri")
#: Members that hold one thing, told apart: OData and Google, JSON:API's neighbours, SharePoint.
_WRAPPERS = ("error", "detail", "odata.error")
_LISTS = ("errors", "detail", "details", "error_dict", "invalid-params", "violations")
#: Names that stand for no field: of Django, Rails, and lists inside of objects (Braintree).
_NO_FIELD = frozenset({"non_field_errors", "__all__", "base", "errors"})


def problem_details(document: dict[str, Any], base: str) -> ErrorDetail:
    """Read problem details (RFC 9457), whose members are what they are called.

    Args:
        document: The body.
        base: URL of the answer; a relative type is resolved (RFC 9457, section 3.1.1).
    """
    kind = _words(document.get("type"))
    found = ErrorDetail(
        code=_first(document, _CODE_KEYS),
        title=_words(document.get("title")),
        detail=_words(document.get("detail")),
        type=urljoin(base, kind) if kind else "about:blank",
        instance=_words(document.get("instance")),
        doc_url=_first(document, _DOC_KEYS),
        fields=_fields(document),
    )
    return _lifted(found)


def normal_form(document: Any, depth: int = 0) -> ErrorDetail | None:
    """Read a body of any other shape; None where nothing in it was understood."""
    if depth > _DEEPEST:
        return None
    if isinstance(document, dict):
        return _from_object(document, depth)
    if isinstance(document, list):
        return _filled(ErrorDetail(fields=_listed(document)))
    text = _words(document)
    return ErrorDetail(detail=text) if text else None


def _from_object(document: dict[str, Any], depth: int) -> ErrorDetail | None:
    for key in _WRAPPERS:
        if isinstance(document.get(key), dict):
            return normal_form(document[key], depth + 1)
    detail = _first(document, DETAIL_KEYS)
    code = _code(document)
    found = ErrorDetail(
        code=code,
        title=_words(document.get("title")),
        detail=detail,
        type=_words(document.get("type")),
        instance=_words(document.get("instance")),
        doc_url=_first(document, _DOC_KEYS),
        fields=_fields(document),
    )
    if detail and not found.fields and (name := _first(document, ("param", "target"))):
        found.fields = (FieldError(name, detail, code=code),)  # Stripe; OData and Azure
    _add_error_text(found, _words(document.get("error")))
    return _filled(found)


def _code(document: dict[str, Any]) -> str | None:
    code, status = _first(document, _CODE_KEYS), document.get("status")
    if isinstance(status, str) and re.fullmatch(r"[A-Z][A-Z_]+", status):
        # Google's own name for it says more than the HTTP status beside it.
        return status if code is None or code.isdigit() else code
    return code


def _add_error_text(found: ErrorDetail, error: str | None) -> None:
    """Use ``error``: a code where it is one word (OAuth), a sentence where it is more."""
    if error is None:
        return
    if not re.search(r"\s", error):
        found.code = found.code or error
    elif found.detail is None:
        found.detail = error
    else:
        found.title = found.title or error


def _filled(found: ErrorDetail) -> ErrorDetail | None:
    found = _lifted(found)
    return found if found.summary else None


def _lifted(found: ErrorDetail) -> ErrorDetail:
    """Lift what a first nameless error says; code and sentence are then those of the whole."""
    if found.fields and not found.fields[0].name:
        found.detail = found.detail or found.fields[0].message
        found.code = found.code or found.fields[0].code
    return found


def _fields(document: dict[str, Any]) -> tuple[FieldError, ...]:
    for key in _LISTS:
        value = document.get(key)
        if value and isinstance(value, list):
            return _listed(value)
        if value and isinstance(value, dict):
            return _limited(_walked("", value, 0))
    if document and all(isinstance(value, (list, dict)) for value in document.values()):
        # Django REST framework: nothing but fields with their complaints.
        return _limited(_walked("", document, 0))
    return ()


def _listed(items: list[Any]) -> tuple[FieldError, ...]:
    return _limited(error for item in items for error in _one_listed(item))


def _limited(errors: Iterator[FieldError]) -> tuple[FieldError, ...]:
    return tuple(error for error, _ in zip(errors, range(_MOST_FIELDS), strict=False))


def _one_listed(item: Any, inside: str = "", depth: int = 0) -> Iterator[FieldError]:
    """Yield what one item of a list of errors says, about a field *inside* another."""
    if not isinstance(item, dict):
        if text := _words(item):
            yield FieldError(inside, text)
        return
    code = _first(item, (*_CODE_KEYS, "type", "error", "kind"))
    if code is None and isinstance(item.get("extensions"), dict):
        code = _first(item["extensions"], _CODE_KEYS)  # GraphQL
    message = _first(item, (*DETAIL_KEYS, "title")) or code
    if isinstance(violations := item.get("fieldViolations"), list):
        for violation in violations:  # Google's BadRequest, among other details
            yield from _one_listed(violation, inside, depth)
    elif message and "@type" not in item:
        name, pointer = _place(item)
        yield FieldError(_joined(inside, name), message, code=code, pointer=pointer)
    elif "@type" not in item:
        yield from _walked(inside, item, depth)


def _place(item: dict[str, Any]) -> tuple[str, str | None]:
    """Return the name and the JSON Pointer of the field that *item* is about."""
    source = item.get("source")
    source = source if isinstance(source, dict) else {}
    pointer = _words(item.get("pointer")) or _words(source.get("pointer"))
    if pointer:
        path = pointer.lstrip("#/").removeprefix("data/").removeprefix("attributes/")
        return path.replace("/", ".").replace("~1", "/").replace("~0", "~"), pointer
    place = item.get("loc", item.get("path"))
    if isinstance(place, list):
        parts = [str(part) for part in place]
        in_body = parts[:1] == ["body"]
        escaped = [part.replace("~", "~0").replace("/", "~1") for part in parts[1:]]
        inner = parts[1:] if in_body or parts[:1] in (["query"], ["path"], ["header"]) else parts
        return ".".join(inner), "/" + "/".join(escaped) if in_body and escaped else None
    return _first(item, _NAME_KEYS) or _first(source, ("parameter", "header")) or "", None


def _joined(inside: str, name: str) -> str:
    """Return the path of field *name* inside of another, which may have been named for it."""
    if not inside or not name:
        return inside or name
    return inside if inside.rpartition(".")[2] == name.rpartition(".")[2] else f"{inside}.{name}"


def _walked(name: str, value: Any, depth: int) -> Iterator[FieldError]:
    """Yield the complaints in nested objects of sentences, lists of them, and error objects."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        if depth and _first(value, DETAIL_KEYS):
            yield from _one_listed(value, name, depth + 1)
            return
        for key, inner in value.items():
            plain = "" if key in _NO_FIELD else str(key)
            yield from _walked(".".join(part for part in (name, plain) if part), inner, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            told = isinstance(inner, dict) and _first(inner, DETAIL_KEYS)
            nested = isinstance(inner, (dict, list)) and not told
            yield from _walked(f"{name}.{index}" if nested else name, inner, depth + 1)
    elif text := _words(value):
        yield FieldError(name, text)


def _first(document: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _words(document.get(key)))), None)


def _words(value: Any) -> str | None:
    """Return a text or number as text; None for all else, and for nothing."""
    if isinstance(value, dict) and "lang" in value:
        value = value.get("value")  # OData 2: a sentence with its language
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip()[:MAX_TEXT] or None
