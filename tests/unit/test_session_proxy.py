"""What makes a stack a session: names, and the order of arguments."""

from __future__ import annotations

import functools
from typing import Any
from unittest.mock import Mock

import pytest
import requests

from sessionkit import SessionStack
from sessionkit._session_proxy import (
    DELEGATED,
    VERB_DEFAULTS,
    VERBS,
    bound_arguments,
    checked_session,
)
from sessionkit.errors import ConfigError
from sessionkit.handlers import RetryHandler
from tests.support.stacks import Recorder, opened, passing


def test_every_public_name_of_a_session_is_accounted_for() -> None:
    """A name that a new version of requests adds is noticed here, not by a user."""
    with requests.Session() as session:
        public = {name for name in dir(session) if not name.startswith("_")}

    assert public == {*DELEGATED, *VERBS, "request", "send", "close"}


@pytest.mark.parametrize("name", DELEGATED)
def test_a_delegated_name_is_the_sessions(name: str) -> None:
    """Reading it on the stack reads it on the session, also where a subclass overrides it."""
    with requests.Session() as session:
        session.params = {"q": "1"}
        stack = SessionStack(session)

        assert getattr(stack, name) == getattr(session, name)


@pytest.mark.parametrize("verb", VERBS)
def test_the_verbs_fill_in_nothing_but_what_is_known(verb: str) -> None:
    """An option given to ``with_options`` is not pushed aside by a None that nobody wrote."""
    given: list[dict[str, Any]] = []

    class Noting(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            given.append(kwargs)
            return requests.Response()

    with Noting() as session:
        getattr(session, verb)("http://api.example/")

    assert {name for name, value in given[0].items() if value is None} <= VERB_DEFAULTS


@pytest.mark.parametrize("thing", [None, object(), "session", requests, requests.Session])
def test_what_is_no_session_is_refused_when_the_stack_is_built(thing: Any) -> None:
    """A class in place of its instance, or a module, is found at once."""
    with pytest.raises(ConfigError, match="not a session") as caught:
        checked_session(thing)

    assert "requests.Session()" in caught.value.hint


def test_a_session_of_another_make_is_taken() -> None:
    """What counts is what it can do, not what it inherits."""

    class Other:
        headers: dict[str, str] = {}  # noqa: RUF012  # as such classes have it

        def request(self) -> None: ...
        def send(self) -> None: ...
        def close(self) -> None: ...

    other: Any = Other()

    assert checked_session(other) is other


def test_positional_arguments_are_named_as_requests_names_them() -> None:
    """``request(method, url, params, data)`` means what it always meant."""
    with requests.Session() as session:
        named = bound_arguments(session.request, "request", ({"q": 1}, b"body", {"X-A": "b"}))

        assert named == {"params": {"q": 1}, "data": b"body", "headers": {"X-A": "b"}}
        assert bound_arguments(session.get, "get", ({"q": 1},)) == {"params": {"q": 1}}


def test_positional_arguments_have_the_order_of_the_session_at_hand() -> None:
    """A session whose third argument is the body gets a body there."""

    class Swapped(requests.Session):
        def request(  # type: ignore[override]  # as google-auth has it
            self, method: str, url: str, data: Any = None, headers: Any = None, **kwargs: Any
        ) -> requests.Response:
            return super().request(method, url, data=data, headers=headers, **kwargs)

    with Swapped() as session:
        named = bound_arguments(session.request, "request", (b"body", {"X-A": "b"}))

    assert named == {"data": b"body", "headers": {"X-A": "b"}}


def test_a_decorated_method_is_bound_by_what_it_wraps() -> None:
    """An instrumented session keeps its order of arguments."""

    class Traced(requests.Session):
        @functools.wraps(requests.Session.request)
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as its users write it
            return super().request(*args, **kwargs)

    with Traced() as session:
        assert bound_arguments(session.request, "request", ({"q": 1},)) == {"params": {"q": 1}}


def test_an_override_that_takes_anything_is_bound_as_requests_binds() -> None:
    """``def request(self, *args, **kwargs)`` is the usual override, and passes its arguments on."""

    class Passing(requests.Session):
        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            return super().request(*args, **kwargs)

        def get(self, *args: Any, **kwargs: Any) -> requests.Response:
            return super().get(*args, **kwargs)

    with Passing() as session:
        assert bound_arguments(session.request, "request", ({"q": 1},)) == {"params": {"q": 1}}
        assert bound_arguments(session.get, "get", ({"q": 1},)) == {"params": {"q": 1}}


def test_too_many_positional_arguments_are_a_type_error() -> None:
    """It is the error of any Python function, and it names the one that was called."""

    class Narrow(requests.Session):
        def request(self, method: str, url: str, **kwargs: Any) -> requests.Response:  # type: ignore[override]  # as its users write it
            return super().request(method, url, **kwargs)

    with Narrow() as session, pytest.raises(TypeError, match=r"request\(\) takes"):
        bound_arguments(session.request, "request", ({"q": 1},))


@pytest.mark.parametrize("handlers", [[], [passing, RetryHandler()]], ids=["without", "with"])
def test_a_stand_in_for_send_is_what_all_calls_of_the_stack_end_in(handlers: list[Any]) -> None:
    """``requests_mock.Mocker(session=stack)`` puts one there; nothing may reach the network."""
    answer = requests.Response()
    with opened(handlers=handlers, base="/v1/") as (stack, server):
        stack.headers["X-App"] = "demo"
        mocks: Any = stack
        mocks.send = Mock(return_value=answer)

        got = stack.get("items", params={"page": "2"}, timeout=3)
        if handlers:
            stack.with_options(retries=1).post("items")

        assert got is answer
        assert not server.requests
        prepared = mocks.send.call_args_list[0].args[0]
        options = mocks.send.call_args_list[0].kwargs

    assert (prepared.method, prepared.url) == ("GET", f"{server.origin}/v1/items?page=2")
    assert prepared.headers["X-App"] == "demo"
    assert (options["timeout"], options["allow_redirects"]) == (3, True)
    assert mocks.send.call_count == 1 + bool(handlers)


def test_once_a_stand_in_for_send_has_gone_calls_are_made_as_before() -> None:
    """A mock that ends puts back what it found, and the session's own request counts again."""
    session = Recorder()
    with opened(handlers=[passing], session=session) as (stack, server):
        mocks: Any = stack
        own, mocks.send = stack.send, Mock(return_value=requests.Response())
        stack.get("mocked")
        mocks.send = own

        response: Any = stack.get("real")

    assert [seen.path for seen in server.requests] == ["/real"]
    assert len(session.requested) == len(response.record.attempts) == 1


def test_a_stand_in_for_send_is_asked_for_a_head_as_requests_asks() -> None:
    """A session's own ``head`` does not come by the verb that would have said so."""

    class Heading(requests.Session):
        def head(self, url: Any, **kwargs: Any) -> requests.Response:
            return self.request("HEAD", url, **{"allow_redirects": False, **kwargs})

    with opened(session=Heading()) as (stack, server):
        mocks: Any = stack
        mocks.send = Mock(return_value=requests.Response())
        stack.head("items")

        assert mocks.send.call_args.args[0].method == "HEAD"
        assert mocks.send.call_args.kwargs["allow_redirects"] is False
        assert not server.requests
