"""Origins: who a request is really sent to, and how relative URLs are completed."""

from __future__ import annotations

import pytest
import requests

from sessionkit._origins import is_absolute, join_base, origin_of, origin_or_none


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.example/v1/x?y=1#z", "https://api.example:443"),
        ("http://api.example", "http://api.example:80"),
        ("HTTPS://API.Example:443/", "https://api.example:443"),
        ("http://api.example:8080/", "http://api.example:8080"),
        ("http://user:word@api.example/", "http://api.example:80"),
        ("http://[::1]:8000/x", "http://[::1]:8000"),
        ("  https://api.example/", "https://api.example:443"),
        ("https://api.example?next=http://other.example/", "https://api.example:443"),
        ("https://api.example#@other.example/", "https://api.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    """Two URLs of one server compare equal, however they are written."""
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example\\@good.example/",
        "http://evil.example:1\\@good.example:2/",
        "http://good.example@evil.example/",
        "http://good.example:80@evil.example/",
        "http://evil.example?@good.example/",
        "http://evil.example#@good.example/",
    ],
)
def test_a_url_that_pretends_to_be_ours_is_seen_through(url: str) -> None:
    """The host that requests connects to is the one that is judged."""
    sent_to = requests.Request("GET", url).prepare().url or ""

    assert origin_of(url) == origin_of(sent_to)
    assert "evil.example" in origin_of(url)


@pytest.mark.parametrize(
    "url", ["", "orders/7", "/orders", "//api.example/x", "http://", "https:///x"]
)
def test_a_url_without_a_server_has_no_origin(url: str) -> None:
    """No origin is guessed, so nothing is trusted by accident."""
    with pytest.raises(ValueError, match=r"absolute URL|cannot be parsed"):
        origin_of(url)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://a b.example/", "http://x:port/", "http://x:99999/"]
)
def test_a_url_that_cannot_be_parsed_is_a_value_error(url: str) -> None:
    """Whoever asks has one class to catch, and the text shows no part of the URL."""
    with pytest.raises(ValueError, match="URL") as caught:
        origin_of(url)

    assert url not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://x", "HTTPS://X/", " https://x", "custom+v1.0-b://x", "http://"]
)
def test_a_url_with_scheme_and_authority_is_absolute(url: str) -> None:
    """Such a URL is not appended to a base."""
    assert is_absolute(url)


@pytest.mark.parametrize(
    "url",
    ["", "x", "/x", "//x", "?a=http://b", "x?next=http://b", "1http://x", "a b://x", "mailto:x"],
)
def test_a_url_without_a_scheme_of_its_own_is_relative(url: str) -> None:
    """A URL inside a query does not make the whole one absolute."""
    assert not is_absolute(url)


@pytest.mark.parametrize(
    ("base", "url", "joined"),
    [
        ("https://api.example/v1/", "orders/7", "https://api.example/v1/orders/7"),
        ("https://api.example/v1/", "/orders", "https://api.example/v1/orders"),
        ("https://api.example/v1", "orders", "https://api.example/v1/orders"),
        ("https://api.example", "orders", "https://api.example/orders"),
        ("https://api.example/v1/", "", "https://api.example/v1/"),
        ("https://api.example/v1", "?q=1", "https://api.example/v1?q=1"),
        ("https://api.example/v1", "#top", "https://api.example/v1#top"),
        ("https://api.example/v1/", "http://other.example/x", "http://other.example/x"),
        ("https://api.example/v1/", "a:b", "https://api.example/v1/a:b"),
    ],
)
def test_a_relative_url_is_appended_to_the_base(base: str, url: str, joined: str) -> None:
    """The path of the base is kept, with or without slashes at the joint."""
    assert join_base(base, url) == joined


@pytest.mark.parametrize(
    "url", ["//evil.example/x", "\\\\evil.example/x", "@evil.example/", ":80@evil.example"]
)
def test_a_relative_url_cannot_name_another_host(url: str) -> None:
    """A path that came from outside stays a path on the base's own server."""
    for base in ("https://api.example/v1/", "https://api.example"):
        sent_to = requests.Request("GET", join_base(base, url)).prepare().url or ""

        assert origin_of(sent_to) == "https://api.example:443"


@pytest.mark.parametrize("url", [None, "", "orders/7", "https://", "https://[::1", "a://b:x"])
def test_origin_or_none_never_raises(url: str | None) -> None:
    """What is no absolute URL has no origin."""
    assert origin_or_none(url) is None


def test_origin_or_none_of_a_url() -> None:
    """It is the origin that requests are sent to."""
    assert origin_or_none("HTTPS://Api.Example/v1") == "https://api.example:443"
