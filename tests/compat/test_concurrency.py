"""Requests made side by side by tools of others: the stack is the session that they are given."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import as_completed
from typing import Any

import pytest
import requests
from requests_futures.sessions import FuturesSession
from requests_toolbelt.threaded.pool import Pool

from sessionkit import SessionStack, recommended
from sessionkit.auth import RefreshToken
from sessionkit.errors import ConfigError, NotFound
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

#: More calls than threads, more threads than one.
CALLS, THREADS = 24, 8


class Api(IdentityProvider):
    """An API with one page that is missing, behind a gate that can be shut."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def respond(self, request: ServerRequest) -> ServerResponse:
        """404 under /missing."""
        self.gate.wait(10)
        return ServerResponse(404) if request.path == "/missing" else super().respond(request)


@pytest.fixture
def served() -> Iterator[tuple[SessionStack, Api, LoopbackServer]]:
    """Open a stack whose token is known to the API no more."""
    api = Api()
    with LoopbackServer(api.respond) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant), base_url=server.origin)
        assert stack.get("/first").ok
        api.expire()
        yield stack, api, server


@pytest.mark.package("requests-futures", "session")
def test_requests_futures_over_a_stack_has_one_renewal_for_all_its_threads(
    served: tuple[SessionStack, Api, LoopbackServer],
) -> None:
    """Each future has its own answer, by every verb, streamed ones and hooks included."""
    stack, api, _ = served
    hooked: list[str] = []
    with FuturesSession(session=stack, max_workers=THREADS) as futures:
        asked = {futures.get(f"/{n}"): f"/{n}" for n in range(CALLS)}
        for done in as_completed(asked):
            assert done.result().json()["path"] == asked[done]
        posted = futures.post(
            "/posted", data=b"body", hooks={"response": lambda r, **_: hooked.append(r.url)}
        )
        assert posted.result().json()["size"] == 4
        assert b"".join(futures.get("/s", stream=True).result().iter_content(7)).startswith(b"{")
        error = futures.get("/missing").exception()

    assert len(hooked) == 1
    assert isinstance(error, NotFound)
    assert api.renewals == 2  # the first login, and one for all
    assert api.reuse_detected == 0


@pytest.mark.package("requests-futures", "session")
def test_requests_futures_sizes_the_pool_of_the_session_below(
    served: tuple[SessionStack, Api, LoopbackServer],
) -> None:
    """It looks for the adapters on the stack, and finds the session's."""
    stack, _, _ = served
    with FuturesSession(session=stack, max_workers=20) as futures:
        assert futures.get("/x").result().ok

    adapter: Any = stack.get_adapter("http://x")
    assert adapter._pool_maxsize == 20


@pytest.mark.package("requests-futures", "session")
def test_a_session_that_answers_later_is_refused_by_name_where_handlers_would_look() -> None:
    """Without handlers its future is handed on; with them the error shows the way round."""
    with LoopbackServer(lambda _: ServerResponse(200, [1])) as server, FuturesSession() as futures:
        # Or the answer that nobody waits for would keep its connection.
        futures.hooks["response"].append(lambda answer, **_: answer.content and None)
        transparent: Any = SessionStack(futures)
        assert transparent.get(server.origin).result().json() == [1]

        with pytest.raises(ConfigError, match="Future") as caught:
            SessionStack(futures, recommended()).get(server.origin)
        assert "FuturesSession(session=stack)" in caught.value.hint


def pooled(jobs: list[dict[str, Any]], api: Api, **settings: Any) -> Pool:
    """Have toolbelt's pool do *jobs*; its threads begin before it is whole, so they wait."""
    todo: queue.Queue[dict[str, Any]] = queue.Queue()
    for job in jobs:
        todo.put(job)
    api.gate.clear()
    pool = Pool(todo, num_processes=THREADS, **settings)
    api.gate.set()
    pool.join_all()
    return pool


@pytest.mark.package("requests-toolbelt", "session")
def test_toolbelts_threaded_pool_has_one_renewal_for_all_its_threads(
    served: tuple[SessionStack, Api, LoopbackServer],
) -> None:
    """Given a stack in place of a session class, each thread uses it; errors come back as such."""
    stack, api, server = served
    jobs: list[dict[str, Any]] = [{"method": "GET", "url": f"/{n}"} for n in range(CALLS)]
    jobs += [{"method": "POST", "url": "/body", "data": b"body"}]
    jobs += [{"method": "GET", "url": "/missing"}]
    pool = pooled(jobs, api, session=lambda: stack)
    paths = sorted(answer.json()["path"] for answer in pool.responses())

    assert paths == sorted([f"/{n}" for n in range(CALLS)] + ["/body"])
    assert [type(error.exception) for error in pool.exceptions()] == [NotFound]
    assert api.renewals == 2
    assert server.requests_to("/body")[-1].body == b"body"


@pytest.mark.package("requests-toolbelt", "session")
def test_toolbelts_pool_prepares_its_sessions_as_its_user_says(
    served: tuple[SessionStack, Api, LoopbackServer],
) -> None:
    """An initializer gets the light stack of each thread, and sets what it likes."""
    stack, api, server = served

    def prepared(light: Any) -> Any:
        light.headers["X-Set"] = "1"
        return light

    jobs = [{"method": "GET", "url": f"{server.origin}/set/{n}"} for n in range(CALLS)]
    pool = pooled(jobs, api, session=lambda: stack.with_options(timeout=10), initializer=prepared)

    assert len(list(pool.responses())) == CALLS
    assert list(pool.exceptions()) == []
    assert api.renewals == 2
    calls = [seen for seen in server.requests if seen.path.startswith("/set/")]
    assert all(seen.headers["x-set"] == "1" for seen in calls)
