"""The demo's API on a real socket."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest

from sessionkit.demo import DemoServer
from sessionkit.errors import ConfigError
from sessionkit.testing import FakeClock


@pytest.fixture
def server() -> Iterator[DemoServer]:
    """A server whose time stands still."""
    with DemoServer(clock=FakeClock()) as running:
        yield running


@pytest.fixture
def connection(server: DemoServer) -> Iterator[HTTPConnection]:
    """One connection to it."""
    opened = HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
    yield opened
    opened.close()


def bearer(server: DemoServer) -> dict[str, str]:
    """Headers with a living token."""
    return {"Authorization": f"Bearer {server.login()['access_token']}"}


def talk(server: DemoServer, text: bytes) -> bytes:
    """Send bytes as they are, and read all that comes back."""
    host, port = server.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(text)
        with raw.makefile("rb") as answer:
            return answer.read()


def test_a_first_pair_opens_the_api(server: DemoServer, connection: HTTPConnection) -> None:
    """Three lines are enough to have something to try against."""
    connection.request("GET", server.base_url + "products/7", headers=bearer(server))
    answer = connection.getresponse()

    assert answer.status == 200
    assert json.load(answer)["id"] == 7
    assert server.token_url == server.origin + "/oauth/token"


def test_links_lead_back_to_this_very_server(
    server: DemoServer, connection: HTTPConnection
) -> None:
    """A walk by absolute links stays on the origin it began at."""
    connection.request("GET", "/api/products?per_page=50", headers=bearer(server))
    answer = connection.getresponse()
    answer.read()

    assert f'<{server.base_url}products?page=2&per_page=50>; rel="next"' in answer.headers["Link"]


def test_one_connection_serves_many_calls(server: DemoServer, connection: HTTPConnection) -> None:
    """A refused body is read to its end, so that the connection stays usable."""
    connection.request("POST", "/api/orders", body=b"x" * 10_000)
    refused = connection.getresponse()
    refused.read()
    first = connection.sock
    connection.request("POST", "/api/orders", body=b"x" * 10_000, headers=bearer(server))
    taken = connection.getresponse()

    assert (refused.status, taken.status) == (401, 201)
    assert json.load(taken)["size"] == 10_000
    assert connection.sock is first


def test_a_body_in_chunks_arrives_whole(server: DemoServer, connection: HTTPConnection) -> None:
    """Generators can be uploaded too (RFC 9112, section 7.1)."""
    body = io.BytesIO(b"ab" * 40_000)
    connection.request("POST", "/api/orders", body, bearer(server), encode_chunked=True)

    assert json.load(connection.getresponse())["size"] == 80_000


def test_head_has_no_body(server: DemoServer, connection: HTTPConnection) -> None:
    """The next answer on the connection is not mistaken for a body."""
    connection.request("HEAD", "/api/products/7", headers=bearer(server))
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (200, b"")


def test_a_client_that_waits_for_the_go_ahead_gets_it(server: DemoServer) -> None:
    """``Expect: 100-continue`` does not hang (RFC 9110, section 10.1.1)."""
    host, port = server.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        with raw.makefile("rb") as answers:
            go_ahead = answers.readline() + answers.readline()
            raw.sendall(b"ok")
            status = answers.readline()

    assert go_ahead == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert status.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: x",
        b"Content-Length: 99999999999",
        b"Transfer-Encoding: chunked\r\n\r\nzz",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffff",
        b"Transfer-Encoding: chunked\r\n\r\n-1",
    ],
)
def test_a_body_without_a_usable_length_ends_the_connection(
    server: DemoServer, lines: bytes
) -> None:
    """Nobody can make the server hold more than it should, or misread the next request."""
    answer = talk(server, b"POST /api/orders HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"Connection: close" in answer


def test_trailers_are_not_taken_for_the_next_request(server: DemoServer) -> None:
    """RFC 9112, section 7.1.2."""
    text = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"

    answer = talk(server, text + b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")

    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 404")


def test_leaving_ends_open_connections_and_threads() -> None:
    """A test suite may start a hundred of these."""
    before = set(threading.enumerate())
    with DemoServer(clock=FakeClock()) as server:
        opened = HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
        opened.request("GET", "/_figures")
        answer: HTTPResponse = opened.getresponse()
        assert json.load(answer) == server.figures() | {"requests": 1}

    assert set(threading.enumerate()) <= before
    opened.close()


def test_a_client_that_hangs_up_is_no_news(
    server: DemoServer, connection: HTTPConnection, capfd: pytest.CaptureFixture[str]
) -> None:
    """The terminal belongs to the demo's own words."""
    host, port = server.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        # Closing with a linger of 0 resets the connection, while the server reads from it.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
    connection.request("GET", "/_figures")

    assert connection.getresponse().read()
    assert capfd.readouterr() == ("", "")


def test_a_fault_of_the_server_itself_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """What nobody foresaw does not pass in silence."""
    with DemoServer(clock=FakeClock()) as server:
        assert server._listener is not None
        try:
            json.loads("unforeseen")
        except ValueError:
            server._listener.handle_error(None, ("127.0.0.1", 0))

    assert "JSONDecodeError" in capfd.readouterr().err


def test_outside_its_block_it_has_no_address() -> None:
    """A forgotten ``with`` is told as what it is."""
    with pytest.raises(ConfigError, match="with-block"):
        _ = DemoServer().base_url
