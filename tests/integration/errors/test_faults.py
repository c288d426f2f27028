"""Every fault that a network can make, over real sockets, each in its class."""

from __future__ import annotations

import contextlib
import copy
import gc
import pickle
import socket
import time
import traceback
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from sessionkit import SessionStack, recommended
from sessionkit.auth import Bearer, Cookie, Header, Query, Scheme, StaticToken
from sessionkit.errors import (
    ApplicationError,
    BodyTooLarge,
    ConnectFailed,
    InvalidRequest,
    NotFound,
    ReplayImpossible,
    RetriesExhausted,
    ServerError,
    SessionKitError,
    StatusError,
)
from sessionkit.handlers import ErrorHandler, RetryHandler, SizeHandler
from sessionkit.testing.server import LoopbackServer, ServerResponse
from tests.support.tables.faults import (
    FAULTS,
    HEAD,
    NEVER,
    SECRET,
    SHORT,
    Act,
    Fault,
    Place,
    Rude,
    closed_port,
    sending,
    table,
)

TOKEN = "planted-token-1"
TRANSIENT = (429, 502, 503, 504)
ROOT = Path(__file__).resolve().parents[3]
stalling = sending(HEAD + b"Content-Length: 10\r\n\r\nabc")
failing = sending(
    b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    b'{"message": "down"}'
)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session of the user's own."""
    with requests.Session() as session:
        yield session


def stack_on(session: requests.Session) -> SessionStack:
    """Return a stack with the error handler alone."""
    return SessionStack(session, [ErrorHandler()])


def ask(stack: SessionStack, place: Place, method: str, **options: Any) -> bytes:
    """Make one call, and read its answer as a caller who wanted a stream does."""
    given = {"params": {"api_key": SECRET}, "timeout": place.timeout, **options}
    return stack.request(method, place.url, **given).content


def met(
    fault: Fault, session: requests.Session, *, how: str = "GET", stream: bool = False
) -> SessionKitError:
    """Meet *fault* on a recommended stack that tries once more, and return the error it is.

    Args:
        fault: Of the table.
        session: Of the stack.
        how: Key of :attr:`Fault.attempts`.
        stream: Whether the body is read by the caller.
    """
    method, _, keyed = how.partition(" ")
    with fault.made() as place:
        place.prepare(session)
        chain = recommended()
        chain["errors"] = ErrorHandler(place.rules)
        chain["retry"] = RetryHandler(Retry(1, status_forcelist=TRANSIENT))
        chain |= guarding(place)
        options = place.fresh() | ({"idempotency_key": True} if keyed else {})
        with pytest.raises(SessionKitError) as caught:
            ask(SessionStack(session, chain), place, method, stream=stream, **options)
    return caught.value


def guarding(place: Place) -> dict[str, SizeHandler]:
    """Return the handler that a fault needs to be one, if it needs any."""
    return {} if place.max_bytes is None else {"size": SizeHandler(place.max_bytes)}


@pytest.mark.parametrize(
    ("fault", "stream"),
    [
        pytest.param(fault, stream, id=f"{fault.name}-{'stream' if stream else 'whole'}")
        for fault in FAULTS
        for stream in (False, True)
        # A stream of data is not looked into.
        if not (stream and fault.kind is ApplicationError)
    ],
)
def test_a_fault_lands_in_its_class(fault: Fault, stream: bool, session: requests.Session) -> None:
    """Whatever happens, the caller learns what it was, and whether the server may have acted."""
    error = met(fault, session, stream=stream)

    assert type(error) is fault.kind
    assert (error.sent, error.status) == (fault.sent, fault.status)
    assert error.method == "GET"
    assert error.duration is not None
    assert 0 <= error.duration < 5
    of_our_own = isinstance(error, (StatusError, BodyTooLarge))
    assert (error.__cause__ is None) is of_our_own
    assert_clean(error)
    for twin in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert (type(twin), str(twin)) == (type(error), str(error))


@pytest.mark.parametrize("how", ["GET", "POST", "POST with a key"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_met_again_where_that_is_safe(
    fault: Fault, how: str, session: requests.Session
) -> None:
    """Tried again is what may pass and was never done, or can be done twice."""
    error = met(fault, session, how=how)

    nothing_sent = fault.kind is InvalidRequest and error.attempts == 0
    assert nothing_sent or error.attempts == fault.attempts[how]
    assert type(error) is fault.kind


@pytest.mark.parametrize(
    ("first", "sent"), [(b"", "maybe"), (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "yes")]
)
def test_what_an_earlier_attempt_may_have_done_is_not_forgotten(
    first: bytes, sent: str, session: requests.Session
) -> None:
    """The last attempt reached nobody, but the first one may have made the order."""

    def act(peer: socket.socket) -> None:
        server.leave()
        peer.sendall(first)

    with Rude(act) as server:
        chain = recommended()
        chain["retry"] = RetryHandler(Retry(1, status_forcelist=TRANSIENT))
        with pytest.raises(ConnectFailed) as caught:
            SessionStack(session, chain).post(server.origin, idempotency_key=True)

    error = caught.value
    assert (error.sent, error.attempts, error.retryable) == (sent, 2, False)


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.body], ids=lambda fault: fault.name)
def test_a_stream_that_breaks_is_not_met_again(fault: Fault, session: requests.Session) -> None:
    """What was handed out already is not begun anew behind the reader's back."""
    assert met(fault, session, stream=True).attempts == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_an_error_says_whether_another_try_makes_sense(
    fault: Fault, session: requests.Session
) -> None:
    """``retryable`` promises no more than the handler itself would try."""
    error = met(fault, session)

    by_adapter = fault.kind is RetriesExhausted
    assert not error.retryable or fault.retried != NEVER or by_adapter or error.sent == "no"


def plain(fault: Fault, session: requests.Session) -> Exception | None:
    """Meet *fault* on a stack that raises no errors of its own; return what it raised, if any."""
    with fault.made() as place:
        place.prepare(session)
        login = StaticToken(TOKEN) if "://" in place.url else None
        chain = recommended(login, scheme=Query("desk"), origins=[place.url], errors=False)
        chain["retry"] = RetryHandler(0)
        chain |= guarding(place)
        options = place.fresh("headers", "data", "total_timeout", "verify")
        try:
            ask(SessionStack(session, chain), place, "GET", params={}, **options)
        except Exception as error:  # noqa: BLE001  # whatever requests raises
            return error
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_without_errors_what_requests_raises_shows_nothing_that_was_placed(
    fault: Fault, session: requests.Session
) -> None:
    """Code that knows requests alone gets its exceptions, without the token in them."""
    error = plain(fault, session)

    assert error is not None or issubclass(fault.kind, StatusError)
    if error is None:
        return
    # Of which requests' are a part.
    assert isinstance(error, OSError)
    assert not isinstance(error, SessionKitError) or fault.kind is type(error)
    shown = "".join(traceback.format_exception(error))
    shown += f"{error!r} {vars(error)} {vars(getattr(error, 'request', None) or error)}"
    assert TOKEN not in shown
    # Some of requests' own hold a lock, and cannot be pickled.
    with contextlib.suppress(TypeError):
        assert TOKEN.encode() not in pickle.dumps(error)


def test_the_page_of_faults_says_what_is_tested_here() -> None:
    """The table in the documentation cannot go stale."""
    page = (ROOT / "docs" / "explanation" / "faults.md").read_text("utf-8")

    assert f"\n{table()}\n" in page, (
        "python -m tests.support.tables.faults prints the table as it is now"
    )


def assert_clean(error: SessionKitError) -> None:
    """Look for the planted secret wherever an error is looked at."""
    shown = "".join(traceback.format_exception(error))
    shown += f"{error} {error!r} {vars(error)}"
    for part in (error.request, error.response, getattr(error.response, "request", None)):
        if part is not None:
            shown += str(vars(part))
    link: BaseException | None = error
    while link is not None:
        shown += f"{link!r} {vars(link)}"
        link = link.__cause__ or link.__context__

    assert SECRET not in shown
    assert SECRET.encode() not in pickle.dumps(error)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("act", [failing, sending(b"HTTP/1.1 500 Oops\r\n\r\n")])
def test_a_failing_server_that_breaks_off_is_still_a_failing_server(
    act: Act, stream: bool, session: requests.Session
) -> None:
    """The status is worth more than the rest of its body."""
    with (
        Rude(act, stays=act is failing) as server,
        pytest.raises(ServerError, match="500 Oops") as caught,
    ):
        stack_on(session).get(server.origin, timeout=SHORT, stream=stream)
    assert caught.value.status == 500


def test_what_came_of_a_broken_error_body_is_read(session: requests.Session) -> None:
    """A stream is read as far as it goes."""
    with Rude(failing, stays=True) as server, pytest.raises(ServerError, match="500 Oops: down"):
        stack_on(session).get(server.origin, timeout=SHORT, stream=True)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("no-scheme", {}),
        ("ftp://127.0.0.1/", {}),
        ("http://", {}),
        ("http://[::1/", {}),
        ("http://127.0.0.1:99999999/", {}),
        (f"http://u:x/{SECRET}@127.0.0.1/", {}),
        (f"http://u:{SECRET}/x@127.0.0.1/", {}),
        (f"http://u:{SECRET}@\u2100.invalid/", {}),
        ("http://127.0.0.1/", {"X-Odd": f"{SECRET}\n"}),
        ("http://127.0.0.1/", {"X-Odd": 7}),
        (None, {"X-Odd": f"{SECRET}\u20ac"}),
    ],
)
def test_a_request_that_cannot_be_sent(
    url: str | None, headers: dict[str, Any], session: requests.Session
) -> None:
    """The caller's mistake is told as one, without the value of a header."""
    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        pytest.raises(InvalidRequest) as caught,
    ):
        stack_on(session).get(url or server.origin, headers=headers, timeout=5)
    assert caught.value.sent == "no"
    assert isinstance(caught.value, ValueError)
    assert server.requests == []
    assert_clean(caught.value)


def test_a_header_of_an_auth_callable_that_cannot_be_sent(session: requests.Session) -> None:
    """requests does not look at these, and http.client prints them."""

    def put(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {SECRET}\n"
        return request

    with (
        LoopbackServer(lambda _: ServerResponse()) as server,
        pytest.raises(InvalidRequest) as caught,
    ):
        stack_on(session).get(server.origin, auth=put)
    assert_clean(caught.value)


def test_a_body_that_does_not_go_back_for_a_redirect_is_not_sent_empty(
    session: requests.Session,
) -> None:
    """It tells where it stands and cannot go there; nothing was sent to the second address."""

    class Pipe:
        """A body that knows where it stands, and cannot go back."""

        def __init__(self) -> None:
            self._left = [b"once"]

        def __iter__(self) -> Iterator[bytes]:
            return iter(self._left)

        def read(self, size: int = -1) -> bytes:
            return self._left.pop() if self._left else b""

        def tell(self) -> int:
            return 0

    moved = ServerResponse(307, headers={"Location": "/b"})
    with LoopbackServer(lambda _: moved) as server, pytest.raises(ReplayImpossible) as caught:
        stack_on(session).post(server.origin, data=Pipe(), timeout=5)
    assert isinstance(caught.value, requests.exceptions.UnrewindableBodyError)
    assert server.requests_to("/b") == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("size", [10, 300_000])
def test_an_error_answer_gives_its_connection_back(size: int, stream: bool) -> None:
    """A pool of one connection that blocks serves the next call."""

    def answer(seen: Any) -> ServerResponse:
        return ServerResponse(404, b"x" * size) if seen.path == "/missing" else ServerResponse(200)

    with requests.Session() as session, LoopbackServer(answer) as server:
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        stack = SessionStack(session, recommended(), base_url=server.origin)

        for _ in range(3):
            with pytest.raises(NotFound):
                stack.get("/missing", stream=stream)
        assert stack.get("/there", timeout=5).status_code == 200


def test_an_endless_error_costs_neither_time_nor_memory(session: requests.Session) -> None:
    """A caller who wanted a stream of data gets the error, not a stream of complaints."""
    endless = ServerResponse(500, iter(lambda: b"x" * 65_536, b""), {"Connection": "close"})
    began = time.monotonic()

    with LoopbackServer(lambda _: endless) as server, pytest.raises(ServerError) as caught:
        stack_on(session).get(server.origin, stream=True)
    assert caught.value.response is not None
    assert len(caught.value.response.content) == 65_536
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_ten_megabytes_of_complaint_are_kilobytes_of_evidence(
    stream: bool, session: requests.Session
) -> None:
    """The sentence is read, the rest is not kept, and the error can be sent around."""
    body = b'{"message": "no stock", "trace": "' + b"at line 7, " * 1_000_000 + b'"}'

    said = "500 Internal Server Error: no stock"
    with (
        LoopbackServer(lambda _: ServerResponse(500, body)) as server,
        pytest.raises(ServerError, match=said) as caught,
    ):
        stack_on(session).get(server.origin, stream=stream)
    assert caught.value.response is not None
    assert len(caught.value.response.content) == 65_536
    assert len(pickle.dumps(caught.value)) < 200_000


def test_a_dropped_stream_gives_its_connection_up(session: requests.Session) -> None:
    """Watching a stream keeps nothing alive: it ends with its last reference."""
    with Rude(stalling, stays=True) as server:
        response = stack_on(session).get(server.origin, stream=True, timeout=5)
        kept = weakref.ref(response.raw)
        gc.disable()
        try:
            del response
            assert kept() is None
        finally:
            gc.enable()


@pytest.mark.parametrize(
    "scheme",
    [Bearer(), Header("X-Api-Key"), Header("X-Desk"), Query("desk"), Cookie("desk")],
    ids=repr,
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_no_credential_is_in_any_error(scheme: Scheme, stream: bool) -> None:
    """A server that echoes all it gets, and one that is not there: the token is in no error."""

    def echo(seen: Any) -> ServerResponse:
        said = {"message": f"{seen.headers} {seen.query}"}
        return ServerResponse(404, said, {"X-Echo": str(seen.query), "Set-Cookie": f"sid={SECRET}"})

    chain = recommended(StaticToken(SECRET), scheme=scheme)
    del chain["retry"]
    with requests.Session() as session, LoopbackServer(echo) as server:
        stack = SessionStack(session, chain, base_url=server.origin)
        with pytest.raises(NotFound) as caught:
            stack.get("/a", stream=stream)
        assert SECRET in f"{server.requests[0].headers} {server.requests[0].query}"
    assert_clean(caught.value)

    chain = recommended(StaticToken(SECRET), scheme=scheme)
    del chain["retry"]
    with requests.Session() as session:
        stack = SessionStack(session, chain, base_url=f"http://127.0.0.1:{closed_port()}")
        with pytest.raises(ConnectFailed) as refused:
            stack.get("/a", stream=stream)
    assert_clean(refused.value)
