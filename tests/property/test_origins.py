"""Laws of origins: who is trusted is who requests sends to."""

from __future__ import annotations

import contextlib

import requests
from hypothesis import example, given, strategies as st

from sessionkit._origins import is_absolute, join_base, origin_of

BASE = "https://api.example/v1/"
#: Pieces that parsers of URLs disagree about.
TRICKY = st.sampled_from(
    [
        *("http://", "https://", "HTTP://", "//", "/", "\\", "@", ":", "?", "#", "[", "]", "%"),
        *("good.example", "evil.example", "127.0.0.1", "::1", "xn--", "bücher.example", "a", "."),
        *("80", "8080", ":80@", "user:word@", "%40", "%2f", "%5c", " ", "\t", "\n", "\x00", ";"),
        *("..", "&", "=", "\u3002", "\uff0f", "e\u0301", "\ufe52", "0x7f.1", "localhost"),
    ]
)
URLS = st.one_of(st.lists(TRICKY, max_size=8).map("".join), st.text(max_size=40))


def sent_to(url: str) -> str | None:
    """Return the origin of the URL that requests connects to, or None where it refuses."""
    try:
        prepared = requests.Request("GET", url).prepare()
    except (requests.RequestException, ValueError):
        return None
    try:
        return origin_of(prepared.url or "")
    except ValueError:
        return None


@given(URLS)
@example("http://evil.example\\@good.example/")
@example("http://good.example\\.evil.example/")
@example("http://good.example:80\\@evil.example/")
@example("http://good.example\uff0f@evil.example")
def test_an_origin_is_that_of_the_host_that_requests_connects_to(url: str) -> None:
    """No spelling makes one server look like another: it is the same, or there is none."""
    try:
        seen = origin_of(url)
    except ValueError:
        return
    real = sent_to(url)

    assert real is None or seen == real


@given(URLS)
def test_an_origin_is_stable(url: str) -> None:
    """The origin of an origin is itself, so that stored and computed ones compare."""
    with contextlib.suppress(ValueError):
        origin = origin_of(url)

        assert origin_of(origin) == origin == origin_of(origin + "/any?path#at all")


@given(st.text())
def test_no_text_makes_the_parsers_raise_anything_unexpected(url: str) -> None:
    """Whatever a server puts into a Location or a link, there is one class to catch."""
    with contextlib.suppress(ValueError):
        origin_of(url)
    assert is_absolute(url) in {True, False}
    join_base(BASE, url)


@given(URLS)
def test_a_relative_url_never_leaves_the_origin_of_the_base(url: str) -> None:
    """A path from outside cannot take the token elsewhere."""
    joined = join_base(BASE, url)
    if is_absolute(url):
        assert joined == url
        return
    real = sent_to(joined)

    assert real in {None, origin_of(BASE)}


@given(st.lists(st.sampled_from(["a", "b c", "é", "1"]), max_size=4), st.booleans(), st.booleans())
def test_slashes_at_the_joint_make_no_difference(
    parts: list[str], slash_before: bool, slash_after: bool
) -> None:
    """``/orders`` and ``orders`` are the same thing under one base."""
    path = "/".join(parts)
    base = "https://api.example/v1" + "/" * slash_before
    joined = join_base(base, "/" * slash_after + path)

    assert joined.rstrip("/") == f"https://api.example/v1/{path}".rstrip("/")
