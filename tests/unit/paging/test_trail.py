"""The guard of a walk."""

from __future__ import annotations

import pytest
import requests

from sessionkit.errors import CrossOriginPage, PageLoop
from sessionkit.paging import Step
from sessionkit.paging._trail import Trail, fingerprint
from tests.paged import BASE, Paper, respond

HERE = "https://api.example/v1/orders"


def begun(start: str = "orders", *, ended: str | None = None) -> Trail:
    """Return the trail of a walk that has its first page."""
    trail = Trail(start)
    step = trail.admit(Step(start), 1)
    url = start if "://" in start else BASE + start
    request = requests.Request("GET", url).prepare()
    trail.record(step, respond(Paper(url=ended), request), 1)
    return trail


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
        begun().admit(Step(url), 2)

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
    assert begun().admit(Step(url), 2).url == (asked or url)


def test_the_callers_own_url_is_never_changed() -> None:
    """The stack appends a relative URL to its base, with every page of it."""
    trail = begun("/orders?q=x")

    assert trail.admit(Step("/orders", {"q": "x", "page": 2}), 2).url == "/orders"


def test_home_is_where_the_first_request_went_not_where_it_ended() -> None:
    """A redirect to another host moves no credential there by its links."""
    trail = begun(ended="https://cdn.example/v1/orders")

    with pytest.raises(CrossOriginPage, match=r"https://cdn\.example:443"):
        trail.admit(Step("?page=2"), 2)
    assert trail.admit(Step(HERE + "?page=2"), 2).url == HERE + "?page=2"


def test_links_are_relative_to_where_redirects_ended() -> None:
    """A moved resource goes on at its new path."""
    trail = begun(ended="https://api.example/v2/orders")

    assert trail.admit(Step("?page=2"), 2).url == "https://api.example/v2/orders?page=2"


def test_user_information_of_the_caller_is_kept_in_relative_links() -> None:
    """Who put a password into the URL keeps it on page 2; no other is let in."""
    trail = begun("https://user:password@api.example/v1/orders")

    assert trail.admit(Step("?page=2"), 2).url.startswith("https://user:password@api.example/")
    with pytest.raises(CrossOriginPage, match="user information"):
        trail.admit(Step("https://other:password@api.example/v1/orders?page=3"), 3)


def test_a_step_back_is_refused_before_it_is_sent() -> None:
    """The error names the page that used the request first, and no cursor."""
    trail = begun()
    trail.admit(Step("orders", {"cursor": "s3cret"}), 2)

    with pytest.raises(PageLoop, match="page 3 would be the request of page 2 again") as caught:
        trail.admit(Step("orders?cursor=s3cret"), 3)
    assert "s3cret" not in f"{caught.value} {caught.value.url} {vars(caught.value)}"


def test_a_link_back_to_a_relative_first_url_is_a_loop() -> None:
    """The first page counts by the URL that it was really asked at."""
    with pytest.raises(PageLoop, match="page 1"):
        begun().admit(Step(HERE), 2)


def test_a_response_that_knows_no_url_admits_no_link() -> None:
    """Without an origin to compare with, nothing is followed; parameters still work."""
    trail = Trail("orders")
    response = requests.Response()
    trail.record(trail.admit(Step("orders"), 1), response, 1)

    assert trail.admit(Step("orders", {"page": 2}), 2).params == {"page": 2}
    with pytest.raises(CrossOriginPage):
        trail.admit(Step(HERE + "?page=3"), 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Step("a?x=1&y=2"), Step("a?y=2&x=1")),
        (Step("a?x=1", {"y": 2}), Step("a", {"y": "2", "x": 1})),
        (Step("a", {"x": None, "y": [1, 2]}), Step("a?y=1&y=2")),
        (Step("a", {"x": b"1"}), Step("a?x=1")),
        (Step(HERE), Step("HTTPS://api.EXAMPLE:443/v1/orders")),
        (Step("https://api.example"), Step("https://api.example/")),
        (Step("a/%7eb%2fc?x=%20"), Step("a/~b%2Fc?x=+")),
        (Step("a#b"), Step("a")),
        (Step("a", headers={"X-A": "b"}), Step("a", headers={"x-a": "b"})),
        (Step("a", json={"b": 1, "c": 2}), Step("a", json={"c": 2, "b": 1})),
    ],
)
def test_one_request_has_one_fingerprint(one: Step, other: Step) -> None:
    """A loop is seen through another spelling."""
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    "other",
    [
        Step("b"),
        Step("A"),
        Step("a?x=1"),
        Step("a", {"x": ""}),
        Step("a", json={}),
        Step("a", json={"b": 1}),
        Step("a", method="POST"),
        Step("a", headers={"X-A": "b"}),
        Step("a/"),
        Step("a%2F"),
        Step("https://api.example/a"),
    ],
)
def test_different_requests_have_different_fingerprints(other: Step) -> None:
    """No page is lost because it resembles another one."""
    assert fingerprint(Step("a")) != fingerprint(other)


def test_the_order_of_equal_names_counts() -> None:
    """Servers may read ``sort=a&sort=b`` and its mirror as two things."""
    assert fingerprint(Step("a?x=1&x=2")) != fingerprint(Step("a?x=2&x=1"))
    assert fingerprint(Step("a/b")) != fingerprint(Step("a%2Fb"))
