"""What is answered from the cache, what is asked for, and what is kept (RFC 9111)."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
import requests

from sessionkit import CallNext, Exchange, SessionStack
from sessionkit.handlers.cache import CacheHandler
from sessionkit.testing import FakeClock
from tests.unit.handlers.scripted import Item, Reply, Script, stack_over

FRESH = {"Cache-Control": "max-age=60"}
TAGGED = {"Cache-Control": "no-cache", "ETag": '"1"'}
THEN = formatdate(1_600_000_000, usegmt=True)


def over(*items: Item, clock: FakeClock | None = None) -> tuple[SessionStack, Script, FakeClock]:
    """Return a stack with a cache alone, over a script."""
    script = Script(*items)
    stack, known = stack_over(script, CacheHandler(), clock=clock)
    return stack, script, known


def bodies(stack: SessionStack, *calls: dict[str, Any], url: str = "tasks") -> list[bytes]:
    """Return the bodies that GETs with these options are answered by."""
    return [stack.get(url, **call).content for call in calls]


def one(**headers: str) -> Reply:
    return Reply(200, {k.replace("_", "-"): v for k, v in headers.items()}, b"one")


TWO = Reply(200, {}, b"two")


def test_a_fresh_answer_is_given_again() -> None:
    """The second call costs no request, and looks like the first."""
    stack, script, clock = over(one(Cache_Control="max-age=60", ETag='"1"', X_Own="yes"))
    first = stack.get("tasks")
    clock.advance(57)
    second = stack.get("tasks")

    assert script.sent == 1
    assert (second.status_code, second.content, second.url) == (200, b"one", first.url)
    assert second.headers["X-Own"] == "yes"
    assert second.headers["Age"] == "57"
    assert second.request.headers == first.request.headers
    assert second.reason == "OK"
    assert second.from_cache is True  # type: ignore[attr-defined]  # as caches set it
    assert second.record.from_cache is True
    assert second.record.attempts == []
    assert first.record.from_cache is False


def test_a_stale_answer_is_asked_for_anew() -> None:
    """Time is the stack's own."""
    stack, script, clock = over(one(Cache_Control="max-age=60"), TWO)
    stack.get("tasks")
    clock.advance(62)

    assert stack.get("tasks").content == b"two"
    assert "If-None-Match" not in script.headers[1]


@pytest.mark.parametrize(
    ("validators", "sent"),
    [
        ({"ETag": '"1"'}, {"If-None-Match": '"1"'}),
        ({"ETag": 'W/"1"'}, {"If-None-Match": 'W/"1"'}),
        ({"Last-Modified": THEN}, {"If-Modified-Since": THEN}),
        (
            {"ETag": '"1"', "Last-Modified": THEN},
            {"If-None-Match": '"1"', "If-Modified-Since": THEN},
        ),
    ],
    ids=str,
)
def test_a_304_brings_the_kept_answer_back(
    validators: dict[str, str], sent: dict[str, str]
) -> None:
    """The caller sees the whole answer, and the server was not made to send it."""
    renewed = Reply(304, {**validators, "Cache-Control": "max-age=60", "X-New": "yes"}, b"")
    stack, script, clock = over(Reply(200, validators, b"one"), renewed)
    stack.get("tasks")
    clock.advance(1_000_000)
    second = stack.get("tasks")
    clock.advance(57)
    third = stack.get("tasks")

    conditions = {k: v for k, v in script.headers[1].items() if k.startswith("If-")}
    assert conditions == sent
    assert (second.status_code, second.content) == (200, b"one")
    assert [a.status for a in second.record.attempts] == [304]
    assert second.record.from_cache is True
    assert "If-None-Match" not in second.request.headers
    # What the 304 said holds from now on.
    assert second.headers["X-New"] == third.headers["X-New"] == "yes"
    assert (third.content, third.headers["Age"]) == (b"one", "57")
    assert script.sent == 2


def test_a_new_answer_takes_the_place_of_the_old_one() -> None:
    """After a change, the change is what is kept."""
    new = Reply(200, {"ETag": '"2"'}, b"two")
    stack, script, _ = over(Reply(200, TAGGED, b"one"), new, Reply(304, {"ETag": '"2"'}, b""))

    assert bodies(stack, {}, {}, {}) == [b"one", b"two", b"two"]
    assert script.headers[2]["If-None-Match"] == '"2"'


def test_a_304_for_something_else_is_not_believed() -> None:
    """A server in two minds is asked for the whole answer."""
    stack, script, _ = over(Reply(200, TAGGED, b"one"), Reply(304, {"ETag": '"other"'}, b""), TWO)

    assert bodies(stack, {}, {}) == [b"one", b"two"]
    assert "If-None-Match" not in script.headers[2]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_failure_while_asking_leaves_the_kept_answer(status: int) -> None:
    """The caller sees the failure; once it has passed, a 304 is enough again."""
    failure = Reply(status, {"Cache-Control": "max-age=60"}, b"no")
    stack, _, _ = over(Reply(200, TAGGED, b"one"), failure, Reply(304, TAGGED, b""))

    assert bodies(stack, {}, {}, {}) == [b"one", b"no", b"one"]


@pytest.mark.parametrize("status", [401, 403, 407, 419, 429, 500, 503])
def test_no_refusal_is_kept(status: int) -> None:
    """A user who was turned away and logs in is let in, whatever the server says of caching."""
    refusal = Reply(status, {"Cache-Control": "public, max-age=60", "ETag": '"1"'}, b"no")
    stack, _, _ = over(refusal, TWO)

    assert bodies(stack, {}, {}) == [b"no", b"two"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "no-store, max-age=60"},
        {"Cache-Control": "max-age=60", "Vary": "*"},
        {"Cache-Control": "max-age=60", "WWW-Authenticate": "Bearer"},
        {"Last-Modified": THEN, "Cache-Control": "max-age=0"},
        {"Expires": "0"},
        {"Expires": THEN},
        {"Age": "61", "Cache-Control": "max-age=60"},
        {"Date": THEN, "Cache-Control": "max-age=60"},
        {"Last-Modified": THEN},
        {"Cache-Control": "s-maxage=60"},
        {},
    ],
    ids=str,
)
def test_what_the_server_did_not_call_fresh_is_asked_for(headers: dict[str, str]) -> None:
    """Nothing is guessed: an API's answer is as fresh as the API says."""
    stack, script, _ = over(Reply(200, headers, b"one"), TWO)

    assert bodies(stack, {}, {}) == [b"one", b"two"]
    assert script.sent == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Cache-Control": "private, max-age=60"},
        {"Cache-Control": 'max-age="60", no-cache="Set-Cookie"'},
        {"Expires": formatdate(1_700_000_060, usegmt=True)},
        {"Cache-Control": "max-age=60", "Authorization": "x", "Expires": "0"},
        {"Age": "50", "Cache-Control": "max-age=60"},
    ],
    ids=str,
)
def test_what_the_server_called_fresh_is_kept(headers: dict[str, str]) -> None:
    """A private cache may keep what is private, with a login on the request."""
    stack, script, _ = over(Reply(200, headers, b"one"))
    login = {"headers": {"Authorization": "Bearer t"}}

    assert bodies(stack, login, login) == [b"one", b"one"]
    assert script.sent == 1


@pytest.mark.parametrize(
    ("control", "age", "body"),
    [
        ("no-cache", 0, b"two"),
        ("no-store", 0, b"two"),
        ("max-age=0", 5, b"two"),
        ("max-age=10", 5, b"one"),
        ("min-fresh=58", 5, b"two"),
        ("min-fresh=10", 5, b"one"),
        ("max-stale=30", 80, b"one"),
        ("max-stale=10", 80, b"two"),
        ("max-stale", 8_000, b"one"),
        ("only-if-cached", 5, b"one"),
    ],
)
def test_a_call_says_what_it_takes(control: str, age: float, body: bytes) -> None:
    """Directives of requests hold (RFC 9111, section 5.2.1)."""
    stack, _, clock = over(one(Cache_Control="max-age=60"), TWO)
    stack.get("tasks")
    clock.advance(age)

    assert stack.get("tasks", headers={"Cache-Control": control}).content == body


def test_nothing_is_sent_for_a_call_that_wants_kept_answers_only() -> None:
    """RFC 9111, section 5.2.1.7: a 504 says that there is none."""
    stack, script, _ = over()
    response = stack.get("tasks", headers={"Cache-Control": "only-if-cached"})

    assert (response.status_code, response.content, script.sent) == (504, b"", 0)


def test_a_call_may_pass_the_cache_by() -> None:
    """``cache=False`` neither reads nor keeps, and no request carries the option."""
    stack, script, _ = over(one(Cache_Control="max-age=60"), TWO)

    assert bodies(stack, {}, {"cache": False}, {}) == [b"one", b"two", b"one"]
    assert script.sent == 2


def test_what_was_kept_is_not_for_other_requests() -> None:
    """Other address, other parameters: other answers."""
    stack, script, _ = over(*[Reply(200, FRESH, b"%d" % n) for n in range(3)])

    responses = bodies(stack, {}, {"params": {"page": 2}}) + bodies(stack, {}, url="others")
    assert responses == [b"0", b"1", b"2"]
    assert bodies(stack, {}) == [b"0"]
    assert script.sent == 3


def test_variants_are_kept_side_by_side() -> None:
    """German and English readers each get their own, and each from the cache."""
    varied = {**FRESH, "Vary": "Accept-Language, X-Other"}
    stack, script, _ = over(Reply(200, varied, b"de"), Reply(200, varied, b"en"))
    german, english = ({"headers": {"Accept-Language": tongue}} for tongue in ("de", "en"))

    responses = bodies(stack, german, english, german, english)
    assert responses == [b"de", b"en", b"de", b"en"]
    assert script.sent == 2


def test_another_variant_is_never_asked_for_by_its_date() -> None:
    """A 304 on a date shared by all variants would give a reader the wrong language."""
    varied = {"Last-Modified": THEN, "Vary": "Accept-Language"}
    stack, script, _ = over(Reply(200, varied, b"de"), Reply(200, varied, b"en"))
    german, english = ({"headers": {"Accept-Language": tongue}} for tongue in ("de", "en"))

    assert bodies(stack, german, english) == [b"de", b"en"]
    assert "If-Modified-Since" not in script.headers[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
@pytest.mark.parametrize("status", [200, 204, 303, 500])
def test_a_change_makes_the_cache_forget(method: str, status: int) -> None:
    """Whoever writes reads what he wrote, also where it is not known whether it was done."""
    stack, script, _ = over(
        Reply(200, FRESH, b"one"), Reply(status, {}, b""), Reply(200, {}, b"two")
    )
    stack.get("tasks")
    stack.request(method, "tasks", json={"a": 1}, allow_redirects=False)

    assert stack.get("tasks").content == b"two"
    assert script.sent == 3


def test_a_change_whose_answer_was_lost_makes_the_cache_forget() -> None:
    """Nobody knows what the server did."""
    stack, _, _ = over(Reply(200, FRESH, b"one"), requests.ReadTimeout("late"), TWO)
    stack.get("tasks")
    with pytest.raises(requests.ReadTimeout):
        stack.put("tasks", json={})

    assert stack.get("tasks").content == b"two"


@pytest.mark.parametrize(("method", "status"), [("PUT", 412), ("DELETE", 403), ("OPTIONS", 200)])
def test_what_changes_nothing_leaves_the_cache_alone(method: str, status: int) -> None:
    """A change that was refused, or a harmless method."""
    stack, script, _ = over(Reply(200, FRESH, b"one"), Reply(status, {}, b""))
    stack.get("tasks")
    stack.request(method, "tasks")

    assert stack.get("tasks").content == b"one"
    assert script.sent == 2


@pytest.mark.parametrize(
    "call",
    [
        {"headers": {"If-None-Match": '"mine"'}},
        {"headers": {"If-Modified-Since": THEN}},
        {"headers": {"Range": "bytes=0-9"}},
        {"json": {"query": "a"}},
        {"data": b"query"},
    ],
    ids=str,
)
def test_what_the_cache_cannot_answer_passes_by(call: dict[str, Any]) -> None:
    """A caller with an ETag of his own sees the 304; a part is no whole answer."""
    stack, script, _ = over(Reply(200, FRESH, b"one"), Reply(304, {}, b""), Reply(206, FRESH, b"p"))

    responses = [stack.get("tasks", **options) for options in ({}, call, call)]
    assert [response.status_code for response in responses] == [200, 304, 206]
    assert stack.get("tasks").content == b"one"
    assert script.sent == 3


def test_an_answer_that_was_not_taken_is_not_given_again() -> None:
    """A retry asks the server, and what it refused is forgotten."""

    class Twice:
        def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
            first = call_next(exchange)
            return first if first.content == b"two" else call_next(exchange)

    script = Script(
        Reply(200, FRESH, b"login page"), Reply(200, {}, b"two"), Reply(200, {}, b"two")
    )
    stack, _ = stack_over(script, Twice(), CacheHandler())

    assert bodies(stack, {}, {}) == [b"two", b"two"]
    assert script.sent == 3


def test_a_redirected_answer_is_not_kept() -> None:
    """Where the way leads tomorrow is the server's to say."""
    moved = Reply(302, {"Location": "http://api.example/elsewhere"}, b"")
    stack, script, _ = over(moved, Reply(200, FRESH, b"one"), moved, Reply(200, FRESH, b"two"))

    assert bodies(stack, {}, {}) == [b"one", b"two"]
    assert script.sent == 4


def test_a_304_from_behind_a_redirect_is_not_believed() -> None:
    """Another resource may have the same ETag."""
    moved = Reply(302, {"Location": "http://api.example/elsewhere"}, b"")
    stack, script, _ = over(Reply(200, TAGGED, b"one"), moved, Reply(304, TAGGED, b""), moved, TWO)

    assert bodies(stack, {}, {}) == [b"one", b"two"]
    assert script.sent == 5


def test_cookies_of_the_past_are_not_set_again() -> None:
    """A kept answer never logs anybody in, or out."""
    stack, _, _ = over(Reply(200, {**FRESH, "Set-Cookie": "sid=hush"}, b"one"))
    session = stack._inner
    stack.get("tasks")
    session.cookies.clear()
    second = stack.get("tasks")

    assert "Set-Cookie" not in second.headers
    assert len(session.cookies) == len(second.cookies) == 0


def test_a_stream_is_kept_once_it_was_read_whole() -> None:
    """The reader waits for nothing, and the next one needs no request."""
    stack, script, _ = over(*[Reply(200, FRESH, b"0123456789" * 1_000)] * 2)
    with stack.get("tasks", stream=True) as left:
        left.raw.read(10)
    with stack.get("tasks", stream=True) as whole:
        first = list(whole.iter_content(1_000))
    with stack.get("tasks", stream=True) as stored:
        again = list(stored.iter_content(1_000))

    assert script.sent == 2
    assert first == again
    assert stored.from_cache is True  # type: ignore[attr-defined]  # as caches set it


@pytest.mark.parametrize("stream", [False, True])
def test_large_bodies_are_not_kept(stream: bool) -> None:
    """A download does not push everything else out."""
    script = Script(Reply(200, FRESH, b"x" * 101), Reply(200, FRESH, b"y" * 100))
    stack, _ = stack_over(script, CacheHandler(max_body_bytes=100))
    first, second, third = (stack.get("tasks", stream=stream).content for _ in range(3))

    assert (first[:1], second[:1], third[:1]) == (b"x", b"y", b"y")


def test_a_compressed_answer_is_kept_as_it_was_read() -> None:
    """Its headers still say how it came; nothing is decompressed twice."""
    import gzip

    packed = Reply(200, {**FRESH, "Content-Encoding": "gzip"}, gzip.compress(b"one"))
    stack, script, _ = over(packed)
    first, second = stack.get("tasks"), stack.get("tasks")

    assert first.content == second.content == b"one"
    assert first.headers["Content-Encoding"] == second.headers["Content-Encoding"] == "gzip"
    assert script.sent == 1


def test_a_prepared_request_is_answered_too() -> None:
    """By whichever door a call comes in."""
    stack, script, _ = over(Reply(200, FRESH, b"one"))
    prepared = requests.Request("GET", "http://api.example/tasks").prepare()
    responses = [stack.send(prepared, timeout=1) for _ in range(2)]

    assert [response.content for response in responses] == [b"one", b"one"]
    assert [response.url for response in responses] == [prepared.url] * 2
    assert script.sent == 1
