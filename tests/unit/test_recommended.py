"""The recommended chain, and what ``stack.explain()`` says of a stack and warns of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from sessionkit import CallNext, Exchange, SessionStack, Token, recommended
from sessionkit.auth import (
    AuthHandler,
    ClientCredentials,
    Header,
    RefreshToken,
    RenewalPolicy,
    StaticToken,
)
from sessionkit.errors import NotFound
from sessionkit.handlers import ErrorHandler, RetryHandler, TimeoutHandler, TimingHandler
from sessionkit.stores import MemoryTokenStore
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse
from tests.support.stacks import Keeper, opened, passing
from tests.support.threads import at_once


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
    with opened(lambda _: ServerResponse(404), chain) as (stack, _):
        assert stack.get("x").status_code == 404
    with (
        opened(lambda _: ServerResponse(404), recommended()) as (stack, _),
        pytest.raises(NotFound),
    ):
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
        policy=RenewalPolicy(leeway=60),
    )["auth"]

    assert "Header('X-Key')" in repr(answered)
    assert "http://other.example:80" in repr(answered)
    assert "leeway=60" in repr(answered)


def test_a_call_by_the_recommended_chain_has_time_outs_and_times() -> None:
    """A first program waits for nothing for ever, and sees where its time went."""
    keeper = Keeper()
    chain = {**recommended(StaticToken("t")), "keeper": keeper}
    with opened(handlers=chain) as (stack, server):
        response = stack.get("x")

        assert server.requests[0].bearer == "t"
    assert keeper.only.options["timeout"] == (5.0, 30.0)
    assert response.headers["X-Client-Attempts"] == "1"
    assert set(response.record.handlers) == {*chain, "wire"}


# -- What a stack says of itself


def explained(handlers: Any = (), adapter: HTTPAdapter | None = None, **settings: Any) -> str:
    """Return what a stack of *handlers* says of itself."""
    with requests.Session() as session:
        if adapter is not None:
            session.mount("https://", adapter)
        return SessionStack(session, handlers, **settings).explain()


def test_a_stack_explains_its_session_base_and_handlers() -> None:
    """Where a call goes, and through what, can be read off."""
    lines = explained([RetryHandler(), passing, Keeper()], base_url="https://api.example/v1/")

    assert lines.splitlines() == [
        "SessionStack over requests.sessions.Session",
        "base_url: https://api.example/v1/",
        "handlers, outermost first:",
        f"  1. retry    {RetryHandler()!r}",
        "  2. passing  function tests.support.stacks.passing",
        "  3. keeper   tests.support.stacks.Keeper",
    ]


def test_a_stack_without_handlers_says_that_it_is_transparent() -> None:
    """An empty list is not mistaken for one that was forgotten."""
    lines = explained().splitlines()

    assert lines[1:] == ["base_url: none", "handlers: none (transparent)"]


def test_the_recommended_chain_gives_no_warning() -> None:
    """What the library itself proposes is in order."""
    assert "warning" not in explained(recommended(StaticToken("s3cret")))


@pytest.mark.parametrize(
    ("names", "outer", "inner"),
    [
        (("auth", "retry"), "auth", "retry"),
        (("retry", "errors"), "retry", "errors"),
        (("errors", "mine", "cache", "auth"), "cache", "auth"),
    ],
)
def test_a_bad_order_is_warned_of(names: tuple[str, ...], outer: str, inner: str) -> None:
    """Handlers that defeat each other are named."""
    lines = explained(dict.fromkeys(names, passing)).splitlines()

    warnings = [line for line in lines if line.startswith("warning:")]
    assert len(warnings) == 1
    assert f"{outer!r} stands outside {inner!r}" in warnings[0]


def test_retries_mounted_twice_are_warned_of() -> None:
    """Three tries in the adapter inside three of the handler are nine."""
    for retries in (2, Retry(total=2)):
        text = explained([RetryHandler()], HTTPAdapter(max_retries=retries))

        assert "warning: the adapter at https:// retries 2 times" in text
        assert "max_retries=0" in text


def test_retries_in_the_adapter_alone_are_no_reason_to_warn() -> None:
    """Who has no retry handler has not mounted anything twice."""
    assert "warning" not in explained([passing], HTTPAdapter(max_retries=2))


def test_no_secret_is_explained() -> None:
    """The text can be pasted into a bug report."""

    def keyed(key: str, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange)

    token_url = "https://user:s3cret@id.example/token?api_key=s3cret"

    @dataclass
    class Keyed:
        api_key: str

        def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
            return call_next(exchange)

    handlers = {
        "theirs": Keyed("s3cret"),
        "static": AuthHandler(StaticToken("s3cret")),
        "client": AuthHandler(ClientCredentials(token_url, "app", client_secret="s3cret")),
        "refresh": AuthHandler(RefreshToken(token_url, "s3cret", client_id="app")),
        "plain": passing,
        "keyed": partial(keyed, "s3cret"),
    }

    text = explained(handlers, base_url="https://user:s3cret@api.example/v1/")

    assert "s3cret" not in text
    assert "app" in text


class Gate:
    """Answers once so many requests are there, which so have a connection each."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count)

    def __call__(self, seen: ServerRequest) -> ServerResponse:
        if seen.path == "/together":
            self._barrier.wait(30)
        if seen.path == "/broken":
            raise ConnectionAbortedError  # ends the connection without an answer
        return ServerResponse()


@contextmanager
def mounted(
    threads: int, *prefixes: str, **pool: Any
) -> Iterator[tuple[SessionStack, requests.Session, LoopbackServer]]:
    """Open a stack over one adapter with such a *pool*, and a server for so many at once."""
    with LoopbackServer(Gate(threads)) as server, requests.Session() as session:
        adapter = HTTPAdapter(**pool)
        for prefix in prefixes or ("http://",):
            session.mount(prefix, adapter)
        yield SessionStack(session, [passing], base_url=server.origin), session, server


def call_together(stack: SessionStack, threads: int) -> None:
    """Make a call from each of so many threads, all under way at the same time."""
    ended = at_once(threads, lambda _: stack.get("together").status_code)

    assert ended == [200] * threads


def test_connections_thrown_away_are_warned_of() -> None:
    """Who calls from more threads than the pool keeps connections learns why it is slow."""
    with mounted(4, pool_maxsize=3) as (stack, _, server):
        call_together(stack, 4)
        stack.get("alone")

        (warning,) = (line for line in stack.explain().splitlines() if "warning" in line)
    assert warning == (
        f"warning: 4 connections were opened to {server.origin} for 5 requests, but its pool "
        "keeps 3: where more threads call at once, mount HTTPAdapter(pool_maxsize=N) at http://, "
        "N being their number"
    )


def test_the_default_pool_is_seen_to_be_too_small() -> None:
    """requests keeps ten connections, which nobody knows who has not been bitten."""
    with mounted(11) as (stack, _, _):
        call_together(stack, 11)

        assert "its pool keeps 10:" in stack.explain()


@pytest.mark.parametrize(
    "pool", [{"pool_maxsize": 4}, {"pool_maxsize": 8}, {"pool_maxsize": 0}], ids=str
)
def test_a_pool_that_is_large_enough_is_no_reason_to_warn(pool: dict[str, int]) -> None:
    """The cure works; and a pool without a limit throws nothing away."""
    with mounted(4, **pool) as (stack, _, _):
        call_together(stack, 4)

        assert "warning" not in stack.explain()


def test_an_adapter_mounted_twice_is_named_once() -> None:
    """One adapter for both schemes is the usual way."""
    with mounted(3, "http://", "https://", pool_maxsize=2) as (stack, _, _):
        call_together(stack, 3)

        text = stack.explain()
    assert text.count("warning") == 1
    assert "at https:// and http://, N" in text


def test_connections_that_broke_are_not_taken_for_too_many_threads() -> None:
    """A larger pool does not help where a server hangs up."""
    with mounted(1, pool_maxsize=2) as (stack, _, server):
        for _ in range(4):
            with pytest.raises(requests.ConnectionError):
                stack.get("broken")
        stack.get("alone")

        assert server.connections == 5
        assert "warning" not in stack.explain()


def test_connections_through_a_proxy_are_seen_too() -> None:
    """A proxy has pools of its own, and its password is none of theirs."""
    with mounted(3, pool_maxsize=2) as (stack, session, server):
        session.proxies = {"http": server.origin.replace("//", "//user:s3cret@")}
        ended = at_once(3, lambda _: stack.get("http://api.example/together").status_code)

        assert ended == [200] * 3
        assert f"3 connections were opened to {server.origin} for 3 requests" in stack.explain()
        assert "s3cret" not in stack.explain()


def test_a_pool_that_blocks_says_when_calls_must_wait() -> None:
    """A program that stands still can be asked why."""
    with mounted(1, pool_maxsize=1, pool_block=True) as (stack, _, server):
        with stack.get("alone", stream=True):
            text = stack.explain()
        assert f"warning: all 1 connections to {server.origin} are in use" in text
        assert "stream=True" in text
        assert "warning" not in stack.explain()


def test_a_pool_that_blocks_throws_nothing_away() -> None:
    """Fewer connections than threads may be what somebody wants."""
    with mounted(2, pool_maxsize=2, pool_block=True) as (stack, _, server):
        with pytest.raises(requests.ConnectionError):
            stack.get("broken")
        ended = at_once(6, lambda _: stack.get("together").status_code)

        assert ended == [200] * 6
        assert server.connections == 3
        assert "warning" not in stack.explain()


def test_to_explain_changes_no_pool() -> None:
    """The pool that is given up first is the one that was used longest ago, asked or not."""
    with (
        mounted(1, pool_connections=2) as (stack, session, server),
        LoopbackServer(Gate(1)) as other,
    ):
        for origin in (server.origin, other.origin, server.origin):
            stack.get(origin)
        adapter: Any = session.get_adapter("http://")
        pools = adapter.poolmanager.pools
        before = list(pools._container)
        stack.explain()

        assert list(pools._container) == before
        assert len(before) == 2


@pytest.mark.parametrize("kept", [None, SimpleQueue()], ids=["closed", "another library's"])
def test_pools_that_show_nothing_are_left_alone(kept: Any) -> None:
    """One that was closed meanwhile, or keeps its connections in a way of its own."""
    with mounted(1) as (stack, session, _):
        stack.get("x")
        adapter: Any = session.get_adapter("http://")
        (pool,) = adapter.poolmanager.pools._container.values()
        queue, pool.pool = pool.pool, kept

        assert "warning" not in stack.explain()
        pool.pool = queue


def test_a_pool_that_does_not_block_makes_no_call_wait() -> None:
    """All its connections may be in use; the next call opens one more."""
    with mounted(1, pool_maxsize=1) as (stack, _, _), stack.get("x", stream=True):
        assert "warning" not in stack.explain()


def test_adapters_that_are_not_urllib3s_are_left_alone() -> None:
    """Whatever is mounted, a stack can be explained."""

    class Local(requests.adapters.BaseAdapter):
        """An adapter without pools."""

        def close(self) -> None:
            """Nothing is open."""

    with requests.Session() as session:
        session.mount("local://", Local())

        assert "warning" not in SessionStack(session).explain()
