"""Redacted copies of requests, responses and exceptions: what an error may keep.

A copy of a response holds no connection, no redirect history, no cookies, no hooks, and no
credential. Of exceptions, ``MaxRetryError`` prints path and query, ``InvalidHeader`` the header's
value, and those of requests hold the request with its credentials: each is replaced in the chain of
causes by a copy of its class without them; what holds no secret stays the very object it is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, AnyStr

import requests
from requests import exceptions as requests_errors
from requests.structures import CaseInsensitiveDict
from urllib3 import exceptions as urllib3_errors

from sessionkit._redact import (
    MASK,
    MIN_VALUE_LENGTH,
    is_secret_name,
    redact_headers,
    redact_url,
    scrub,
    secrets_in_url,
    spellings,
)
from sessionkit.errors._base import SessionKitError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes of a body that an error looks at and keeps.
MAX_BODY_BYTES = 65_536
#: Characters of all headers of a response that are kept together.
MAX_HEADER_CHARACTERS = 65_536
#: Attribute of a copy, so that it is not copied again.
_MARK = "_sessionkit_redacted"
#: They hold requests, pools and connections, so they are copied whatever their text says.
_WITH_CONNECTIONS = (requests_errors.RequestException, urllib3_errors.HTTPError)
#: ``"access_token": "..."`` and the like; a sentence, which has spaces, is a complaint and stays.
_JSON_CREDENTIAL = rb'"([\w.-]{1,64})"(\s*:\s*)"((?:[^"\s\\]|\\[^"]){6,})"'
#: Escapes in JSON of what need not be escaped: ``\/``, and ASCII but for quotes and backslashes.
_ESCAPED = rb"(?i)\\(?:/|u00(2[013-9a-f]|[3467][0-9a-f]|5[0-9abd-f]))"


def secrets_in_request(request: Any) -> tuple[str, ...]:
    """Return the credentials that a request carries in its URL and headers.

    Servers echo them and exceptions print them, so they are masked as exact texts too.
    """
    found = secrets_in_url(_to_text(getattr(request, "url", None) or ""))
    for name, value in dict(getattr(request, "headers", None) or {}).items():
        if is_secret_name(_to_text(name)):
            found += _credentials_in(_to_text(value))
    return tuple(found)


def _to_text(text: Any) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else str(text)


def _credentials_in(value: str) -> list[str]:
    """Return a header's value, the credential after its scheme, and the values of cookies."""
    scheme, _, credential = value.partition(" ")
    cookies = [pair.partition("=")[2].strip() for pair in value.split(";") if "=" in pair]
    # A short value, such as `lang=en`, would be masked all over the text.
    parts = [credential if scheme.isalpha() else "", *cookies]
    return [value, *(part for part in parts if len(part) > MIN_VALUE_LENGTH)]


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
    copy.url = None if request.url is None else scrub(redact_url(_to_text(request.url)), known)
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
        body = _without_partial_secret(body[:MAX_BODY_BYTES], spellings(secrets))
    return scrub(body, secrets)


def redacted_response(response: Any, secrets: Iterable[str] = ()) -> requests.Response:
    """Return a ``requests.Response`` like *response*, without its secrets.

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
    copy.reason = scrub(_to_text(getattr(response, "reason", None) or ""), known)
    copy.url = scrub(redact_url(_to_text(response.url or "")), known)
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
    left, limited = MAX_HEADER_CHARACTERS, {}
    for name, value in headers.items():
        # Looking through some megabytes of them would take half a minute.
        left -= len(_to_text(value))
        limited[name] = value if left >= 0 else "(not kept)"
    return {name: scrub(value, known) for name, value in redact_headers(limited).items()}


def _fill_body(copy: Any, content: Any, secrets: tuple[str, ...]) -> None:
    body = bytes(content) if isinstance(content, (bytes, bytearray)) else b""
    if len(body) >= MAX_BODY_BYTES:
        body = _without_partial_secret(body[:MAX_BODY_BYTES], _in_bytes(secrets))
    copy._content = redacted_body(body, secrets)  # noqa: SLF001  # as requests keeps it
    copy._content_consumed = True  # noqa: SLF001  # where requests keeps it


def _without_partial_secret(body: AnyStr, known: Iterable[AnyStr]) -> AnyStr:
    """Return *body* without the secret at its end of which it holds but the beginning."""
    for spelling in known:
        for size in range(len(spelling) - 1, MIN_VALUE_LENGTH, -1):
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
    bare = re.sub(_ESCAPED, _unescape, body)
    if bare != body and any(spelling in bare for spelling in known):
        body = bare
    for spelling in known:
        body = body.replace(spelling, MASK.encode())
    return re.sub(_JSON_CREDENTIAL, _mask_credential, body)


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else b"/"


def _mask_credential(match: re.Match[bytes]) -> bytes:
    name, sign, _ = match.groups()
    hit = name != b"key" and is_secret_name(name.decode("latin-1"))
    return b'"%b"%b"%b"' % (name, sign, MASK.encode()) if hit else match[0]


def scrub_exception(error: BaseException, secrets: Iterable[str] = ()) -> BaseException:
    """Return *error* with no secret in its text, its arguments, its causes or its context.

    Args:
        error: Left as it is; but links of its chain that need no copy may be changed to point to
            copies.
        secrets: Exact texts to mask, beside what looks like a secret and what the requests in the
            chain carry.

    Returns:
        The same object where nothing had to go, else a copy of the same class, if that class can be
        copied. The traceback stays. Of a chain that cannot be followed, nothing is left.
    """
    try:
        known = [*secrets]
        for link in _links_of(error):
            known += secrets_in_request(getattr(link, "request", None))
            known += secrets_in_request(getattr(getattr(link, "response", None), "request", None))
        return _Scrubber(tuple(known)).clean(error)
    except Exception:  # noqa: BLE001  # such as a chain too long to follow
        error.__cause__ = error.__context__ = None
        return error


def _links_of(error: BaseException) -> list[BaseException]:
    """Return *error* with all it wraps, its causes and its contexts."""
    found: list[BaseException] = [error]
    # By identity: what counts as equal is up to the exception.
    seen = {id(error)}
    for link in found:
        for inner in (link.__cause__, link.__context__, *link.args, getattr(link, "reason", None)):
            if isinstance(inner, BaseException) and id(inner) not in seen:
                seen.add(id(inner))
                found.append(inner)
    return found


class _Scrubber:
    """One pass over a chain; remembers its copies, so that the links agree."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        # With the originals, so that none is freed and its id given to another.
        self._done: dict[int, tuple[BaseException, BaseException]] = {}

    def clean(self, error: BaseException) -> BaseException:
        """Return *error* or its copy, with all that hangs on it."""
        if id(error) in self._done:
            return self._done[id(error)][1]
        # What is met again while it is being copied wraps itself.
        self._done[id(error)] = (error, RuntimeError(type(error).__name__))
        new = self._copy(error) if self._needs_copy(error) else error
        self._done[id(error)] = self._done[id(new)] = (error, new)
        suppress = error.__suppress_context__
        cause, context = error.__cause__, error.__context__
        new.__cause__ = None if cause is None else self.clean(cause)
        new.__context__ = None if context is None else self.clean(context)
        new.__suppress_context__ = suppress
        return new

    def _needs_copy(self, error: BaseException) -> bool:
        if isinstance(error, SessionKitError):
            return False
        always = isinstance(error, (*_WITH_CONNECTIONS, UnicodeError)) or _shows_header(error)
        return always or not self._is_clean(error)

    def _is_clean(self, error: BaseException) -> bool:
        try:
            shown = f"{error} {error!r} {getattr(error, '__notes__', '')}"
        except Exception:  # noqa: BLE001  # an error that cannot show itself shows no secret either
            return True
        return self._text(shown) == shown

    def _text(self, text: str) -> str:
        return scrub(text, self._secrets)

    def _copy(self, error: BaseException) -> BaseException:
        try:
            copy = self._same_class(error)
        except Exception:  # noqa: BLE001  # a class may be built in any way
            copy = None
        if copy is None or not self._is_clean(copy):
            copy = RuntimeError(f"{type(error).__name__}: {self._text(str(error))}")
        return copy.with_traceback(error.__traceback__)

    def _same_class(self, error: BaseException) -> BaseException:
        if isinstance(error, (UnicodeEncodeError, UnicodeDecodeError)):
            return _without_other_characters(error)
        if _shows_header(error):
            what = (
                "of the response makes no sense"
                if _shows_response_header(error)
                else "cannot be sent"
            )
            args: tuple[Any, ...] = (f"a header {what}: {MASK}",)
        else:
            args = tuple(self._value(arg) for arg in error.args)
        copy: BaseException = type(error).__new__(type(error), *args)
        copy.args = args
        vars(copy).update(self._attributes(error))
        return copy

    def _attributes(self, error: BaseException) -> dict[str, Any]:
        """Return what of an exception's attributes is plain; pools and connections stay behind."""
        plain: dict[str, Any] = {}
        for name, value in vars(error).items():
            if name == "request" and value is not None:
                plain[name] = redacted_request(value, self._secrets)
            elif name == "response" and value is not None:
                plain[name] = redacted_response(value, self._secrets)
            elif name == "__notes__":
                plain[name] = [self._text(str(note)) for note in value]
            elif value is None or isinstance(value, (str, int, float, BaseException)):
                plain[name] = self._value(value)
        return plain

    def _value(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return self.clean(value)
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, (int, float)):
            return value
        return self._text(value.decode("latin-1") if isinstance(value, bytes) else repr(value))


def _without_other_characters(error: UnicodeEncodeError | UnicodeDecodeError) -> BaseException:
    """Return *error* with what cannot be coded alone: its repr shows the whole text."""
    text: Any = error.object
    hidden: Any = "*" if isinstance(text, str) else b"*"
    shown = hidden * error.start + text[error.start : error.end]
    kind: Any = type(error)
    copy: BaseException = kind(error.encoding, shown, error.start, error.end, error.reason)
    return copy


def _shows_header(error: BaseException) -> bool:
    """Return whether the text of *error* shows a header's value."""
    if isinstance(error, requests_errors.InvalidHeader):
        # Around one of urllib3's, it is what tells a header of the response from one of ours.
        return not _shows_response_header(error.args[0] if error.args else None)
    if _shows_response_header(error):
        return True
    # http.client's own, for a value that requests did not look at.
    return type(error) is ValueError and str(error).startswith("Invalid header")


def _shows_response_header(error: object) -> bool:
    return isinstance(error, urllib3_errors.InvalidHeader)
