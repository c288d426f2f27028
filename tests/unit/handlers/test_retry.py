"""What may pass is tried again; what may have happened is not done twice."""

from __future__ import annotations

import contextlib
import io
import logging
import ssl
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
import requests
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.util import Retry

from sessionkit import CallNext, Exchange
from sessionkit.errors import (
    CircuitOpen,
    ConfigError,
    LoginRequired,
    RenewalFailed,
    StoreUnreadable,
)
from sessionkit.handlers import RetryBudget, RetryHandler, RetryIf, TimeoutHandler
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Item, Reply, Script, stack_over

NOW = 1_700_000_000.0
#: Three more tries, without jitter, so that waits can be told exactly.
EXACT = Retry(total=3, backoff_factor=0.5, status_forcelist={429, 502, 503, 504})


def given_up(reason: Exception) -> MaxRetryError:
    return MaxRetryError(None, "/", reason)  # type: ignore[arg-type]  # the pool is only printed


def refused() -> requests.ConnectionError:
    where = HTTPConnection("api.example")
    return requests.ConnectionError(given_up(NewConnectionError(where, "refused")))


def unresolved() -> requests.ConnectionError:
    where = HTTPConnection("api.example")
    reason = NameResolutionError("api.example", where, None)  # type: ignore[arg-type]  # only kept or printed
    return requests.ConnectionError(given_up(reason))


def connect_timeout() -> requests.ConnectTimeout:
    return requests.ConnectTimeout(given_up(ConnectTimeoutError("too slow")))


def reset() -> requests.ConnectionError:
    return requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError()))


def run(
    *items: Item, method: str = "GET", policy: Retry | int | None = EXACT, **options: Any
) -> tuple[requests.Response, Script, FakeClock]:
    """Make one call over a script, and return its answer, the script and the clock."""
    script = Script(*items)
    stack, clock = stack_over(script, RetryHandler(policy))
    return stack.request(method, "tasks", **options), script, clock


# What is tried again


def test_two_refusals_and_an_answer_are_one_answer() -> None:
    """A server that is busy for a moment costs the caller a moment."""
    response, script, clock = run(503, 503, 200)

    assert response.status_code == 200
    assert script.sent == 3
    # At once, then after 0.5 * 2 seconds.
    assert clock.sleeps == (1.0,)
    assert [a.status for a in response.record.attempts] == [503, 503, 200]  # type: ignore[attr-defined]  # set by the stack


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_that_pass_are_tried_again(status: int) -> None:
    """Too busy, and gateways in trouble."""
    assert run(status, 200)[0].status_code == 200


@pytest.mark.parametrize("status", [304, 400, 401, 404, 408, 500, 501])
def test_other_statuses_stand(status: int) -> None:
    """What will not pass is told at once."""
    response, script, _ = run(Reply(status, body=b""))

    assert (response.status_code, script.sent) == (status, 1)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "get"])
def test_idempotent_methods_are_tried_again(method: str) -> None:
    """Doing it twice is doing it once (RFC 9110, section 9.2.2)."""
    assert run(503, 200, method=method)[1].sent == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("item", [503, reset(), requests.ReadTimeout("slow")])
def test_a_method_that_acts_is_not_repeated_once_it_may_have_acted(
    method: str, item: int | Exception
) -> None:
    """No order is placed twice."""
    script = Script(item)
    stack, _ = stack_over(script, RetryHandler())

    if isinstance(item, Exception):
        with pytest.raises(type(item)):
            stack.request(method, "tasks")
    else:
        assert stack.request(method, "tasks").status_code == item

    assert script.sent == 1


@pytest.mark.parametrize(
    "error", [refused(), unresolved(), connect_timeout(), requests.ConnectTimeout("said a mock")]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_never_arrived_is_sent_again_whatever_its_method(
    method: str, error: Exception
) -> None:
    """An order that no server saw can be placed again."""
    response, script, _ = run(error, 200, method=method)

    assert (response.status_code, script.sent) == (200, 2)


@pytest.mark.parametrize(
    "error",
    [
        reset(),
        requests.ReadTimeout("slow"),
        requests.Timeout("slow"),
        requests.ConnectionError("said a mock"),
        requests.exceptions.ChunkedEncodingError(ProtocolError("cut short")),
    ],
)
def test_what_was_lost_on_the_way_is_asked_again(error: Exception) -> None:
    """A lost answer to a GET is fetched anew."""
    assert run(error, 200)[0].status_code == 200


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.SSLError(given_up(SSLError(ssl.SSLCertVerificationError("expired")))),
        requests.exceptions.SSLError("self-signed"),
        requests.exceptions.ProxyError(given_up(ProxyError("no", OSError("407 required")))),
        requests.ConnectionError(ClosedPoolError(None, "closed")),  # type: ignore[arg-type]  # only kept or printed
        requests.exceptions.ContentDecodingError("garbage"),
        requests.exceptions.RetryError("the adapter has tried already"),
        requests.TooManyRedirects("round and round"),
        requests.exceptions.InvalidURL("no"),
        OSError("not of requests"),
        LoginRequired("log in"),
        RenewalFailed("refused"),
        StoreUnreadable("broken"),
        CircuitOpen("later"),
        ConfigError("wrong"),
    ],
)
def test_what_does_not_pass_is_raised_at_once(error: Exception) -> None:
    """Certificates, refusals of a proxy, failed renewals and mistakes get no better."""
    script = Script(error)
    stack, clock = stack_over(script, RetryHandler())

    with pytest.raises(type(error)) as caught:
        stack.get("tasks")

    assert caught.value is error
    assert (script.sent, clock.monotonic()) == (1, 0.0)


def test_a_proxy_that_is_away_is_tried_again() -> None:
    """A proxy that refuses the connection has sent nothing on."""
    away = ProxyError("away", NewConnectionError(HTTPConnection("proxy.example"), "refused"))
    error = requests.exceptions.ProxyError(given_up(away))

    assert run(error, 200, method="POST")[0].status_code == 200


def test_a_handshake_that_was_cut_off_is_tried_again() -> None:
    """A balancer that restarts is no bad certificate; who acts is still not repeated."""
    cut = requests.exceptions.SSLError(given_up(SSLError(ssl.SSLEOFError(8, "EOF"))))

    assert run(cut, 200)[0].status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        run(cut, 200, method="POST")


# What stands in the end


def test_after_the_last_try_the_last_answer_stands() -> None:
    """The caller sees what the server said, body and all, and never a MaxRetryError."""
    response, script, _ = run(503, 502, 503, Reply(504, body=b'{"why": "still busy"}'))

    assert response.status_code == 504
    assert response.json() == {"why": "still busy"}
    assert script.sent == 4


def test_after_the_last_try_the_last_error_stands() -> None:
    """The caller sees what happened last."""
    last = requests.ReadTimeout("slow")
    script = Script(503, reset(), 503, last)
    stack, _ = stack_over(script, RetryHandler(EXACT))

    with pytest.raises(requests.ReadTimeout) as caught:
        stack.get("tasks")

    assert caught.value is last
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("connect", [refused(), refused()]),
        ("read", [reset(), reset()]),
        ("status", [503, 503]),
        ("other", [requests.exceptions.SSLError(given_up(SSLError(ssl.SSLEOFError())))] * 2),
    ],
)
def test_each_limit_of_the_policy_holds(field: str, items: list[Any]) -> None:
    """urllib3's words mean what they mean there."""
    policy = Retry(total=10, status_forcelist={503}, **{field: 1})  # type: ignore[arg-type]  # only kept or printed
    script = Script(*items, 200)
    stack, _ = stack_over(script, RetryHandler(policy))

    if isinstance(items[-1], Exception):
        with pytest.raises(type(items[-1])):
            stack.get("tasks")
    else:
        assert stack.get("tasks").status_code == 503

    assert script.sent == 2


def test_read_false_forbids_repeating_what_was_sent() -> None:
    """A policy can say that only what never arrived is sent again."""
    with pytest.raises(requests.ConnectionError):
        run(refused(), reset(), 200, policy=Retry(total=5, read=False))


def test_a_policy_without_end_ends_at_the_cap() -> None:
    """20 attempts are the most; the last answer stands, not an error about the cap."""
    policy = Retry(total=None, status_forcelist={503})
    response, script, _ = run(*[503] * 25, policy=policy)

    assert (response.status_code, script.sent) == (503, 20)


def test_any_method_can_be_allowed() -> None:
    """An API whose POST is safe to repeat gets its retries."""
    policy = Retry(total=1, allowed_methods=None, status_forcelist={503})

    assert run(503, 200, method="POST", policy=policy)[0].status_code == 200
    assert run(reset(), 200, method="POST", policy=policy)[0].status_code == 200


def test_counts_belong_to_each_call() -> None:
    """A call that used its tries up takes none from the next."""
    script = Script(503, 503, 503, 503, 503, 503, 503, 200)
    stack, _ = stack_over(script, RetryHandler(EXACT))

    assert stack.get("tasks").status_code == 503
    assert stack.get("tasks").status_code == 200


# How long it waits


def test_the_default_waits_grow_and_jitter() -> None:
    """At once, then 1 and 2 seconds, each with up to half a second on top."""
    _, script, clock = run(503, 503, 503, 200, policy=None)

    assert script.sent == 4
    assert 3.0 <= clock.monotonic() <= 4.0


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0.5", 0.5), (" 3 ", 3.0)])
def test_retry_after_in_seconds_is_honoured(header: str, seconds: float) -> None:
    """The server knows best when it is ready."""
    _, _, clock = run(Reply(503, {"Retry-After": header}), 200)

    assert clock.monotonic() == seconds


def test_retry_after_as_a_date_is_honoured() -> None:
    """Dates count by the clock of the server that wrote them."""
    skewed = NOW + 3600
    headers = {"Retry-After": formatdate(skewed + 9), "Date": formatdate(skewed)}
    _, _, clock = run(Reply(503, headers), 200)

    assert clock.monotonic() == 9.0


def test_retry_after_as_a_date_without_a_date_counts_by_our_clock() -> None:
    """A server that does not tell its time is believed to share ours."""
    _, _, clock = run(Reply(429, {"Retry-After": formatdate(NOW + 9)}), 200)

    assert clock.monotonic() == 9.0


@pytest.mark.parametrize("header", ["0", "soon", "-5", formatdate(NOW - 60), ""])
def test_a_retry_after_of_no_use_leaves_the_backoff(header: str) -> None:
    """Garbage and dates in the past neither crash nor hurry a retry."""
    busy = Reply(503, {"Retry-After": header})
    _, _, clock = run(busy, busy, 200)

    assert clock.monotonic() == 1.0


def test_retry_after_is_a_reason_of_its_own() -> None:
    """A 413 that names a time is tried again, as urllib3 does; without one it stands."""
    assert run(Reply(413, {"Retry-After": "1"}), 200)[0].status_code == 200
    assert run(413)[0].status_code == 413


def test_retry_after_can_be_disregarded() -> None:
    """A policy that does not respect the header keeps to its backoff."""
    policy = Retry(total=1, status_forcelist={503}, respect_retry_after_header=False)
    response, _, clock = run(Reply(503, {"Retry-After": "9"}), 200, policy=policy)

    assert (response.status_code, clock.monotonic()) == (200, 0.0)


def test_a_wait_that_is_too_long_is_the_callers_to_make() -> None:
    """A program is not put to sleep for an hour: the answer stands, with what the server asked."""
    response, script, clock = run(Reply(503, {"Retry-After": "3600"}, b"later"))

    assert (response.status_code, response.headers["Retry-After"]) == (503, "3600")
    assert response.text == "later"
    assert (script.sent, clock.monotonic()) == (1, 0.0)


def test_a_policy_can_shorten_what_the_server_asks() -> None:
    """retry_after_max limits the wait, as in urllib3."""
    policy = Retry(total=1, status_forcelist={503}, retry_after_max=5)

    assert run(Reply(503, {"Retry-After": "3600"}), 200, policy=policy)[2].monotonic() == 5.0


def test_a_backoff_is_shortened_to_the_longest_wait() -> None:
    """Our own waits stay within the limit too."""
    script = Script(503, 503, 200)
    policy = Retry(total=2, backoff_factor=100, status_forcelist={503})
    stack, clock = stack_over(script, RetryHandler(policy, max_wait=2))

    assert stack.get("tasks").status_code == 200
    assert clock.monotonic() == 2.0


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """Waiting for an answer that could not be fetched in time helps nobody."""
    script = Script(Reply(503, {"Retry-After": "11"}))
    stack, clock = stack_over(script, TimeoutHandler(10), RetryHandler())

    assert stack.get("tasks").status_code == 503
    assert (script.sent, clock.monotonic()) == (1, 0.0)


def test_an_error_stands_when_no_time_is_left() -> None:
    """The real error, not a made-up one."""
    script = Script(refused(), refused())
    stack, _ = stack_over(script, TimeoutHandler(0.9), RetryHandler(EXACT))

    with pytest.raises(requests.ConnectionError, match="refused"):
        stack.get("tasks")

    assert script.sent == 2


# What a call can say


def test_a_call_can_forbid_retries() -> None:
    """retries=0 is one attempt."""
    for none in (0, False):
        assert run(503, 200, retries=none)[0].status_code == 503


def test_a_call_can_bring_a_number_or_a_policy() -> None:
    """A number keeps the handler's other settings; a policy stands in their place."""
    assert run(503, 503, 503, 503, 200, retries=4)[2].monotonic() == 7.0
    assert run(500, 200, retries=Retry(1, status_forcelist={500}))[0].status_code == 200


def test_retries_none_is_the_handlers_own_policy() -> None:
    """None says nothing."""
    assert run(503, 200, retries=None)[0].status_code == 200


@pytest.mark.parametrize("value", [-1, True, "3", 2.5])
def test_retries_without_sense_are_refused(value: Any) -> None:
    """The mistake shows with its name and value, before anything is sent."""
    with pytest.raises(ConfigError, match=f"retries={value!r}"):
        run(200, retries=value)
    with pytest.raises(ConfigError, match=f"policy={value!r}"):
        RetryHandler(value)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "3", None])
def test_a_longest_wait_without_sense_is_refused(value: Any) -> None:
    """So too where the handler is built."""
    with pytest.raises(ConfigError, match="max_wait must be a number of seconds"):
        RetryHandler(max_wait=value)


# Bodies and answers


def test_a_body_is_sent_again_whole() -> None:
    """A file goes out from where it stood, each time."""
    body = io.BytesIO(b"header:content")
    body.seek(7)
    _, script, _ = run(503, reset(), 200, method="PUT", data=body)

    assert script.bodies == [b"content"] * 3


def test_a_body_that_cannot_be_sent_again_is_not() -> None:
    """No empty upload: the answer comes back as it is, or the error."""

    def once() -> Iterator[bytes]:
        yield b"content"

    response, script, _ = run(Reply(503, body=b"busy"), method="PUT", data=once())
    assert (response.status_code, response.text, script.sent) == (503, "busy", 1)

    with pytest.raises(requests.ConnectionError):
        run(reset(), 200, method="PUT", data=once())


def test_a_streamed_answer_comes_unread() -> None:
    """A download through retries is still a download."""
    response, _, _ = run(503, Reply(200, body=b"much"), stream=True)

    assert not response._content_consumed
    assert response.raw.read() == b"much"


def test_a_refused_answer_is_not_read() -> None:
    """The body of a refusal may be endless; only the answer that stands is waited for."""
    live = []

    def watching(exchange: Exchange, call_next: CallNext) -> requests.Response:
        live.append(call_next(exchange))
        return live[-1]

    stack, _ = stack_over(Script(503, 200), RetryHandler(), watching)
    response = stack.get("tasks")

    assert not live[0]._content_consumed
    assert response is live[1]
    assert response._content_consumed


def test_ctrl_c_passes_at_once() -> None:
    """Whoever wants to stop, stops: in an attempt and in a wait."""

    class Impatient(FakeClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    def interrupted() -> Reply:
        raise KeyboardInterrupt

    for items in ((interrupted, 200), (503, 503, 200)):
        stack, _ = stack_over(Script(*items), RetryHandler(), clock=Impatient())
        with pytest.raises(KeyboardInterrupt):
            stack.get("tasks")


def test_no_secret_of_the_url_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 writes of each retry at DEBUG; it is given the URL with its secrets masked."""
    caplog.set_level(logging.DEBUG)
    stack, _ = stack_over(Script(503, reset(), 200), RetryHandler(EXACT))

    stack.get("http://user:planted-7@api.example/tasks?api_key=planted-7")

    assert "planted-7" not in caplog.text
    assert "Incremented Retry" in caplog.text


# Conditions of one's own


def test_a_condition_stands_in_place_of_the_list() -> None:
    """What this server means by 423 is known to whoever writes its client."""
    handler = RetryHandler(EXACT, when=RetryIf.status(423))
    script = Script(423, 423, 200, 503)
    stack, _ = stack_over(script, handler)

    assert stack.get("tasks").status_code == 200
    assert stack.get("tasks").status_code == 503


def test_a_condition_may_look_at_the_answer() -> None:
    """A 200 that says "not ready" is waited out, as long as the server asks."""

    def unready(_: Exchange, outcome: requests.Response | Exception) -> bool:
        return isinstance(outcome, requests.Response) and outcome.json()["state"] == "pending"

    pending = Reply(200, {"Retry-After": "3"}, b'{"state": "pending"}')
    script = Script(pending, pending, Reply(200, body=b'{"state": "done"}'))
    stack, clock = stack_over(script, RetryHandler(EXACT, when=RetryIf.transient | unready))

    assert stack.get("report").json() == {"state": "done"}
    assert clock.sleeps == (3.0, 3.0)


def test_a_condition_decides_over_exceptions_too() -> None:
    """A certificate that is renewed this minute, for one; all else is raised at once."""
    bad = requests.exceptions.SSLError("expired")
    handler = RetryHandler(EXACT, when=RetryIf.raised(requests.exceptions.SSLError))
    stack, _ = stack_over(Script(bad, 200, requests.ReadTimeout("slow")), handler)

    assert stack.get("tasks").status_code == 200
    with pytest.raises(requests.ReadTimeout):
        stack.get("tasks")


def test_a_condition_does_not_make_anything_safe() -> None:
    """A POST is still not repeated, a failed renewal still raised, and limits still hold."""
    always = RetryIf(lambda _, __: True)
    calls: list[tuple[str, Item]] = [
        *(("POST", 503), ("POST", requests.ReadTimeout("slow"))),
        ("GET", RenewalFailed("refused")),
    ]
    for method, item in calls:
        script = Script(item)
        stack, _ = stack_over(script, RetryHandler(EXACT, when=always))
        with contextlib.suppress(requests.RequestException):
            stack.request(method, "tasks")
        assert script.sent == 1
    script = Script(*[200] * 9)
    stack, _ = stack_over(script, RetryHandler(EXACT, when=always))
    assert stack.get("tasks").status_code == 200
    assert script.sent == 4


# Budgets


class CountedBudget:
    """A budget that keeps account."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.returned = 0

    def try_withdraw(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def refund(self) -> None:
        self.returned += 1


class DepositBudget(CountedBudget):
    """One that wants to hear of every success."""

    earned = 0

    def deposit(self) -> None:
        self.earned += 1


def test_a_budget_that_is_spent_ends_retries() -> None:
    """When everything fails, trying again does not make it worse."""
    budget = CountedBudget(2)
    script = Script(503, 503, 503, 503, reset())
    stack, clock = stack_over(script, RetryHandler(EXACT, budget=budget))

    assert stack.get("tasks").status_code == 503
    assert script.sent == 3
    assert stack.get("tasks").status_code == 503
    with pytest.raises(requests.ConnectionError):
        stack.get("tasks")
    assert script.sent == 5
    assert clock.monotonic() == 1.0
    assert budget.returned == 0


def test_a_retry_that_helped_is_given_back() -> None:
    """A server that recovers keeps its callers patient; one that is well earns them."""
    budget = DepositBudget(9)
    script = Script(503, 503, 404, 200, 200, 500)
    stack, _ = stack_over(script, RetryHandler(EXACT, budget=budget))
    for _ in range(4):
        stack.get("tasks")

    assert (budget.left, budget.returned, budget.earned) == (7, 1, 2)


def test_what_is_not_tried_again_takes_nothing() -> None:
    """Neither a wait that is too long, nor what may not be repeated, nor the last try."""
    budget = CountedBudget(9)
    long = Reply(503, {"Retry-After": "3600"})
    stack, _ = stack_over(Script(long, 503, 503, 503), RetryHandler(1, budget=budget))

    assert stack.get("tasks").status_code == 503
    assert stack.post("tasks").status_code == 503
    assert budget.left == 9
    assert stack.get("tasks").status_code == 503
    assert budget.left == 8


def test_the_real_budget_fits() -> None:
    """What the library brings is what the handler asks for."""
    budget = RetryBudget(1, ratio=0.5)
    stack, _ = stack_over(Script(503, 503, 503, 200, 200, 503, 200), RetryHandler(1, budget=budget))

    assert stack.get("tasks").status_code == 503
    assert stack.get("tasks").status_code == 503
    assert budget.balance == 0.0
    assert [stack.get("tasks").status_code for _ in range(2)] == [200, 200]
    assert budget.balance == 1.0
    assert stack.get("tasks").status_code == 200


# Waits by other headers


def test_a_spent_budget_of_the_server_is_waited_for() -> None:
    """Servers that say it by RateLimit alone are heeded too."""
    spent = Reply(429, {"RateLimit": '"default";r=0;t=7'})
    legacy = Reply(429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 5:.0f}"})
    fine = Reply(503, {"Retry-After-Ms": "250"})

    for reply, seconds in ((spent, 7.0), (legacy, 5.0), (fine, 0.25)):
        assert run(reply, 200)[2].sleeps == (seconds,)


def test_a_reset_in_an_hour_is_the_callers_to_wait_for() -> None:
    """The same limit holds for it as for Retry-After."""
    spent = Reply(429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "3600"})

    assert run(spent)[0].status_code == 429


def test_it_shows_its_settings() -> None:
    """explain() tells what is tried again, and how long is waited."""
    assert repr(RetryHandler()) == (
        "RetryHandler(total=3, statuses=[429, 502, 503, 504], "
        "methods=['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'TRACE'], "
        "backoff=0.5 to 120, jitter=0.5, max_wait=60.0)"
    )
    assert "connect=2" in repr(RetryHandler(Retry(connect=2, allowed_methods=None)))
    shown = repr(RetryHandler(when=RetryIf.transient, budget=RetryBudget(9), always_send_key=True))
    assert "when=" in shown
    assert "budget=RetryBudget(9, ratio=0.2)" in shown
    assert "idempotency_header=Idempotency-Key, always_send_key=True" in shown
