"""requests-toolbelt on a stack: its adapters mounted, its uploads sent whole or not at all."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests_toolbelt import (
    MultipartDecoder,
    MultipartEncoder,
    MultipartEncoderMonitor,
    SourceAddressAdapter,
    SSLAdapter,
    StreamingIterator,
)
from requests_toolbelt.adapters.fingerprint import FingerprintAdapter
from requests_toolbelt.adapters.host_header_ssl import HostHeaderSSLAdapter
from requests_toolbelt.adapters.socket_options import SocketOptionsAdapter, TCPKeepAliveAdapter
from requests_toolbelt.auth.handler import AuthHandler as ByDomain
from requests_toolbelt.cookies.forgetful import ForgetfulCookieJar
from requests_toolbelt.downloadutils import stream, tee
from requests_toolbelt.utils import dump

from sessionkit import SessionStack, recommended
from sessionkit.auth import Header, RefreshToken, StaticToken
from sessionkit.errors import TlsFailed
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.tls import authority_file, server_context

pytestmark = pytest.mark.package("requests-toolbelt", "session")

#: A file larger than any buffer on its way.
FILE = bytes(range(256)) * 1024


class Api(IdentityProvider):
    """An API that keeps the bodies that it let in."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[tuple[str, bytes]] = []

    def respond(self, request: ServerRequest) -> ServerResponse:
        """Keep what comes with a live token."""
        reply = super().respond(request)
        if request.path != "/token" and reply.status == 200:
            self.bodies.append((request.headers.get("content-type", ""), request.body))
        return reply


@pytest.fixture
def served() -> Iterator[tuple[Any, Api, LoopbackServer]]:
    """Open the recommended stack, logged in."""
    api = Api()
    with LoopbackServer(api.respond) as server, requests.Session() as session:
        grant = RefreshToken(f"{server.origin}/token", "refresh-0", client_id="app")
        stack = SessionStack(session, recommended(grant, errors=False), base_url=server.origin)
        assert stack.get("/first").ok
        api.bodies.clear()
        yield stack, api, server


# -- Adapters, mounted through the stack


def test_a_source_address_is_the_one_that_the_adapter_says() -> None:
    """The server sees the connection come from there."""
    with LoopbackServer(lambda _: ServerResponse()) as server, requests.Session() as session:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        stack.mount("http://", SourceAddressAdapter("127.0.0.3"))
        with stack.get("/x", stream=True) as response:
            assert response.raw.connection.sock.getsockname()[0] == "127.0.0.3"
            assert response.json() == {}


@pytest.mark.parametrize(
    ("adapter", "level", "option"),
    [
        (
            SocketOptionsAdapter(socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]),
            socket.SOL_SOCKET,
            socket.SO_KEEPALIVE,
        ),
        (TCPKeepAliveAdapter(idle=77), socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    ],
    ids=["options", "keep-alive"],
)
def test_options_of_the_adapter_are_set_on_the_sockets(
    adapter: Any, level: int, option: int
) -> None:
    """Connections that handlers use are made as the adapter makes them."""
    with LoopbackServer(lambda _: ServerResponse()) as server, requests.Session() as session:
        stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
        stack.mount(server.origin, adapter)
        with stack.get("/x", stream=True) as response:
            assert response.raw.connection.sock.getsockopt(level, option) == 1
            assert response.content == b"{}"


@pytest.fixture
def secure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[LoopbackServer, requests.Session]]:
    """Start a server of https whose certificate is for this address and for a name."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)  # requests would take it for session.verify
    tls = server_context("127.0.0.1", "api.example")
    with (
        LoopbackServer(
            lambda seen: ServerResponse(200, {"bearer": seen.bearer}), tls=tls
        ) as server,
        requests.Session() as session,
    ):
        session.verify = authority_file(tmp_path)
        yield server, session


@pytest.mark.filterwarnings("ignore:.*ssl_version:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*TLSv1_2:DeprecationWarning")
def test_the_protocol_of_an_ssl_adapter_is_spoken(
    secure: tuple[LoopbackServer, requests.Session],
) -> None:
    """Mounted through the stack it decides for every call of the stack, and of the session."""
    server, session = secure
    stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
    stack.mount("https://", SSLAdapter(ssl.PROTOCOL_TLSv1_2))
    with stack.get("/x", stream=True) as response:
        assert response.raw.connection.sock.version() == "TLSv1.2"
        assert response.json() == {"bearer": "t"}


def test_a_host_header_names_the_certificate_that_is_wanted(
    secure: tuple[LoopbackServer, requests.Session],
) -> None:
    """The adapter reads the header of the call; a name that the certificate lacks is refused."""
    server, session = secure
    stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
    stack.mount("https://", HostHeaderSSLAdapter())

    assert stack.get("/x", headers={"Host": "api.example"}).json() == {"bearer": "t"}
    assert server.requests[-1].headers["host"] == "api.example"
    with pytest.raises(TlsFailed):
        stack.get("/x", headers={"Host": "other.example", "Connection": "close"}, retries=0)


def test_a_fingerprint_is_enough_and_a_wrong_one_is_not(
    secure: tuple[LoopbackServer, requests.Session],
) -> None:
    """What the adapter refuses is a failure of TLS, and no token left for it."""
    server, session = secure
    stack = SessionStack(session, recommended(StaticToken("t")), base_url=server.origin)
    stack.mount("https://", FingerprintAdapter("00" * 32))
    with pytest.raises(TlsFailed, match="ingerprint"):
        stack.get("/x", retries=0)

    assert server.requests == []


# -- Uploads


def parts(kept: tuple[str, bytes]) -> list[bytes]:
    """Return the parts of a multipart body."""
    content_type, body = kept
    return [part.content for part in MultipartDecoder(body, content_type).parts]


def encoder(boundary: str | None = None) -> Any:
    """Encode a field and a file."""
    fields = {"field": "value", "file": ("name.bin", io.BytesIO(FILE))}
    return MultipartEncoder(fields, boundary=boundary)


def test_a_multipart_upload_arrives_whole(served: tuple[Any, Api, LoopbackServer]) -> None:
    """Streamed, with its length; by ``post`` and by ``send``."""
    stack, api, server = served
    body = encoder()
    given = {"Content-Type": body.content_type}
    assert stack.post("/upload", data=body, headers=given).ok
    body = encoder()
    given = {"Content-Type": body.content_type}
    request = requests.Request("PUT", f"{server.origin}/upload", data=body, headers=given)
    assert stack.send(stack.prepare_request(request)).ok

    assert [parts(kept) for kept in api.bodies] == [[b"value", FILE]] * 2
    assert "content-length" in server.requests_to("/upload")[0].headers


def test_a_monitor_is_told_how_far_an_upload_is(served: tuple[Any, Api, LoopbackServer]) -> None:
    """Its callback hears of every piece, up to the length."""
    stack, api, _ = served
    heard: list[int] = []
    monitor = MultipartEncoderMonitor(encoder(), lambda read: heard.append(read.bytes_read))
    given = {"Content-Type": monitor.content_type}

    assert stack.post("/upload", data=monitor, headers=given).ok
    assert heard == sorted(heard)
    assert heard[-1] == monitor.len == len(api.bodies[0][1])
    assert len(heard) > 2


@pytest.mark.parametrize("monitored", [False, True], ids=["encoder", "monitor"])
def test_a_multipart_upload_that_was_refused_is_never_sent_empty(
    served: tuple[Any, Api, LoopbackServer], monitored: bool
) -> None:
    """It cannot be read twice: the 401 is the caller's, and his next upload finds a new token."""
    stack, api, server = served
    api.expire()

    def upload() -> requests.Response:
        body = MultipartEncoderMonitor(encoder()) if monitored else encoder()
        given = {"Content-Type": body.content_type}
        response: requests.Response = stack.post("/upload", data=body, headers=given)
        return response

    assert upload().status_code == 401
    assert len(server.requests_to("/upload")) == 1
    assert upload().status_code == 200
    assert [parts(kept) for kept in api.bodies] == [[b"value", FILE]]
    assert api.renewals == 2


class Rewindable(MultipartEncoderMonitor):  # type: ignore[misc]  # untyped
    """A monitor that can go back to its start, by encoding anew."""

    def __init__(self, callback: Any) -> None:
        started = encoder()
        super().__init__(started, callback)
        self._boundary = started.boundary_value

    def tell(self) -> int:
        """Say how far it is."""
        return int(self.bytes_read)

    def seek(self, position: int) -> None:
        """Go back to the start."""
        assert position == 0
        self.encoder = encoder(self._boundary)
        self.bytes_read = 0


def test_a_monitor_that_can_go_back_is_sent_again_whole(
    served: tuple[Any, Api, LoopbackServer],
) -> None:
    """With ``tell`` and ``seek`` an upload is replayed, and its progress starts over."""
    stack, api, server = served
    api.expire()
    heard: list[int] = []
    monitor = Rewindable(lambda read: heard.append(read.bytes_read))
    given = {"Content-Type": monitor.content_type}

    assert stack.post("/upload", data=monitor, headers=given).status_code == 200
    assert [parts(kept) for kept in api.bodies] == [[b"value", FILE]]
    assert len(server.requests_to("/upload")) == 2
    assert heard.count(heard[0]) == 2
    assert heard[-1] == monitor.len


def test_a_streaming_iterator_is_sent_with_its_length_and_only_once(
    served: tuple[Any, Api, LoopbackServer],
) -> None:
    """Around a generator it cannot be read again; nothing empty is ever sent in its place."""
    stack, api, server = served

    def upload() -> int:
        pieces = (FILE[at : at + 1000] for at in range(0, len(FILE), 1000))
        body = StreamingIterator(len(FILE), pieces)
        status: int = stack.put("/upload", data=body).status_code
        return status

    assert upload() == 200
    api.expire()
    assert [upload(), upload()] == [401, 200]
    assert [body for _, body in api.bodies] == [FILE, FILE]
    assert {seen.headers["content-length"] for seen in server.requests_to("/upload")} == {
        str(len(FILE))
    }


# -- What else it brings


def test_logins_by_domain_are_chosen_below_a_key_of_the_gateway() -> None:
    """Its ``AuthHandler`` on the session; ours fills another header."""
    with LoopbackServer(lambda seen: ServerResponse(200, dict(seen.headers))) as server:
        with requests.Session() as session:
            session.auth = ByDomain({server.origin: ("user", "password")})
            chain = recommended(StaticToken("k"), scheme=Header("X-Key"))
            stack = SessionStack(session, chain, base_url=server.origin)
            headers = stack.get("/x").json()

        assert headers["authorization"].startswith("Basic ")
        assert headers["x-key"] == "k"


def test_a_forgetful_jar_set_through_the_stack_keeps_no_cookie() -> None:
    """Cookies are the session's, and so is what becomes of them."""
    with LoopbackServer(lambda _: ServerResponse(200, {}, {"Set-Cookie": "a=1"})) as server:
        with requests.Session() as session:
            stack: Any = SessionStack(session, recommended(), base_url=server.origin)
            stack.cookies = ForgetfulCookieJar()
            stack.get("/x")
            stack.get("/x")

            assert isinstance(session.cookies, ForgetfulCookieJar)
        assert "cookie" not in server.requests[1].headers


def test_a_download_is_streamed_to_a_file_and_told_as_it_comes(
    served: tuple[Any, Api, LoopbackServer], tmp_path: Path
) -> None:
    """``stream_response_to_file`` and ``tee`` read from answers that came through handlers."""
    stack, api, _ = served
    api.expire()
    with stack.get("/download", stream=True) as response:
        path = stream.stream_response_to_file(response, path=str(tmp_path / "file"))
    assert b"/download" in Path(path).read_bytes()

    copy = io.BytesIO()
    with stack.get("/tee", stream=True) as response:
        assert b"".join(tee.tee(response, copy)) == copy.getvalue()
    assert b"/tee" in copy.getvalue()


def test_a_dump_shows_the_request_as_it_was_sent(served: tuple[Any, Api, LoopbackServer]) -> None:
    """``dump_all`` works on an answer of a stack, redirects and rounds of its history included."""
    stack, _, _ = served
    text = bytes(dump.dump_all(stack.get("/x"))).decode()

    assert "GET /x HTTP/1.1" in text
    assert "HTTP/1.1 200" in text
