"""Who calls an endpoint that goes away hears of it in time, at the line that calls."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given, strategies as st

from sessionkit import CallNext, Exchange, SessionStack, recommended
from sessionkit.auth import Header, StaticToken
from sessionkit.errors import Gone
from sessionkit.handlers import ApiDeprecationWarning, DeprecationHandler
from sessionkit.handlers._deprecation import MAX_ENDPOINTS
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.support.stacks import opened, passing
from tests.unit.handlers.scripted import Reply as Scripted, Script, stack_over

OLD = {"Deprecation": "@1688169599"}


def caught(call: Callable[[], object]) -> list[warnings.WarningMessage]:
    """Return the warnings that *call* brings about."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call()
    return found


def warning_of(headers: dict[str, str]) -> ApiDeprecationWarning:
    """Return the warning about an answer with *headers*."""
    stack, _ = stack_over(Script(Scripted(200, headers)), DeprecationHandler())
    (warning,) = caught(lambda: stack.get("orders/7"))
    assert isinstance(warning.message, ApiDeprecationWarning)
    return warning.message


def test_an_endpoint_that_goes_away_is_told_once() -> None:
    """A loop over a thousand orders makes one warning, not a thousand."""
    with opened(lambda _: ServerResponse(headers=OLD), [DeprecationHandler()]) as (stack, server):

        def calls() -> None:
            for number in range(5):
                stack.get(f"orders/{number}", params={"page": number})
            stack.post("orders/1")
            stack.get("orders/1/lines")

        found = caught(calls)

    assert [str(warning.message).partition(": ")[0] for warning in found] == [
        f"GET {server.origin}/orders/{{}}",
        f"POST {server.origin}/orders/{{}}",
        f"GET {server.origin}/orders/{{}}/lines",
    ]


def test_dates_link_and_words_are_there() -> None:
    """The warning says until when, and where to read on."""
    warning = warning_of(
        {
            **OLD,
            "Sunset": "Wed, 11 Nov 2026 11:11:11 GMT",
            "Link": '</next>; rel="next", </docs/v2>; rel="deprecation"; type="text/html"',
            "Warning": '299 - "use \\"v2\\""',
        }
    )

    assert warning.endpoint == "GET http://api.example/orders/{}"
    assert warning.deprecated == datetime(2023, 6, 30, 23, 59, 59, tzinfo=UTC)
    assert warning.sunset == datetime(2026, 11, 11, 11, 11, 11, tzinfo=UTC)
    assert warning.link == "http://api.example/docs/v2"
    assert warning.text == 'use "v2"'
    assert str(warning) == (
        "GET http://api.example/orders/{}: deprecated since 2023-06-30; ends on 2026-11-11; "
        'the server says "use "v2""; see http://api.example/docs/v2'
    )


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Deprecation": "true"}, "deprecated"),
        ({"Deprecation": "Sun, 11 Nov 2018 23:59:59 GMT"}, "deprecated since 2018-11-11"),
        ({"Sunset": "Sat, 31 Dec 2033 23:59:59 GMT"}, "ends on 2033-12-31"),
        (
            {"Warning": '299 awx "This resource has been deprecated"'},
            'the server says "This resource has been deprecated"',
        ),
        ({"Warning": '110 - "stale", 299 - "old"'}, 'the server says "old"'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_header_alone_is_enough(headers: dict[str, str], said: str) -> None:
    """Servers use one or the other, some of them by drafts of the standard."""
    assert str(warning_of(headers)).partition(": ")[2] == said


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Deprecation": "false"},
        {"Deprecation": "garbage"},
        {"Deprecation": "@99999999999999999999"},
        {"Sunset": "soon"},
        {"Warning": '110 - "Response is stale"'},
        {"Link": '</docs>; rel="deprecation"'},
    ],
    ids=str,
)
def test_what_says_nothing_warns_of_nothing(headers: dict[str, str]) -> None:
    """Any warning would be an error here."""
    stack, _ = stack_over(Script(Scripted(200, headers)), DeprecationHandler())

    assert stack.get("a").status_code == 200


def own(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Stand between the caller and the handler, as a function of the caller's own."""
    return call_next(exchange)


@pytest.mark.parametrize("verb", ["get", "request", "send"])
def test_the_warning_points_at_the_line_that_calls(verb: str) -> None:
    """Tools show the line of the user's code, not one of a library or of a handler."""
    with opened(lambda _: ServerResponse(headers=OLD), [own, passing, DeprecationHandler()]) as (
        stack,
        s,
    ):
        request = stack.prepare_request(requests.Request("GET", f"{s.origin}/a"))
        ways = {
            "get": lambda: stack.get("a"),
            "request": lambda: stack.request("GET", "a"),
            "send": lambda: stack.send(request),
        }
        (warning,) = caught(ways[verb])

    first = ways["get"].__code__.co_firstlineno
    assert warning.filename == __file__
    assert warning.lineno == first + list(ways).index(verb)


def test_an_endpoint_that_is_gone_is_told_before_the_error() -> None:
    """The 410 itself may say where to go from here."""
    chain = {**recommended(), "deprecation": DeprecationHandler()}
    with (
        opened(lambda _: ServerResponse(410, headers=OLD), chain) as (stack, _),
        pytest.warns(ApiDeprecationWarning),
        pytest.raises(Gone),
    ):
        stack.get("a")


def test_a_filter_can_make_it_an_error() -> None:
    """A test suite fails on the day that an endpoint it uses is deprecated."""
    stack, _ = stack_over(Script(Scripted(200, OLD)), DeprecationHandler())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ApiDeprecationWarning):
            stack.get("a")


def test_no_secret_gets_into_a_warning() -> None:
    """Servers echo, and warnings are printed."""
    secret = "planted-4711"

    def echo(seen: ServerRequest) -> ServerResponse:
        return ServerResponse(
            headers={
                "Warning": f'299 - "no {seen.headers["x-odd"]}"',
                "Link": f'</docs?access_token={secret}&x={secret}>; rel="sunset"',
            }
        )

    chain = {**recommended(StaticToken(secret), scheme=Header("X-Odd"))}
    chain["deprecation"] = DeprecationHandler()
    with opened(echo, chain) as (stack, _):
        (warning,) = caught(lambda: stack.get("a", params={"access_token": secret}))

    assert "***" in str(warning.message)
    assert secret not in f"{warning.message} {vars(warning.message)}"


def test_memory_is_bounded() -> None:
    """A server that deprecates everything fills nothing."""
    handler = DeprecationHandler()
    names = [
        f"p{chr(97 + n // 676)}{chr(97 + n // 26 % 26)}{chr(97 + n % 26)}" for n in range(1_100)
    ]
    stack, _ = stack_over(Script(*[Scripted(200, OLD) for _ in names]), handler)

    assert len(caught(lambda: [stack.get(name) for name in names])) == 1_100
    assert len(handler._warned.get()._endpoints) == MAX_ENDPOINTS


def test_threads_are_told_once_together() -> None:
    """Eight workers on one endpoint make one warning."""
    handler = DeprecationHandler()
    start = threading.Barrier(8)
    with opened(lambda _: ServerResponse(headers=OLD), [handler]) as (stack, _):

        def call() -> None:
            start.wait()
            stack.get("a")

        def calls() -> None:
            threads = [threading.Thread(target=call) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert len(caught(calls)) == 1


def test_a_warning_travels_between_processes() -> None:
    """Runners of tests send what was warned of to their parent."""
    warning = warning_of(OLD)

    copy = pickle.loads(pickle.dumps(warning))

    assert (str(copy), copy.deprecated) == (str(warning), warning.deprecated)


def test_the_documented_place_is_right() -> None:
    """``explain()`` has nothing to say against it."""
    with SessionStack(None, recommended()) as stack:
        stack.handlers.add(DeprecationHandler(), after="timing")
        assert "warning" not in stack.explain()
    assert repr(DeprecationHandler()) == "DeprecationHandler()"


HEADER = st.text(st.characters(codec="latin-1"), max_size=60)


@given(st.fixed_dictionaries(dict.fromkeys(("Warning", "Deprecation", "Sunset", "Link"), HEADER)))
def test_no_header_makes_a_call_fail(headers: dict[str, str]) -> None:
    """What a server says of its plans is never worth an exception."""
    stack, _ = stack_over(Script(Scripted(200, headers)), DeprecationHandler())

    assert all(str(w.message).isprintable() for w in caught(lambda: stack.get("a")))


@given(st.from_regex(r"(299 - \"[^\"]*\"|@[0-9]{1,30}|<[^>]*>; rel=\"?(deprecation|sunset)\"?)"))
def test_no_text_that_is_nearly_right_makes_a_call_fail(text: str) -> None:
    """Garbage hides best in what looks like the real thing."""
    test_no_header_makes_a_call_fail.hypothesis.inner_test(  # type: ignore[attr-defined]  # set by hypothesis
        {"Warning": text, "Deprecation": text, "Sunset": text, "Link": text}
    )
