"""Failures as exceptions of one tree, wherever in a call they happen."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from urllib3 import exceptions as low

from sessionkit import Exchange, Forward
from sessionkit._exchange import Secret
from sessionkit.errors import (
    BodyTimedOut,
    ConfigError,
    ConnectionLost,
    IncompleteBody,
    NotFound,
    RateLimited,
    ReadTimedOut,
    RenewalFailed,
    ServiceUnavailable,
    SessionKitError,
)
from sessionkit.handlers import ErrorHandler
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Reply, Script, stack_over

SECRET = "planted-secret"


class Body:
    """The raw side of an answer: gives pieces, then fails or ends."""

    def __init__(self, pieces: Iterator[bytes], fault: Exception | None = None) -> None:
        self._pieces = pieces
        self._fault = fault
        self.closed = False
        self.taken = 0

    def read1(self, amt: int, *, decode_content: bool) -> bytes:
        """Return the next piece."""
        for piece in self._pieces:
            self.taken += 1
            return piece
        if self._fault is not None:
            raise self._fault
        return b""

    def stream(self, amt: int, *, decode_content: bool) -> Iterator[bytes]:
        """Yield all pieces."""
        while piece := self.read1(amt, decode_content=decode_content):
            yield piece

    def close(self) -> None:
        """Note that the connection is free."""
        self.closed = True


def with_body(body: Any) -> Callable[[Exchange, Forward], requests.Response]:
    """Return a handler that puts *body* under each answer."""

    def put(exchange: Exchange, forward: Forward) -> requests.Response:
        response = forward(exchange.unread())
        response.raw = body
        response._content = False
        response._content_consumed = False
        return response

    return put


def failing(error: BaseException) -> Callable[[Exchange, Forward], requests.Response]:
    """Return a handler that raises."""

    def fail(exchange: Exchange, forward: Forward) -> requests.Response:
        raise error

    return fail


@pytest.mark.parametrize("status", [200, 204, 302, 304, 399])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_below_400_passes(status: int, stream: bool) -> None:
    """A redirect that the caller asked to see, or a 304, is an answer and no failure."""
    stack, _ = stack_over(Script(Reply(status, body=b"")), ErrorHandler())

    response = stack.get("a", allow_redirects=False, stream=stream)

    assert response.status_code == status
    assert response.content == b""


def test_a_refusal_is_raised_with_all_that_is_known() -> None:
    """The error alone tells what was asked, how often, how long, and what the server said."""
    clock = FakeClock()

    def slow() -> Reply:
        clock.advance(1.5)
        headers = {"X-Request-Id": "7f3", "Content-Type": "application/json"}
        return Reply(404, headers, b'{"detail": "no order 7"}')

    stack, _ = stack_over(Script(slow), ErrorHandler(), clock=clock)

    with pytest.raises(NotFound) as caught:
        stack.post("orders/7", params={"api_key": SECRET})
    error = caught.value
    assert str(error) == (
        "404 NotFound: no order 7 [POST http://api.example/orders/7?api_key=***, id 7f3]"
    )
    assert (error.status, error.attempts, error.elapsed, error.sent) == (404, 1, 1.5, "yes")
    assert error.response is not None
    assert error.response.json() == {"detail": "no order 7"}
    assert error.response.exchange.attempts[0].status == 404  # type: ignore[attr-defined]
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_date_to_wait_for_is_measured_by_the_stacks_clock() -> None:
    """A test turns the time, and the wait follows."""
    reply = Reply(429, {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"})
    stack, _ = stack_over(Script(reply), ErrorHandler(), clock=FakeClock(epoch=1_700_000_000.0))

    with pytest.raises(RateLimited) as caught:
        stack.get("a")
    assert caught.value.retry_after == 30.0


def test_a_fault_of_transport_is_raised_from_its_cause() -> None:
    """The traceback shows what requests raised; nothing else hangs on the error."""
    cause = requests.ReadTimeout("slow", request=requests.Request("GET", "http://x/").prepare())
    stack, _ = stack_over(Script(cause), ErrorHandler())

    with pytest.raises(ReadTimedOut) as caught:
        stack.get("a")
    error = caught.value
    assert type(error.__cause__) is requests.ReadTimeout
    assert error.__context__ is None
    assert (error.sent, error.attempts, error.method) == ("maybe", 1, "GET")
    assert isinstance(error, TimeoutError)


def test_the_place_is_known_where_requests_does_not_tell_it() -> None:
    """A ConnectionError without a request still becomes an error with a URL."""
    stack, _ = stack_over(Script(requests.ConnectionError("gone")), ErrorHandler())

    with pytest.raises(ConnectionLost, match=r"gone \[DELETE http://api.example/a\?sig=\*\*\*\]"):
        stack.delete(f"a?sig={SECRET}")


@pytest.mark.parametrize("error", [TypeError("yours"), KeyError("yours"), ValueError("yours")])
def test_a_mistake_in_a_handler_passes_untouched(error: Exception) -> None:
    """A bug looks like a bug."""
    stack, _ = stack_over(Script(), ErrorHandler(), failing(error))

    with pytest.raises(type(error)) as caught:
        stack.get("a")
    assert caught.value is error


def test_an_interrupt_passes_untouched() -> None:
    """Ctrl-C is no failure of the network."""
    stack, _ = stack_over(Script(), ErrorHandler(), failing(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        stack.get("a")


def test_our_own_errors_pass_with_the_evidence_they_lack() -> None:
    """A renewal that failed is told with the call that needed it."""
    error = RenewalFailed("refused", hint="ask", url="https://id.example/token")
    error.__cause__ = requests.ConnectionError(f"no way with token={SECRET}")
    stack, _ = stack_over(Script(), ErrorHandler(), failing(error))

    with pytest.raises(RenewalFailed) as caught:
        stack.get("a")
    assert caught.value is error
    assert (error.method, error.url) == ("GET", "https://id.example/token")
    assert (error.attempts, error.elapsed, error.hint) == (0, 0.0, "ask")
    assert SECRET not in "".join(traceback.format_exception(error))


def test_an_error_without_a_cause_gets_none() -> None:
    """Nothing is made up, and ``from None`` stays what it is."""
    error = ConfigError("x")
    error.__suppress_context__ = True
    stack, _ = stack_over(Script(), ErrorHandler(), failing(error))

    with pytest.raises(ConfigError):
        stack.get("a")
    assert (error.__cause__, error.__context__, error.__suppress_context__) == (None, None, True)


def test_a_handler_that_raises_for_a_status_is_understood() -> None:
    """Whoever calls ``raise_for_status`` further in gets the error of that status."""

    def strict(exchange: Exchange, forward: Forward) -> requests.Response:
        response = forward(exchange)
        response.raise_for_status()
        return response

    stack, _ = stack_over(Script(Reply(503, {"Retry-After": "5"})), ErrorHandler(), strict)

    with pytest.raises(ServiceUnavailable) as caught:
        stack.get("a")
    assert caught.value.retry_after == 5.0
    assert type(caught.value.__cause__) is requests.HTTPError


def test_a_session_that_raises_for_a_status_is_understood() -> None:
    """A hook that raises is a habit of many sessions."""

    def strict(response: requests.Response, **given: Any) -> None:
        response.raise_for_status()

    stack, _ = stack_over(Script(404), ErrorHandler())
    stack.hooks["response"].append(strict)

    with pytest.raises(NotFound) as caught:
        stack.get("a")
    assert type(caught.value.__cause__) is requests.HTTPError
    assert caught.value.attempts == 1


def test_two_error_handlers_do_no_harm() -> None:
    """A stack around a stack maps once."""
    stack, _ = stack_over(Script(404, 200), ErrorHandler())
    stack.handlers.add(ErrorHandler(), name="again")

    with pytest.raises(NotFound):
        stack.get("a")
    assert stack.get("a", stream=True).content == b"{}"


def test_no_secret_of_the_call_is_in_the_error() -> None:
    """Neither text, attributes, traceback nor pickle show what handlers and callers put in."""

    def auth(exchange: Exchange, forward: Forward) -> requests.Response:
        secret = Secret("header", "Authorization", f"Bearer {SECRET}", frozenset())
        return forward(exchange.with_secret(secret))

    body = f'{{"message": "you sent {SECRET}"}}'.encode()
    headers = {"Set-Cookie": f"sid={SECRET}"}
    fault = requests.ConnectionError(f"Max retries exceeded with url: /a?api_key={SECRET}")
    stack, _ = stack_over(Script(Reply(404, headers, body), fault), ErrorHandler(), auth)

    for _ in range(2):
        with pytest.raises(SessionKitError) as caught:
            stack.get("a", params={"api_key": SECRET})
        error = caught.value
        assert SECRET not in "".join(traceback.format_exception(error))
        assert SECRET not in f"{error} {error!r} {vars(error)} {vars(error.request or error)}"
        assert SECRET.encode() not in pickle.dumps(error)


@pytest.mark.parametrize(
    ("place", "name"), [("header", "X-Desk"), ("query", "desk"), ("cookie", "desk")]
)
def test_a_credential_under_a_plain_name_is_masked_by_its_value(place: str, name: str) -> None:
    """Some services call their key something that no list of names knows."""

    def auth(exchange: Exchange, forward: Forward) -> requests.Response:
        return forward(exchange.with_secret(Secret(place, name, SECRET, frozenset())))

    stack, _ = stack_over(Script(Reply(404, {}, SECRET.encode())), ErrorHandler(), auth)

    with pytest.raises(NotFound) as caught:
        stack.get("a")
    error = caught.value
    assert SECRET not in f"{error} {vars(error)} {vars(error.request)} {vars(error.response)}"


def test_an_endless_error_body_is_cut() -> None:
    """A caller who wanted a stream gets the error at once, and the connection is free."""
    body = Body(iter(lambda: b"x" * 1_000, b""))
    stack, _ = stack_over(Script(500), ErrorHandler(), with_body(body))

    with pytest.raises(SessionKitError) as caught:
        stack.get("a", stream=True)
    assert caught.value.response is not None
    assert len(caught.value.response.content) == 65_536
    assert body.taken == 66
    assert body.closed


def test_a_trickling_error_body_is_given_up() -> None:
    """A bound in bytes is none in time."""
    clock = FakeClock()

    def trickle() -> Iterator[bytes]:
        while True:
            clock.advance(0.5)
            yield b"x"

    body = Body(trickle())
    stack, _ = stack_over(Script(500), ErrorHandler(), with_body(body), clock=clock)

    with pytest.raises(SessionKitError):
        stack.get("a", stream=True)
    assert body.taken == 4
    assert body.closed


def test_the_deadline_of_the_call_bounds_that_too() -> None:
    """Reading what went wrong must not outlast the call."""
    clock = FakeClock()

    def trickle() -> Iterator[bytes]:
        while True:
            clock.advance(0.5)
            yield b"x"

    def soon(exchange: Exchange, forward: Forward) -> requests.Response:
        return forward(exchange.with_deadline(clock.monotonic() + 1.0))

    body = Body(trickle())
    stack, _ = stack_over(Script(500), soon, ErrorHandler(), with_body(body), clock=clock)

    with pytest.raises(SessionKitError):
        stack.get("a", stream=True)
    assert body.taken == 2


def test_a_body_that_breaks_off_leaves_the_status_standing() -> None:
    """What the server said of its failure matters more than that it was cut."""
    body = Body(iter([b'{"message": "down"}']), low.ProtocolError("cut"))
    stack, _ = stack_over(Script(503), ErrorHandler(), with_body(body))

    with pytest.raises(ServiceUnavailable, match="503 ServiceUnavailable: down"):
        stack.get("a", stream=True)


def test_a_stand_in_without_a_socket_is_read_as_it_is() -> None:
    """Test tools put simple files under their answers."""

    class Simple:
        """A file of the least kind."""

        def __init__(self) -> None:
            self._left = [b"plain words"]

        def read(self, size: int) -> bytes:
            return self._left.pop() if self._left else b""

        def close(self) -> None:
            """Nothing is open."""

    stack, _ = stack_over(Script(500), ErrorHandler(), with_body(Simple()))

    with pytest.raises(SessionKitError, match="plain words"):
        stack.get("a", stream=True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (low.ReadTimeoutError(None, "/a", "slow"), BodyTimedOut),  # type: ignore[arg-type]
        (low.ProtocolError("cut"), IncompleteBody),
    ],
)
@pytest.mark.parametrize("how", ["content", "chunks", "lines", "text"])
def test_a_stream_that_breaks_raises_our_error(
    fault: Exception, kind: type[SessionKitError], how: str
) -> None:
    """After the head of an answer nothing else is raised than before it."""
    body = Body(iter([b"a\n", b"b"]), fault)
    stack, clock = stack_over(Script(200), ErrorHandler(), with_body(body))
    response = stack.get("a", stream=True)
    readers: dict[str, Callable[[], object]] = {
        "content": lambda: response.content,
        "chunks": lambda: list(response.iter_content(10)),
        "lines": lambda: list(response.iter_lines()),
        "text": lambda: response.text,
    }
    clock.advance(2.0)

    with pytest.raises(kind) as caught:
        readers[how]()
    error = caught.value
    assert (error.status, error.sent, error.attempts, error.elapsed) == (200, "yes", 1, 2.0)
    assert error.__context__ is None
    assert isinstance(error.__cause__, requests.RequestException)


def test_what_came_before_the_break_is_delivered() -> None:
    """A program that saves as it reads keeps what it has."""
    body = Body(iter([b"a", b"b"]), low.ProtocolError("cut"))
    stack, _ = stack_over(Script(200), ErrorHandler(), with_body(body))
    got: list[bytes] = []

    with pytest.raises(IncompleteBody):
        got.extend(stack.get("a", stream=True).iter_content(10))
    assert got == [b"a", b"b"]


def test_a_mistake_while_reading_a_stream_passes_untouched() -> None:
    """Only faults of transport are mapped."""
    error = KeyError("yours")
    stack, _ = stack_over(Script(200), ErrorHandler(), with_body(Body(iter([]), error)))

    with pytest.raises(KeyError) as caught:
        list(stack.get("a", stream=True).iter_content(10))
    assert caught.value is error


def test_a_stream_reads_as_before() -> None:
    """Slices of what was read, misuse told at once, a generator that can be left."""
    reply = Reply(200, {}, b"abcdef")
    stack, _ = stack_over(Script(reply, reply, reply), ErrorHandler())
    first, second, third = (stack.get("a", stream=True) for _ in range(3))

    assert list(first.iter_content(4)) == [b"abcd", b"ef"]
    with pytest.raises(requests.exceptions.StreamConsumedError):
        first.iter_content(4)
    with pytest.raises(TypeError, match="chunk_size"):
        second.iter_content("4")  # type: ignore[call-overload]
    assert (second.content, list(second.iter_content(5))) == (b"abcdef", [b"abcde", b"f"])
    chunks = third.iter_content(1)
    assert next(chunks) == b"a"
    third.close()


def test_a_stream_is_still_a_response() -> None:
    """Copies and pickles are of the class that requests made."""
    stack, _ = stack_over(Script(200, 200), ErrorHandler())
    response = stack.get("a", stream=True)

    assert isinstance(response, requests.Response)
    assert type(response).__name__ == "Response"
    for twin in (pickle.loads(pickle.dumps(response)), copy.copy(response)):
        assert type(twin) is requests.Response
        assert twin.content == b"{}"
    assert type(stack.get("a")) is requests.Response


def test_the_session_reads_no_body_that_the_handler_cannot_see() -> None:
    """An answer that is cut keeps its status also for a caller who wanted no stream."""
    body = Body(iter([b"x"]), low.ProtocolError("cut"))
    stack, _ = stack_over(Script(503, 200), ErrorHandler(), with_body(body))

    with pytest.raises(ServiceUnavailable) as caught:
        stack.get("a")
    assert type(caught.value.__cause__) is requests.exceptions.ChunkedEncodingError
    with pytest.raises(IncompleteBody) as second:
        stack.get("a")
    assert second.value.status == 200


def test_a_handler_shows_that_it_has_no_settings() -> None:
    """``explain()`` prints it."""
    assert repr(ErrorHandler()) == "ErrorHandler()"
