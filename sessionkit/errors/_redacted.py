"""Redacted copies of requests and responses: what an error may keep.

A copy holds no connection, no redirect history, no cookies, no hooks, and no credential.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, AnyStr

import requests
from requests.structures import CaseInsensitiveDict

from sessionkit._redact import (
    MASK,
    SHORTEST_VALUE,
    is_secret_name,
    redact_headers,
    redact_url,
    scrub,
    secrets_in_url,
    spellings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes of a body that are read for an error, looked at, and kept.
MAX_BODY_BYTES = 65_536
#: Characters of an answer's headers that are kept, all together.
MAX_HEADER_CHARACTERS = 65_536
#: Attribute of a copy, so that it is not copied again.
_MARK = "_sessionkit_redacted"
#: ``"access_token": "..."`` and the like; a sentence, which has spaces, is a complaint and stays.
_JSON_CREDENTIAL = rb'"([\w.-]{1,64})"(\s*:\s*)"((?:[^"\s\\]|\\[^"]){6,})"'
#: Escapes in JSON of what need not be escaped: ``\/``, and ASCII but for quotes and backslashes.
_ESCAPED = rb"(?i)\\(?:/|u00(2[013-9a-f]|[3467][0-9a-f]|5[0-9abd-f]))"


def secrets_in_request(request: Any) -> tuple[str, ...]:
    """Return the credentials that a request carries in its URL and headers.

    Servers echo them and exceptions print them, so they are masked as exact texts too.
    """
    found = secrets_in_url(_plain(getattr(request, "url", None) or ""))
    for name, value in dict(getattr(request, "headers", None) or {}).items():
        if is_secret_name(_plain(name)):
            found += _parts(_plain(value))
    return tuple(found)


def _plain(text: Any) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def _parts(value: str) -> list[str]:
    """Return a header's value, the credential after its scheme, and the values of cookies."""
    scheme, _, credential = value.partition(" ")
    cookies = [pair.partition("=")[2].strip() for pair in value.split(";") if "=" in pair]
    # A short value, such as `lang=en`, would be masked all over the text.
    parts = [credential if scheme.isalpha() else "", *cookies]
    return [value, *(part for part in parts if len(part) > SHORTEST_VALUE)]


def redacted_request(request: Any, secrets: Iterable[str] = ()) -> requests.PreparedRequest:
    """Return a copy of *request* to look at, not to send.

    Args:
        request: A ``PreparedRequest``, or a ``Request`` not prepared yet.
        secrets: Exact texts to mask as well.
    """
    if getattr(request, _MARK, False):
        marked: requests.PreparedRequest = request
        return marked
    known = (*secrets, *secrets_in_request(request))
    copy = requests.PreparedRequest()
    copy.method = request.method
    copy.url = None if request.url is None else scrub(redact_url(_plain(request.url)), known)
    headers = redact_headers(dict(getattr(request, "headers", None) or {}))
    copy.headers = CaseInsensitiveDict({k: scrub(v, known) for k, v in headers.items()})
    copy.body = _request_body(getattr(request, "body", None), known)
    setattr(copy, _MARK, True)
    return copy


def _request_body(body: Any, secrets: tuple[str, ...]) -> str | None:
    """Return a text body, capped and scrubbed; of files and streams, nothing."""
    if isinstance(body, (bytes, bytearray)):
        try:
            body = bytes(body[: MAX_BODY_BYTES + 4]).decode()
        except UnicodeDecodeError:
            return None
    if not isinstance(body, str) or 'form-data; name="' in body[:400]:
        return None
    if len(body) >= MAX_BODY_BYTES:
        body = _without_half(body[:MAX_BODY_BYTES], spellings(secrets))
    return scrub(body, secrets)


def redacted_response(response: Any, secrets: Iterable[str] = ()) -> requests.Response:
    """Return a ``requests.Response`` that shows what *response* said, and no secret.

    Its body is what has been read of the original's so far, at most 64 KiB: nothing is read here.

    Args:
        response: Any response that looks like one of requests.
        secrets: Exact texts to mask as well.
    """
    if getattr(response, _MARK, False):
        marked: requests.Response = response
        return marked
    known = (*secrets, *secrets_in_request(getattr(response, "request", None)))
    copy = requests.Response()
    copy.status_code = response.status_code
    copy.reason = scrub(_plain(getattr(response, "reason", None) or ""), known)
    copy.url = scrub(redact_url(_plain(response.url or "")), known)
    copy.headers = CaseInsensitiveDict(_response_headers(response.headers, known))
    copy.encoding = getattr(response, "encoding", None)
    copy.elapsed = getattr(response, "elapsed", copy.elapsed)
    if getattr(response, "request", None) is not None:
        copy.request = redacted_request(response.request, known)
    _fill_body(copy, getattr(response, "_content", b""), known)
    if (record := getattr(response, "record", None)) is not None:
        copy.record = record  # type: ignore[attr-defined]  # an attribute of our own
    setattr(copy, _MARK, True)
    return copy


def _response_headers(headers: Any, known: tuple[str, ...]) -> dict[str, str]:
    left, kept = MAX_HEADER_CHARACTERS, {}
    for name, value in headers.items():
        # Looking through some megabytes of them would take half a minute.
        left -= len(_plain(value))
        kept[name] = value if left >= 0 else "(not kept)"
    return {name: scrub(value, known) for name, value in redact_headers(kept).items()}


def _fill_body(copy: Any, content: Any, secrets: tuple[str, ...]) -> None:
    body = bytes(content) if isinstance(content, (bytes, bytearray)) else b""
    if len(body) >= MAX_BODY_BYTES:
        body = _without_half(body[:MAX_BODY_BYTES], _in_bytes(secrets))
    copy._content = redacted_body(body, secrets)  # noqa: SLF001  # as requests keeps it
    copy._content_consumed = True  # noqa: SLF001  # where requests keeps it


def _without_half(body: AnyStr, known: Iterable[AnyStr]) -> AnyStr:
    """Return *body* without the secret at its end of which it holds but the beginning."""
    for spelling in known:
        for size in range(len(spelling) - 1, SHORTEST_VALUE, -1):
            if body.endswith(spelling[:size]):
                return body[:-size]
    return body


def _in_bytes(secrets: Iterable[str]) -> list[bytes]:
    # JSON may bring a token that holds half a pair; no other encoding would do, nor does this text.
    return [spelling.encode(errors="surrogatepass") for spelling in spellings(secrets)]


def redacted_body(body: bytes, secrets: tuple[str, ...]) -> bytes:
    """Return *body* without the exact *secrets*, and without values that look like credentials."""
    encoding = json.detect_encoding(body)
    if not encoding.startswith("utf-8"):
        plain = body.decode(encoding, "replace").encode()
        clean = redacted_body(plain, secrets)
        return body if clean == plain else clean.decode().encode(encoding)
    known = _in_bytes(secrets)
    # PHP escapes slashes, .NET and Go escape signs that HTML knows; the document stays the same.
    bare = re.sub(_ESCAPED, _unescaped, body)
    if bare != body and any(spelling in bare for spelling in known):
        body = bare
    for spelling in known:
        body = body.replace(spelling, MASK.encode())
    return re.sub(_JSON_CREDENTIAL, _mask_credential, body)


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else b"/"


def _mask_credential(match: re.Match[bytes]) -> bytes:
    name, sign, _ = match.groups()
    hit = name != b"key" and is_secret_name(name.decode("latin-1"))
    return b'"%b"%b"%b"' % (name, sign, MASK.encode()) if hit else match[0]
