"""Laws of redaction: a planted secret is nowhere, and what was no secret is still there."""

from __future__ import annotations

import json
import pickle
import re
import string
import traceback
from typing import Any
from urllib.parse import quote, urlencode

import requests
from hypothesis import given, strategies as st

from sessionkit._redact import MASK, redact_headers, redact_url, scrub
from sessionkit.errors import ErrorDetail, SessionKitError
from sessionkit.errors.tools import (
    error_from_exception,
    error_from_response,
    read_details,
    read_retry_after,
    scrub_exception,
)

#: As credentials look: nothing that a URL, a header or JSON has to escape; like no word around it.
plain_secrets = st.text(string.ascii_letters + string.digits + "-_.~", min_size=6, max_size=40).map(
    "Zq7{}".format
)
#: As passwords may look.
odd_secrets = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, blacklist_characters="*"),
    min_size=6,
    max_size=30,
)
words = st.text(string.ascii_lowercase, min_size=1, max_size=8)
secret_names = st.sampled_from(
    ["access_token", "api_key", "X-Api-Key", "password", "clientSecret", "sig", "auth[token]"]
)
paths = st.lists(words, max_size=3).map("/".join)


@given(plain_secrets, secret_names, words, paths)
def test_no_secret_parameter_of_a_url_is_shown(
    secret: str, name: str, value: str, path: str
) -> None:
    """Wherever it stands among others, in the query or in the fragment."""
    pairs = [("q", value), (name, secret), ("r", value)]

    for url in (f"https://api.x/{path}?{urlencode(pairs)}", f"/{path}#{urlencode(pairs)}"):
        clean = redact_url(url)
        assert secret not in clean
        assert f"q={value}&" in clean
        assert clean.endswith(f"&r={value}")
        assert path in clean
        assert redact_url(clean) == clean


@given(odd_secrets, paths)
def test_no_password_of_a_url_is_shown(secret: str, path: str) -> None:
    """Escaped as it should be, or not."""
    # An unescaped @ ends the password for some readers and not for others.
    for password in (quote(secret, safe=""), secret.replace("@", "")):
        clean = redact_url(f"https://ann:{password}@api.x/{path}")

        # Digits before a slash are, to every parser, a port.
        if not re.match(r"[0-9]*(?:[/?#\\]|$)", password):
            assert password not in clean.removesuffix(path)
            assert clean.startswith(f"https://{MASK}@")
            assert clean.endswith(f"@api.x/{path}")


@given(odd_secrets, st.text(max_size=40), st.text(max_size=40))
def test_an_exact_secret_is_masked_in_any_text(secret: str, before: str, after: str) -> None:
    """Raw, quoted for a URL, shown by repr, or in JSON."""
    for spelling in (secret, quote(secret, safe=""), repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert spelling not in scrub(f"{before} {spelling} {after}", [secret])


@given(plain_secrets, secret_names, st.text(max_size=40))
def test_a_named_secret_is_masked_in_any_text(secret: str, name: str, around: str) -> None:
    """As a form, as JSON, as Python shows it, and in JSON inside of JSON."""
    document = json.dumps({"a": 1, name: secret})
    shown = [f"{name}={secret}", document, repr({name: secret}), json.dumps(document)]

    for text in shown:
        assert secret not in scrub(text)
        # A quote or an escape that begins before may swallow the name, but not the value.
        assert secret not in scrub(f"{around}\n{text}")


@given(st.text())
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    """What is passed on from hand to hand stays as it is."""
    once = scrub(text)

    assert scrub(once) == once


@given(st.text(string.ascii_lowercase + " .,!?()", max_size=200))
def test_plain_sentences_are_left_alone(text: str) -> None:
    """A text without signs and schemes loses nothing."""
    assert scrub(text) == text


@given(plain_secrets, secret_names)
def test_no_secret_header_is_shown(secret: str, name: str) -> None:
    """By its name, or inside another header's value."""
    headers = {name: secret, "Link": f"<https://x/?{urlencode({name: secret})}>; rel=next"}

    assert secret not in str(redact_headers(headers))
    assert list(redact_headers(headers)) == [name, "Link"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error", "errors", "detail", "details", "message", "code", "title", "type"),
                    *("loc", "msg", "source", "pointer", "field", "email", "non_field_errors"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
kinds = st.sampled_from(
    ["", "application/json", "application/problem+json", "text/html; charset=x", "a/b"]
)


def answered(body: bytes, kind: str, status: int = 400) -> requests.Response:
    """Return a response that was read."""
    response = requests.Response()
    response.status_code = status
    response.url = "https://api.x/"
    response.headers["Content-Type"] = kind
    response._content = body
    response._content_consumed = True
    return response


@given(json_values.map(json.dumps).map(str.encode) | st.binary(max_size=200), kinds)
def test_any_body_can_be_read_for_details(body: bytes, kind: str) -> None:
    """A stranger's answer never raises, and what is made of it pickles and is one line."""
    found = read_details(answered(body, kind))

    assert isinstance(found, ErrorDetail)
    assert isinstance(found.summary, str)
    error = error_from_response(answered(body, kind), now=0.0)
    assert "\n" not in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(st.text(max_size=40) | st.integers().map(str) | st.floats().map(str), st.text(max_size=30))
def test_any_wait_is_a_sane_one_or_none(value: str, date: str) -> None:
    """Whatever a server asks for, nobody waits for ever, or backwards."""
    wait = read_retry_after({"Retry-After": value, "Date": date}, 1_700_000_000.0)

    assert wait is None or 0.0 <= wait <= 1e9


@given(plain_secrets, st.integers(400, 599), st.sampled_from(["Authorization", "Cookie", "X-Key"]))
def test_a_planted_secret_is_nowhere_in_an_error(secret: str, status: int, header: str) -> None:
    """Neither text, attributes, traceback nor pickle, for an answer and for a fault."""
    url = f"https://ann:{secret}@api.x/?api_key={secret}"
    request = requests.Request("POST", url, headers={header: f"Bearer {secret}"}).prepare()
    response = answered(f'{{"message": "got {secret}"}}'.encode(), "application/json", status)
    response.request = request
    response.headers["Set-Cookie"] = f"sid={secret}"
    original = requests.ConnectionError(f"{secret}: no way to {url}", request=request)
    fault = error_from_exception(original)
    assert fault is not None
    fault.__cause__ = original

    for error in (error_from_response(response, now=0.0), scrub_exception(fault)):
        assert isinstance(error, SessionKitError)
        shown: list[Any] = [error, error.request, error.response, error.details, error.__cause__]
        texts = [f"{part} {part!r} {getattr(part, '__dict__', '')}" for part in shown]
        texts += traceback.format_exception(error)
        assert secret not in "".join(texts)
        assert secret.encode() not in pickle.dumps(error)
