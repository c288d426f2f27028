"""A stack is a session: exactly the wrapped one's, with handlers between."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import threading
import warnings
import weakref
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, patch

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_toolbelt.sessions import BaseUrlSession

from sessionkit import CallNext, Exchange, SessionStack, recommended
from sessionkit._clock import SYSTEM_CLOCK
from sessionkit._session_proxy import DELEGATED, VERBS
from sessionkit._stack import SharedState
from sessionkit.auth import AuthHandler, RefreshToken, StaticToken
from sessionkit.chain._chain import Handlers
from sessionkit.errors import ConfigError
from sessionkit.handlers import RetryHandler, TimeoutHandler
from sessionkit.testing import FakeClock
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.stacks import Keeper, Recorder, opened, passing

EXAMPLE = "https://api.example/v1/"


class RegionalStack(SessionStack):
    """A vendor's stack with a setting of its own."""

    region: str = "none"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Make the user's session."""
    with requests.Session() as made:
        yield made


# -- Every public name is the session's


def test_a_stack_is_a_session(session: requests.Session) -> None:
    """An SDK that checks the type of its ``session=`` takes a stack."""
    assert isinstance(SessionStack(session), requests.Session)


SETTINGS = [name for name in DELEGATED if not callable(getattr(requests.Session, name, None))]


@pytest.mark.parametrize("name", [name for name in SETTINGS if name != "adapters"])
def test_a_setting_is_read_set_and_deleted_on_the_session(
    session: requests.Session, name: str
) -> None:
    """There is one set of settings, whichever object it is reached by."""
    stack = SessionStack(session, [passing])
    value = object()

    setattr(stack, name, value)

    assert vars(session)[name] is value
    assert getattr(stack, name) is value
    delattr(stack, name)
    assert name not in vars(session)
    assert not hasattr(stack, name)


def test_a_setting_changed_in_place_is_changed_on_the_session(session: requests.Session) -> None:
    """``stack.headers.update(...)`` does what it does on any session."""
    stack = SessionStack(session)

    stack.headers["X-One"] = "1"
    stack.cookies.set("a", "b")
    adapter = HTTPAdapter()
    stack.mount("http://x", adapter)

    assert session.headers["X-One"] == "1"
    assert session.cookies["a"] == "b"
    assert session.get_adapter("http://x/") is stack.get_adapter("http://x/") is adapter


def test_a_name_that_sessions_do_not_know_goes_to_the_session(session: requests.Session) -> None:
    """Code that keeps a setting of its own on a session finds it there again."""
    stack = SessionStack(session, [passing])

    stack.region = "eu"

    assert vars(session)["region"] == "eu"
    assert stack.region == "eu"
    del stack.region
    assert not hasattr(session, "region")
    with pytest.raises(AttributeError, match="region"):
        stack.region  # noqa: B018  # looked up


def test_methods_and_names_of_a_subclass_are_reached() -> None:
    """A session that can do more can do it through the stack."""

    class Vendor(requests.Session):
        level = 3

        def greet(self, name: str) -> str:
            return f"{name} at {self.level}"

    with Vendor() as session:
        stack: Any = SessionStack(session)

        assert stack.greet("x") == "x at 3"
        assert {"greet", "level", "paginate", "headers"} <= set(dir(stack))


def test_a_name_with_an_underscore_stays_on_the_stack(session: requests.Session) -> None:
    """The workings of one object do not get into those of the other."""
    stack = SessionStack(session)

    stack._mine = 1

    assert "_mine" not in vars(session)
    assert stack._mine == 1
    del stack._mine
    assert not hasattr(stack, "_mine")


def test_names_declared_by_a_subclass_of_the_stack_stay_on_the_stack(
    session: requests.Session,
) -> None:
    """A vendor's own attributes do not land on the user's session."""

    class VendorStack(SessionStack):
        region: str
        retries = 3

        @property
        def place(self) -> str:
            return f"in {self.region}"

    class Derived(VendorStack):
        tier = 1

    for kind in (VendorStack, Derived):
        stack = kind(session)
        stack.region = "eu"
        stack.retries = 5
        stack.verify = False

        assert (stack.place, stack.retries, session.verify) == ("in eu", 5, False)
        assert not {"region", "retries", "place"} & set(vars(session))


def test_wrapping_changes_nothing_on_the_session() -> None:
    """A session compares equal before and after it was wrapped, used and let go of."""
    session = requests.Session()
    session.headers["X-One"], session.auth = "1", ("user", "word")
    session.params, session.max_redirects = {"q": "1"}, 7
    before = {name: copy.copy(value) for name, value in vars(session).items()}
    handlers = recommended(StaticToken("s3cret"))
    with opened(handlers=handlers, session=session) as (stack, _):
        stack.get("x")
        stack.with_options(timeout=3).get("x")
        stack.close()

        after = vars(session)
        assert after.keys() == before.keys()
        same = before.keys() - {"cookies", "adapters", "headers"}
        assert {name: after[name] for name in same} == {name: before[name] for name in same}
        assert dict(session.headers) == dict(before["headers"])
        assert dict(session.adapters) == dict(before["adapters"])


def test_a_stack_tells_what_it_is_made_of(session: requests.Session) -> None:
    """A glance in a debugger shows the chain, and no secret."""
    stack = SessionStack(session, [passing, AuthHandler(StaticToken("s3cret"))])

    assert repr(stack) == "<SessionStack over Session: passing, auth>"
    assert repr(SessionStack(session)) == "<SessionStack over Session: no handlers>"


# -- Calls


def test_a_stack_without_handlers_adds_nothing() -> None:
    """It hands every call to the session as it is, and the answer back as it is."""
    given = {"params": {"q": "1"}, "timeout": 3}
    recorder = Recorder()
    with opened(session=recorder) as (stack, server):
        response = stack.request("GET", "x", **given)
        prepared = requests.Request("GET", server.origin).prepare()
        stack.send(prepared)

        assert recorder.requested == [{"method": "GET", "url": f"{server.origin}/x", **given}]
        assert recorder.sent[-1] is prepared
    assert not hasattr(response, "record")


def test_every_verb_passes_the_handlers() -> None:
    """GET, POST and all others are one call each."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, server):
        for verb in VERBS:
            getattr(stack, verb)("x")

        assert [seen.method for seen in server.requests] == [verb.upper() for verb in VERBS]
    assert [exchange.method for exchange in keeper.exchanges] == [verb.upper() for verb in VERBS]


def test_a_stack_over_a_stack_has_a_record_of_its_own() -> None:
    """Each stack tells what it did, and neither overwrites the other."""
    with opened(handlers={"inner": passing}) as (inner, _):
        records: list[Any] = []

        def noting(exchange: Exchange, call_next: CallNext) -> requests.Response:
            response = call_next(exchange)
            records.append(response.record)  # type: ignore[attr-defined]  # set by the stack
            return response

        response: Any = SessionStack(inner, {"outer": noting}).get("x")

    assert set(response.record.handlers) == {"outer", "wire"}
    assert response.record is records[0]


def test_an_answer_carries_the_record_of_its_call() -> None:
    """Attempts and times are there, and nothing else was added to the answer."""
    with opened(handlers=[passing]) as (stack, _):
        plain = stack._inner.get(f"{stack.base_url}x")
        handled = stack.get("x")

    assert vars(handled).keys() - vars(plain).keys() == {"record"}
    assert handled.record.attempts[0].status == 200


def test_a_mock_of_the_class_stays_alive() -> None:
    """Users' tests that patch ``requests.Session.get`` keep a stack off the network."""
    stack = SessionStack(requests.Session(), [passing], base_url=EXAMPLE)
    with patch("requests.Session.get", return_value="mocked") as get:
        answer: Any = stack.get("x")

    assert answer == "mocked"
    get.assert_called_once_with("x")


@pytest.mark.parametrize("name", [*VERBS, "request", "send"])
def test_a_mock_on_the_stack_itself_is_what_is_called(session: requests.Session, name: str) -> None:
    """``patch.object(stack, "get")`` keeps off the network, and is gone afterwards."""
    stack = SessionStack(session, [passing], base_url=EXAMPLE)
    before = dict(vars(stack))
    with patch.object(stack, name, return_value="mocked") as mocked:
        assert getattr(stack, name)("x") == "mocked"
        mocked.assert_called_once()

    assert vars(stack) == before
    assert vars(session).keys() == vars(requests.Session()).keys()


def test_a_mock_of_the_sessions_own_request_is_what_the_wire_calls(
    session: requests.Session,
) -> None:
    """A stack around a session that a test has patched does not reach the network either."""
    stack = SessionStack(session, [passing], base_url=EXAMPLE)
    answer = requests.Response()
    with patch.object(session, "request", return_value=answer) as request:
        assert stack.get("x", timeout=3) is answer
        session.get(f"{EXAMPLE}x", timeout=3)

    by_stack, by_session = request.call_args_list
    assert by_stack == by_session


def test_a_mocked_answer_passes_through_the_handlers(session: requests.Session) -> None:
    """The usual stand-in for a response is good enough for a stack too."""
    stack = SessionStack(session, [passing], base_url=EXAMPLE)
    answer = Mock(status_code=200)
    answer.json.return_value = {"id": 7}
    with patch.object(session, "request", return_value=answer):
        response = stack.get("x")

    assert (response.status_code, response.json()) == (200, {"id": 7})


def test_the_signature_of_request_is_that_of_requests(session: requests.Session) -> None:
    """Whoever inspects the session to see which arguments it takes finds them."""
    stack = SessionStack(session, [passing])

    assert inspect.signature(stack.request) == inspect.signature(session.request)


def test_positional_arguments_mean_what_they_mean_on_the_session() -> None:
    """Parameters, body and headers end up where the session at hand has them."""

    class Swapped(Recorder):
        def request(self, method: str, url: str, data: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]  # as its users write it
            return super().request(method, url, data=data, **kwargs)

    for handlers in ((), [passing]):
        with opened(handlers=handlers) as (stack, server):
            stack.request("POST", "x", {"q": "1"}, b"body", {"X-One": "1"})

            (seen,) = server.requests
            assert (seen.query, seen.body, seen.headers["x-one"]) == ({"q": ["1"]}, b"body", "1")
        with opened(handlers=handlers, session=Swapped()) as (stack, server):
            stack.request("POST", "x", b"body")

            assert (server.requests[0].query, server.requests[0].body) == ({}, b"body")


def test_an_argument_that_is_given_twice_is_a_type_error(session: requests.Session) -> None:
    """A contradiction in a call is found, as it is with any function."""
    for handlers in ((), [passing]):
        stack: Any = SessionStack(session, handlers, base_url=EXAMPLE)
        with pytest.raises(TypeError):
            stack.request("GET", "x", {"q": "1"}, params={"q": "2"})


def test_a_url_may_be_bytes_or_any_object_with_a_text() -> None:
    """What requests takes for a URL is taken here."""

    class Address:
        def __str__(self) -> str:
            return "z"

    with opened(handlers=[passing]) as (stack, server):
        for url in (b"x", "y", Address()):
            stack.get(url)

        assert [seen.path for seen in server.requests] == ["/x", "/y", "/z"]


def test_an_unprepared_request_is_refused_as_requests_refuses_it() -> None:
    """The mistake has the message that is known."""
    for handlers in ((), [passing]):
        with (
            opened(handlers=handlers) as (stack, server),
            pytest.raises(ValueError, match="Prepared"),
        ):
            stack.send(requests.Request("GET", server.origin))  # type: ignore[arg-type]  # the point


# -- Base URL


def test_relative_urls_are_appended_to_the_base() -> None:
    """With or without a slash, under the whole path of the base; absolute ones stay."""
    with (
        opened(base="/v1/") as (stack, server),
        LoopbackServer(lambda _: ServerResponse()) as other,
    ):
        for url in ("orders", "/orders", "orders/7?a=1", f"{other.origin}/elsewhere"):
            stack.get(url)

        assert [seen.path for seen in server.requests] == [
            "/v1/orders",
            "/v1/orders",
            "/v1/orders/7",
        ]
        assert [seen.path for seen in other.requests] == ["/elsewhere"]


@pytest.mark.parametrize("url", ["api.example", "/v1/", "", 7, "http://", "http://[::1"])
def test_a_base_that_is_no_absolute_url_is_refused(session: requests.Session, url: Any) -> None:
    """The mistake is found when the stack is built, not in the first answer."""
    with pytest.raises(ConfigError, match="base_url"):
        SessionStack(session, base_url=url)


def test_a_base_can_be_changed_later(session: requests.Session) -> None:
    """The home that tokens may go to moves with it, and the session is not touched."""
    stack = SessionStack(session, base_url=EXAMPLE)
    stack.base_url = "http://other.example/"

    assert (stack.base_url, stack._base_origin) == (
        "http://other.example/",
        "http://other.example:80",
    )
    assert "base_url" not in vars(session)
    stack.base_url = None
    assert stack._base_origin is None


def test_without_a_base_of_its_own_a_stack_shows_the_sessions(session: requests.Session) -> None:
    """A session that resolves relative URLs itself goes on to do so."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        BaseUrlSession(server.origin + "/v2/") as based,
    ):
        stack = SessionStack(based, [passing])
        stack.get("x")

        assert stack.base_url == server.origin + "/v2/"
        assert server.requests[0].path == "/v2/x"
    assert SessionStack(session).base_url is None


# -- Its own life


class Noting(HTTPAdapter):
    """An adapter that counts how often it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def noting(stack: SessionStack) -> Noting:
    """Mount an adapter that counts."""
    adapter = Noting()
    stack.mount("http://", adapter)
    return adapter


def test_a_stack_closes_only_a_session_that_it_made(session: requests.Session) -> None:
    """A session that was handed over stays open for its owner."""
    with SessionStack(session, [passing]) as stack:
        handed_over = noting(stack)
    stack.close()
    with SessionStack(None, [passing]) as stack:
        made = noting(stack)
    stack.close()

    assert (handed_over.closed, made.closed) == (0, 2)


def test_a_light_stack_closes_nothing() -> None:
    """A part of a program that is done with its time-outs does not cut the others' connections."""
    with SessionStack(None, [passing]) as stack:
        adapter = noting(stack)
        with stack.with_options(timeout=3) as light:
            pass
        light.with_options(timeout=4).close()

        assert adapter.closed == 0
    assert adapter.closed == 1


def test_handlers_and_their_stores_are_not_the_stacks_to_close() -> None:
    """They may serve other stacks; whoever made them lets them go."""

    class Closable(RetryHandler):
        def close(self) -> None:
            raise AssertionError

    with SessionStack(None, [Closable()]) as stack:
        stack.close()


def test_a_closed_stack_can_be_used_again_as_a_session_can() -> None:
    """Closing lets connections go; requests opens new ones where they are asked for."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        SessionStack(base_url=server.origin) as stack,
    ):
        stack.get("x")
        stack.close()

        assert stack.get("x").ok
        assert server.connections == 2


def test_a_stack_that_nobody_closes_goes_as_quietly_as_a_session() -> None:
    """No warning beyond requests' own, and no circle that keeps its connections until later."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        warnings.catch_warnings(record=True) as told,
    ):
        warnings.simplefilter("always")
        gc.collect()
        gc.disable()
        try:
            for chain in ((), recommended(StaticToken("t"))):
                stack = SessionStack(None, chain, base_url=server.origin)
                stack.get("x")
                stack.with_options(timeout=3).get("x")
                gone = weakref.ref(stack._inner)
                del stack
                assert gone() is None
        finally:
            gc.enable()
        gc.collect()

    assert [warning for warning in told if warning.category is ResourceWarning] == []


# -- Copies


def test_a_shallow_copy_has_settings_and_a_chain_of_its_own(session: requests.Session) -> None:
    """Code that copies a session in order to change some settings leaves the user's alone."""
    stack = SessionStack(session, {"first": passing}, base_url=EXAMPLE)
    twin = copy.copy(stack)
    twin.verify, twin.auth, twin.base_url = False, ("user", "word"), "https://eu.example/"
    twin.headers = {"X-One": "1"}  # type: ignore[assignment]  # as users write it
    twin.handlers.add(passing, name="second")

    assert (session.verify, session.auth, "X-One" in session.headers) == (True, None, False)
    assert (stack.base_url, stack.handlers.names) == (EXAMPLE, ("first",))
    assert twin.handlers.names == ("first", "second")
    assert type(twin._inner) is type(session)
    # As of any session that was copied so: what is in the settings is the same, not equal.
    assert (twin.adapters, twin.cookies) == (session.adapters, session.cookies)


def test_a_deep_copy_shares_no_setting_no_cookie_and_no_connection() -> None:
    """Code that clones a whole configuration gets a stack that lives apart, and closes itself."""
    with opened(handlers={"first": passing}) as (stack, server):
        stack.headers["X-One"] = "1"
        stack.get("x")
        with copy.deepcopy(stack) as twin:
            twin.headers["X-One"] = "2"
            twin.cookies.set("a", "b")
            twin.get("x")
            closing = noting(twin)

        assert [seen.headers["x-one"] for seen in server.requests] == ["1", "2"]
        assert server.connections == 2
        assert "a" not in stack.cookies
        assert closing.closed == 1
        stack.get("x")
        assert server.connections == 2


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_share_one_login(copied: Any) -> None:
    """Two that each held the refresh token would both use it, and lose the login for good."""
    identity = IdentityProvider()
    with LoopbackServer(identity.respond) as server:
        login = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        with SessionStack(None, recommended(login), base_url=server.origin) as stack:
            stack.get("x")
            with copied(stack) as twin:
                assert twin.get("x").ok
                identity.expire()
                assert [twin.get("x").ok, stack.get("x").ok] == [True, True]
                assert twin.handlers["auth"] is stack.handlers["auth"]

    assert (identity.renewals, identity.reuse_detected) == (2, 0)


@pytest.mark.parametrize("handlers", [(), [passing]])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_whole(copied: Any, handlers: Any) -> None:
    """Options, clock, a vendor's own attributes and the session's own verbs come along."""

    class Tagging(requests.Session):
        def get(self, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as users write it
            return super().get(url, params={"own": "1"}, **kwargs)

    clock = FakeClock()
    with LoopbackServer(lambda _: ServerResponse()) as server, Tagging() as session:
        stack = RegionalStack(session, handlers, base_url=server.origin, clock=clock)
        stack.region = "eu"
        stack._self = stack
        twin = copied(stack.with_options(headers={"X-One": "1"}))
        with twin._inner:
            twin.get("x")

        (seen,) = server.requests
        assert (seen.query, seen.headers["x-one"]) == ({"own": ["1"]}, "1")
    assert (type(twin), twin.region, twin.clock) == (RegionalStack, "eu", clock)


def test_a_deep_copy_keeps_together_what_was_together() -> None:
    """A client and its stack, copied in one go, still share one session and one chain."""
    with SessionStack(None, [passing]) as stack:
        twin, light = copy.deepcopy([stack, stack.with_options(timeout=3)])

    assert light._shared is twin._shared is not stack._shared
    stack._circle = [stack]
    twin = copy.deepcopy(stack)
    assert twin._circle[0] is twin


def test_a_stack_without_a_session_makes_a_plain_one() -> None:
    """One name is enough for a first program."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        SessionStack(base_url=server.origin) as stack,
    ):
        assert stack.get("x").ok


def test_a_stack_without_handlers_is_pickled_as_its_session_is() -> None:
    """What worked with the session in a pool of processes works with the stack."""

    class Kept(requests.Session):
        __attrs__ = [*requests.Session.__attrs__, "region"]  # noqa: RUF012  # as sessions have it

        region = "none"

    globals()["Kept"] = Kept  # pickle looks classes up by name
    Kept.__qualname__ = "Kept"
    with Kept() as session:
        session.region = "eu"
        session.headers["X-One"] = "1"
        stack = SessionStack(session, base_url=EXAMPLE)
        twin: Any = pickle.loads(pickle.dumps(stack))

    adapter = noting(twin)
    twin.close()
    # Nobody else has the session that came along.
    assert adapter.closed == 1
    assert (type(twin), twin.base_url) == (SessionStack, EXAMPLE)
    assert (type(twin._inner), twin.region, twin.headers["X-One"]) == (Kept, "eu", "1")


def test_a_pickle_keeps_what_belongs_to_the_stack_itself(session: requests.Session) -> None:
    """Defaults of a light stack, and what a vendor's stack holds, are there on the other side."""
    light: Any = pickle.loads(pickle.dumps(SessionStack(session).with_options(timeout=3)))
    vendor = RegionalStack(session, base_url=EXAMPLE)
    vendor.region = "eu"
    twin: Any = pickle.loads(pickle.dumps(vendor))

    assert light._options == {"timeout": 3}
    assert (type(twin), twin.region, twin.base_url) == (RegionalStack, "eu", EXAMPLE)


def test_a_stack_with_handlers_refuses_to_be_pickled(session: requests.Session) -> None:
    """A token does not end up in a pickle, and the way out is named."""
    stack = SessionStack(session, recommended(StaticToken("s3cret")), base_url=EXAMPLE)
    with pytest.raises(ConfigError, match="not pickled") as caught:
        pickle.dumps(stack)

    assert "StackSpec" in caught.value.hint


@pytest.mark.parametrize(
    "handlers", [[7], ["retry"], [RetryHandler], {"retry": None}, RetryHandler()]
)
def test_what_is_no_handler_is_refused_when_the_stack_is_built(
    session: requests.Session, handlers: Any
) -> None:
    """A single handler without its list is as clear a mistake as a wrong one."""
    with pytest.raises(ConfigError, match="handler"):
        SessionStack(session, handlers)


# -- Defaults for some calls


def test_using_gives_calls_their_defaults_and_leaves_the_stack_alone() -> None:
    """A part of a program sets its own time-out without a second session."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, server):
        light = stack.with_options(timeout=3, headers={"X-One": "1"})
        light.get("x")
        light.with_options(timeout=4).get("x")
        light.get("x", timeout=None)
        stack.get("x")

        assert [seen.headers.get("x-one") for seen in server.requests] == ["1", "1", "1", None]
    assert [e.options.get("timeout", "none") for e in keeper.exchanges] == [3, 4, None, "none"]
    assert isinstance(light, SessionStack)
    assert (light._inner, light.base_url) == (stack._inner, stack.base_url)


def test_parameters_from_using_hold_where_the_call_gives_none() -> None:
    """The verbs of requests hand over ``params=None`` unasked; that is not the caller's wish."""
    for handlers in ((), [passing]):
        with opened(handlers=handlers) as (stack, server):
            light = stack.with_options(params={"tenant": "blue"})
            light.get("x")
            light.get("x", params={"tenant": "red"})

            assert [seen.query["tenant"] for seen in server.requests] == [["blue"], ["red"]]


def test_using_takes_the_options_that_the_handlers_declare() -> None:
    """A budget for each of many calls is set once, and read by its handler only."""
    keeper, recorder = Keeper(), Recorder()
    handlers = [keeper, TimeoutHandler(), RetryHandler()]
    with opened(handlers=handlers, session=recorder, clock=FakeClock()) as (stack, server):
        light = stack.with_options(total_timeout=60, retries=0)
        light.get("x")
        light.get("x", total_timeout=None)
        light.send(requests.Request("GET", server.origin).prepare())

    options = [exchange.options["total_timeout"] for exchange in keeper.exchanges]
    assert options == [60, None, 60]
    assert not {"total_timeout", "retries"} & set(recorder.requested[0])


def test_with_options_refuses_a_name_that_nobody_reads(session: requests.Session) -> None:
    """A misspelt option is an error that lists those there are, not a setting without effect."""
    stack = SessionStack(session, [RetryHandler()])

    with pytest.raises(ConfigError, match="timeuot, total_timeout") as caught:
        stack.with_options(timeuot=3, total_timeout=3, timeout=3)

    assert "retries" in caught.value.hint
    assert "timeout" in caught.value.hint


def test_using_applies_to_prepared_requests_what_they_can_take() -> None:
    """A time-out holds for them too; headers are settled already and are left alone."""
    keeper = Keeper()
    with opened(handlers=[keeper]) as (stack, server):
        light = stack.with_options(timeout=3, headers={"X-One": "1"})
        light.send(requests.Request("GET", server.origin).prepare())

        assert "x-one" not in server.requests[0].headers
    assert dict(keeper.only.options) == {"timeout": 3}


def test_a_light_stack_ends_in_the_sessions_own_verbs_too() -> None:
    """What a subclass of requests overrides is honoured there as well."""

    class Tagging(requests.Session):
        def get(self, url: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as users write it
            return super().get(url, params={"own": "1"}, **kwargs)

    for handlers in ((), [passing]):
        with opened(handlers=handlers, session=Tagging()) as (stack, server):
            stack.with_options(timeout=3).get("x")

            assert server.requests[0].query == {"own": ["1"]}


def test_a_vendors_stack_stays_of_its_kind() -> None:
    """Deriving a light stack keeps the subclass and what it holds."""

    class VendorStack(SessionStack):
        region: str = "none"

    with VendorStack() as stack:
        stack.region = "eu"
        light = stack.with_options(timeout=3)

    assert isinstance(light, VendorStack)
    assert light.region == "eu"


def test_a_stack_walks_over_pages() -> None:
    """Items come one by one, through the handlers, over as many pages as there are."""
    keeper = Keeper()

    def answer(seen: ServerRequest) -> ServerResponse:
        page = int(seen.query.get("page", ["1"])[0])
        links = {"Link": f'</x?page={page + 1}>; rel="next"'} if page < 3 else {}
        return ServerResponse(200, [{"page": page}], links)

    with opened(answer, [keeper]) as (stack, _):
        items = [item["page"] for item in stack.paginate("x")]

    assert items == [1, 2, 3]
    assert len(keeper.exchanges) == 3


def test_an_error_inside_a_handler_ends_the_time_of_the_record() -> None:
    """A record that a handler kept is complete, whatever became of the call."""
    clock, keeper = FakeClock(), Keeper()

    def failing(exchange: Exchange, call_next: CallNext) -> requests.Response:
        clock.advance(2)
        raise KeyError

    with opened(handlers=[keeper, failing], clock=clock) as (stack, _), pytest.raises(KeyError):
        stack.get("x")

    assert keeper.only.record.duration == 2.0


# -- What a stack shares with its light stacks, and what a forked child makes anew


def shared_state(session: requests.Session | None = None) -> SharedState:
    """Return what a stack with one handler shares with its light stacks."""
    return SharedState(session or requests.Session(), Handlers([passing]), SYSTEM_CLOCK)


def test_a_chain_is_bound_once_for_each_order_of_handlers() -> None:
    """A call costs no more for a chain that nobody changed."""
    shared = shared_state()
    first = shared.bound_chain()

    assert shared.bound_chain() is first
    shared.handlers.add(passing, name="second")

    assert shared.bound_chain() is not first
    assert shared.bound_chain()[2] == ("passing", "second")
    assert shared.bound_chain() is shared.bound_chain()


def test_a_wire_is_made_once_for_each_way_in() -> None:
    """What the caller called is what the wire calls, and it is not looked up anew each time."""
    shared = shared_state()

    assert shared.transport("request") is shared.transport("request")
    assert shared.transport("request") is not shared.transport("send")


class KeptAdapter(HTTPAdapter):
    """An adapter with a setting of its own, as users write them."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        super().__init__(pool_maxsize=7)


class OddAdapter(BaseAdapter):
    """An adapter that is not requests' own."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_forked_child_gets_pools_of_its_own() -> None:
    """The settings of each adapter survive; only connections are made anew."""
    session = requests.Session()
    kept, odd = KeptAdapter("mine"), OddAdapter()
    session.mount("http://", kept)
    session.mount("odd://", odd)
    pools = kept.poolmanager

    shared_state(session).after_fork()

    assert session.adapters["http://"] is kept
    assert kept.poolmanager is not pools
    assert (kept.tag, kept.poolmanager.connection_pool_kw["maxsize"]) == ("mine", 7)
    assert odd.closed == 1


def test_a_session_without_adapters_can_be_forked_too() -> None:
    """A session of another make is wrapped as far as it goes."""

    class Bare(requests.Session):
        def __init__(self) -> None:
            super().__init__()
            del self.adapters

    shared_state(Bare()).after_fork()


def test_a_forked_child_makes_its_pools_once() -> None:
    """After its first call it keeps its connections as any process does."""
    shared = shared_state()
    adapter: Any = shared.session.adapters["http://"]
    inherited = adapter.poolmanager
    shared.pid = -1
    fresh = shared.for_this_process().session.adapters["http://"].poolmanager  # type: ignore[attr-defined]  # as all have

    assert fresh is not inherited
    shared.for_this_process()
    assert adapter.poolmanager is fresh


class OwnPool(HTTPAdapter):
    """An adapter that keeps connections where nobody knows, as those of unix sockets do."""

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


def test_an_adapter_with_connections_of_its_own_lets_go_of_them_too() -> None:
    """Its own ``close`` is the one thing that knows where they are."""
    session, adapter = requests.Session(), OwnPool()
    session.mount("http+own://", adapter)

    shared_state(session).after_fork()

    assert adapter.closed == 1
    assert session.get_adapter("http://x").__class__ is HTTPAdapter


def test_an_adapter_without_pools_can_be_forked_too() -> None:
    """Stand-ins of tests, and adapters to other libraries, leave out what they do not need."""

    class Without(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            """Do without."""

    session = requests.Session()
    session.mount("http://", Without())

    shared_state(session).after_fork()


def hold(*locks: Any) -> None:
    """Lock by a thread that then is no more, as is every thread but one in a forked child."""
    thread = threading.Thread(target=lambda: [lock.acquire() for lock in locks])
    thread.start()
    thread.join(20)


def is_free(lock: Any) -> bool:
    """Tell whether the calling thread can have *lock* at once."""
    free: bool = lock.acquire(blocking=False)
    return free


def test_locks_that_a_thread_of_the_parent_held_are_free_in_the_child() -> None:
    """A worker forked from a busy server does not wait for threads that it does not have."""
    with LoopbackServer(lambda _: ServerResponse()) as server, requests.Session() as session:
        shared = shared_state(session)
        manager = session.adapters["http://"].poolmanager  # type: ignore[attr-defined]  # as all have
        session.get(server.origin)
        queue = manager.connection_from_url(server.origin).pool
        kept = list(queue.queue)
        hold(queue.mutex, manager.pools.lock, session.cookies._cookies_lock)
        hold(shared.handlers._lock)

        shared.after_fork()

        locks = (queue.mutex, manager.pools.lock, session.cookies._cookies_lock)
        assert all(map(is_free, (*locks, shared.handlers._lock)))
        assert queue.queue == kept
        queue.mutex.release()
        # What collects the inherited pool can empty it.
        manager.clear()
        assert [c for c in kept if c is not None and c.sock is not None] == []


def test_pools_of_proxies_are_freed_as_well() -> None:
    """Connections over a proxy wait in pools of their own."""
    session = requests.Session()
    adapter: Any = session.adapters["http://"]
    manager = adapter.proxy_manager_for("http://127.0.0.1:9")
    hold(manager.pools.lock)

    shared_state(session).after_fork()

    assert is_free(manager.pools.lock)
    assert adapter.proxy_manager == {}


def test_a_copied_state_has_a_chain_of_its_own_with_the_same_handlers() -> None:
    """Adding a handler to a copy does not add it to what was copied."""
    shared = shared_state()
    for twin in (copy.copy(shared), copy.deepcopy(shared)):
        twin.handlers.add(passing, name="second")

        assert twin.handlers["passing"] is shared.handlers["passing"]
        assert twin.session is not shared.session
        assert twin.clock is shared.clock
    assert shared.handlers.names == ("passing",)


def test_state_copied_in_a_forked_child_inherits_no_connections() -> None:
    """The copy counts as made here, so what it copies must be this process's own already."""
    shared = shared_state()
    adapter: Any = shared.session.adapters["http://"]
    pools = adapter.poolmanager
    shared.pid = -1

    copy.copy(shared)

    assert adapter.poolmanager is not pools


def test_light_stacks_share_one_state() -> None:
    """A handler that is added to the stack is there for all that was derived from it."""
    with requests.Session() as session:
        stack = SessionStack(session)
        light = stack.with_options(timeout=3)
        stack.handlers.add(passing)

        assert light.handlers is stack.handlers
        assert light.handlers.names == ("passing",)
