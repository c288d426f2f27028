"""The contract of a handler: a method or a function of an exchange and ``call_next``."""

from __future__ import annotations

import threading
from functools import partial

import pytest
import requests

from sessionkit import CallNext, Exchange, Handler, SessionStack
from tests.support.servers.loopback import Reply, Seen
from tests.support.stacks import opened, passing
from tests.support.threads import at_once


class Stamp:
    """Adds a header on the way down, and one on the way up."""

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange.with_headers({"X-Down": "yes"}))
        response.headers["X-Up"] = "yes"
        return response


def stamped(exchange: Exchange, call_next: CallNext) -> requests.Response:
    """Do what ``Stamp`` does, as a plain function."""
    return Stamp().handle(exchange, call_next)


def echo(seen: Seen) -> Reply:
    """Answer with what arrived."""
    return Reply(200, {"down": seen.headers.get("x-down"), "path": seen.path})


def test_a_class_with_one_method_is_a_handler() -> None:
    """Nothing has to be inherited, registered or decorated."""
    handler: Handler = Stamp()
    with opened(echo, [handler]) as (stack, _):
        response = stack.get("x")

    assert response.json()["down"] == "yes"
    assert response.headers["X-Up"] == "yes"


def test_a_plain_function_is_a_handler() -> None:
    """Three lines are enough to look at every call."""
    with opened(echo, [stamped]) as (stack, _):
        response = stack.get("x")

    assert response.json()["down"] == "yes"
    assert response.headers["X-Up"] == "yes"


def test_any_callable_of_the_two_is_a_handler() -> None:
    """A method, a partial function and an object that can be called serve as well."""

    def labelled(label: str, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_headers({"X-Down": label}))

    for handler in (Stamp().handle, partial(labelled, "yes")):
        with opened(echo, {"any": handler}) as (stack, _):
            assert stack.get("x").json()["down"] == "yes"


def test_handlers_are_passed_from_the_outermost_in_and_back_out() -> None:
    """The order in which they were given is the order in which they work."""
    steps: list[str] = []

    def noting(name: str, exchange: Exchange, call_next: CallNext) -> requests.Response:
        steps.append(f"> {name}")
        response = call_next(exchange)
        steps.append(f"< {name}")
        return response

    handlers = {name: partial(noting, name) for name in ("outer", "inner")}
    with opened(handlers=handlers) as (stack, _):
        stack.get("x")

    assert steps == ["> outer", "> inner", "< inner", "< outer"]


def test_a_handler_may_answer_by_itself() -> None:
    """A cache or a test double keeps the call off the network."""

    def canned(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = requests.Response()
        response.status_code = 299
        response._content = b"canned"
        return response

    with opened(handlers=[passing, canned]) as (stack, server):
        response = stack.get("x")

        assert (response.status_code, response.text) == (299, "canned")
        assert server.seen == []


def test_a_handler_may_raise_what_it_likes() -> None:
    """An error of a handler reaches the caller, through those around it, unchanged."""
    error = KeyError("mine")

    def refusing(exchange: Exchange, call_next: CallNext) -> requests.Response:
        raise error

    with opened(handlers=[passing, refusing]) as (stack, server):
        with pytest.raises(KeyError) as caught:
            stack.get("x")

        assert caught.value is error
        assert server.seen == []


def test_one_handler_may_serve_many_stacks_and_threads() -> None:
    """What belongs to one call stays in its exchange, so nothing is mixed up."""
    shared = Stamp()
    meeting = threading.Barrier(8)

    def answer(seen: Seen) -> Reply:
        meeting.wait(10)
        return echo(seen)

    with opened(answer, [shared]) as (one, server), requests.Session() as other:
        stacks = [one, SessionStack(other, [shared], base_url=server.origin)]

        def ask(number: int) -> str:
            path: str = stacks[number % 2].get(f"call/{number}").json()["path"]
            return path

        assert at_once(8, ask) == [f"/call/{number}" for number in range(8)]


def test_an_option_that_a_handler_declares_is_its_own() -> None:
    """``stack.get(url, colour="red")`` configures the handler and never reaches the session."""
    colours: list[object] = []

    class Painted:
        options = frozenset({"colour"})

        def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
            colours.append(exchange.option("colour", "none"))
            return call_next(exchange)

    with opened(handlers=[Painted()]) as (stack, server):
        stack.request("GET", "x", colour="red")
        stack.get("y")
        stack.send(requests.Request("GET", server.origin).prepare(), colour="blue")

    assert colours == ["red", "none", "blue"]
