"""Requests as curl commands, to be read, sent to a colleague, or tried by hand."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import requests

from sessionkit.errors import tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Characters of a body that is shown; of a larger one only its size is.
MAX_BODY = 4_096
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: What curl counts or negotiates by itself.
_BY_CURL = frozenset({"accept-encoding", "connection", "content-length", "transfer-encoding"})
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "'": "\\'", "\\": "\\\\"}


def as_curl(
    sent: requests.Response | requests.PreparedRequest | requests.Request | Exception,
    *,
    secrets: Iterable[str] = (),
) -> str:
    """Return the request that was sent as a curl command; nothing is read or sent.

    Secrets are masked by their names, and by the record of a response: a credential under a name of
    your own is masked in ``as_curl(response)`` and in any error of sessionkit, but cannot be told
    from other headers in a bare request, or in an exception of requests itself.

    A body of up to 4,096 characters of text is shown. Of any other only its size is, and the
    command reads it from a file named ``body``. After redirects it is the last request.

    Args:
        sent: A response, a request, or an exception that has a ``request``.
        secrets: Exact texts to mask as well.

    Raises:
        TypeError: It holds no request.
    """
    request = _request_of(sent)
    names = getattr(getattr(sent, "record", None), "credential_names", ())
    known = (*secrets, *_values(request, names))
    if isinstance(request, requests.PreparedRequest):
        request = request.copy()  # an error's is redacted, but maybe with fewer secrets
    copy = tools.redacted_request(request, known)
    body, note = _body(copy, _size(request))
    line = ["curl", *_method(copy.method or "GET", has_body=bool(body)), _quoted(copy.url or "")]
    line += _headers(copy.headers, has_body=bool(body))
    return " ".join([*line, *body, *note])


def _request_of(sent: Any) -> Any:
    request = sent if isinstance(sent, requests.Request) else getattr(sent, "request", sent)
    if isinstance(request, requests.Request):
        request = request.prepare()
    if not hasattr(request, "headers"):
        raise TypeError(f"{type(sent).__name__} holds no request")
    return request


def _values(request: Any, names: Iterable[str]) -> Iterator[str]:
    """Yield the values of headers, cookies and query parameters that have one of *names*."""
    wanted = frozenset(name.lower() for name in names)
    if not wanted:
        return
    headers = {_text(name).lower(): _text(value) for name, value in _items(request)}
    for name in wanted & headers.keys():
        # The credential may follow a scheme, as in `Bearer ...`.
        yield from (headers[name], headers[name].partition(" ")[2])
    pairs = re.split(r"[?&#;]\s*", f"{_text(request.url)}?{headers.get('cookie', '')}")
    for name, sign, value in (pair.partition("=") for pair in pairs):
        if sign and unquote_plus(name).lower() in wanted:
            yield from (value, unquote_plus(value))


def _items(request: Any) -> Iterable[tuple[Any, Any]]:
    return (request.headers or {}).items()


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _method(method: str, *, has_body: bool) -> list[str]:
    if method == "HEAD" and not has_body:
        return ["--head"]
    return [] if method == "GET" and not has_body else ["-X", _quoted(method)]


def _headers(headers: Any, *, has_body: bool) -> Iterator[str]:
    names = {name.lower() for name in headers}
    if "accept-encoding" in names:
        yield "--compressed"
    if has_body and "content-type" not in names:
        yield "-H 'Content-Type:'"  # else curl would declare any body a form
    for name, value in headers.items():
        # Anything else would be more than a header to curl, such as the name of a file.
        if name.lower() not in _BY_CURL and _TOKEN.fullmatch(name):
            yield f"-H {_quoted(f'{name}: {value}' if value else f'{name};')}"


def _size(request: Any) -> int | None:
    """Return the size of the body in bytes: None if it is unknown, 0 if there is no body."""
    headers = {_text(name).lower(): _text(value) for name, value in _items(request)}
    body, length = getattr(request, "body", None), headers.get("content-length", "")
    if isinstance(body, str):
        return len(body.encode(errors="replace"))
    if isinstance(body, (bytes, bytearray)):
        return len(body)
    if length.isdecimal():
        return int(length)
    return 0 if body is None and "transfer-encoding" not in headers else None


def _body(copy: Any, size: int | None) -> tuple[list[str], list[str]]:
    """Return the argument for the body, and a remark if the body is not shown."""
    text = copy.body
    if size == 0:
        return [], []
    if isinstance(text, str) and text and len(text) <= MAX_BODY:
        return [f"--data-raw {_quoted(text)}"], []
    known = "body not shown" if size is None else f"body of {size} bytes not shown"
    return ["--data-binary @body"], [f" # {known}"]


def _quoted(text: str) -> str:
    """Return *text* as one word of a shell, on one line, and harmless to a terminal."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign.isprintable():
        return sign
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x80 else f"\\U{code:08x}"
