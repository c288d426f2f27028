"""What must be known of the wrapped session."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import requests

from sessionkit.transport._sessions import STOCK_SESSION, bare_request, native_request


def test_the_stock_session_is_known_whatever_stands_in_its_place() -> None:
    """A plugin that puts its own class at ``requests.Session`` changes nothing here."""
    assert STOCK_SESSION.__module__ == "requests.sessions"
    assert STOCK_SESSION.__name__ == "Session"


def test_a_session_of_another_make_gets_requests_of_its_native_request() -> None:
    """A session that is none of requests' is not handed an object that it does not know."""
    make = types.ModuleType("other_make")

    class Request(requests.Request):
        pass

    class Session:
        pass

    class Derived(Session):
        pass

    Session.__module__ = Derived.__module__ = make.__name__
    make.Request = Request  # type: ignore[attr-defined]  # as such modules have it
    given = requests.Request("POST", "http://id.example/token", data={"a": "b"}, headers={"X": "y"})
    other: Any = Derived()
    with pytest.MonkeyPatch.context() as patch, requests.Session() as plain:
        patch.setitem(sys.modules, make.__name__, make)
        own = native_request(other, given)

        assert native_request(plain, given) is given
    assert type(own) is Request
    assert (own.method, own.url, own.data, own.headers) == (
        *("POST", given.url, {"a": "b"}, {"X": "y"}),
    )


def test_a_bare_request_is_what_the_session_makes_of_an_address() -> None:
    """A session that knows its server completes the address."""
    session = requests.Session()
    session.headers["X-One"] = "1"

    bare = bare_request(session, "GET", "http://api.example/x")

    assert (bare.url, bare.headers["X-One"]) == ("http://api.example/x", "1")
