"""Responses that nobody reads, responses read within limits, and responses that others hold."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
import requests
from cachecontrol import CacheControl
from requests.adapters import HTTPAdapter

from sessionkit._clock import SYSTEM_CLOCK
from sessionkit.bodies._response import (
    DRAIN_BYTES,
    discard,
    is_read,
    own_response,
    read_within,
    response_raised_for,
)
from sessionkit.errors import BodyTooLarge, ConfigError, NotFound
from sessionkit.testing import FakeClock
from sessionkit.testing.server import LoopbackServer, ServerRequest, ServerResponse

#: Far more than any bound tested here, far less than what an unbounded read would take.
SOON = 5.0


@contextmanager
def unread_response(
    reply: ServerResponse,
) -> Iterator[tuple[requests.Response, requests.Session, LoopbackServer]]:
    """Ask a server that answers *reply*, and leave the body on its connection."""
    with LoopbackServer(lambda _: reply) as server, requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        response = session.get(server.origin, stream=True)
        try:
            yield response, session, server
        finally:
            response.close()


@pytest.fixture
def over() -> Iterator[threading.Event]:
    """Set when the test is over, so that no server thread stays behind."""
    event = threading.Event()
    yield event
    event.set()


def trickle(over: threading.Event) -> Iterator[bytes]:
    """Yield a byte now and then, for much longer than anybody should wait."""
    for _ in range(2000):
        if over.wait(0.01):
            return
        yield b"."


def test_a_dropped_answer_gives_its_connection_back() -> None:
    """A refusal that was not read costs no new connection, and blocks no small pool."""
    with unread_response(ServerResponse(401, b"x" * 20_000)) as (response, session, server):
        discard(response, FakeClock())

        assert session.get(server.origin).status_code == 401
        assert server.connections == 1


def test_a_dropped_answer_that_was_read_is_simply_closed() -> None:
    """Reading what is there already costs nothing, and the caller keeps the body."""
    with unread_response(ServerResponse(200, b"body")) as (response, _, _):
        assert response.content == b"body"

        discard(response, FakeClock())

        assert response.content == b"body"


def test_an_endless_body_is_dropped_after_a_small_amount() -> None:
    """A refusal of gigabytes costs kilobytes."""
    endless = (b"x" * 4096 for _ in range(1_000_000))
    with unread_response(ServerResponse(401, endless)) as (response, _, _):
        discard(response, FakeClock())

        assert response.raw.tell() <= 2 * DRAIN_BYTES
        assert response.raw.closed


def test_a_trickling_body_is_dropped_after_a_moment(over: threading.Event) -> None:
    """A refusal at ten bytes a second does not hold the call for minutes."""
    with unread_response(ServerResponse(401, trickle(over), {"Content-Length": "2000"})) as (
        response,
        _,
        _,
    ):
        started = SYSTEM_CLOCK.monotonic()
        discard(response, SYSTEM_CLOCK)

        assert SYSTEM_CLOCK.monotonic() - started < SOON
        assert response.raw.closed


def test_whatever_goes_wrong_while_dropping_is_kept_quiet() -> None:
    """A refusal that is cut short is cured like any other."""
    cut = ServerResponse(401, iter([b"cut"]), {"Content-Length": "1000"})
    with unread_response(cut) as (response, _, _):
        discard(response, FakeClock())

        assert response.raw.closed


def test_a_body_read_within_its_limits_is_the_content() -> None:
    """Whoever reads it later finds it as if requests had read it, decoded."""
    packed = ServerResponse(200, gzip.compress(b"long " * 1000), {"Content-Encoding": "gzip"})
    with unread_response(packed) as (response, session, server):
        assert not is_read(response)

        read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON)

        assert is_read(response)
        assert response.content == b"long " * 1000
        assert session.get(server.origin).ok
        assert server.connections == 1


def test_a_body_that_a_cache_watches_is_read_past_nobody() -> None:
    """CacheControl copies what is read: the answer comes from its cache next time, and whole."""
    body, headers = b"x" * 10_000, {"Cache-Control": "max-age=60"}
    with (
        LoopbackServer(lambda _: ServerResponse(200, body, headers)) as server,
        CacheControl(requests.Session()) as session,
    ):
        for _ in range(2):
            response = session.get(server.origin, stream=True)
            read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON)
            assert response.content == body

        assert len(server.requests) == 1


def test_a_body_that_was_read_before_is_left_alone() -> None:
    """A deadline that passed takes nothing away that is there."""
    with unread_response(ServerResponse(200, b"body")) as (response, _, _):
        assert response.content == b"body"

        read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() - 1, max_bytes=1)

        assert response.content == b"body"


def test_a_body_that_trickles_past_the_deadline_is_given_up(over: threading.Event) -> None:
    """Each piece comes in time, yet the whole does not hold the call."""
    with unread_response(ServerResponse(200, trickle(over), {"Content-Length": "2000"})) as (
        response,
        _,
        _,
    ):
        end = SYSTEM_CLOCK.monotonic() + 0.1

        with pytest.raises(requests.ReadTimeout):
            read_within(response, SYSTEM_CLOCK, end)

        assert SYSTEM_CLOCK.monotonic() - end < SOON
        assert response.raw.closed


def test_a_body_that_stalls_past_the_deadline_is_given_up(over: threading.Event) -> None:
    """A server that goes silent in the middle is the same time-out as one that dawdles."""

    def stalling() -> Iterator[bytes]:
        yield b"start"
        over.wait(SOON)

    with unread_response(ServerResponse(200, stalling(), {"Content-Length": "2000"})) as (
        response,
        _,
        _,
    ):
        with pytest.raises(requests.ReadTimeout):
            read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + 0.1)

        assert response.raw.closed


def test_nothing_is_read_after_the_deadline() -> None:
    """A body that is there already does not stretch the time."""
    with unread_response(ServerResponse(200, b"body")) as (response, _, _):
        with pytest.raises(requests.ReadTimeout, match="deadline"):
            read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic())

        assert response.raw.closed


def test_a_read_time_out_before_the_deadline_is_what_requests_makes_of_it(
    over: threading.Event,
) -> None:
    """The caller's own time-out keeps its meaning: the server was silent for so long."""

    def silent() -> Iterator[bytes]:
        yield b"start"
        over.wait(SOON)

    def stalling(_: ServerRequest) -> ServerResponse:
        return ServerResponse(200, silent(), {"Content-Length": "100"})

    with LoopbackServer(stalling) as server, requests.Session() as session:
        response = session.get(server.origin, stream=True, timeout=0.05)
        with pytest.raises(requests.ConnectionError, match="timed out"):
            read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON)


def test_an_answer_without_a_connection_is_read_as_requests_reads_it() -> None:
    """Answers from mocks, whose bodies are any object with ``read``, are read as well."""

    class Mocked:
        def __init__(self) -> None:
            self.left = [b"mocked"]

        def read(self, size: int = -1) -> bytes:
            return self.left.pop() if self.left else b""

        def close(self) -> None:
            """Nothing is open."""

    for read in (True, False):
        response = requests.Response()
        response.raw = Mocked()
        if read:
            read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON)
        else:
            discard(response, SYSTEM_CLOCK)
        assert response.content == b"mocked"


@pytest.mark.parametrize(
    "reply",
    [
        ServerResponse(200, b"x" * 1001),
        ServerResponse(200, (b"x" * 100 for _ in range(1_000_000))),
        ServerResponse(200, gzip.compress(b"x" * 1_000_000), {"Content-Encoding": "gzip"}),
    ],
    ids=["plain", "endless", "bomb"],
)
def test_a_body_larger_than_allowed_is_given_up(reply: ServerResponse) -> None:
    """A token endpoint gone mad fills no memory; what counts is the size after decoding."""
    with unread_response(reply) as (response, _, _):
        end = SYSTEM_CLOCK.monotonic() + SOON
        with pytest.raises(BodyTooLarge, match="1000 bytes"):
            read_within(response, SYSTEM_CLOCK, end, max_bytes=1000)

        assert response.raw.closed


def test_a_body_of_just_the_size_allowed_is_read() -> None:
    """The limit itself is still fine."""
    with unread_response(ServerResponse(200, b"x" * 1000)) as (response, _, _):
        read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON, max_bytes=1000)

        assert len(response.content) == 1000


def test_a_body_that_is_cut_short_is_the_error_that_requests_has_for_it() -> None:
    """Code that knows requests' errors needs to know no others."""
    with (
        unread_response(ServerResponse(200, iter([b"cut"]), {"Content-Length": "1000"})) as (
            response,
            _,
            _,
        ),
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON)


def test_a_body_that_cannot_be_decoded_is_the_error_that_requests_has_for_it() -> None:
    """A body that lies about its encoding is not mistaken for a lost connection."""
    with (
        unread_response(ServerResponse(200, b"no gzip", {"Content-Encoding": "gzip"})) as (
            response,
            _,
            _,
        ),
        pytest.raises(requests.exceptions.ContentDecodingError),
    ):
        read_within(response, SYSTEM_CLOCK, SYSTEM_CLOCK.monotonic() + SOON)


def test_the_answer_that_a_session_raised_for_is_found() -> None:
    """A session that raises for a status is handled like one that does not."""
    response = requests.Response()

    class OtherHTTPError(Exception):
        """Of a library that is not requests, but looks like it."""

    OtherHTTPError.__name__ = "HTTPError"
    other = OtherHTTPError()
    other.response = response  # type: ignore[attr-defined]  # as such libraries do

    class VendorsError(Exception):
        """Of an SDK whose session raises it, such as jira's."""

    own = VendorsError()
    own.response = response  # type: ignore[attr-defined]  # as such SDKs do

    assert response_raised_for(requests.HTTPError(response=response)) is response
    assert response_raised_for(other) is response
    assert response_raised_for(own) is response


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError(),
        requests.TooManyRedirects(response=requests.Response()),
        requests.HTTPError(),
        NotFound("no", response=requests.Response()),
        BodyTooLarge(response=requests.Response()),
        ValueError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_is_no_answer_stays_an_error(error: Exception) -> None:
    """A failure to connect, or an error of a stack below, is not taken for an answer."""
    assert response_raised_for(error) is None


def test_what_is_no_answer_yet_is_refused_with_the_cure() -> None:
    """A session that answers later goes around the stack; the error shows how."""
    with pytest.raises(ConfigError, match="answered with a Future") as caught:
        own_response(Future())

    assert "FuturesSession(session=stack)" in caught.value.hint


def test_a_fresh_answer_is_handed_on_as_the_very_object() -> None:
    """Nothing is copied that nobody else holds, and subclasses of a session keep their answers."""
    response = requests.Response()

    assert own_response(response) is response


@pytest.mark.parametrize("mark", [{"from_cache": True}, {"record": object()}])
def test_an_answer_that_others_may_hold_is_copied(mark: dict[str, object]) -> None:
    """A second hit of a cache does not overwrite the record and the headers of the first."""
    response = requests.Response()
    response.headers["X-One"] = "1"
    vars(response).update(mark)

    copy = own_response(response)
    copy.headers["X-One"] = "2"
    copy.history.append(response)

    assert copy is not response
    assert type(copy) is type(response)
    assert (response.headers["X-One"], response.history) == ("1", [])
