"""The recommended chain."""

from __future__ import annotations

import pytest
import requests

from sessionkit import SessionStack, Token, recommended
from sessionkit.auth import AuthHandler, Header, RenewalPolicy, StaticToken
from sessionkit.errors import NotFound
from sessionkit.handlers import ErrorHandler, RetryHandler, TimeoutHandler, TimingHandler
from sessionkit.stores import MemoryTokenStore
from tests.support.servers.loopback import Reply
from tests.support.stacks import Keeper, opened


def test_the_recommended_handlers_stand_in_their_order() -> None:
    """Each handler works on what those around it leave for it."""
    chain = recommended(StaticToken("t"))

    assert list(chain) == ["errors", "timing", "timeout", "retry", "auth"]
    assert [type(handler) for handler in chain.values()] == [
        *(ErrorHandler, TimingHandler, TimeoutHandler, RetryHandler, AuthHandler),
    ]


def test_without_a_grant_nobody_logs_in() -> None:
    """A public API needs no token, and gets none."""
    assert list(recommended()) == ["errors", "timing", "timeout", "retry"]


def test_without_errors_a_stack_answers_as_a_plain_session_does() -> None:
    """Code that looks at ``status_code`` itself is handed such a stack."""
    chain = recommended(errors=False)
    with opened(lambda _: Reply(404), chain) as (stack, _):
        assert stack.get("x").status_code == 404
    with opened(lambda _: Reply(404), recommended()) as (stack, _), pytest.raises(NotFound):
        stack.get("x")

    assert list(chain) == ["timing", "timeout", "retry"]


def test_a_total_timeout_is_set_where_the_chain_is_made() -> None:
    """One setting bounds every call as a whole."""
    assert "TimeoutHandler(20," in repr(recommended(total_timeout=20)["timeout"])
    assert "TimeoutHandler(None," in repr(recommended()["timeout"])


def test_the_chain_is_a_mapping_of_the_users_own() -> None:
    """It can be edited before it is used, and the next one is fresh."""
    chain = recommended(StaticToken("t"))
    del chain["retry"]
    keeper = Keeper()
    chain["mine"] = keeper
    with requests.Session() as session:
        assert SessionStack(session, chain).handlers.names == (
            *("errors", "timing", "timeout", "auth", "mine"),
        )

    assert "retry" in recommended()
    assert recommended()["retry"] is not recommended()["retry"]


def test_what_the_auth_handler_needs_is_passed_on_to_it() -> None:
    """Store, scheme, origins and policy are given in one place."""
    store = MemoryTokenStore()
    store.save("static", Token("from the store"))
    answered = recommended(
        StaticToken("t"),
        scheme=Header("X-Key"),
        origins=["http://other.example"],
        store=store,
        policy=RenewalPolicy(early=60),
    )["auth"]

    assert "Header('X-Key')" in repr(answered)
    assert "http://other.example:80" in repr(answered)
    assert "early=60" in repr(answered)


def test_a_call_by_the_recommended_chain_has_time_outs_and_times() -> None:
    """A first program waits for nothing for ever, and sees where its time went."""
    keeper = Keeper()
    chain = {**recommended(StaticToken("t")), "keeper": keeper}
    with opened(handlers=chain) as (stack, server):
        response = stack.get("x")

        assert server.seen[0].bearer == "t"
    assert keeper.only.options["timeout"] == (5.0, 30.0)
    assert response.headers["X-Client-Attempts"] == "1"
    assert set(response.record.handlers) == {*chain, "wire"}  # type: ignore[attr-defined]  # set by the stack
