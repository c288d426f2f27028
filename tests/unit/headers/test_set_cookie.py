"""Cookies that an answer sets, read as browsers do."""

from __future__ import annotations

import pytest

from sessionkit.headers._set_cookie import SetCookie, read_set_cookie


@pytest.mark.parametrize(
    ("line", "cookie"),
    [
        ("sid=abc", ("sid", "abc", None)),
        ("sid=abc; Path=/; HttpOnly; Secure; SameSite=None; Partitioned", ("sid", "abc", None)),
        ("sid=abc; Priority=High; No-Such-Thing", ("sid", "abc", None)),
        (" sid = abc ;Max-Age= 60 ", ("sid", "abc", 60.0)),
        ("sid=abc; max-age=60; MAX-AGE=30", ("sid", "abc", 30.0)),
        ("sid=deleted; Max-Age=0", ("sid", "", None)),
        ("sid=deleted; Max-Age=-1", ("sid", "", None)),
        ("sid=abc; Max-Age=soon", ("sid", "abc", None)),
        (f"sid=abc; Max-Age={'9' * 5_000}", ("sid", "abc", None)),
        ("sid=abc; Max-Age", ("sid", "abc", None)),
        ('sid="abc"', ("sid", "abc", None)),
        ('sid="', ("sid", '"', None)),
        ("sid=a=b==", ("sid", "a=b==", None)),
        ("sid=", ("sid", "", None)),
        ("a[b]{c}=1", ("a[b]{c}", "1", None)),
    ],
)
def test_a_cookie_is_read_as_browsers_read_it(
    line: str, cookie: tuple[str, str, float | None]
) -> None:
    """Attributes that came after this was written, and odd ones, cost no login."""
    assert read_set_cookie(line) == SetCookie(*cookie)


@pytest.mark.parametrize("line", ["", ";", "=", "=abc", " =abc; Path=/", "sid", "sid; a=b"])
def test_what_names_no_cookie_is_none(line: str) -> None:
    """It concerns nobody, and the other headers are read on."""
    assert read_set_cookie(line) is None
