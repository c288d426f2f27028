"""Laws of reading what a stranger sends: nothing raises but our errors, and work is bounded.

Those of challenges, budgets, timings and links stand in files of their own; that work grows with
the length alone is tested here for all of them.
"""

from __future__ import annotations

import contextlib
import json
import math
import pickle
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from hypothesis import assume, example, given, settings, strategies as st
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict, HTTPResponse

from sessionkit import Token
from sessionkit.auth import LoginForm
from sessionkit.auth.grants._login_form import find_form
from sessionkit.auth.grants._token_endpoint import read_token
from sessionkit.errors import AuthError, StatusError
from sessionkit.errors.tools import (
    error_from_response,
    read_request_id,
    read_retry_after,
    read_wait,
)
from sessionkit.handlers import DeprecationHandler
from sessionkit.handlers._deprecation import ApiDeprecationWarning
from sessionkit.headers._cache_control import read_directives
from sessionkit.headers._challenge import challenge_parameters
from sessionkit.headers._deprecation import read_deprecation
from sessionkit.headers._fields import read_date, read_moment
from sessionkit.headers._link import parse_links
from sessionkit.headers._rate_limit import read_quotas, read_reset
from sessionkit.headers._server_timing import HEADERS, read_server_timing
from sessionkit.headers._set_cookie import read_set_cookie
from tests.support.tables.fault_lab import WAITS
from tests.unit.handlers.scripted import Reply, Script, stack_over

NOW = 1_700_000_000.0
#: What parsers of headers, HTML and JSON look for, and what trips them.
FRAGMENTS = (
    *('"', "\\", '\\"', "=", ",", ";", ":", " ", "\t", "\r\n", "<", ">", "/", "?", "&", "#", "%"),
    *("0", "9", "1.", "-", "+", "@", "a", "x", "é", "\0", "\ud800", "'", "(", "[", "]", "{", "}"),
    *("r=0", "t=", "remaining=0", "reset=", "dur=", ' rel="', "299 ", '- "', "Mon, ", " GMT"),
    *("Bearer ", "a=b", "Max-Age=", "<form", "<input name=", "</form>", "<!--", "-->", "<![", "<!"),
    *("<title>", "<script>", "&amp", "&#x", '"detail":', '"error":', '{"a":', "null", "1e9"),
)
NOISE = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join) | st.text(max_size=60)
#: As it is once http.client has read it.
LINES = NOISE.map(lambda text: text.encode("utf-8", "surrogatepass").decode("latin-1"))
STATUSES = st.sampled_from([200, 201, 204, 302, 400, 401, 403, 429, 500, 503, 999])
NAMES = st.sampled_from(
    [
        *("Retry-After", "Retry-After-Ms", "X-Ms-Retry-After-Ms", "Date", "RateLimit"),
        *("RateLimit-Remaining", "RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset"),
        *("Content-Type", "WWW-Authenticate", "X-Request-Id", "Link", "Set-Cookie", "Location"),
        *("Deprecation", "Sunset", "Warning", "Content-Encoding", "Server-Timing"),
    ]
)
TYPES = st.sampled_from(
    [
        *("application/json", "application/problem+json", "text/html", "text/plain", "image/png"),
        *("text/html; charset=utf-16", "text/plain; charset=no-such", "a/b; charset=hex"),
        *("application/json; charset=a\0b", "application/json; charset=", ";;,", "", "text/xml"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8)
            | st.sampled_from(
                [
                    *("error", "errors", "detail", "details", "title", "type", "status", "code"),
                    *("message", "field", "source", "pointer", "loc", "path", "instance", "lang"),
                    *("invalid-params", "violations", "fieldViolations", "extensions", "value"),
                    *("access_token", "expires_in", "refresh_token", "scope", "token_type"),
                    "error_description",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
BODIES = (
    st.binary(max_size=200)
    | NOISE.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.tuples(JSON, st.integers(0, 40)).map(lambda pair: json.dumps(pair[0]).encode()[: pair[1]])
)


def answered(
    status: int = 200, headers: dict[str, str] | None = None, body: bytes = b""
) -> requests.Response:
    """Return an answer as an adapter makes it, its body read."""
    response = requests.Response()
    response.status_code = status
    response.url = "https://api.example/v1/orders"
    response.headers = CaseInsensitiveDict(headers or {})
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.raw = HTTPResponse(headers=HTTPHeaderDict(headers or {}))
    response._content = body
    response._content_consumed = True
    response.request = requests.Request("POST", response.url).prepare()
    return response


def is_wait(seconds: float | None) -> bool:
    """Tell whether a wait can be counted with."""
    return seconds is None or (math.isfinite(seconds) and 0 <= seconds <= 1e9)


# -- Nothing but our errors ------------------------------------------------------------------------


@given(STATUSES, st.dictionaries(NAMES, LINES))
def test_no_header_makes_the_reader_of_waits_raise(status: int, headers: dict[str, str]) -> None:
    """Every wait is none, or a number of seconds that can be waited."""
    told: Any = CaseInsensitiveDict(headers)

    assert is_wait(read_wait(status, told, NOW))
    assert is_wait(read_retry_after(told, NOW))
    name = read_request_id(told)
    assert name is None or (name.isprintable() and len(name) <= 200)


@pytest.mark.parametrize("text", WAITS)
@given(sent=st.none() | LINES)
def test_a_wait_of_any_shape_beside_any_date_is_a_wait(text: str, sent: str | None) -> None:
    """The two are compared, and either may be noise."""
    dated = {} if sent is None else {"Date": sent}

    assert is_wait(read_retry_after({"Retry-After": text, **dated}, NOW))


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_wait_in_seconds_and_as_a_date_are_the_same(seconds: int, skew: int) -> None:
    """However wrong the server's clock is, its two dates tell the wait."""
    assume(seconds + skew < 10**9)
    there = datetime.fromtimestamp(skew, UTC)
    until = format_datetime(there + timedelta(seconds=seconds), usegmt=True)
    headers = {"Retry-After": until, "Date": format_datetime(there, usegmt=True)}

    assert read_retry_after(headers, NOW) == read_retry_after({"Retry-After": str(seconds)}, NOW)


@given(STATUSES, TYPES, BODIES, st.dictionaries(NAMES, LINES))
def test_no_answer_makes_the_building_of_its_error_raise(
    status: int, kind: str, body: bytes, headers: dict[str, str]
) -> None:
    """Whatever a server says of a failure, the failure is what the caller hears of."""
    error = error_from_response(
        answered(status, {"Content-Type": kind, **headers}, body), secrets=("planted",), now=NOW
    )

    assert isinstance(error, StatusError)
    assert error.status == status
    assert "\n" not in str(error)
    assert is_wait(error.retry_after)
    assert error.details is not None
    assert isinstance(error.details.summary, str)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@given(STATUSES, TYPES, BODIES)
@example(200, "application/json", b'{"access_token": "a", "expires_in": 1e999}')
@example(200, "application/json", b'{"access_token": "a", "expires_in": "' + b"9" * 5_000 + b'"}')
@example(200, "application/json", b'{"access_token": "", "expires_in": NaN}')
@example(200, "application/json", b'{"access_token": "a\\nb"}')
@example(200, "application/json", b'{"access_token": "\\ud800"}')
@example(200, "application/json", b"[" * 100_000)
@example(400, "application/json", b'{"error": ["invalid_grant"], "error_description": {}}')
def test_no_token_answer_raises_what_is_not_ours(status: int, kind: str, body: bytes) -> None:
    """A token, or an error of logging in: nothing a token endpoint says breaks the program."""
    token: Any = None
    with contextlib.suppress(AuthError):
        token = read_token(answered(status, {"Content-Type": kind}, body))

    assert token is None or token.value
    assert token is None or token.expires_in is None or token.expires_in > 0


@given(LINES)
@example("sid=a; Max-Age=" + "9" * 5_000)
@example("=; =; =")
def test_no_cookie_makes_its_reader_raise(line: str) -> None:
    """A cookie has a name, and a life that can be counted with, or it is none."""
    cookie = read_set_cookie(line)

    assert cookie is None or cookie.name
    assert cookie is None or cookie.lifetime is None or 0 < cookie.lifetime < math.inf


VALUES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=';"'), max_size=40
)
COOKIE_NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=";="), min_size=1
)


@given(COOKIE_NAMES, VALUES, st.none() | st.integers(1, 10**9), st.lists(COOKIE_NAMES, max_size=4))
def test_a_cookie_that_was_written_is_read(
    name: str, value: str, life: int | None, flags: list[str]
) -> None:
    """Whatever else stands on its line, of today or of times to come."""
    assume("max-age" not in map(str.lower, flags))
    parts = [f"{name}={value}", *flags, *([] if life is None else [f"Max-Age={life}"])]

    assert read_set_cookie("; ".join(parts)) == (name, value, life)


@given(NOISE)
@example("<![endif]--><form><input name=user></form>")
@example("<form><input name=user></form><![foo[")
@example("<!" * 9)
def test_no_page_makes_the_search_for_its_form_raise(page: str) -> None:
    """A page is no program: it holds the form, or it does not."""
    form = find_form(page, {"user"})

    assert form is None or "user" in form.asks


@pytest.mark.parametrize("mark", ["<![endif]-->", "<![CDATA[ x ]]>", "<!-- <![if IE]> -->", ""])
def test_a_form_before_odd_markup_is_found(mark: str) -> None:
    """Old pages are full of it."""
    assert find_form(f"<form><input name=user></form>{mark}<![foo[", {"user"}) is not None


FORMS = st.sampled_from(
    [
        b"<form><input name=user><input name=word></form>",
        b"<form action='//elsewhere.example/'><input name=user><input name=word></form>",
        b"<form action='http://[::1'><input name=user><input name=word></form>",
        b"<form action='\xff\x00'><input name=user><input name=word></form>",
        b"",
    ]
)


@given(
    st.tuples(STATUSES, TYPES, FORMS | BODIES),
    st.tuples(STATUSES, TYPES, BODIES),
    st.lists(LINES | NOISE.map(lambda text: f"sessionid={text}"), max_size=2),
)
@example(
    (200, "text/html; charset=a\0b", b"<form><input name=user><input name=word></form>"),
    (200, "", b""),
    [],
)
@example(
    (200, "text/html", b"<form><input name=user><input name=word></form>"),
    (302, "text/html", b""),
    ["sessionid=a; Max-Age=" + "9" * 5_000],
)
def test_no_site_makes_a_login_by_form_raise_what_is_not_ours(
    page: tuple[int, str, bytes], answer: tuple[int, str, bytes], cookies: list[str]
) -> None:
    """Whatever page and answer come, it ends in a session or in an error of logging in."""
    login = LoginForm("https://site.example/login", {"user": "ada", "word": "s3cret-word"})

    def told(said: tuple[int, str, bytes]) -> requests.Response:
        response = answered(said[0], {"Content-Type": said[1]}, said[2])
        for line in cookies:
            response.raw.headers.add("Set-Cookie", line)
        return response

    steps = login.steps(None, None)
    next(steps)
    ends: Any = None
    try:
        request = steps.send(told(page))
        assert str(request.url).startswith("https://site.example/")
        steps.send(told(answer))
    except (StopIteration, AuthError) as done:
        ends = getattr(done, "value", done)

    assert isinstance(ends, (Token, AuthError))
    assert "s3cret-word" not in f"{ends!r} {ends}"


@given(st.dictionaries(st.sampled_from(["Deprecation", "Sunset", "Warning", "Link"]), LINES))
@example({"Deprecation": "@" + "9" * 5_000, "Sunset": "@-99999999999"})
@example({"Deprecation": "true", "Link": "<http://[::1>; rel=deprecation"})
@settings(max_examples=50)
def test_no_notice_of_an_end_makes_a_call_fail(headers: dict[str, str]) -> None:
    """A warning of one line, or none, and the answer."""
    stack, _ = stack_over(Script(Reply(200, headers)), DeprecationHandler())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        response = stack.get("orders")

    assert response.status_code == 200
    assert all(isinstance(one.message, ApiDeprecationWarning) for one in told)
    assert all("\n" not in str(one.message) for one in told)


# -- Bounded work ----------------------------------------------------------------------------------

Reader = Callable[[str], object]


def failing(kind: str) -> Reader:
    """Return what builds the error of an answer with this body."""
    return lambda text: error_from_response(
        answered(500, {"Content-Type": kind}, text.encode("utf-8", "surrogatepass")), now=NOW
    )


def in_header(name: str, read: Callable[[requests.Response], object]) -> Reader:
    """Return what reads this header of an answer."""
    return lambda text: read(answered(429, {name: text}))


#: Headers that tell of the end of an endpoint.
NOTICES = ("Deprecation", "Sunset", "Warning", "Link")

READERS: dict[str, Reader] = {
    "WWW-Authenticate": challenge_parameters,
    "Retry-After": lambda text: read_wait(429, {"Retry-After": text}, NOW),
    "a spent RateLimit": lambda text: read_wait(429, {"RateLimit": text}, NOW),
    "RateLimit": lambda text: read_quotas({"RateLimit": text, "RateLimit-Policy": text}, NOW),
    "a reset": lambda text: read_reset(text, NOW),
    "Server-Timing": lambda text: read_server_timing(dict.fromkeys(HEADERS, text)),
    "Link": parse_links,
    "Set-Cookie": read_set_cookie,
    "Cache-Control": read_directives,
    "Deprecation": lambda text: read_deprecation(dict.fromkeys(NOTICES, text), "https://a.example"),
    "a date": read_date,
    "a moment": read_moment,
    "a form": lambda text: find_form(text, {"user"}),
    "JSON": failing("application/json"),
    "a problem": failing("application/problem+json"),
    "HTML": failing("text/html"),
    "text": failing("text/plain"),
    "X-Request-Id": in_header("X-Request-Id", lambda r: read_request_id(r.headers)),
}
#: Lengths in characters; a line of a head has at most 65,536.
SHORT, LONG = 7_500, 60_000


def took(read: Reader, text: str) -> float:
    """Return the processor's time for one reading, in seconds: the least of three."""
    times = []
    for _ in range(3):
        began = time.thread_time()
        read(text)
        times.append(time.thread_time() - began)
    return min(times)


def repeated(text: str, size: int) -> str:
    """Return *text* again and again, about as long as *size*."""
    return text * (size // len(text))


@pytest.mark.parametrize("name", READERS)
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=2).map("".join),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=3).map("".join),
)
@example("", "r=0;")
@example("", "reset=t=h=")
@example("", '"\\')
@example("", '{"detail":"')
@example("<form>", "<input name=")
@settings(max_examples=25, deadline=None)
def test_eight_times_the_text_is_no_more_than_eight_times_the_work(
    name: str, start: str, unit: str
) -> None:
    """No header or body holds a program up: its length alone counts, be it ever so odd.

    Sizes are compared, not seconds: work that grew with the square would be 64 times as much.
    """
    read = READERS[name]
    short = took(read, start + repeated(unit, SHORT))
    long = took(read, start + repeated(unit, LONG))

    # Three times as much is allowed for what grows a little faster, and for a busy machine.
    assert long <= 24 * short + 0.02
