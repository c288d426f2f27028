"""What a server says about a failure, in one normal form, whatever format it used.

Read by content type first and by shape second, because many servers send the wrong type. Nothing
here raises: a body is what a stranger sent, and the failure it belongs to is what matters.
"""

from __future__ import annotations

import http
import json
import re
from dataclasses import KW_ONLY, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from sessionkit.errors._redacted import MAX_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

_MAX_TEXT = 1_000
_MAX_FIELDS = 100
_MAX_DEPTH = 8

_CODE_KEYS = ("code", "error_code", "errorCode", "errorType")
#: Keys of sentences, the plainest first.
_DETAIL_KEYS = (
    *("detail", "error_description", "message", "msg", "error_message", "errorMessage"),
    *("defaultMessage", "description", "reason"),
)
_NAME_KEYS = (
    *("field", "fieldName", "name", "param", "parameter", "path", "target", "property"),
    *("propertyPath", "attribute"),
)
_DOC_KEYS = ("documentation_url", "doc_url", "error_uri")
#: Members that hold one thing: OData and Google, JSON:API's neighbours, SharePoint.
_WRAPPERS = ("error", "detail", "odata.error")
_LISTS = ("errors", "detail", "details", "error_dict", "invalid-params", "violations")
#: Names that stand for no field: of Django, Rails, and lists inside of objects (Braintree).
_NO_FIELD = frozenset({"non_field_errors", "__all__", "base", "errors"})


def _show(value: Any) -> str:
    """Return the repr of a value below; what is not known is not shown."""
    known = [(item.name, getattr(value, item.name)) for item in fields(value)]
    shown = ", ".join(f"{name}={known!r}" for name, known in known if known not in (None, ()))
    return f"{type(value).__name__}({shown})"


@dataclass(frozen=True, slots=True, repr=False)
class FieldError:
    """What is wrong with one field of the request; immutable.

    Args:
        name: Dotted path as the server gave it, without ``body``; empty for the whole request.
        message: In the server's words.
        code: For programs, such as ``unique``.
        pointer: JSON Pointer (RFC 6901) into the request's body, where the server gave one.
    """

    name: str
    message: str
    _: KW_ONLY
    code: str | None = None
    pointer: str | None = None

    __repr__ = _show

    def __str__(self) -> str:
        return f"{self.name}: {self.message}" if self.name else self.message


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class ErrorDetail:
    """What a server said about a failure, whatever format it used; immutable.

    Args:
        code: For programs, such as ``invalid_grant`` or ``not_found``.
        title: Short, the same for all failures of this kind.
        detail: About this very failure.
        type: URI of the kind of problem (RFC 9457, section 3.1.1).
        instance: URI of this very occurrence (RFC 9457, section 3.1.5).
        doc_url: Where to read about it, for people.
        fields: What is wrong with single fields, in the server's order.
        raw: The decoded body, or its text where it is no JSON; None where it was empty.
    """

    code: str | None = None
    title: str | None = None
    detail: str | None = None
    type: str | None = None
    instance: str | None = None
    doc_url: str | None = None
    fields: tuple[FieldError, ...] = ()
    raw: Any = field(default=None, hash=False)

    __repr__ = _show

    def at(self, *path: str) -> tuple[FieldError, ...]:
        """Return what is wrong at one place and below it, such as ``at("customer", "card")``."""
        place = ".".join(path)
        return tuple(
            f for f in self.fields if f.name == place or f.name.startswith(place and f"{place}.")
        )

    @property
    def summary(self) -> str:
        """The first field and how many more, or the detail, title or code; in one line."""
        if self.fields:
            more = len(self.fields) - 1
            return f"{self.fields[0]} (+{more})" if more else str(self.fields[0])
        return self.detail or self.title or self.code or ""


@dataclass(frozen=True, slots=True, repr=False)
class Problem:
    """One thing wrong with a body that was to become an object; immutable.

    Args:
        pointer: Where, as a JSON Pointer (RFC 6901); empty for the whole document.
        message: What, without the value itself where that may be long or secret.
    """

    pointer: str
    message: str

    __repr__ = _show

    def __str__(self) -> str:
        return f"{self.pointer}: {self.message}" if self.pointer else self.message


# Users see and pickles hold the public place of each class.
FieldError.__module__ = ErrorDetail.__module__ = Problem.__module__ = "sessionkit.errors"


def read_details(response: requests.Response) -> ErrorDetail:
    """Return what *response* says about a failure, in one normal form. Never raises.

    Understood are problem details (RFC 9457), OAuth (RFC 6749, section 5.2), JSON:API, GraphQL,
    OData, Google, Azure, AWS-like and Stripe-like ``error`` objects, Django REST framework,
    FastAPI, Spring, Rails, GitHub, lists of ``errors``, plain messages, and the title of a page
    of HTML. A body that was cut off gives the first sentence that came whole; an empty one the
    reason phrase as ``title``.

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
        return str(response.reason)[:_MAX_TEXT]
    try:
        return http.HTTPStatus(response.status_code).phrase
    except ValueError:
        return None


def _body(response: requests.Response) -> bytes:
    content = getattr(response, "_content", b"")
    return content[:MAX_BODY_BYTES] if isinstance(content, bytes) else b""


def _read(response: requests.Response, body: bytes) -> ErrorDetail | None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    text = _text(response, body)
    if kind.endswith("json") or text.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(text)
        except ValueError:
            if cut := _from_cut_json(text):
                return cut
        else:
            return _from_json(document, response, kind)
    if "html" in kind or text.lstrip()[:1] == "<":
        return _from_markup(text)
    if kind and not kind.startswith("text/") and not kind.endswith("json"):
        return None
    return _from_text(text)


def _text(response: requests.Response, body: bytes) -> str:
    """Decode a body by its charset, or by what its bytes show where that is missing or wrong."""
    # Without a charset requests says ISO-8859-1 for all text, as an RFC did long ago.
    charset = "charset" in response.headers.get("Content-Type", "").lower() and response.encoding
    try:
        text = body.decode(charset or json.detect_encoding(body), "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    # A character that was cut through at the end is no sign of another encoding.
    text = text.rstrip("\ufffd").removeprefix("\ufeff")
    return body.decode("latin-1") if "\ufffd" in text else text


def _from_json(document: Any, response: requests.Response, kind: str) -> ErrorDetail | None:
    if kind == "application/problem+json" and isinstance(document, dict):
        found: ErrorDetail | None = problem_details(document, response.url or "")
    else:
        found = normal_form(document)
    return None if found is None else replace(found, raw=document)


def _from_cut_json(text: str) -> ErrorDetail | None:
    """Return the first sentence that came whole of a document that did not."""
    keys = "|".join((*_DETAIL_KEYS, "title"))
    for match in re.finditer(rf'"(?:{keys})"\s{{0,99}}:\s{{0,99}}("(?:[^"\\]|\\.)*+")', text):
        if sentence := json.loads(match[1], strict=False).strip():
            return ErrorDetail(detail=sentence[:_MAX_TEXT], raw=text)
    return None


def _from_markup(text: str) -> ErrorDetail | None:
    import html

    match = re.search(r"<title[^<>]{0,500}+>([^<]*)", text, re.IGNORECASE)
    title = " ".join(html.unescape(match[1]).split()) if match else ""
    return ErrorDetail(title=title[:_MAX_TEXT], raw=text) if title else None


def _from_text(text: str) -> ErrorDetail | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].isprintable():
        return None
    return ErrorDetail(detail=lines[0][:_MAX_TEXT], raw=text)


def problem_details(document: dict[str, Any], base: str) -> ErrorDetail:
    """Read problem details (RFC 9457), whose members are what they are called.

    Args:
        document: The body.
        base: URL of the response; a relative type is resolved (RFC 9457, section 3.1.1).
    """
    kind = _to_text(document.get("type"))
    found = ErrorDetail(
        code=_first_text(document, _CODE_KEYS),
        title=_to_text(document.get("title")),
        detail=_to_text(document.get("detail")),
        type=urljoin(base, kind) if kind else "about:blank",
        instance=_to_text(document.get("instance")),
        doc_url=_first_text(document, _DOC_KEYS),
        fields=_fields(document),
    )
    return _lift_nameless(found)


def normal_form(document: Any, depth: int = 0) -> ErrorDetail | None:
    """Read a body of any other shape; None where nothing in it was understood."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(document, dict):
        return _from_object(document, depth)
    if isinstance(document, list):
        return _if_any(ErrorDetail(fields=_from_list(document)))
    text = _to_text(document)
    return ErrorDetail(detail=text) if text else None


def _from_object(document: dict[str, Any], depth: int) -> ErrorDetail | None:
    for key in _WRAPPERS:
        if isinstance(document.get(key), dict):
            return normal_form(document[key], depth + 1)
    detail = _first_text(document, _DETAIL_KEYS)
    code = _code(document)
    found = ErrorDetail(
        code=code,
        title=_to_text(document.get("title")),
        detail=detail,
        type=_to_text(document.get("type")),
        instance=_to_text(document.get("instance")),
        doc_url=_first_text(document, _DOC_KEYS),
        fields=_fields(document),
    )
    if detail and not found.fields and (name := _first_text(document, ("param", "target"))):
        error = FieldError(name, detail, code=code)  # Stripe; OData and Azure
        found = replace(found, fields=(error,))
    return _if_any(_with_error_text(found, _to_text(document.get("error"))))


def _code(document: dict[str, Any]) -> str | None:
    code, status = _first_text(document, _CODE_KEYS), document.get("status")
    if isinstance(status, str) and re.fullmatch(r"[A-Z][A-Z_]+", status):
        # Google's own name for it says more than the HTTP status beside it.
        return status if code is None or code.isdigit() else code
    return code


def _with_error_text(found: ErrorDetail, error: str | None) -> ErrorDetail:
    """Use ``error``: a code where it is one word (OAuth), a sentence where it is more."""
    if error is None:
        return found
    if not re.search(r"\s", error):
        return replace(found, code=found.code or error)
    if found.detail is None:
        return replace(found, detail=error)
    return replace(found, title=found.title or error)


def _if_any(found: ErrorDetail) -> ErrorDetail | None:
    found = _lift_nameless(found)
    return found if found.summary else None


def _lift_nameless(found: ErrorDetail) -> ErrorDetail:
    """Make what a first nameless error says, code and sentence, that of the whole."""
    first = found.fields[0] if found.fields else None
    if first is None or first.name:
        return found
    return replace(found, detail=found.detail or first.message, code=found.code or first.code)


def _fields(document: dict[str, Any]) -> tuple[FieldError, ...]:
    for key in _LISTS:
        value = document.get(key)
        if value and isinstance(value, list):
            return _from_list(value)
        if value and isinstance(value, dict):
            return _limit(_walk("", value, 0))
    if document and all(isinstance(value, (list, dict)) for value in document.values()):
        # Django REST framework: nothing but fields with their complaints.
        return _limit(_walk("", document, 0))
    return ()


def _from_list(items: list[Any]) -> tuple[FieldError, ...]:
    return _limit(error for item in items for error in _from_item(item))


def _limit(errors: Iterator[FieldError]) -> tuple[FieldError, ...]:
    return tuple(error for error, _ in zip(errors, range(_MAX_FIELDS), strict=False))


def _from_item(item: Any, inside: str = "", depth: int = 0) -> Iterator[FieldError]:
    """Yield what one item of a list of errors says, about a field *inside* another."""
    if not isinstance(item, dict):
        if text := _to_text(item):
            yield FieldError(inside, text)
        return
    code = _first_text(item, (*_CODE_KEYS, "type", "error", "kind"))
    if code is None and isinstance(item.get("extensions"), dict):
        code = _first_text(item["extensions"], _CODE_KEYS)  # GraphQL
    message = _first_text(item, (*_DETAIL_KEYS, "title")) or code
    if isinstance(violations := item.get("fieldViolations"), list):
        for violation in violations:  # Google's BadRequest, among other details
            yield from _from_item(violation, inside, depth)
    elif message and "@type" not in item:
        name, pointer = _name_and_pointer(item)
        yield FieldError(_join_path(inside, name), message, code=code, pointer=pointer)
    elif "@type" not in item:
        yield from _walk(inside, item, depth)


def _name_and_pointer(item: dict[str, Any]) -> tuple[str, str | None]:
    """Return the name and the JSON Pointer of the field that *item* is about."""
    source = item.get("source")
    source = source if isinstance(source, dict) else {}
    pointer = _to_text(item.get("pointer")) or _to_text(source.get("pointer"))
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
    return _first_text(item, _NAME_KEYS) or _first_text(source, ("parameter", "header")) or "", None


def _join_path(inside: str, name: str) -> str:
    """Return the path of field *name* inside of another, which may have been named for it."""
    if not inside or not name:
        return inside or name
    return inside if inside.rpartition(".")[2] == name.rpartition(".")[2] else f"{inside}.{name}"


def _walk(name: str, value: Any, depth: int) -> Iterator[FieldError]:
    """Yield the complaints in nested objects of sentences, lists of them, and error objects."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, dict):
        if depth and _first_text(value, _DETAIL_KEYS):
            yield from _from_item(value, name, depth + 1)
            return
        for key, inner in value.items():
            plain = "" if key in _NO_FIELD else str(key)
            yield from _walk(".".join(part for part in (name, plain) if part), inner, depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            is_error = isinstance(inner, dict) and _first_text(inner, _DETAIL_KEYS)
            nested = isinstance(inner, (dict, list)) and not is_error
            yield from _walk(f"{name}.{index}" if nested else name, inner, depth + 1)
    elif text := _to_text(value):
        yield FieldError(name, text)


def _first_text(document: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for key in keys if (text := _to_text(document.get(key)))), None)


def _to_text(value: Any) -> str | None:
    """Return a text or number as text; None for all else, and for nothing."""
    if isinstance(value, dict) and "lang" in value:
        value = value.get("value")  # OData 2: a sentence with its language
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip()[:_MAX_TEXT] or None
