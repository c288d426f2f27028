"""Each call carries what its SDK wants to say, and the session stays as it was."""

from __future__ import annotations

import copy
import pickle
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import given, strategies as st

from sessionkit import Exchange, SessionStack, recommended
from sessionkit.auth import StaticToken
from sessionkit.errors import ConfigError, InvalidRequest
from sessionkit.handlers import ErrorHandler, HeadersHandler, RetryHandler
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import opened
from tests.unit.handlers.scripted import Script, stack_over


def sent(handler: HeadersHandler, **options: Any) -> dict[str, str]:
    """Return the headers that arrive when a call is made through *handler*."""
    with opened(handlers=[handler]) as (stack, server):
        stack.get("orders/7", **options)
        return server.requests[0].headers


def test_every_call_has_an_id_of_its_own() -> None:
    """A call is found again in the logs of the server, and in the answer."""
    with opened(handlers=[HeadersHandler()]) as (stack, server):
        responses: list[Any] = [stack.get("a"), stack.get("b")]

    names = [seen.headers["x-request-id"] for seen in server.requests]
    assert [response.record.request_id for response in responses] == names
    assert len({uuid.UUID(name) for name in names}) == 2


def test_the_id_is_the_same_over_all_attempts_of_a_call() -> None:
    """What was tried three times is one call to whoever reads the logs."""
    scripted = iter([ServerResponse(503), ServerResponse(503), ServerResponse(), ServerResponse()])
    handlers = [RetryHandler(), HeadersHandler(request_id_header="X-Trace")]
    with opened(lambda _: next(scripted), handlers) as (stack, server):
        stack.get("a")
        stack.get("b")

    first, second, third, other = [seen.headers["x-trace"] for seen in server.requests]
    assert first == second == third != other


def test_an_id_of_the_callers_own_is_kept() -> None:
    """A program that has ids already goes on with them, in the record too."""
    with opened(handlers=[HeadersHandler()]) as (stack, server):
        response: Any = stack.get("a", headers={"x-request-id": "mine-1"})

    assert server.requests[0].headers["x-request-id"] == "mine-1"
    assert response.record.request_id == "mine-1"


def test_the_id_survives_a_pickled_record() -> None:
    """What a worker tells of its call names it."""
    with opened(handlers=[HeadersHandler()]) as (stack, _):
        record = stack.get("a").record

    assert pickle.loads(pickle.dumps(record)).request_id == record.request_id
    assert copy.copy(record).credential_names == frozenset()


def test_without_a_name_no_id_is_sent() -> None:
    """Servers that refuse unknown headers get none."""
    assert "x-request-id" not in sent(HeadersHandler(request_id_header=None))


def test_the_user_agent_names_the_sdk_before_requests() -> None:
    """Products stand in the order of their significance (RFC 9110, section 10.1.5)."""
    headers = sent(HeadersHandler(user_agent="acme-sdk/2.1 (linux)"))

    assert headers["user-agent"] == f"acme-sdk/2.1 (linux) {requests.utils.default_user_agent()}"


@pytest.mark.parametrize("name", ["X-Client", "x-client", b"X-Client"])
def test_a_header_given_on_the_call_wins(name: Any) -> None:
    """The caller knows better than any default, whatever the case of the name."""
    assert sent(HeadersHandler({"X-Client": "shop"}), headers={name: "mine"})["x-client"] == "mine"


def test_none_on_the_call_leaves_a_header_out() -> None:
    """As with requests itself, None takes a header away."""
    handler = HeadersHandler({"X-Client": "shop"}, user_agent="acme/1")
    headers = sent(handler, headers={"X-Client": None, "X-Request-Id": None})

    assert "x-client" not in headers
    assert "x-request-id" not in headers


def test_a_function_is_asked_for_each_call() -> None:
    """What depends on the call, such as its operation or language, is not fixed at the start."""
    languages = iter(["de", None])
    handler = HeadersHandler(
        {
            "X-Client": "shop",
            "X-Method": lambda exchange: exchange.option("operation"),
            "Accept-Language": lambda _: next(languages),
            "X-Nothing": None,
        }
    )
    with opened(handlers=[handler]) as (stack, server):
        stack.get("orders/7", operation="get_order")
        stack.get("orders/8")

    first, second = [seen.headers for seen in server.requests]
    assert (first["x-client"], first["x-method"], first["accept-language"]) == (
        *("shop", "get_order", "de"),
    )
    assert not {"x-method", "accept-language", "x-nothing"} & second.keys()


def test_the_session_keeps_its_own_headers() -> None:
    """The session is the user's: after the call it is what it was before."""
    session = requests.Session()
    before = dict(session.headers)
    handler = HeadersHandler({"X-Client": "shop"}, user_agent="acme/1")
    with opened(handlers=[handler], session=session) as (stack, _):
        stack.get("a")
        assert dict(session.headers) == before


def test_a_prepared_request_is_completed_too() -> None:
    """SDKs that prepare and send get the same headers, in a copy of their request."""
    with opened(handlers=[HeadersHandler({"X-Client": "shop"}, user_agent="acme/1")]) as (stack, s):
        request = requests.Request("GET", f"{s.origin}/a", headers={"X-Mine": "1"})
        prepared = stack.prepare_request(request)
        before = dict(prepared.headers)
        stack.send(prepared)
        own = requests.Request("GET", f"{s.origin}/b", headers={"User-Agent": "mine/1"})
        stack.send(stack.prepare_request(own))

    first, second = [seen.headers for seen in s.requests]
    assert (first["x-client"], first["x-mine"]) == ("shop", "1")
    assert first["user-agent"].startswith("acme/1 python-requests/")
    assert second["user-agent"] == "mine/1"
    assert dict(prepared.headers) == before


@pytest.fixture
def elsewhere() -> Iterator[LoopbackServer]:
    """Start another host."""
    with LoopbackServer(lambda _: ServerResponse()) as server:
        yield server


def test_headers_of_yours_stay_at_home(elsewhere: LoopbackServer) -> None:
    """An address out of an answer, such as a download, does not learn which tenant asks."""
    with opened(handlers=[HeadersHandler({"X-Tenant": "acme"})]) as (stack, home):
        stack.get("a")
        stack.get(f"{home.origin}/b")
        stack.get(f"{elsewhere.origin}/c")

    assert [seen.headers.get("x-tenant") for seen in home.requests] == ["acme", "acme"]
    assert "x-tenant" not in elsewhere.requests[0].headers
    assert "x-request-id" in elsewhere.requests[0].headers


def test_further_origins_can_be_named(elsewhere: LoopbackServer) -> None:
    """An API on two hosts is told the same by both ways."""
    handler = HeadersHandler({"X-Tenant": "acme"}, origins=[elsewhere.origin])
    with opened(handlers=[handler]) as (stack, _):
        stack.get(f"{elsewhere.origin}/c")

    assert elsewhere.requests[0].headers["x-tenant"] == "acme"


def test_without_a_base_every_call_has_the_headers() -> None:
    """A stack that calls any host has no home to keep to."""
    with opened(handlers=[HeadersHandler({"X-Client": "shop"})], base="") as (stack, server):
        stack.get(f"{server.origin}/a")

    assert server.requests[0].headers["x-client"] == "shop"


def test_a_broken_address_is_left_to_requests() -> None:
    """The error is the one that requests has for it."""
    handler = HeadersHandler({"X-Client": "shop"})
    with opened(handlers=[handler]) as (stack, _), pytest.raises(requests.exceptions.InvalidURL):
        stack.get("http:///nowhere")


@pytest.mark.parametrize(
    "value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", " odd", "odd ", "日本", "\ud800"]
)
def test_a_value_that_no_header_can_carry_is_refused(value: str) -> None:
    """Nobody slips a header of their own into a request; and no message shows the value."""
    with pytest.raises(ConfigError) as found:
        HeadersHandler({"X-Client": value})
    stack, _ = stack_over(Script(), HeadersHandler({"X-Client": lambda _: value}))
    with pytest.raises(InvalidRequest) as later:
        stack.get("a")

    assert value not in str(found.value) + str(later.value)
    assert later.value.sent == "no"


def test_a_function_that_returns_no_text_is_named() -> None:
    """The message says which header, and what came."""
    number: Any = lambda _: 7  # noqa: E731  # as a user writes it
    stack, _ = stack_over(Script(), ErrorHandler(), HeadersHandler({"X-Client": number}))

    with pytest.raises(InvalidRequest, match="X-Client returned no text, but int"):
        stack.get("a")


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"headers": {"X Client": "a"}}, "not a name"),
        ({"headers": {"X-A\r\nX-B": "a"}}, "not a name"),
        ({"headers": {"X-Client": 7}}, "no text, but int"),
        ({"headers": {"Authorization": "Bearer t"}}, "credential by its name"),
        ({"headers": {"X-Api-Key": lambda _: "k"}}, "credential by its name"),
        ({"headers": {"Content-Length": "7"}}, "belongs to the body"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "given twice: x-a"),
        ({"headers": {"User-Agent": "x"}, "user_agent": "acme/1"}, "given twice: user-agent"),
        ({"user_agent": "acme/1\r\nX: 1"}, "not a list of products"),
        ({"user_agent": ""}, "not a list of products"),
        ({"request_id_header": "X Id"}, "not a name"),
        ({"origins": ["files.example"]}, "not an origin"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(wrong: Any, match: str) -> None:
    """A mistake shows where it was made, not at the first call."""
    with pytest.raises(ConfigError, match=match):
        HeadersHandler(**wrong)


def test_settings_are_shown_without_values() -> None:
    """``explain()`` tells what is added, and by whom."""
    handler = HeadersHandler({"X-Tenant": "planted-4711"}, user_agent="acme/1")

    assert "headers=['X-Tenant']" in repr(handler)
    assert "request_id_header=X-Request-Id" in repr(handler)
    assert "planted-4711" not in repr(handler)


def test_the_place_inside_of_retry_is_right() -> None:
    """``explain()`` has nothing to say against the documented order."""
    chain = recommended(StaticToken("t"))
    with SessionStack(None, chain) as stack:
        stack.handlers.add(HeadersHandler(), before="auth")
        assert "warning" not in stack.explain()


@given(st.text())
def test_what_is_sent_is_one_header_with_that_value(value: str) -> None:
    """Whatever a function returns, the server sees it as it is, or the call is refused."""
    seen: list[ServerRequest | str | None] = []

    def keep(exchange: Exchange, _: Any) -> requests.Response:
        seen.append(exchange.header("X-Client"))
        return requests.Response()

    with SessionStack(None, [HeadersHandler({"X-Client": lambda _: value}), keep]) as stack:
        try:
            stack.get("http://127.0.0.1/")
        except InvalidRequest:
            requests_takes = value.isascii() and value.isprintable() and value.strip() == value
            assert not requests_takes
        else:
            assert seen == [value]
            assert value.encode("latin-1").splitlines() in ([], [value.encode("latin-1")])
