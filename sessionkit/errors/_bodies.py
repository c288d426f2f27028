"""Reading what a server says about a failure, whatever format it says it in.

By content type first and by shape second, because many servers send the wrong type. Nothing here
raises: a body is what a stranger sent, and the failure it belongs to is what matters.
"""

from __future__ import annotations

import http
import json
import re
from typing import TYPE_CHECKING, Any

from sessionkit.errors._details import ErrorDetail
from sessionkit.errors._redacted import MAX_BODY_BYTES

if TYPE_CHECKING:
    import requests

_LONGEST_TEXT = 1_000


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
        return str(response.reason)[:_LONGEST_TEXT]
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
    told = "charset" in response.headers.get("Content-Type", "").lower() and response.encoding
    try:
        text = body.decode(told or json.detect_encoding(body), "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    # A character that was cut through at the end is no sign of another encoding.
    text = text.rstrip("\ufffd").removeprefix("\ufeff")
    return body.decode("latin-1") if "\ufffd" in text else text


def _from_json(document: Any, response: requests.Response, kind: str) -> ErrorDetail | None:
    from sessionkit.errors import _formats  # only who fails pays for it

    if kind == "application/problem+json" and isinstance(document, dict):
        found: ErrorDetail | None = _formats.problem_details(document, response.url or "")
    else:
        found = _formats.normal_form(document)
    if found is not None:
        found.raw = document
    return found


def _from_cut_json(text: str) -> ErrorDetail | None:
    """Return the first sentence that came whole of a document that did not."""
    from sessionkit.errors._formats import DETAIL_KEYS

    keys = "|".join((*DETAIL_KEYS, "title"))
    for match in re.finditer(rf'"(?:{keys})"\s{{0,99}}:\s{{0,99}}("(?:[^"\\]|\\.)*+")', text):
        if sentence := json.loads(match[1], strict=False).strip():
            return ErrorDetail(detail=sentence[:_LONGEST_TEXT], raw=text)
    return None


def _from_markup(text: str) -> ErrorDetail | None:
    import html

    match = re.search(r"<title[^<>]{0,500}+>([^<]*)", text, re.IGNORECASE)
    title = " ".join(html.unescape(match[1]).split()) if match else ""
    return ErrorDetail(title=title[:_LONGEST_TEXT], raw=text) if title else None


def _from_text(text: str) -> ErrorDetail | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].isprintable():
        return None
    return ErrorDetail(detail=lines[0][:_LONGEST_TEXT], raw=text)
