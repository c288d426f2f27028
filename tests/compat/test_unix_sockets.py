"""requests-unixsocket over a real socket of the file system, as the engines of containers have."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
import requests
import requests_unixsocket

from sessionkit import SessionStack, recommended
from sessionkit.auth import AuthHandler, Header, RefreshToken, StaticToken
from sessionkit.errors import ConnectFailed, NotFound
from sessionkit.testing import server
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)

pytestmark = pytest.mark.package("requests-unixsocket", "session")


class _Listener(server._Listener):
    address_family = socket.AF_UNIX
    allow_reuse_address = False


class UnixServer(LoopbackServer):
    """A server on a socket in the file system."""

    def __init__(self, respond: Callable[[ServerRequest], ServerResponse], path: Path) -> None:
        self.origin = f"http+unix://{quote(str(path), safe='')}"
        self._start(_Listener(str(path), server._Connection), respond)


class Engine(IdentityProvider):
    """An API with tokens that end, a page that is missing and a redirect."""

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Answer."""
        if request.path == "/missing":
            return ServerResponse(404, {"detail": "not here"})
        return super().respond(request)


@pytest.fixture
def engine() -> Iterator[tuple[Engine, UnixServer, requests.Session]]:
    """Start the engine; its path must be short, or no socket can have it."""
    api = Engine()
    with (
        TemporaryDirectory() as folder,
        UnixServer(api.respond, Path(folder, "api.sock")) as server,
        requests_unixsocket.Session() as session,
    ):
        yield api, server, session


def test_a_token_is_renewed_over_the_socket(
    engine: tuple[Engine, UnixServer, requests.Session],
) -> None:
    """Its address is an origin like any other, and its token endpoint may be there too."""
    api, server, session = engine
    grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
    stack = SessionStack(session, recommended(grant), base_url=f"{server.origin}/")
    assert stack.get("one").json()["path"] == "/one"
    api.expire()

    assert stack.post("two", data=b"body").json()["size"] == 4
    api.expire()
    prepared = stack.prepare_request(requests.Request("PUT", f"{server.origin}/three", data=b"b"))
    assert stack.send(prepared).json()["path"] == "/three"
    with stack.get(f"{server.origin}/four", stream=True) as streamed:
        assert b"/four" in b"".join(streamed.iter_content(8))
    with pytest.raises(NotFound, match="not here"):
        stack.get("missing")
    assert api.renewals == 3


def test_a_call_with_a_budget_of_time_reads_from_the_socket(
    engine: tuple[Engine, UnixServer, requests.Session],
) -> None:
    """A deadline needs the connection below an answer; one of a file has none of TCP's."""
    _, server, session = engine
    stack = SessionStack(session, recommended(), base_url=server.origin)

    assert stack.get("token", total_timeout=30).json()["access_token"] == "access-1"


def test_a_token_for_one_socket_goes_to_no_other(
    engine: tuple[Engine, UnixServer, requests.Session],
) -> None:
    """Two sockets are two origins; so are a socket and a host."""
    _, server, session = engine
    with (
        TemporaryDirectory() as folder,
        UnixServer(lambda _: ServerResponse(), Path(folder, "other.sock")) as other,
        LoopbackServer(lambda _: ServerResponse()) as host,
    ):
        keyed = AuthHandler(StaticToken("planted"), scheme=Header("X-Key"))
        for handler in (keyed, AuthHandler(StaticToken("planted"))):
            stack = SessionStack(session, [handler], base_url=server.origin)
            assert stack.get(f"{other.origin}/x").ok
            assert stack.get(f"{host.origin}/x").ok
            stack.get("/x")

        assert "planted" not in repr(other.requests + host.requests)
        assert [seen.headers.get("x-key") for seen in server.requests] == ["planted", None]
        assert server.requests[1].bearer == "planted"


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("said", ["No such file", "refused"])
def test_a_socket_where_nobody_listens_is_a_connection_that_failed(
    said: str,
) -> None:
    """An engine that does not run was sent nothing, so any call may be made again."""
    with (
        TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX) as deaf,
        requests_unixsocket.Session() as session,
    ):
        path = str(Path(folder, "api.sock"))
        if said == "refused":
            deaf.bind(path)
        origin = f"http+unix://{quote(path, safe='')}"
        stack = SessionStack(session, recommended(), base_url=origin)
        with pytest.raises(ConnectFailed, match=said) as caught:
            stack.get("x", retries=0)

        assert isinstance(caught.value, requests.ConnectionError)
        assert caught.value.sent == "no"
    # The adapter leaves the socket that it could not connect; here, where that is no error.
    del caught
    gc.collect()


def test_a_plain_session_does_not_know_the_scheme(
    engine: tuple[Engine, UnixServer, requests.Session],
) -> None:
    """An adapter mounted through the stack makes it known."""
    _, server, _ = engine
    with requests.Session() as plain:
        stack = SessionStack(plain, base_url=server.origin)
        with pytest.raises(requests.exceptions.InvalidSchema):
            stack.get("token")
        stack.mount("http+unix://", requests_unixsocket.UnixAdapter())

        assert stack.get("token").ok
