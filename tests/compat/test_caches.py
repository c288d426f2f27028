"""Caching sessions under a stack: they cache what they did, and no refusal, and no token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cachecontrol
import pytest
import requests
import requests_cache

from sessionkit import CallNext, Exchange, SessionStack, recommended
from sessionkit.auth import AuthHandler, CallableGrant, ClientCredentials, Header, StaticToken
from sessionkit.errors import RateLimited
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

CACHED = {"Cache-Control": "max-age=60"}


class Keyed:
    """An API that wants a key, which can be changed; all that it gives may be cached."""

    key = "k-1"

    def answer(self, seen: ServerRequest) -> ServerResponse:
        """Answer 401 to another key."""
        if seen.headers.get("x-key") != self.key:
            return ServerResponse(401, {"detail": "another key"}, CACHED)
        return ServerResponse(200, {"path": seen.path}, CACHED)


@pytest.fixture
def keyed() -> Iterator[tuple[Keyed, LoopbackServer, dict[str, Any]]]:
    """Start it; with the chain that knows its key."""
    api = Keyed()
    with LoopbackServer(api.answer) as server:
        grant = CallableGrant(lambda *_: api.key)
        yield api, server, recommended(grant, scheme=Header("X-Key"))


def in_memory() -> requests.Session:
    """requests-cache's."""
    return requests_cache.CachedSession(backend="memory")


def controlled() -> requests.Session:
    """CacheControl's."""
    return cachecontrol.CacheControl(requests.Session())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(in_memory, marks=pytest.mark.package("requests-cache", "session")),
        pytest.param(controlled, marks=pytest.mark.package("cachecontrol", "session")),
    ],
)
def test_what_was_cached_is_served_without_a_request_and_a_refusal_is_not_cached(
    make: Callable[[], requests.Session], keyed: tuple[Keyed, LoopbackServer, dict[str, Any]]
) -> None:
    """The 401 is renewed for; what it kept from the caller is what the cache then holds."""
    api, server, chain = keyed
    with make() as session:
        stack = SessionStack(session, chain, base_url=server.origin)
        answers: list[Any] = [stack.get("/x") for _ in range(2)]
        api.key = "k-2"
        answers += [stack.get("/y") for _ in range(2)]
        with stack.get("/y", stream=True) as streamed:
            answers.append(streamed)
            assert b"".join(streamed.iter_content(3)) == answers[3].content

        assert [answer.json()["path"] for answer in answers[:4]] == ["/x", "/x", "/y", "/y"]
        record = [answer.record.from_cache for answer in answers]
        assert record == [False, True, False, True, True]
        assert len(server.requests_to("/x")) == 1
        assert len(server.requests_to("/y")) == 2


@pytest.mark.package("requests-cache", "session")
def test_the_second_hit_of_a_cache_has_its_own_record_and_time() -> None:
    """What a cache hands out again is not overwritten by the next call."""
    with LoopbackServer(lambda _: ServerResponse(200, {"n": 1})) as server, in_memory() as session:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        answers: list[Any] = [stack.get("/x") for _ in range(3)]

        assert len(server.requests) == 1
        assert [answer.record.from_cache for answer in answers] == [False, True, True]
        assert len({id(answer.record) for answer in answers}) == 3
        assert len({id(answer.headers) for answer in answers}) == 3
        assert all("X-Client-Time" in answer.headers for answer in answers)


@pytest.mark.package("requests-cache", "session")
def test_what_only_requests_cache_knows_is_reached_through_the_stack(
    keyed: tuple[Keyed, LoopbackServer, dict[str, Any]],
) -> None:
    """Its arguments, its settings, its cache and its switches, by the stack's own names."""
    _, server, chain = keyed
    with in_memory() as session:
        stack: Any = SessionStack(session, chain, base_url=server.origin)
        stack.get("/x", expire_after=60)
        with stack.cache_disabled():
            assert not stack.get("/x").record.from_cache
        assert stack.get("/x", only_if_cached=True).from_cache
        assert not stack.get("/x", force_refresh=True).from_cache
        assert stack.cache.contains(url=f"{server.origin}/x")
        stack.cache.clear()
        stack.settings.disabled = True

        assert session.settings.disabled  # type: ignore[attr-defined]  # requests-cache's
        assert not stack.get("/x").from_cache
        with pytest.raises(Exception, match="504"):
            stack.get("/never", only_if_cached=True, retries=0)


@pytest.mark.package("cachecontrol", "session")
@pytest.mark.parametrize("chunked", [False, True])
def test_cachecontrol_asks_whether_what_it_has_is_still_right(chunked: bool) -> None:
    """An ETag is sent back, and its 304 is the cached answer; within a budget of time too."""

    def answer(seen: ServerRequest) -> ServerResponse:
        if seen.headers.get("if-none-match") == '"1"':
            return ServerResponse(304, b"", {"ETag": '"1"'})
        if chunked:
            body = iter([b"5\r\n[1,2,\r\n2\r\n3]\r\n0\r\n\r\n"])
            return ServerResponse(200, body, {"ETag": '"1"', "Transfer-Encoding": "chunked"})
        return ServerResponse(200, [1, 2, 3], {"ETag": '"1"'})

    with LoopbackServer(answer) as server, controlled() as session:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        answers: list[Any] = [stack.get("/x", total_timeout=30) for _ in range(3)]

        assert [answer.json() for answer in answers] == [[1, 2, 3]] * 3
        assert [answer.status_code for answer in answers] == [200] * 3
        assert [answer.record.from_cache for answer in answers] == [False, True, True]
        assert len(server.requests) == 3


@pytest.mark.package("requests-cache", "session")
def test_a_cache_under_a_rate_limit_spares_the_api_and_a_handler_sees_both() -> None:
    """What a handler above sees of a hit is the answer, with the mark that it is one."""
    seen_by_handler: list[tuple[int, bool]] = []

    def looking(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange)
        seen_by_handler.append((response.status_code, exchange.record.from_cache))
        return response

    answers = iter([ServerResponse(200, {"n": 1}), ServerResponse(429)])
    with LoopbackServer(lambda _: next(answers)) as server, in_memory() as session:
        chain = recommended()
        chain["looking"] = looking  # type: ignore[assignment]  # a function is a handler too
        stack = SessionStack(session, chain, base_url=server.origin)
        stack.get("/x")
        stack.get("/x")
        with pytest.raises(RateLimited):
            stack.get("/y", retries=0)

        assert seen_by_handler == [(200, False), (200, True), (429, False)]


@pytest.mark.package("requests-cache", "session")
def test_a_token_is_never_served_again_from_a_cache() -> None:
    """A cache of POSTs would hand out the token that has just ended, for ever."""
    identity = IdentityProvider()
    with (
        LoopbackServer(identity.respond) as server,
        requests_cache.CachedSession(backend="memory", allowable_methods=["GET", "POST"]) as kept,
    ):
        login = ClientCredentials(f"{server.origin}/token", client_id="app", client_secret="s")
        stack = SessionStack(kept, {"auth": AuthHandler(login)}, base_url=server.origin)
        for number in range(3):
            assert stack.get(f"/{number}").ok
            identity.expire()

        assert len(server.requests_to("/token")) == 3
