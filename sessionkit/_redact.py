"""Find secrets by their names and forms, and mask them.

Pure text work without state: safe to call from any thread. It errs on the side of masking, because
a masked name in a log is a nuisance and a printed credential an incident.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MASK = "***"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Shorter texts are not masked as exact secrets: they would tear holes into every sentence.
MIN_SECRET_LENGTH = 4
#: As above, for values that are secret by their name only.
MIN_VALUE_LENGTH = 6

#: A name with one of these words is a secret.
_SECRET_WORDS = _words(
    """password passwd passphrase passcode passwort pwd secret secrets credential credentials
    authorization cookie cookies jwt assertion signature sig hmac otp totp apikey apitoken accesskey
    privatekey accesstoken refreshtoken idtoken authtoken clientsecret sessionid sid jsessionid
    phpsessid csrf xsrf csrftoken csrfmiddlewaretoken verifier samlresponse bearer"""
)
#: These words make a secret when they stand last; ``pass_count`` is none.
_SECRET_ENDS = _words("auth pass pin")
#: These words make a secret when they stand last, or before the word that is last.
_SECRET_PAIRS = frozenset({("session", "id"), ("device", "code"), ("user", "code")})
#: ``token`` beside one of these names a place in a listing, or is about tokens without being one.
_HARMLESS_BESIDE_TOKEN = _words(
    """page next prev previous continuation sync cursor skip start resume delta offset max count
    limit usage uses left remaining"""
)
#: ``key`` is a secret alone or after one of these; ``sort_key`` and ``public-key`` are none.
_SECRET_KEYS = _words(
    """api access secret private subscription auth account license encryption master signing shared
    function functions app application client service consumer x"""
)
#: A name that ends like this tells something about a secret, but does not hold it.
_HARMLESS_ENDS = _words(
    """type types url uri endpoint expires expiry expiration at in length policy required method
    methods algorithm alg name supported present"""
)
#: English after ``Bearer`` or ``Basic``; anything else there is taken for a credential.
_WORDS_AFTER_SCHEME = _words(
    """auth authentication authorization token tokens scheme schemes credential credentials access
    realm error header headers is was and or are not for"""
)

_WORD = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+"
_NAME_AND_SIGN = r"(?<![\w$%.-])([\w$%.\[\]-]{1,64})((?:\\?[\"'])?\s*[:=]\s*)"
_QUOTED = r"b?(?P<q>[\"'])(?P<v>(?:\\.|(?!(?P=q)).)*)"
#: JSON inside a JSON text.
_QUOTED_TWICE = r"\\(?P<q>[\"'])(?P<v>(?:(?!\\(?P=q)).)*)"
#: Of JSON, after a quoted name: a PIN, a one-time password.
_NUMBER = r"(?P<v>-?[0-9][0-9.eE+-]*)"
_BARE = r"(?P<v>[^\s&;,\"'<>)\]}]+)"
_TO_END_OF_LINE = r"(?P<v>[^\r\n\"']+)"
_ELEMENT = r"(<(?:[\w.-]{1,64}:)?([\w.-]{1,64})(?:\s[^<>]{0,256})?>)[^<>]+(?=</)"
_SCHEME = r"\b(Bearer|Basic|Negotiate)(\s+)([\w.~+/=:-]+)"
_LONG_VALUE = r"\b(Token|token|ApiKey|apikey)(\s+)([\w.-]{16,})"
_USERINFO = r"(?<=//)[^{end}/?#\\]+@"
#: A password with an unescaped ``/``, ``?`` or ``#``: no valid URL, and so printed in an error.
_BROKEN_USERINFO = (
    r"(?<=//)(?!\[)[^{end}/?#@\\:]{{0,256}}:"
    r"(?![0-9]{{1,5}}(?:[{end}/?#\\]|$))[^{end}]{{0,256}}@"
)
#: What ends a URL inside a text; by itself it goes on to its end.
_TEXT_END = r"\s\"'<>"
_URL_END = r"\x00"


def is_secret_name(name: str) -> bool:
    """Return whether a header, query parameter, form or JSON field of this name holds a secret.

    Args:
        name: In any spelling: ``X-Api-Key``, ``access_token``, ``clientSecret``, ``auth[token]``.
    """
    words = [word.lower() for word in re.findall(_WORD, name)]
    if not words or words[-1] in _HARMLESS_ENDS:
        return False
    if not _SECRET_WORDS.isdisjoint(words) or words[-1] in _SECRET_ENDS:
        return True
    if "token" in words:
        return _HARMLESS_BESIDE_TOKEN.isdisjoint(words)
    if words[-1] == "key":
        return len(words) == 1 or words[-2] in _SECRET_KEYS
    return tuple(words[-2:]) in _SECRET_PAIRS


def redact_url(url: str) -> str:
    """Return *url* with its user information and secret query values masked.

    Anything is accepted, a broken URL too; the fragment is treated as a second query, because
    some servers hand tokens over in it (RFC 6749, section 4.2.2).
    """
    url = _without_userinfo(url)
    rest, hash_mark, fragment = url.partition("#")
    base, question_mark, query = rest.partition("?")
    return f"{base}{question_mark}{_query(query)}{hash_mark}{_query(fragment)}"


def _without_userinfo(text: str, end: str = _URL_END) -> str:
    if "@" not in text:
        return text
    for pattern in (_USERINFO, _BROKEN_USERINFO):
        text = re.sub(pattern.format(end=end), f"{MASK}@", text)
    return text


def _query(query: str) -> str:
    if "=" not in query:
        return query
    return "".join(_pair(part) for part in re.split(r"([&;])", query))


def _pair(part: str) -> str:
    name, sign, value = part.partition("=")
    if sign and value and is_secret_name(unquote_plus(name)):
        return f"{name}={MASK}"
    if "%" not in value:
        return part
    # A URL may carry another one, such as where to go after a login.
    plain = unquote_plus(value)
    clean = scrub(plain)
    return part if clean == plain else f"{name}={quote(clean, safe='*')}"


def secrets_in_url(url: str) -> list[str]:
    """Return the secrets that *url* holds: its password, and the values of secret parameters.

    A server may echo them and an exception print them, alone and where no name gives them away.
    Short ones are left out: ``?key=name`` must not mask every ``name`` in a text.
    """
    found: list[str] = []
    pattern = f"{_BROKEN_USERINFO}|{_USERINFO}".format(end=_URL_END)
    for match in re.finditer(pattern, url) if "@" in url else ():
        user, colon, password = match[0].removesuffix("@").partition(":")
        # A password that broke the URL turns up in pieces.
        found += [password, *re.split(r"[/?#\\]", password)] if colon else [user]
    for part in re.split(r"[?#&;]", url):
        name, sign, value = part.partition("=")
        if sign and is_secret_name(unquote_plus(name)):
            found += [value, unquote_plus(value)]
    return [secret for secret in found if len(secret) >= MIN_VALUE_LENGTH]


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return *headers* with secret values masked, and secrets inside other values too.

    Args:
        headers: Requests' case-insensitive mapping or a plain one; names and values may be bytes.
    """
    clean: dict[str, str] = {}
    for name, value in headers.items():
        text = _text(name)
        clean[text] = MASK if is_secret_name(text) else scrub(_text(value))
    return clean


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return *text* without the secrets it holds.

    Masked are the exact *secrets* in every spelling they travel in, ``name=value``,
    ``"name": "value"`` and ``<name>value</name>`` of secret names, ``Authorization: ...`` lines,
    credentials after ``Bearer`` or ``Basic``, and user information in URLs.

    Args:
        text: A message, a dump of headers, a body.
        secrets: Values known to be secret; those under four characters are left out.
    """
    for spelling in spellings(secrets):
        text = text.replace(spelling, MASK)
    if "//" in text:
        text = _without_userinfo(text, _TEXT_END)
    if ":" in text or "=" in text:
        text = _scrub_pairs(text)
    if "</" in text:
        text = re.sub(_ELEMENT, _element, text)
    text = re.sub(_SCHEME, _scheme, text)
    return re.sub(_LONG_VALUE, rf"\1\2{MASK}", text)


def _element(match: re.Match[str]) -> str:
    start, name = match.groups()
    return f"{start}{MASK}" if is_secret_name(name) else match[0]


def _scheme(match: re.Match[str]) -> str:
    scheme, gap, value = match.groups()
    plain = value.strip(".:,=").lower() in _WORDS_AFTER_SCHEME
    return match[0] if plain else f"{scheme}{gap}{MASK}"


def _scrub_pairs(text: str) -> str:
    parts: list[str] = []
    done = 0
    for match in re.finditer(_NAME_AND_SIGN, text):
        if match.start() < done:
            continue
        name, sign = match.groups()
        value = _value_after(name, sign, text, match.end())
        if value is not None:
            parts += (text[done : value.start("v")], MASK)
            done = value.end("v")
    return "".join((*parts, text[done:]))


def _value_after(name: str, sign: str, text: str, position: int) -> re.Match[str] | None:
    """Return the match of a secret value, or None where there is none to mask."""
    if not is_secret_name(unquote_plus(name)):
        return None
    for pattern in (_QUOTED, _QUOTED_TWICE):
        if quoted := re.compile(pattern, re.DOTALL).match(text, position):
            return quoted if quoted["v"] else None
    if sign[0] in "\\\"'" and (number := re.compile(_NUMBER).match(text, position)):
        return number
    bare = name.lower().lstrip("-")
    if bare.endswith(("authorization", "cookie")):
        return re.compile(_TO_END_OF_LINE).match(text, position)
    # `token: expired` is a sentence, `X-Api-Key: ab12` a header.
    if "=" not in sign and "-" not in bare:
        return None
    return re.compile(_BARE).match(text, position)


def _quoted(text: str) -> Iterator[str]:
    # A lone surrogate has no UTF-8; what holds one is masked in its plain form at least.
    yield quote(text, errors="replace")
    yield quote(text, safe="", errors="replace")
    yield quote_plus(text, errors="replace")


def spellings(secrets: Iterable[str]) -> list[str]:
    """Return each spelling in which *secrets* may occur in a text, the longest first."""
    found: set[str] = set()
    for secret in secrets:
        bare = secret.strip()
        if len(bare) >= MIN_SECRET_LENGTH:
            found |= {secret, bare, repr(secret)[1:-1], json.dumps(bare)[1:-1]}
            found |= {*_quoted(bare)}
    return sorted(found, key=len, reverse=True)
