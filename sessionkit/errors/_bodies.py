"""Reading what a server says about a failure, whatever format it says it in.

By content type first and by shape second, because many servers send the wrong type. Nothing here
raises: a body is what a stranger sent, and the failure it belongs to is what matters.
"""

from __future__ import annotations

import http
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from sessionkit.errors._details import ErrorDetail, FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

#: Bytes of a body that are looked at.
MOST_BODY = 65_536
_LONGEST_TEXT = 1_000
_MOST_FIELDS = 100
_DEEPEST = 8

_CODE_KEYS = ("code", "error_code", "errorCode", "errorType")
_DETAIL_KEYS = (
    *("detail", "error_description", "message", "msg", "error_message"),
    *("errorMessage", "description", "reason"),
)
_NAME_KEYS = ("field", "name", "param", "parameter", "path", "target", "property", "attribute")


def read_details(response: requests.Response) -> ErrorDetail:
    """Return what *response* says about a failure, in one normal form. Never raises.

    Understood are problem details (RFC 9457), OAuth (RFC 6749, section 5.2), Django REST framework,
    FastAPI, lists of ``errors``, ``error`` objects, plain messages, and the title of a page of
    HTML. An empty body gives the reason phrase as ``title``.

    Args:
        response: Only what has been read of its body is used, at most 64 KiB.
    """
    try:
        body = _body(response)
        found = _read(response, body) if body.strip() else None
    except Exception:  # noqa: BLE001  # deep nesting, absurd encodings: whatever a stranger sends
        found = None
    return found or ErrorDetail(title=reason_phrase(response))


def reason_phrase(response: requests.Response) -> str | None:
    """Return the reason phrase that the server sent, or else the usual one for the status."""
    if response.reason:
        return str(response.reason)[:_LONGEST_TEXT]
    try:
        return http.HTTPStatus(response.status_code).phrase
    except ValueError:
        return None


def _body(response: requests.Response) -> bytes:
    content = getattr(response, "_content", b"")
    return content[:MOST_BODY] if isinstance(content, bytes) else b""


def _read(response: requests.Response, body: bytes) -> ErrorDetail | None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind.endswith("json") or body.lstrip()[:1] in (b"{", b"["):
        try:
            document = json.loads(body)
        except ValueError:
            pass
        else:
            return _from_json(document, response, is_problem=kind == "application/problem+json")
    text = _text(response, body)
    if "html" in kind or text.lstrip()[:1] == "<":
        return _from_markup(text)
    if kind and not kind.startswith("text/") and not kind.endswith("json"):
        return None
    return _from_text(text)


def _text(response: requests.Response, body: bytes) -> str:
    try:
        return body.decode(response.encoding or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _from_markup(text: str) -> ErrorDetail | None:
    import html

    match = re.search(r"<title[^<>]{0,500}+>([^<]*)", text, re.IGNORECASE)
    title = " ".join(html.unescape(match[1]).split()) if match else ""
    return ErrorDetail(title=title[:_LONGEST_TEXT], raw=text) if title else None


def _from_text(text: str) -> ErrorDetail | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or "\ufffd" in lines[0] or not lines[0].isprintable():
        return None
    return ErrorDetail(detail=lines[0][:_LONGEST_TEXT], raw=text)


def _from_json(
    document: Any, response: requests.Response, *, is_problem: bool
) -> ErrorDetail | None:
    found = _normal_form(document, 0)
    if found is None:
        return None
    found.raw = document
    if is_problem:
        # A relative type is resolved; without one it is about:blank (RFC 9457, section 3.1.1).
        found.type = urljoin(response.url or "", found.type) if found.type else "about:blank"
    return found


def _normal_form(document: Any, depth: int) -> ErrorDetail | None:
    if depth > _DEEPEST:
        return None
    if isinstance(document, dict):
        return _from_object(document, depth)
    if isinstance(document, list):
        return _filled(ErrorDetail(fields=_listed(document)))
    text = _words(document)
    return ErrorDetail(detail=text) if text else None


def _from_object(document: dict[str, Any], depth: int) -> ErrorDetail | None:
    for key in ("error", "detail"):
        # Google, OData and many more; FastAPI where its user gave an object.
        if isinstance(document.get(key), dict):
            return _normal_form(document[key], depth + 1)
    found = ErrorDetail(
        code=_first(document, _CODE_KEYS),
        title=_words(document.get("title")),
        detail=_first(document, _DETAIL_KEYS),
        type=_words(document.get("type")),
        instance=_words(document.get("instance")),
        fields=_fields(document),
    )
    _add_error_text(found, _words(document.get("error")))
    return _filled(found)


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
    """Lift what a first nameless error says; None where nothing at all was understood."""
    if found.fields and not found.fields[0].name:
        found.detail = found.detail or found.fields[0].message
        found.code = found.code or found.fields[0].code
    return found if found.summary else None


def _fields(document: dict[str, Any]) -> tuple[FieldError, ...]:
    for key in ("errors", "detail", "details"):
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


def _one_listed(item: Any) -> Iterator[FieldError]:
    if not isinstance(item, dict):
        if text := _words(item):
            yield FieldError("", text)
        return
    code = _first(item, (*_CODE_KEYS, "type", "error"))
    message = _first(item, (*_DETAIL_KEYS, "title")) or code
    if message:
        name, pointer = _place(item)
        yield FieldError(name, message, code=code, pointer=pointer)
    else:
        yield from _walked("", item, 0)


def _place(item: dict[str, Any]) -> tuple[str, str | None]:
    """Return the name and the JSON Pointer of the field that *item* is about."""
    source = item.get("source")
    source = source if isinstance(source, dict) else {}
    pointer = _words(item.get("pointer")) or _words(source.get("pointer"))
    if pointer:
        path = pointer.lstrip("#/").removeprefix("data/").removeprefix("attributes/")
        return path.replace("/", ".").replace("~1", "/").replace("~0", "~"), pointer
    place = item.get("loc")
    if isinstance(place, list):
        parts = [str(part) for part in place]
        in_body = parts[:1] == ["body"]
        escaped = [part.replace("~", "~0").replace("/", "~1") for part in parts[1:]]
        inner = parts[1:] if in_body or parts[:1] in (["query"], ["path"], ["header"]) else parts
        return ".".join(inner), "/" + "/".join(escaped) if in_body and escaped else None
    return _first(item, _NAME_KEYS) or _words(source.get("parameter")) or "", None


def _walked(name: str, value: Any, depth: int) -> Iterator[FieldError]:
    """Yield the complaints in nested objects of lists of sentences."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            plain = "" if key == "non_field_errors" else str(key)
            yield from _walked(".".join(part for part in (name, plain) if part), inner, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            nested = isinstance(inner, (dict, list))
            yield from _walked(f"{name}.{index}" if nested else name, inner, depth + 1)
    elif text := _words(value):
        yield FieldError(name, text)


def _first(document: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _words(document.get(key)))), None)


def _words(value: Any) -> str | None:
    """Return a text or number as text; None for all else, and for nothing."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip()[:_LONGEST_TEXT] or None
