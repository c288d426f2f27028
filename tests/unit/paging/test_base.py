"""Steps, answers, pages, and the checks of settings."""

from __future__ import annotations

import pickle

import pytest

from sessionkit.errors import ConfigError
from sessionkit.paging import LinkHeader, PageNumber, PageRequest
from sessionkit.paging._base import as_code, as_count, check_name, is_false_flag
from tests.support.servers.paged import Paper, page_response, respond


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (None, PageRequest("orders")),
        ({}, PageRequest("orders")),
        ({"q": "x"}, PageRequest("orders", {"q": "x"})),
        ([("q", "x"), ("id", 1), ("id", 2)], PageRequest("orders", {"q": "x", "id": [1, 2]})),
        ([("id", [1, 2]), ("id", 3)], PageRequest("orders", {"id": [1, 2, 3]})),
        ((("q", "x"),), PageRequest("orders", {"q": "x"})),
        ("q=x&r=", PageRequest("orders?q=x&r=")),
        (b"q=x", PageRequest("orders?q=x")),
    ],
)
def test_params_come_in_any_form_of_requests(params: object, expected: PageRequest) -> None:
    """What worked as ``params=`` with requests works here."""
    assert PageRequest.of("orders", params) == expected


def test_an_iterator_of_values_survives_the_first_walk() -> None:
    """A second iteration sends the same parameters as the first."""
    request = PageRequest.of("orders", {"id": iter([1, 2])})

    assert request.params == {"id": [1, 2]}


@pytest.mark.parametrize("params", [7, ["abc"], [1], object()])
def test_params_of_no_known_form_are_refused(params: object) -> None:
    """A wrong argument is named at once, not by the session's deeper layers."""
    with pytest.raises(ConfigError, match="params"):
        PageRequest.of("orders", params)


def test_text_params_join_a_query_that_is_there() -> None:
    """No parameter of the URL is lost."""
    assert PageRequest.of("orders?a=1#part", "b=2").url == "orders?a=1&b=2"


@pytest.mark.parametrize(
    ("page_request", "value"),
    [
        (PageRequest("orders"), None),
        (PageRequest("orders", {"page": 3}), 3),
        (PageRequest("orders?a=1&page=2"), "2"),
        (PageRequest("orders?p%61ge=a%20b"), "a b"),
        (PageRequest("orders?page=2", {"page": None}), "2"),
        (PageRequest("orders#?page=2"), None),
        (PageRequest("http://[bad?page=2"), "2"),
    ],
)
def test_a_parameter_is_found_wherever_it_stands(page_request: PageRequest, value: object) -> None:
    """A page number in the URL counts as much as one in params."""
    assert page_request.param("page") == value


def test_a_parameter_that_is_set_leaves_no_namesake_in_the_url() -> None:
    """A server never sees ``page=2&page=3``; the other parameters keep their very text."""
    request = PageRequest("orders?q=a%2Fb&page=2&p%61ge=7&flag", {"size": 5})

    assert request.with_params({"page": 3}) == PageRequest(
        "orders?q=a%2Fb&flag", {"size": 5, "page": 3}
    )


def test_a_step_at_a_url_takes_its_query_as_it_stands() -> None:
    """A link replaces the query; method, body and headers of the walk stay."""
    request = PageRequest("orders", {"q": "x"}, json={"a": 1}, headers={"X-A": "b"}, method="POST")

    moved = request.with_url("https://api.example/v1/orders?page=2")

    assert moved == PageRequest(
        "https://api.example/v1/orders?page=2",
        json={"a": 1},
        headers={"X-A": "b"},
        method="POST",
    )


def test_the_repr_of_a_step_holds_no_values() -> None:
    """Cursors and keys do not leak by a log of steps."""
    request = PageRequest(
        "https://u:pw@api.example/orders?sig=s3cret", {"key": "s3cret", "page": 2}
    )

    assert repr(request) == "<PageRequest GET https://***@api.example/orders?... with key, page>"
    assert repr(PageRequest("orders")) == "<PageRequest GET orders>"


def test_steps_travel_in_pickles() -> None:
    """A walk can be handed to another process."""
    request = PageRequest.of("orders", {"q": "x"})

    assert pickle.loads(pickle.dumps(request)) == request


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("?page=2", "https://api.example/v1/orders?page=2"),
        ("more", "https://api.example/v1/more"),
        ("/v2/orders?page=2", "https://api.example/v2/orders?page=2"),
        ("//other.example/x", "https://other.example/x"),
        (" https://api.example/a#part ", "https://api.example/a"),
        ("", "https://api.example/v1/orders"),
    ],
)
def test_references_resolve_against_the_response(reference: str, url: str) -> None:
    """``?page=2`` means another page of this very resource."""
    assert page_response([]).resolve(reference) == url


def test_references_resolve_where_redirects_ended() -> None:
    """RFC 3986 takes the URL that the document really came from."""
    moved = respond(Paper([], url="https://api.example/v2/orders"))
    page = page_response([])

    assert type(page)(page.request, moved, [], []).resolve("?page=2") == (
        "https://api.example/v2/orders?page=2"
    )


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((7, 7), (0, 0), ("42", 42), ("042", 42)),
        *((-1, None), (True, None), (1.5, None), (None, None), ([1], None)),
        *(("x", None), ("", None), ("-1", None), ("²", None), ("9" * 30, None)),
    ],
)
def test_counts_are_whole_numbers_or_nothing(value: object, count: int | None) -> None:
    """A label or a price where a number was expected ends no walk."""
    assert as_count(value) == count


@pytest.mark.parametrize("flag", [False, None, 0, "", "false", "False"])
def test_a_flag_says_no_in_many_spellings(flag: object) -> None:
    """APIs that write their flags as text are understood."""
    assert is_false_flag(flag)
    assert not is_false_flag("true")


@pytest.mark.parametrize("name", ["", "  ", None, 7])
def test_an_impossible_name_is_refused(name: object) -> None:
    """A paginator with a broken setting is never built."""
    with pytest.raises(ConfigError, match="param must be a name"):
        check_name("param", name)


def test_settings_are_shown_as_the_code_that_makes_them() -> None:
    """A paginator in a log can be pasted into a program."""
    assert (
        as_code(PageNumber("p", start=0, page_size=50), "param")
        == "PageNumber('p', start=0, page_size=50)"
    )
    assert as_code(LinkHeader(), "rel") == "LinkHeader()"
