"""The guard of a walk."""

from __future__ import annotations

import pytest
import requests

from sessionkit.errors import CrossOriginPage, PageLoop
from sessionkit.paging import PageRequest
from sessionkit.paging._loop_guard import LoopGuard, fingerprint
from tests.support.servers.paged import BASE, Paper, respond

HERE = "https://api.example/v1/orders"


def begun(start: str = "orders", *, ended: str | None = None) -> LoopGuard:
    """Return the guard of a walk that has its first page."""
    guard = LoopGuard(start)
    first = guard.check(PageRequest(start), 1)
    url = start if "://" in start else BASE + start
    request = requests.Request("GET", url).prepare()
    guard.record(first, respond(Paper(url=ended), request), 1)
    return guard


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/orders?page=2",
        "http://api.example/v1/orders?page=2",
        "https://api.example:8443/v1/orders?page=2",
        "https://sub.api.example/v1/orders?page=2",
        "https://api.example.evil.example/?page=2",
        "https://api.example@evil.example/?page=2",
        "https://user:password@api.example/v1/orders?page=2",
        "https://user@api.example/v1/orders?page=2",
        "//evil.example/?page=2",
        "https://evil.example\\@api.example/?page=2",
        "https://api.example\\@evil.example/?page=2",
        "https://api.example\\.evil.example/?page=2",
        "ftp://api.example/v1/orders?page=2",
        "file:///etc/passwd",
        "http://[bad/?page=2",
        "https://api.example:bad/?page=2",
        "https://api.example/\ud800?page=2",
        "javascript:alert(1)",
    ],
)
def test_a_foreign_page_is_refused(url: str) -> None:
    """No credential follows a link out of the house, however the link is dressed up."""
    with pytest.raises(CrossOriginPage) as caught:
        begun().check(PageRequest(url), 2)

    assert "page=2" not in f"{caught.value} {caught.value.url}"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (HERE + "?page=2", HERE + "?page=2"),
        ("https://API.example:443/v1/orders?page=2", "https://API.example:443/v1/orders?page=2"),
        ("?page=2", HERE + "?page=2"),
        ("/v2/orders?page=2#part", "https://api.example/v2/orders?page=2"),
        ("//api.example/x", "https://api.example/x"),
        ("more", "https://api.example/v1/more"),
        ("https://api.example/?back=https://u@evil.example", None),
    ],
)
def test_a_page_at_home_is_admitted_by_its_whole_url(url: str, asked: str | None) -> None:
    """Relative links mean what the response says, not what the stack's base says."""
    assert begun().check(PageRequest(url), 2).url == (asked or url)


def test_the_callers_own_url_is_never_changed() -> None:
    """The stack appends a relative URL to its base, with every page of it."""
    guard = begun("/orders?q=x")

    assert guard.check(PageRequest("/orders", {"q": "x", "page": 2}), 2).url == "/orders"


def test_home_is_where_the_first_request_went_not_where_it_ended() -> None:
    """A redirect to another host moves no credential there by its links."""
    guard = begun(ended="https://cdn.example/v1/orders")

    with pytest.raises(CrossOriginPage, match=r"https://cdn\.example:443"):
        guard.check(PageRequest("?page=2"), 2)
    assert guard.check(PageRequest(HERE + "?page=2"), 2).url == HERE + "?page=2"


def test_links_are_relative_to_where_redirects_ended() -> None:
    """A moved resource goes on at its new path."""
    guard = begun(ended="https://api.example/v2/orders")

    assert guard.check(PageRequest("?page=2"), 2).url == "https://api.example/v2/orders?page=2"


def test_user_information_of_the_caller_is_kept_in_relative_links() -> None:
    """Who put a password into the URL keeps it on page 2; no other is let in."""
    guard = begun("https://user:password@api.example/v1/orders")

    assert guard.check(PageRequest("?page=2"), 2).url.startswith(
        "https://user:password@api.example/"
    )
    with pytest.raises(CrossOriginPage, match="user information"):
        guard.check(PageRequest("https://other:password@api.example/v1/orders?page=3"), 3)


def test_a_step_back_is_refused_before_it_is_sent() -> None:
    """The error names the page that used the request first, and no cursor."""
    guard = begun()
    guard.check(PageRequest("orders", {"cursor": "s3cret"}), 2)

    with pytest.raises(PageLoop, match="page 3 would be the request of page 2 again") as caught:
        guard.check(PageRequest("orders?cursor=s3cret"), 3)
    assert "s3cret" not in f"{caught.value} {caught.value.url} {vars(caught.value)}"


def test_a_link_back_to_a_relative_first_url_is_a_loop() -> None:
    """The first page counts by the URL that it was really asked at."""
    with pytest.raises(PageLoop, match="page 1"):
        begun().check(PageRequest(HERE), 2)


def test_a_response_that_knows_no_url_admits_no_link() -> None:
    """Without an origin to compare with, nothing is followed; parameters still work."""
    guard = LoopGuard("orders")
    response = requests.Response()
    guard.record(guard.check(PageRequest("orders"), 1), response, 1)

    assert guard.check(PageRequest("orders", {"page": 2}), 2).params == {"page": 2}
    with pytest.raises(CrossOriginPage):
        guard.check(PageRequest(HERE + "?page=3"), 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PageRequest("a?x=1&y=2"), PageRequest("a?y=2&x=1")),
        (PageRequest("a?x=1", {"y": 2}), PageRequest("a", {"y": "2", "x": 1})),
        (PageRequest("a", {"x": None, "y": [1, 2]}), PageRequest("a?y=1&y=2")),
        (PageRequest("a", {"x": b"1"}), PageRequest("a?x=1")),
        (PageRequest(HERE), PageRequest("HTTPS://api.EXAMPLE:443/v1/orders")),
        (PageRequest("https://api.example"), PageRequest("https://api.example/")),
        (PageRequest("a/%7eb%2fc?x=%20"), PageRequest("a/~b%2Fc?x=+")),
        (PageRequest("a#b"), PageRequest("a")),
        (PageRequest("a", headers={"X-A": "b"}), PageRequest("a", headers={"x-a": "b"})),
        (PageRequest("a", json={"b": 1, "c": 2}), PageRequest("a", json={"c": 2, "b": 1})),
    ],
)
def test_one_request_has_one_fingerprint(one: PageRequest, other: PageRequest) -> None:
    """A loop is seen through another spelling."""
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "other",
    [
        PageRequest("b"),
        PageRequest("A"),
        PageRequest("a?x=1"),
        PageRequest("a", {"x": ""}),
        PageRequest("a", json={}),
        PageRequest("a", json={"b": 1}),
        PageRequest("a", method="POST"),
        PageRequest("a", headers={"X-A": "b"}),
        PageRequest("a/"),
        PageRequest("a%2F"),
        PageRequest("https://api.example/a"),
    ],
)
def test_different_requests_have_different_fingerprints(other: PageRequest) -> None:
    """No page is lost because it resembles another one."""
    assert fingerprint(PageRequest("a")) != fingerprint(other)


def test_the_order_of_equal_names_counts() -> None:
    """Servers may read ``sort=a&sort=b`` and its mirror as two things."""
    assert fingerprint(PageRequest("a?x=1&x=2")) != fingerprint(PageRequest("a?x=2&x=1"))
    assert fingerprint(PageRequest("a/b")) != fingerprint(PageRequest("a%2Fb"))
