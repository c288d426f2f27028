"""Recorded requests and responses, and every place in them where a secret may stand.

Pure text work. One walk serves three ends: to put stand-ins in, to compare without secrets, to look
for secrets that were left.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote_plus

from sessionkit._redact import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: What to put in the place of a secret, given its name and value.
Change: TypeAlias = "Callable[[str, str], str]"

#: A text this long, without blanks, is a secret wherever it is kept among secrets.
LONG = 16
#: A number of so few digits is no secret, whatever its name.
SHORT = 3
_FLAGS = frozenset(("", "false", "none", "null", "true"))

#: Names are bounded: a long text without blanks would be gone through again for each character.
_NAME = r"(?<![\w.$\[\]%-])(?P<name>[\w.$\[\]%-]{1,64})"
_PLACES = (
    # A query, a form, a sentence; then JSON or Python in a text, and attributes of XML.
    re.compile(rf"{_NAME}=(?P<value>[^\s&;,\"'<>#)\]}}]+)"),
    re.compile(rf"{_NAME}[\"']?\s*[:=]\s*(?P<q>[\"'])(?P<value>(?:\\.|(?!(?P=q)).)+)", re.DOTALL),
    # An element of XML, a field of an HTML form.
    re.compile(r"<(?:\w+:)?(?P<name>[\w.-]{1,64})[^<>]*>(?P<value>[^<>]+)</"),
    re.compile(r"name=[\"'](?P<name>[^\"']+)[\"'][^<>]{0,512}?value=[\"'](?P<value>[^\"']+)"),
)
_USERINFO = re.compile(r"(?<=//)(?P<user>[^\s/?#@:\"'<>]*):(?P<value>[^\s/@\"'<>]+)(?=@)")
_CREDENTIAL = re.compile(rf"\b(?:Bearer|Basic|Token) (?=\S*\d)[\w.~+/-]{{{LONG},}}={{0,2}}")
_SCHEMES = frozenset(("basic", "bearer", "digest", "negotiate", "token"))
_PART = re.compile(
    r"name=\"(?P<name>[^\"]+)\"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n(?P<value>.*?)(?=\r\n--)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or a response, which has no URL. Immutable, hence thread-safe."""

    headers: Mapping[str, tuple[str, ...]]
    body: bytes = b""
    url: str = ""

    def header(self, name: str) -> str:
        """Return the first value of a header, whatever its case; "" without it."""
        for key, values in self.headers.items():
            if key.lower() == name and values:
                return values[0]
        return ""

    def each_text(self, change: Callable[[str], str]) -> Message:
        """Return this message with *change* made to its URL, its header values and its body."""
        headers = {
            name: tuple(change(value) for value in values) for name, values in self.headers.items()
        }
        return Message(headers, change_text(self.body, change), change(self.url))


def change_text(body: bytes, change: Callable[[str], str]) -> bytes:
    """Return *body* with *change* made to its text; bytes that are no UTF-8 stand as they are."""
    try:
        return change(body.decode()).encode()
    except UnicodeDecodeError:
        return change(body.decode("latin-1")).encode("latin-1", "replace")


def change_secrets(message: Message, change: Change) -> Message:
    """Return *message* with each of its secrets as *change* has it.

    Known by their names: headers, cookies, query parameters, fields of forms (``multipart`` too),
    of JSON and of XML; and by their look: credentials of HTTP Basic, user information of URLs.
    """

    def careful(name: str, value: str) -> str:
        return value if _is_trivial(value) else change(name, value)

    headers = {
        name: tuple(_named(name, value, careful) for value in values)
        for name, values in message.headers.items()
    }
    kind = message.header("content-type").lower()
    body = change_text(message.body, partial(_body, kind, change=careful))
    return replace(message, headers=headers, body=body, url=_url(message.url, careful))


def _is_trivial(value: str) -> bool:
    """Tell a count or a flag, such as the uses that a token has left, from a secret."""
    return (value.isdecimal() and len(value) <= SHORT) or value.lower() in _FLAGS


def _named(name: str, value: str, change: Change) -> str:
    if not is_secret_name(name):
        return _text(value, change)
    if name.lower() in {"cookie", "set-cookie"} and "=" in value:
        return _cookies(value, change, only_first=name.lower() == "set-cookie")
    if name.lower().endswith("authorization"):
        return _credential(name, value, change)
    return change(name, value)


def _cookies(value: str, change: Change, *, only_first: bool) -> str:
    """Rewrite ``Cookie`` or ``Set-Cookie``: the names stay, and so do the attributes."""
    pairs = value.split(";")
    last = 1 if only_first else len(pairs)
    for place, pair in enumerate(pairs[:last]):
        name, sign, secret = pair.partition("=")
        pairs[place] = f"{name}{sign}{change(name.strip(), secret)}"
    return ";".join(pairs)


def _credential(name: str, value: str, change: Change) -> str:
    """Rewrite what follows the scheme (RFC 9110, section 11.4)."""
    scheme, blank, secret = value.partition(" ")
    if not blank:
        return value if value.lower() in _SCHEMES else change(name, value)
    if scheme.lower() == "basic":
        return f"{scheme} {_basic(name, secret, change)}"
    return f"{scheme} {change(name, secret)}"


def _basic(name: str, secret: str, change: Change) -> str:
    try:
        plain = base64.b64decode(secret, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return change(name, secret)
    user, colon, password = plain.partition(":")
    if not password or len(user) >= LONG:
        # Some vendors take an API key in the place of the user.
        user = change(name, user)
    new = f"{user}{colon}{change(name, password)}"
    return secret if new == plain else base64.b64encode(new.encode()).decode()


def _url(url: str, change: Change) -> str:
    rest, hash_mark, fragment = url.partition("#")
    base, question_mark, query = rest.partition("?")
    base = _text(base, change)
    return f"{base}{question_mark}{_form(query, change)}{hash_mark}{_form(fragment, change)}"


def _form(text: str, change: Change) -> str:
    return "&".join(_pair(part, change) for part in text.split("&"))


def _pair(part: str, change: Change) -> str:
    name, sign, value = part.partition("=")
    plain = unquote_plus(value)
    new = _named(unquote_plus(name), plain, change)
    return part if new == plain else f"{name}{sign}{quote(new, safe='')}"


def _body(kind: str, text: str, *, change: Change) -> str:
    if kind.startswith("application/x-www-form-urlencoded"):
        return _form(text, change)
    if kind.startswith("multipart/"):
        return _PART.sub(partial(_match, change=change), text)
    if "json" in kind or text.lstrip()[:1] in {"{", "["}:
        try:
            document = json.loads(text)
        except ValueError:
            return _text(text, change)
        new = _document(document, change)
        return text if new == document else json.dumps(new)
    return _text(text, change)


def _document(value: Any, change: Change, name: str = "", *, inside: bool = False) -> Any:
    """Rewrite a JSON value under *name*; *inside* what is secret by name, long texts are too."""
    if isinstance(value, dict):
        within = inside or is_secret_name(name)
        return {k: _document(v, change, k, inside=within) for k, v in value.items()}
    if isinstance(value, list):
        return [_document(item, change, name, inside=inside) for item in value]
    if isinstance(value, str):
        if inside and len(value) >= LONG and not re.search(r"\s|://", value):
            return change(name, value)
        return _named(name, value, change)
    if isinstance(value, bool) or value is None or not is_secret_name(name):
        return value
    return change(name, str(value))


def _text(text: str, change: Change) -> str:
    """Rewrite free text: whatever names a secret and gives it, in any of the usual ways."""
    for pattern in _PLACES if "=" in text or ":" in text or "</" in text else ():
        text = pattern.sub(partial(_match, change=change), text)
    text = _USERINFO.sub(lambda m: f"{m['user']}:{change('password', m['value'])}", text)
    return _CREDENTIAL.sub(lambda m: _credential("authorization", m[0], change), text)


def _match(match: re.Match[str], *, change: Change) -> str:
    name, value = unquote_plus(match["name"]), match["value"]
    if not is_secret_name(name):
        return match[0]
    in_url = match.re is _PLACES[0] and "%" in value
    plain = unquote_plus(value) if in_url else value
    new = _named(name, plain, change)
    if new == plain:
        return match[0]
    start, end = match.start("value") - match.start(), match.end("value") - match.start()
    return f"{match[0][:start]}{new}{match[0][end:]}"
