"""Calls stay within the budgets that servers tell of, and within a rate of one's own."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
import requests

from sessionkit import Exchange, SessionStack
from sessionkit._clock import Clock
from sessionkit.chain._exchange import Credential
from sessionkit.errors import ConfigError, RateLimitExhausted
from sessionkit.handlers import RateLimitHandler, RetryHandler, TimeoutHandler
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Reply, Script, stack_over

HUGE = 1_000.0
DATE = formatdate(2_000_000_000, usegmt=True)
#: A window of ten seconds, and its margin.
TEN = 10.05


def quota_of(remaining: int, reset: float, status: int = 200) -> Reply:
    """Return an answer that tells of its server's budget."""
    return Reply(status, {"RateLimit": f'"default";r={remaining};t={reset:.0f}'})


def sends(stack: SessionStack, count: int) -> list[float]:
    """Return the moments at which *count* calls were answered."""
    clock = stack.clock
    moments = []
    for _ in range(count):
        stack.get("tasks")
        moments.append(clock.monotonic())
    return moments


def test_a_spent_budget_is_waited_out() -> None:
    """Not one request is refused: the next call waits until the budget is whole again."""
    script = Script(quota_of(1, 30), quota_of(0, 30), quota_of(9, 60), 200)
    stack, clock = stack_over(script, RateLimitHandler())

    assert sends(stack, 4) == [0.0, 0.0, 30.0, 30.0]
    assert list(clock.sleeps) == [30.0]


@pytest.mark.parametrize("status", [403, 429, 503])
def test_retry_after_holds_all_calls_back(status: int) -> None:
    """One refused call is enough: the others wait as long as the server asked."""
    script = Script(Reply(status, {"Retry-After": "7"}), 200)
    stack, clock = stack_over(script, RateLimitHandler())

    assert sends(stack, 2) == [0.0, 7.0]
    assert list(clock.sleeps) == [7.0]


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": formatdate(2_000_000_007, usegmt=True), "Date": DATE}, 7.0),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"x-ms-retry-after-ms": "20"}, 0.02),
    ],
)
def test_retry_after_is_heeded_in_all_its_forms(headers: dict[str, str], wait: float) -> None:
    """Fractions and milliseconds, and dates by the server's clock, which is years from ours."""
    stack, clock = stack_over(Script(Reply(429, headers), 200), RateLimitHandler())

    sends(stack, 2)
    assert list(clock.sleeps) == [wait]


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Retry-After": "7"}),
        (404, {"Retry-After": "7"}),
        (429, {"Retry-After": "soon"}),
        (429, {"Retry-After": "0"}),
        (429, {}),
        (200, {"X-RateLimit-Reset": "7"}),
    ],
)
def test_what_asks_for_no_wait_makes_none(status: int, headers: dict[str, str]) -> None:
    """Only a refusal that says for how long holds anybody back."""
    stack, clock = stack_over(Script(Reply(status, headers), 200), RateLimitHandler())

    sends(stack, 2)
    assert list(clock.sleeps) == []


def test_a_reset_with_a_refusal_is_a_wait() -> None:
    """A 429 that tells only when the budget is whole again tells enough."""
    script = Script(Reply(429, {"X-RateLimit-Reset": "7"}), 200)
    stack, clock = stack_over(script, RateLimitHandler())

    sends(stack, 2)
    assert list(clock.sleeps) == [7.0]


def test_retry_after_takes_precedence() -> None:
    """draft-ietf-httpapi-ratelimit-headers, section 7: the shorter wait is the server's word."""
    refused = Reply(429, {"Retry-After": "5", "RateLimit": '"default";r=0;t=60'})
    stack, clock = stack_over(Script(quota_of(3, 60), refused, 200), RateLimitHandler())

    sends(stack, 3)
    assert list(clock.sleeps) == [5.0]


@pytest.mark.parametrize("headers", [{"Age": "3"}, {"Age": "garbage"}])
def test_an_old_answer_teaches_nothing(headers: dict[str, str]) -> None:
    """What a cache on the way kept speaks of a budget that was."""
    old = Reply(200, {"RateLimit": '"default";r=0;t=60', **headers})
    stack, clock = stack_over(Script(old, 200), RateLimitHandler())

    sends(stack, 2)
    assert list(clock.sleeps) == []


def test_an_answer_that_is_new_teaches_with_an_age_of_nothing() -> None:
    """A cache that passes an answer on at once says so."""
    new = Reply(200, {"RateLimit": '"default";r=0;t=6', "Age": "0"})
    stack, clock = stack_over(Script(new, 200), RateLimitHandler())

    sends(stack, 2)
    assert list(clock.sleeps) == [6.0]


def test_a_cache_of_the_session_teaches_and_costs_nothing() -> None:
    """The answer of yesterday neither holds anybody back today nor uses today's budget."""
    stack, clock = stack_over(
        Script(quota_of(2, 60), *[quota_of(0, 60)] * 9, 200), RateLimitHandler()
    )
    stack.get("tasks")

    def cached(exchange: Exchange, call_next: Any) -> requests.Response:
        response: requests.Response = call_next(exchange)
        exchange.record.from_cache = True
        return response

    stack.handlers.add(cached)
    sends(stack, 9)
    stack.handlers.remove("cached")
    stack.get("tasks")
    assert list(clock.sleeps) == []


def test_a_call_that_is_not_sent_uses_no_budget_of_the_server() -> None:
    """What the rate refuses, the server never counted."""
    handler = RateLimitHandler((1, 10.0), max_wait=0)
    stack, clock = stack_over(Script(quota_of(2, 60), 200), handler)
    stack.get("tasks")
    for _ in range(5):
        with pytest.raises(RateLimitExhausted, match="the rate of 1 in 10 s"):
            stack.get("tasks")
    clock.advance(TEN)

    assert stack.get("tasks").status_code == 200


def test_the_end_of_a_redirect_elsewhere_teaches_nothing() -> None:
    """What another host says of its budget is not this host's."""
    away = Reply(302, {"Location": "http://other.example/"})
    stack, clock = stack_over(Script(away, quota_of(0, 60), 200), RateLimitHandler())

    sends(stack, 2)
    assert list(clock.sleeps) == []


def test_hosts_have_budgets_of_their_own() -> None:
    """One host's spent budget holds no other host back."""
    stack, clock = stack_over(Script(quota_of(0, 60), 200), RateLimitHandler())

    stack.get("tasks")
    stack.get("http://other.example/")
    assert list(clock.sleeps) == []


def test_learning_can_be_left_out() -> None:
    """Who knows better than a server that tells nonsense says so."""
    stack, clock = stack_over(Script(quota_of(0, 60), 200), RateLimitHandler(respect_server=False))

    sends(stack, 2)
    assert list(clock.sleeps) == []


def test_a_rate_holds_without_the_server_saying_anything() -> None:
    """Ten a second are ten a second, though no answer ever mentions it."""
    stack, _ = stack_over(Script(*[200] * 25), RateLimitHandler("10/second"))

    assert sends(stack, 25) == pytest.approx([0.0] * 10 + [1.05] * 10 + [2.1] * 5)


def test_both_kinds_of_budget_hold_at_once() -> None:
    """The tighter one counts at each moment."""
    script = Script(200, quota_of(0, 30), 200, 200, 200)
    stack, _ = stack_over(script, RateLimitHandler((2, 10.0)))

    assert sends(stack, 5) == [0.0, 0.0, 30.0, 30.0, 30.0 + TEN]


def test_a_wait_beyond_the_longest_is_an_error_at_once() -> None:
    """The caller learns when there is room again, without having waited for it."""
    script = Script(quota_of(0, 300))
    stack, clock = stack_over(script, RateLimitHandler())
    stack.get("tasks")

    with pytest.raises(RateLimitExhausted) as caught:
        stack.get("tasks")

    error = caught.value
    assert error.retry_after == 300.0
    assert error.sent == "no"
    assert error.retryable
    assert error.attempts == 0
    assert (error.method, error.url) == ("GET", "http://api.example/tasks")
    assert error.message == (
        "the server's quota allows no request for 300 s, longer than this call may wait"
    )
    assert list(clock.sleeps) == []
    assert script.sent == 1


def test_a_wait_beyond_the_deadline_is_an_error_at_once() -> None:
    """A deadline is not spent on a wait that cannot end within it."""
    limiter = RateLimitHandler((1, 10.0))
    stack, clock = stack_over(Script(200, 200), TimeoutHandler(), limiter)
    stack.get("tasks")

    with pytest.raises(RateLimitExhausted, match=r"10 s allows no request for 10\.1 s"):
        stack.get("tasks", total_timeout=TEN)
    assert list(clock.sleeps) == []
    assert stack.get("tasks", total_timeout=10.5).status_code == 200
    assert list(clock.sleeps) == [TEN]


def test_all_waits_of_a_call_together_are_bounded() -> None:
    """Waiting for the server and then for the rate is one wait to the caller."""
    script = Script(quota_of(0, 30), 200)
    stack, clock = stack_over(script, RateLimitHandler((1, 70.0), max_wait=65))
    stack.get("tasks")

    with pytest.raises(RateLimitExhausted):
        stack.get("tasks")
    assert list(clock.sleeps) == [30.0]


def test_a_handler_that_never_waits_refuses() -> None:
    """max_wait=0 turns a budget into an error, for those who queue by themselves."""
    stack, clock = stack_over(Script(200), RateLimitHandler((1, 1.0), max_wait=0))
    stack.get("tasks")

    for _ in range(2):
        with pytest.raises(RateLimitExhausted) as caught:
            stack.get("tasks")
        assert caught.value.retry_after == 1.05
    assert list(clock.sleeps) == []


def test_a_call_that_was_sent_before_says_so() -> None:
    """A retry that may not be sent in time does not claim that nothing was sent."""
    script = Script(503)
    stack, _ = stack_over(script, RetryHandler(), RateLimitHandler((1, HUGE)))

    with pytest.raises(RateLimitExhausted) as caught:
        stack.get("tasks")
    assert caught.value.sent == "maybe"
    assert caught.value.attempts == 1


def test_each_attempt_counts() -> None:
    """Retries are requests to a server that counts them."""
    stack, clock = stack_over(Script(503, 200), RetryHandler(), RateLimitHandler((1, 10.0)))

    stack.get("tasks")
    assert clock.monotonic() == TEN


def test_a_failed_request_counts_too() -> None:
    """The server may well have counted it before the connection was lost."""
    script = Script(requests.ConnectionError("reset"), 200)
    stack, clock = stack_over(script, RateLimitHandler((1, 10.0)))

    with pytest.raises(requests.ConnectionError):
        stack.get("tasks")
    stack.get("tasks")
    assert list(clock.sleeps) == [TEN]


def by_tenant(exchange: Exchange) -> str:
    return exchange.header("X-Tenant") or ""


@pytest.mark.parametrize(("budget", "wait"), [("rate", TEN), ("learned", 10.0)])
def test_a_key_tells_budgets_apart(budget: str, wait: float) -> None:
    """Each tenant has its own, of a rate and of what the server says."""
    if budget == "rate":
        handler = RateLimitHandler((1, 10.0), key_func=by_tenant)
        script = Script(200, 200, 200)
    else:
        handler = RateLimitHandler(key_func=by_tenant)
        script = Script(quota_of(0, 10), 200, 200)
    stack, clock = stack_over(script, handler)

    stack.get("tasks", headers={"X-Tenant": "north"})
    stack.get("tasks", headers={"X-Tenant": "south"})
    assert list(clock.sleeps) == []
    stack.get("tasks", headers={"X-Tenant": "north"})
    assert list(clock.sleeps) == [wait]


@pytest.mark.parametrize(
    "other",
    [{"headers": {"Authorization": "Bearer planted-8"}}, {"auth": ("user", "planted-8")}, {}],
)
def test_accounts_have_learned_budgets_of_their_own(other: dict[str, Any]) -> None:
    """What the server says to one account holds no other one back."""
    stack, clock = stack_over(Script(quota_of(0, 10), 200, 200), RateLimitHandler())

    mine: dict[str, Any] = {"headers": {"Authorization": "Bearer planted-7"}}
    stack.get("tasks", **mine)
    stack.get("tasks", **other)
    assert list(clock.sleeps) == []
    stack.get("tasks", **mine)
    assert list(clock.sleeps) == [10.0]


def carrying(token: str) -> Any:
    """Return a handler that places *token*, as the one for authentication does."""

    def carry(exchange: Exchange, call_next: Any) -> requests.Response:
        origins = frozenset({"http://api.example:80"})
        response: requests.Response = call_next(
            exchange.with_credential(
                Credential("header", "Authorization", f"Bearer {token}", origins)
            )
        )
        return response

    return carry


def test_a_renewed_token_shares_the_rate_of_its_predecessor() -> None:
    """A rate is one of the origin: a renewal does not double it."""
    handler = RateLimitHandler((1, 10.0))
    script, clock = Script(200, 200), FakeClock()
    for token in ("first", "second"):
        stack_over(script, carrying(token), handler, clock=clock)[0].get("tasks")

    assert list(clock.sleeps) == [TEN]


def test_no_credential_is_kept_in_the_clear() -> None:
    """Neither a token nor a key of the user's is found in what the handler remembers."""
    handler = RateLimitHandler((9, 10.0))
    keyed = RateLimitHandler((9, 10.0), key_func=lambda _: "planted-7")
    for each in (handler, keyed):
        stack, _ = stack_over(Script(quota_of(5, 10), 200), carrying("planted-7"), each)
        stack.get("tasks", headers={"X-Other": "1"})

    for each in (handler, keyed):
        assert each._server_limits is not None
        accounts = each._server_limits._accounts.get().by_key
        windows = each._limiter._windows.get().idle  # type: ignore[union-attr]  # of one process
        assert accounts
        assert windows
        assert "planted-7" not in repr((accounts.keys(), windows.keys(), each))


def test_a_keys_digest_is_the_same_in_every_process() -> None:
    """Processes that share a budget agree on its name."""

    class CountingLimiter:
        def __init__(self) -> None:
            self.keys: list[str] = []

        def waits(self, key: str, clock: Clock) -> Iterator[float]:
            self.keys.append(key)
            return iter(())

    limiter = CountingLimiter()
    stack, _ = stack_over(Script(200), RateLimitHandler(limiter, key_func=lambda _: "north"))
    stack.get("tasks")

    digest = hashlib.sha256(b"north").hexdigest()[:32]
    assert limiter.keys == [f"http://api.example:80 {digest}"]


def test_a_limiter_of_the_users_own_is_asked() -> None:
    """A budget may be kept anywhere; waits are made by the stack's clock, and closed with it."""
    ended: list[str] = []

    class Twice:
        def waits(self, key: str, clock: Clock) -> Iterator[float]:
            try:
                yield 2.0
                yield 3.0
            finally:
                ended.append(key)

    stack, clock = stack_over(Script(200), RateLimitHandler(Twice(), max_wait=4.0))

    with pytest.raises(RateLimitExhausted) as caught:
        stack.get("tasks")
    gc.disable()  # closed by hand, not by chance
    try:
        assert list(clock.sleeps) == [2.0]
        assert caught.value.retry_after == 3.0
        assert ended == ["http://api.example:80"]
    finally:
        gc.enable()


def test_a_call_that_gives_up_leaves_the_queue() -> None:
    """An interrupted wait keeps no place that others wait behind."""

    class Impatient(FakeClock):
        def sleep(self, seconds: float) -> None:
            raise KeyboardInterrupt

    clock = Impatient()
    stack, _ = stack_over(Script(200, 200), RateLimitHandler((1, 10.0)), clock=clock)
    stack.get("tasks")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            stack.get("tasks")
    clock.advance(TEN)

    assert stack.get("tasks").status_code == 200


def test_a_call_without_an_origin_is_for_requests_to_refuse() -> None:
    """A URL that cannot be sent fails as it always does, and costs nothing."""
    stack, clock = stack_over(Script(200), RateLimitHandler((1, 10.0)))

    with pytest.raises(requests.exceptions.InvalidURL):
        stack.get("http://")
    stack.get("tasks")
    assert list(clock.sleeps) == []


def test_an_answer_without_a_url_teaches_nothing() -> None:
    """What a handler further in made up is no word of the server."""
    response = requests.Response()
    response.status_code = 429
    response.headers["Retry-After"] = "60"
    stack, clock = stack_over(Script(), RateLimitHandler(), lambda *_: response)

    sends(stack, 2)
    assert list(clock.sleeps) == []


def test_a_key_that_is_no_text_is_told() -> None:
    """A key function that forgets to return is found at the first call."""
    stack, _ = stack_over(Script(), RateLimitHandler(key_func=lambda _: None))  # type: ignore[arg-type,return-value]  # as a user might

    with pytest.raises(ConfigError, match="must return a text, not NoneType"):
        stack.get("tasks")


@pytest.mark.parametrize("max_wait", [-1, float("nan"), float("inf"), "60", True])
def test_a_longest_wait_that_makes_no_sense_is_refused(max_wait: Any) -> None:
    """A wrong number is told where it is given."""
    with pytest.raises(ConfigError, match="max_wait must be a number of seconds from 0"):
        RateLimitHandler(max_wait=max_wait)


def test_its_place_is_known() -> None:
    """It has the name by which explain() knows where it belongs: innermost."""
    stack = SessionStack(handlers=[RateLimitHandler(), RetryHandler()])

    assert stack.handlers.names == ("ratelimit", "retry")
    assert "'ratelimit' stands outside 'retry'" in stack.explain()
    stack.close()


@pytest.mark.parametrize(
    ("handler", "shown"),
    [
        (RateLimitHandler(), "RateLimitHandler(respect_server=True, max_wait=60)"),
        (
            RateLimitHandler("10/second", key_func=by_tenant, respect_server=False, max_wait=0.5),
            "RateLimitHandler(10 in 1 s, key_func=..., respect_server=False, max_wait=0.5)",
        ),
    ],
)
def test_it_shows_its_settings(handler: RateLimitHandler, shown: str) -> None:
    """explain() tells what budgets are kept."""
    assert repr(handler) == shown
