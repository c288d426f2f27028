"""Stand-ins and recorders of others, active around a stack: handlers see what these answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import betamax
import pytest
import requests
import requests_mock
import responses
import vcr

from sessionkit import CallNext, Exchange, SessionStack, recommended
from sessionkit.auth import Header, RefreshToken
from sessionkit.errors import NotFound
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

# Betamax asks for the time in a way that Python 3.12 advises against.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

ORIGIN = "http://api.example"


class Api(IdentityProvider):
    """An API with an identity server, and with whatever else a client may meet."""

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Answer."""
        if request.path == "/missing":
            return ServerResponse(404, {"detail": "not here"})
        if request.path == "/moved":
            return ServerResponse(302, b"", {"Location": "/end"})
        return super().respond(request)

    def told(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        """Answer a prepared request, as stand-ins ask for it."""
        path, _, query = request.path_url.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        body = body.read() if hasattr(body, "read") else body
        reply = self.respond(ServerRequest(request.method, path, parse_qs(query), headers, body))
        text = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        return reply.status, {"Content-Type": "application/json", **reply.headers}, text


class Looking:
    """A handler that notes what comes back to it."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        """Note the status."""
        response = call_next(exchange)
        self.statuses.append(response.status_code)
        return response


def stacked(session: requests.Session, origin: str, **settings: Any) -> tuple[Any, Looking]:
    """Return the recommended stack, with a handler next to the wire that looks."""
    grant = RefreshToken(f"{origin}/token", "refresh-0", client_id="app")
    chain = recommended(grant, **settings)
    looking = Looking()
    chain["looking"] = looking
    return SessionStack(session, chain, base_url=origin), looking


def tour(stack: Any, api: Api | None) -> list[Any]:
    """Make calls by every way in, the token ending in between; return what they gave."""
    given: list[Any] = [stack.get("/first").json()["path"]]
    if api is not None:
        api.expire()
    given.append(stack.post("/order", data=b"body").json()["size"])
    prepared = stack.prepare_request(requests.Request("GET", f"{stack.base_url}/prepared"))
    given.append(stack.send(prepared).json()["path"])
    with stack.get("/stream", stream=True) as streamed:
        given.append(b"".join(streamed.iter_content(5)))
    with stack.get("/lines", stream=True) as streamed:
        given.append(list(streamed.iter_lines()))
    given.append(stack.get("/budget", total_timeout=30).json()["path"])
    moved = stack.get("/moved")
    given.append((moved.json()["path"], [past.status_code for past in moved.history]))
    with pytest.raises(NotFound, match="not here"):
        stack.get("/missing")
    return given


#: The token for /first and, after its end, the 401, the renewal and the rest; token requests are
#: direct requests, which pass by all handlers.
STATUSES = [200, 401, 200, 200, 200, 200, 200, 200, 404]


# -- Stand-ins


@contextmanager
def by_requests_mock(api: Api) -> Iterator[None]:
    """requests-mock, for every session there is."""

    def answer(request: Any, context: Any) -> bytes:
        context.status_code, headers, body = api.told(request)
        context.headers.update(headers)
        return body

    with requests_mock.Mocker() as mocker:
        mocker.register_uri(requests_mock.ANY, requests_mock.ANY, content=answer)
        yield


@contextmanager
def by_responses(api: Api) -> Iterator[None]:
    """Responses, in place of every adapter."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mocker:
        for method in ("GET", "POST"):
            for path in ("token", "first", "order", "prepared", "stream", "lines", "budget"):
                mocker.add_callback(method, f"{ORIGIN}/{path}", api.told)
            for path in ("moved", "end", "missing"):
                mocker.add_callback(method, f"{ORIGIN}/{path}", api.told)
        yield


STAND_INS = [
    pytest.param(
        by_requests_mock, id="requests-mock", marks=pytest.mark.package("requests-mock", "recorder")
    ),
    pytest.param(by_responses, id="responses", marks=pytest.mark.package("responses", "recorder")),
]


@pytest.mark.parametrize("scheme", ["bearer", "header"])
@pytest.mark.parametrize("stand_in", STAND_INS)
def test_under_a_stand_in_a_stack_renews_and_maps_errors(
    stand_in: Callable[[Api], AbstractContextManager[None]], scheme: str
) -> None:
    """What it answers goes through all handlers, by every way in, as if it came from a server."""
    api = Api()
    if scheme == "header":
        api.admits = lambda request: api.use(request.headers.get("x-key", "")) is not None  # type: ignore[method-assign]  # a stand-in
    settings = {"scheme": Header("X-Key")} if scheme == "header" else {}
    with stand_in(api), requests.Session() as session:
        stack, looking = stacked(session, ORIGIN, **settings)
        given = tour(stack, api)

    assert given[:3] == ["/first", 4, "/prepared"]
    assert given[5:] == ["/budget", ("/end", [302])]
    assert json.loads(given[3])["path"] == "/stream"
    assert json.loads(given[4][0])["path"] == "/lines"
    assert looking.statuses == STATUSES
    assert api.renewals == 2


@pytest.mark.package("requests-mock", "recorder")
def test_requests_mock_stands_in_for_the_session_of_a_stack_alone() -> None:
    """``Mocker(session=...)`` with the wrapped session; other sessions are left alone."""
    with (
        requests.Session() as session,
        LoopbackServer(lambda _: ServerResponse(200, {"real": True})) as server,
    ):
        stack, looking = stacked(session, server.origin)
        with requests_mock.Mocker(session=session) as mocker:
            tokens = [{"json": {"access_token": token}} for token in ("t-1", "t-2")]
            mocker.post("/token", tokens)
            mocker.get("/x", [{}, {"status_code": 401}, {"json": {"real": False}}])
            assert stack.get("/x").ok
            assert stack.get("/x").json() == {"real": False}
            assert mocker.last_request.headers["Authorization"] == "Bearer t-2"
            assert requests.get(f"{server.origin}/x", timeout=5).json() == {"real": True}

        assert looking.statuses == [200, 401, 200]
        assert len(server.requests) == 1


@pytest.mark.package("requests-mock", "recorder")
def test_requests_mock_around_the_stack_itself_keeps_off_the_network() -> None:
    """``Mocker(session=stack)`` stands in for the stack, handlers and all, and ends again."""
    with (
        requests.Session() as session,
        LoopbackServer(lambda _: ServerResponse(200, {"real": True})) as server,
    ):
        stack = SessionStack(session, recommended(), base_url=server.origin)
        with requests_mock.Mocker(session=stack) as mocker:
            mocker.get("/x", json={"real": False})
            assert stack.get("/x").json() == {"real": False}
            assert server.requests == []

        assert stack.get("/x").json() == {"real": True}


@pytest.mark.package("requests-mock", "recorder")
def test_requests_mocks_adapter_is_mounted_through_the_stack() -> None:
    """As its documentation has it, with a scheme of its own; only what it knows is answered."""
    with requests.Session() as session:
        stack = SessionStack(session, recommended())
        adapter = requests_mock.Adapter()
        stack.mount("mock://", adapter)
        adapter.register_uri("GET", "mock://api/x", json={"mocked": True})

        assert stack.get("mock://api/x").json() == {"mocked": True}
        with pytest.raises(requests_mock.NoMockAddress):  # its own: a fault of the test
            stack.get("mock://api/unknown")


@pytest.mark.package("responses", "recorder")
def test_responses_answers_one_after_the_other_and_is_counted_by_attempts() -> None:
    """A retried 503 takes the next of its answers; what is not registered is no answer."""
    with responses.RequestsMock() as mocker, requests.Session() as session:
        mocker.get(f"{ORIGIN}/x", status=503, headers={"Retry-After": "0"})
        mocker.get(f"{ORIGIN}/x", json={"n": 2})
        stack: Any = SessionStack(session, recommended(), base_url=ORIGIN)
        response = stack.get("/x")

        assert response.json() == {"n": 2}
        assert [attempt.status for attempt in response.record.attempts] == [503, 200]
        assert len(mocker.calls) == 2
        with pytest.raises(requests.ConnectionError, match="refused by Responses"):
            stack.get("/unknown", retries=0)


# -- Recorders


@contextmanager
def by_vcrpy(folder: Path, session: Any) -> Iterator[None]:
    """Vcrpy, below urllib3; each answer is played once."""
    with vcr.use_cassette(str(folder / "tape.yaml"), record_mode="once"):
        yield


@contextmanager
def by_betamax(folder: Path, session: Any) -> Iterator[None]:
    """Betamax, mounted on the session that it is given: here, the stack."""
    recorder = betamax.Betamax(session, cassette_library_dir=str(folder))
    with recorder.use_cassette("tape", match_requests_on=["method", "uri", "body"], record="once"):
        yield


RECORDERS = [
    pytest.param(by_vcrpy, id="vcrpy", marks=pytest.mark.package("vcrpy", "recorder")),
    pytest.param(by_betamax, id="betamax", marks=pytest.mark.package("betamax", "recorder")),
]
Recorder = Callable[[Path, Any], AbstractContextManager[None]]


@pytest.mark.parametrize("recorder", RECORDERS)
def test_a_recorder_around_a_stack_plays_back_what_it_recorded(
    recorder: Recorder, tmp_path: Path
) -> None:
    """The same run with and without a server: the refusal, the renewal, the replay, the error."""
    api = Api()
    told: list[tuple[Any, list[int]]] = []
    with LoopbackServer(api.respond) as server:
        asked = []
        for ending in (api, None):
            with requests.Session() as session:
                stack, looking = stacked(session, server.origin)
                with recorder(tmp_path, stack):
                    told.append((tour(stack, ending), looking.statuses))
            asked.append(len(server.requests))

        assert told[0] == told[1]
        assert told[0][1] == STATUSES
        assert asked[0] == asked[1]
    assert api.renewals == 2


@pytest.mark.package("betamax", "recorder")
def test_betamax_leaves_the_adapters_as_they_were(tmp_path: Path) -> None:
    """What it mounts through the stack it takes away through the stack."""
    with requests.Session() as session:
        stack = SessionStack(session, recommended())
        before = dict(session.adapters)
        with by_betamax(tmp_path, stack):
            assert dict(session.adapters) != before

        assert dict(session.adapters) == before


@pytest.mark.package("vcrpy", "recorder")
def test_what_vcrpy_compressed_or_left_alone_reads_the_same(tmp_path: Path) -> None:
    """A compressed answer is decoded once, recorded and played, in pieces and whole."""
    packed = gzip.compress(b"anything at all")
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    with (
        LoopbackServer(lambda _: ServerResponse(200, packed, headers)) as server,
        requests.Session() as session,
    ):
        plain = session.get(server.origin).content
        for _ in range(2):
            stack = SessionStack(session, recommended(), base_url=server.origin)
            with by_vcrpy(tmp_path, stack):
                assert stack.get("/x").content == plain
                assert stack.get("/y", total_timeout=30).content == plain
                with stack.get("/z", stream=True) as streamed:
                    assert b"".join(streamed.iter_content(3)) == plain
        assert len(server.requests) == 4
