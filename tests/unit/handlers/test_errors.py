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

from sessionkit import CallNext, Exchange
from sessionkit.chain._exchange import Credential
from sessionkit.errors import (
    ApplicationError,
    BodyTimedOut,
    ConfigError,
    Conflict,
    ConnectionLost,
    Gone,
    IncompleteBody,
    InvalidRequest,
    NotFound,
    RateLimited,
    ReadTimedOut,
    RenewalFailed,
    Rule,
    ServiceUnavailable,
    SessionKitError,
    UnexpectedStatus,
    vendor_error,
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


def with_body(body: Any) -> Callable[[Exchange, CallNext], requests.Response]:
    """Return a handler that puts *body* under each answer."""

    def put(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange.streamed())
        response.raw = body
        response._content = False
        response._content_consumed = False
        return response

    return put


def failing(error: BaseException) -> Callable[[Exchange, CallNext], requests.Response]:
    """Return a handler that raises."""

    def fail(exchange: Exchange, call_next: CallNext) -> requests.Response:
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
    assert (error.status, error.attempts, error.duration, error.sent) == (404, 1, 1.5, "yes")
    assert error.response is not None
    assert error.response.json() == {"detail": "no order 7"}
    assert error.response.record.attempts[0].status == 404  # type: ignore[attr-defined]  # set by the stack
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
    assert (error.attempts, error.duration, error.hint) == (0, 0.0, "ask")
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

    def strict(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange)
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

    def auth(exchange: Exchange, call_next: CallNext) -> requests.Response:
        secret = Credential("header", "Authorization", f"Bearer {SECRET}", frozenset())
        return call_next(exchange.with_credential(secret))

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

    def auth(exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_credential(Credential(place, name, SECRET, frozenset())))

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

    def soon(exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_deadline(clock.monotonic() + 1.0))

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
        (low.ReadTimeoutError(None, "/a", "slow"), BodyTimedOut),  # type: ignore[arg-type]  # a stand-in
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
    assert (error.status, error.sent, error.attempts, error.duration) == (200, "yes", 1, 2.0)
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
        second.iter_content("4")  # type: ignore[call-overload]  # wrong on purpose
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
    for restored in (pickle.loads(pickle.dumps(response)), copy.copy(response)):
        assert type(restored) is requests.Response
        assert restored.content == b"{}"
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


# Rules, and what a call says


class AcmeError(Exception):
    """Root of a vendor's errors."""


class AcmeLocked(AcmeError, Conflict):
    """A class of the vendor's own."""

    retryable = True


LOCKED = Reply(409, {"Content-Type": "application/json"}, b'{"code": "locked", "message": "wait"}')


def response_of(handler: ErrorHandler, reply: int | Reply, **options: Any) -> requests.Response:
    """Make one GET through *handler*."""
    return stack_over(Script(reply), handler)[0].get("orders/7", **options)


def test_a_rule_says_which_error_an_answer_is() -> None:
    """The vendor's own word for a failure becomes the vendor's own class."""
    handler = ErrorHandler([Rule(AcmeLocked, status=409, code="locked")])

    with pytest.raises(AcmeLocked, match=r"409 AcmeLocked: wait \[GET http") as caught:
        response_of(handler, LOCKED)
    assert (caught.value.retryable, caught.value.status, caught.value.attempts) == (True, 409, 1)
    assert isinstance(caught.value, requests.HTTPError)
    with pytest.raises(Conflict) as plain:
        response_of(handler, 409)
    assert type(plain.value) is Conflict


def test_the_first_rule_that_fits_wins() -> None:
    """The table is read from above, so the special goes before the general."""
    rules = [Rule(AcmeLocked, code="locked"), Rule(Gone, status=409), Rule(None, status=409)]

    with pytest.raises(AcmeLocked):
        response_of(ErrorHandler(rules), LOCKED)
    with pytest.raises(Gone):
        response_of(ErrorHandler(rules[1:]), LOCKED)
    assert response_of(ErrorHandler(rules[2:]), LOCKED).json()["message"] == "wait"


@pytest.mark.parametrize("stream", [False, True])
def test_a_rule_can_let_an_answer_pass(stream: bool) -> None:
    """What is gone already is deleted: no error for whoever wanted it gone."""
    handler = ErrorHandler([Rule(None, status=404, method="DELETE")])
    stack, _ = stack_over(Script(Reply(404, body=b"gone"), 404), handler)

    assert stack.delete("orders/7", stream=stream).content == b"gone"
    with pytest.raises(NotFound):
        stack.get("orders/7")


def test_a_success_that_says_failure_is_an_error() -> None:
    """Some servers answer 200 whatever happens; by a rule the caller hears of it."""
    rule = Rule(ApplicationError, status=200, when=lambda a: a.json().get("ok") is False)
    handler = ErrorHandler([rule])
    failed = Reply(200, {"X-Request-Id": "7f3"}, b'{"ok": false, "error": "no_stock"}')

    with pytest.raises(ApplicationError, match="200 ApplicationError: no_stock") as caught:
        response_of(handler, failed)
    error = caught.value
    assert (error.status, error.sent, error.request_id) == (200, "yes", "7f3")
    assert error.details is not None
    assert error.details.code == "no_stock"
    assert response_of(handler, Reply(200, body=b'{"ok": true}')).json() == {"ok": True}
    assert response_of(handler, Reply(200, body=b"<html>")).text == "<html>"


def test_a_stream_of_data_is_not_looked_into() -> None:
    """A download is the caller's to read, from its first byte; headers are looked at."""
    inside = Rule(ApplicationError, status=200, when=lambda _: True)
    beside = Rule(ApplicationError, status=200, header="X-Failed")
    handler = ErrorHandler([inside, beside])

    response = response_of(handler, Reply(200, body=b"much"), stream=True)
    assert not response._content_consumed
    assert response.raw.read() == b"much"
    with pytest.raises(ApplicationError):
        response_of(handler, Reply(200, {"X-Failed": "1"}), stream=True)


def test_an_error_that_came_as_a_stream_is_looked_into() -> None:
    """Its body is read as far as an error's ever is, and no further."""
    endless = Body(iter(lambda: b'{"code": "locked"}', b""))
    stack, _ = stack_over(
        Script(409), ErrorHandler([Rule(AcmeLocked, when=lambda _: True)]), with_body(endless)
    )

    with pytest.raises(AcmeLocked):
        stack.get("a", stream=True)
    assert endless.taken < 5_000
    assert endless.closed
    with pytest.raises(AcmeLocked):
        response_of(ErrorHandler([Rule(AcmeLocked, code="locked")]), LOCKED, stream=True)


@pytest.mark.parametrize("expect", [404, (200, 404), [404], {404}, range(404, 405)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_gets_the_answers_that_it_expects(expect: Any, stream: bool) -> None:
    """Looking whether something is there is no reason for an exception."""
    reply = Reply(404, body=b"not here")
    response = response_of(ErrorHandler(), reply, expect=expect, stream=stream)

    assert (response.status_code, response.content) == (404, b"not here")


def test_a_call_that_expects_something_else_is_told() -> None:
    """A 200 where a 201 was due is no success; a 404 is still a 404."""
    with pytest.raises(UnexpectedStatus, match=r"^200 UnexpectedStatus") as caught:
        response_of(ErrorHandler(), 200, expect=(201, 202))
    assert caught.value.hint == "the call expects 201 or 202"
    with pytest.raises(NotFound):
        response_of(ErrorHandler(), 404, expect=201)
    with pytest.raises(UnexpectedStatus):
        response_of(ErrorHandler(), 302, expect=200, allow_redirects=False)
    assert response_of(ErrorHandler(), 200, expect=None).status_code == 200


def test_an_expected_success_may_still_say_failure() -> None:
    """``expect=200`` is about the status; the rule about what stands below it."""
    handler = ErrorHandler([Rule(ApplicationError, status=200)])

    with pytest.raises(ApplicationError):
        response_of(handler, 200, expect=200)


@pytest.mark.parametrize("expect", ["404", 0, (404, "x"), ()])
def test_an_expectation_without_sense_is_refused(expect: Any) -> None:
    """The mistake shows at the call that makes it."""
    with pytest.raises(ConfigError, match="expect="):
        response_of(ErrorHandler(), 200, expect=expect)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_can_have_every_answer(stream: bool) -> None:
    """``raise_for_status=False`` leaves all statuses to the caller, and faults to nobody."""
    handler = ErrorHandler([Rule(ApplicationError, status=200)])
    for status in (200, 404, 500):
        reply = Reply(status, body=b"so")
        response = response_of(handler, reply, raise_for_status=False, stream=stream)
        assert (response.status_code, response.content) == (status, b"so")

    stack, _ = stack_over(Script(requests.ConnectionError("gone"), 404), handler)
    with pytest.raises(ConnectionLost):
        stack.get("a", raise_for_status=False)
    assert stack.with_options(raise_for_status=False).get("a").status_code == 404


def test_a_session_that_raises_is_overruled_by_the_call() -> None:
    """What the caller expects is a success, whatever a hook of the session makes of it."""

    def strict(response: requests.Response, **given: Any) -> None:
        response.raise_for_status()

    stack, _ = stack_over(Script(404, 404), ErrorHandler())
    stack.hooks["response"].append(strict)

    assert stack.get("a", expect=404).status_code == 404
    assert stack.get("a", raise_for_status=False).status_code == 404


def test_a_rule_is_asked_too_where_a_handler_raised_for_the_status() -> None:
    """An error's class does not depend on who noticed it first."""

    def strict(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange)
        response.raise_for_status()
        return response

    stack, _ = stack_over(Script(LOCKED), ErrorHandler([Rule(AcmeLocked, code="locked")]), strict)

    with pytest.raises(AcmeLocked):
        stack.get("a")


# Under a vendor's own root


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (404, NotFound),
        (LOCKED, Conflict),
        (requests.ReadTimeout("slow"), ReadTimedOut),
        (requests.exceptions.InvalidURL("odd"), InvalidRequest),
        (RenewalFailed("refused"), RenewalFailed),
    ],
)
def test_every_failure_is_the_vendors(item: Any, kind: type[SessionKitError]) -> None:
    """One ``except`` of the vendor's name is enough, and the old ones still catch."""
    stack, _ = stack_over(Script(item), ErrorHandler(base_class=AcmeError))

    with pytest.raises(AcmeError) as caught:
        stack.get("a")
    error = caught.value
    assert isinstance(error, kind)
    assert isinstance(error, requests.RequestException)
    assert type(error) is vendor_error(AcmeError, kind)
    assert (error.attempts, error.method) == (1, "GET")
    assert type(pickle.loads(pickle.dumps(error))) is type(error)
    assert error.__context__ is None
    cause = isinstance(item, Exception) and not isinstance(item, SessionKitError)
    assert (error.__cause__ is not None) is cause


def test_a_mistake_in_the_stack_is_not_the_vendors_failure() -> None:
    """A ConfigError is for whoever builds the client, not for its users."""
    stack, _ = stack_over(Script(ConfigError("wrong")), ErrorHandler(base_class=AcmeError))

    with pytest.raises(ConfigError) as caught:
        stack.get("a")
    assert not isinstance(caught.value, AcmeError)


def test_a_rules_class_under_the_root_stays_itself() -> None:
    """What the vendor has written is what is raised."""
    handler = ErrorHandler(
        [Rule(AcmeLocked, status=409), Rule(Gone, status=404)], base_class=AcmeError
    )

    with pytest.raises(AcmeError) as caught:
        response_of(handler, 409)
    assert type(caught.value) is AcmeLocked
    with pytest.raises(AcmeError) as minted:
        response_of(handler, 404)
    assert type(minted.value).__mro__[1:3] == (AcmeError, Gone)


def test_a_stream_that_breaks_is_the_vendors_too() -> None:
    """After the head of an answer the same holds as before it."""
    body = Body(iter([b"a"]), low.ProtocolError("cut"))
    stack, _ = stack_over(Script(200), ErrorHandler(base_class=AcmeError), with_body(body))
    response = stack.get("a", stream=True)

    with pytest.raises(AcmeError) as caught:
        list(response.iter_content(10))
    assert isinstance(caught.value, IncompleteBody)


def test_the_header_that_names_a_request_can_be_the_vendors() -> None:
    """The support desk asks for its own number."""
    reply = Reply(404, {"X-Request-Id": "proxy-1", "X-Acme-Trace": "acme-7"})

    with pytest.raises(NotFound, match=r"id acme-7\]") as caught:
        response_of(ErrorHandler(request_id_headers=["X-Acme-Trace"]), reply)
    assert caught.value.request_id == "acme-7"
    with pytest.raises(NotFound, match=r"id proxy-1\]"):
        response_of(ErrorHandler(request_id_headers=["X-Other"]), reply)


def test_an_outer_handler_sees_the_error_and_may_answer_instead() -> None:
    """Handlers wrap: whoever stands outside decides over what happened inside."""

    def forgiving(exchange: Exchange, call_next: CallNext) -> requests.Response:
        try:
            return call_next(exchange)
        except NotFound:
            instead = requests.Response()
            instead.status_code = 204
            return instead

    stack, _ = stack_over(Script(404), forgiving, ErrorHandler())

    assert stack.get("a").status_code == 204


@pytest.mark.parametrize(
    "given",
    [{"rules": [NotFound]}, {"rules": ["x"]}, {"base_class": "AcmeError"}, {"base_class": object}],
)
def test_settings_without_sense_are_refused(given: Any) -> None:
    """The mistake shows where the handler is made."""
    with pytest.raises(ConfigError):
        ErrorHandler(**given)


def test_a_handler_shows_its_settings() -> None:
    """``explain()`` prints them, and that there are none."""
    handler = ErrorHandler(
        [Rule(None, status=404)], base_class=AcmeError, request_id_headers=["X-Acme"]
    )

    assert repr(ErrorHandler()) == "ErrorHandler()"
    assert repr(handler) == (
        "ErrorHandler(rules=[Rule(None, status=[404])], base_class=AcmeError, "
        "request_id_headers=['X-Acme'])"
    )
