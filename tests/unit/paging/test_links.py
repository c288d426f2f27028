"""Links of the Link header and of the document."""

from __future__ import annotations

from typing import Any

import pytest

from sessionkit.errors import ConfigError, PaginationNotDetected
from sessionkit.paging import LinkHeader, NextUrl, PageRequest
from sessionkit.paging._links import looks_like_url
from tests.support.servers.paged import page_response

HERE = "https://api.example/v1/orders"


def followed(header: str) -> str | None:
    """Return where the link called next leads."""
    request = LinkHeader().next_request(page_response([], headers={"Link": header}))
    return None if request is None else request.url


@pytest.mark.parametrize(
    ("header", "target"),
    [
        pytest.param(f'<{HERE}?page=2>; rel="next"', "?page=2", id="the usual form"),
        pytest.param(f'<{HERE}?a=1;b=2>; rel="next"', "?a=1;b=2", id="semicolon in the URL"),
        pytest.param(f'<{HERE}?ids=1,2>; rel="next"', "?ids=1,2", id="comma in the URL"),
        pytest.param(f'<{HERE}?page=2>; rel="next last"', "?page=2", id="two relations"),
        pytest.param(f'<{HERE}?page=2>; REL="next"', "?page=2", id="name in capitals"),
        pytest.param(f'<{HERE}?page=2>; rel="Next"', "?page=2", id="relation in capitals"),
        pytest.param(f'<{HERE}?2>; title="a, b"; rel="next"', "?2", id="comma in a title"),
        pytest.param(f'<{HERE}?2>; title="a <b>"; rel="next"', "?2", id="angle in a title"),
        pytest.param(f'<{HERE}?2>; title="a=b;c"; rel="next"', "?2", id="equals in a title"),
        pytest.param(
            f'<{HERE}?1>; rel="prev"; rel="next", <{HERE}?2>; rel="next"',
            "?2",
            id="first rel counts",
        ),
        pytest.param(f', ,<{HERE}?2>; rel="next",,', "?2", id="empty elements"),
        pytest.param(f'<{HERE}?2>; flag; rel="next"', "?2", id="parameter without a value"),
        pytest.param(
            f'<{HERE}?1>; rel="next"; anchor="/other", <{HERE}?2>; rel="next"',
            "?2",
            id="a link of another resource",
        ),
        pytest.param('<?page=2>; rel="next"', "?page=2", id="relative target"),
        pytest.param(
            f'<{HERE}?0>; rel="prev"\t,  <{HERE}?2>; rel="next"', "?2", id="several headers joined"
        ),
        pytest.param(f"<{HERE}?2>; rel=next", "?2", id="no quotes"),
        pytest.param(f'<{HERE}?2>; title="a \\" b, c"; rel="next"', "?2", id="quote in a title"),
        pytest.param(f'<{HERE}?2> ; rel = "ne\\xt"', "?2", id="escapes, and space around signs"),
        pytest.param(
            f'<{HERE}?1>; rel="next", <{HERE}?2>; rel="next"', "?1", id="the first of two"
        ),
        pytest.param(f'<{HERE}?2>; rel="next"; anchor=""', "?2", id="an anchor that names us"),
        pytest.param(f'<{HERE}?2>; rel="next"; anchor="{HERE}"', "?2", id="our URL as anchor"),
        pytest.param(f'nonsense, <{HERE}?2>; rel="next"', "?2", id="no link before"),
        pytest.param(f'<{HERE}?2>; rel="next" nonsense', "?2", id="nonsense behind"),
        pytest.param(f'<{HERE}?2>; rel="next', "?2", id="quote never closed"),
    ],
)
def test_the_next_page_is_found_however_the_header_is_written(header: str, target: str) -> None:
    """What RFC 8288 allows, and what servers do beyond it, leads to the same page."""
    assert followed(header) == HERE + target


@pytest.mark.parametrize(
    "header",
    [
        "",
        ",",
        f'<{HERE}?0>; rel="prev"',
        f"<{HERE}?0>",
        f'<{HERE}?0; rel="next"',
        f'{HERE}?0; rel="next"',
        f'<{HERE}?0>; title="rel=next"',
        f'<{HERE}?0>; rel="nextish"',
        f'<{HERE}?0>; rel="prev"; title="x, <{HERE}?1>; rel=next"',
        f'<{HERE}?0>; rel="next"; anchor="#part"',
        f'<{HERE}?0>; rel="next"; anchor="http://[bad"',
    ],
)
def test_what_is_no_next_link_ends_the_walk(header: str) -> None:
    """Nothing that merely looks like a link is followed."""
    assert followed(header) is None


def test_a_response_without_the_header_is_the_end() -> None:
    """The last page of most APIs."""
    assert LinkHeader().next_request(page_response([])) is None


def test_another_relation_can_be_followed() -> None:
    """Walking backwards is a matter of one word."""
    page = page_response([], headers={"Link": '<?page=1>; rel="prev"'})

    assert LinkHeader("Prev").next_request(page) == PageRequest(HERE + "?page=1")


@pytest.mark.parametrize("rel", ["", "next last", None])
def test_a_relation_must_be_one(rel: Any) -> None:
    """Two relations in one setting would never match."""
    with pytest.raises(ConfigError, match="rel"):
        LinkHeader(rel)


def test_the_first_request_of_links_is_the_callers_own() -> None:
    """A link paginator adds nothing to the first request."""
    request = PageRequest("orders", {"q": "x"})

    assert LinkHeader().first_request(request) is request
    assert NextUrl().first_request(request) is request


def test_a_link_replaces_the_query() -> None:
    """The server's link has all parameters; adding ours again would double them."""
    page = page_response({"next": "?page=2"}, request=PageRequest("orders", {"size": 2}))

    assert NextUrl().next_request(page) == PageRequest(HERE + "?page=2")


@pytest.mark.parametrize(
    "body",
    [
        {"next": "?page=2"},
        {"next_url": "?page=2"},
        {"links": {"next": "?page=2"}},
        {"links": {"next": {"href": "?page=2"}}},
        {"_links": {"next": {"href": "?page=2"}}},
        {"_links": {"next": [{"href": "?page=2"}, {"href": "?page=3"}]}},
        {"meta": {"next": "?page=2"}},
        {"pagination": {"next": "?page=2"}},
        {"paging": {"next": "?page=2"}},
        {"@odata.nextLink": "?page=2"},
        {"next": None, "links": {"next": "?page=2"}},
    ],
)
def test_the_usual_places_need_no_setting(body: object) -> None:
    """Django REST framework, JSON:API, HAL and OData are followed as they are."""
    assert NextUrl().next_request(page_response(body)) == PageRequest(HERE + "?page=2")


def test_a_place_of_ones_own_is_followed() -> None:
    """Any place can be named, and only the named ones are looked at."""
    body = {"next": "?page=9", "d": {"__next": "?page=2"}}

    assert NextUrl("/d/__next").next_request(page_response(body)) == PageRequest(HERE + "?page=2")
    assert NextUrl("x", ("d", "__next")).next_request(page_response(body)) == PageRequest(
        HERE + "?page=2"
    )


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"next": None}, {"next": ""}, {"next": False}, [1], None),
        *({"links": {"next": []}}, {"_links": {"next": {"title": "no target"}}}),
    ],
)
def test_nothing_at_the_place_is_the_end(body: object) -> None:
    """Null, a missing member and an empty text all say that this was the last page."""
    assert NextUrl().next_request(page_response(body)) is None


@pytest.mark.parametrize("value", ["abc", "2", 2, True, 1.5, {"href": 3}])
def test_a_value_that_is_no_url_is_asked_back(value: object) -> None:
    """A token or number is never glued to a URL, which would ask for something else."""
    with pytest.raises(PaginationNotDetected, match="no URL") as caught:
        NextUrl().next_request(page_response({"next": value}))

    assert "Cursor" in caught.value.hint


def test_an_unreadable_url_is_left_to_the_guard() -> None:
    """Reading a hostile link raises nothing by itself; the walk refuses to follow it."""
    request = NextUrl().next_request(page_response({"next": "http://[bad/"}))

    assert request == PageRequest("http://[bad/")


@pytest.mark.parametrize(
    ("text", "is_url"),
    [("https://a/b", True), ("/b", True), ("?c=1", True), (" ?c", True), ("abc", False)],
)
def test_references_can_be_told_from_tokens(text: str, *, is_url: bool) -> None:
    """What has a path or a query is a reference."""
    assert looks_like_url(text) is is_url


def test_a_bad_place_is_refused_at_once() -> None:
    """A typing error shows where it was made."""
    with pytest.raises(ConfigError):
        NextUrl("/a~x")


@pytest.mark.parametrize(
    "code",
    ["LinkHeader()", "LinkHeader('prev')", "NextUrl()", "NextUrl('next', ('a', 0))"],
)
def test_reprs_of_links_are_code(code: str) -> None:
    """A paginator in a log can be pasted into a program, and equals what it was."""
    value = eval(code, {"LinkHeader": LinkHeader, "NextUrl": NextUrl})

    assert repr(value) == code
    assert value == eval(repr(value), {"LinkHeader": LinkHeader, "NextUrl": NextUrl})
    assert hash(value) == hash(eval(code, {"LinkHeader": LinkHeader, "NextUrl": NextUrl}))
