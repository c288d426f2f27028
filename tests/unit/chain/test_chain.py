"""The chain: names, order, changes under way, and a second ``call_next`` that is safe."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from sessionkit import CallNext, Exchange
from sessionkit.chain._chain import Handlers
from sessionkit.chain._exchange import MAX_ATTEMPTS
from sessionkit.errors import ConfigError, ReplayImpossible
from sessionkit.handlers import ErrorHandler, TimingHandler
from sessionkit.testing.server import ServerRequest, ServerResponse
from tests.support.stacks import Again, Keeper, opened, passing


class HTTPCacheHandler:
    """A handler with a name of several words."""

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange)


class Handler(HTTPCacheHandler):
    """A class whose name is nothing but the suffix."""


def chain(*names: str) -> Handlers:
    """Return handlers of these names, all alike."""
    return Handlers(dict.fromkeys(names, passing))


# -- Names and order


def test_a_handler_is_named_for_its_class_or_function() -> None:
    """Nobody has to think of a name for the usual case."""
    assert Handlers([HTTPCacheHandler(), Keeper(), passing, Handler()]).names == (
        *("httpcache", "keeper", "passing", "handler"),
    )


def test_a_mapping_names_its_handlers_itself() -> None:
    """``recommended()`` is such a mapping, and a user's own is as good."""
    handlers = Handlers({"first": passing, "second": Keeper()})

    assert handlers.names == ("first", "second")


def test_a_handler_is_found_by_its_name() -> None:
    """Settings of a chain can be looked at where they are."""
    keeper = Keeper()
    handlers = Handlers([passing, keeper])

    assert handlers["keeper"] is keeper
    assert "keeper" in handlers
    assert "other" not in handlers
    assert 7 not in handlers
    assert list(handlers) == [passing, keeper]
    assert len(handlers) == 2


def test_a_handler_is_added_innermost_unless_told_otherwise() -> None:
    """What is added last sits closest to the session."""
    handlers = chain("a", "b")

    handlers.add(passing)

    assert handlers.names == ("a", "b", "passing")


@pytest.mark.parametrize(
    ("place", "names"),
    [
        ({"before": "a"}, ("new", "a", "b")),
        ({"before": "b"}, ("a", "new", "b")),
        ({"after": "a"}, ("a", "new", "b")),
        ({"after": "b"}, ("a", "b", "new")),
        ({"outermost": True}, ("new", "a", "b")),
    ],
)
def test_a_handler_is_added_where_it_is_wanted(
    place: dict[str, Any], names: tuple[str, ...]
) -> None:
    """Before is further out, after is further in."""
    handlers = chain("a", "b")

    handlers.add(passing, name="new", **place)

    assert handlers.names == names


def test_a_handler_is_replaced_in_its_place_and_under_its_name() -> None:
    """The order survives, and so do the names that others refer to."""
    handlers = chain("a", "b", "c")
    keeper = Keeper()

    handlers.replace("b", keeper)

    assert handlers.names == ("a", "b", "c")
    assert handlers["b"] is keeper


def test_a_handler_is_removed_by_its_name() -> None:
    """The others stay in their order."""
    handlers = chain("a", "b", "c")

    handlers.remove("b")

    assert handlers.names == ("a", "c")


@pytest.mark.parametrize(
    "change",
    [
        lambda handlers: handlers["x"],
        lambda handlers: handlers.remove("x"),
        lambda handlers: handlers.replace("x", passing),
        lambda handlers: handlers.add(passing, before="x"),
        lambda handlers: handlers.add(passing, after="x"),
    ],
    ids=["get", "remove", "replace", "before", "after"],
)
def test_an_unknown_name_is_an_error_that_lists_the_names_there_are(change: Any) -> None:
    """A misspelt name is corrected from the message alone, and nothing has changed."""
    handlers = chain("retry", "auth")

    with pytest.raises(ConfigError, match=r"'x'.*retry, auth"):
        change(handlers)

    assert handlers.names == ("retry", "auth")


def test_an_unknown_name_in_an_empty_chain_says_that_there_are_none() -> None:
    """A stack without handlers is not described by an empty list."""
    with pytest.raises(ConfigError, match="none"):
        chain()["x"]


def test_a_name_that_is_taken_is_an_error_that_lists_the_names_there_are() -> None:
    """A second handler never hides the first in silence."""
    handlers = chain("retry", "auth")

    with pytest.raises(ConfigError, match=r"'auth'.*retry, auth") as caught:
        handlers.add(passing, name="auth")

    assert "replace()" in caught.value.hint
    assert handlers.names == ("retry", "auth")


def test_two_handlers_of_one_class_need_names() -> None:
    """A list that would make one unreachable is refused when the stack is built."""
    with pytest.raises(ConfigError, match="keeper"):
        Handlers([Keeper(), Keeper()])


@pytest.mark.parametrize(
    "places",
    [
        {"before": "a", "after": "b"},
        {"outermost": True, "after": "a"},
        {"before": "a", "outermost": True},
    ],
)
def test_two_positions_at_once_are_refused(places: dict[str, Any]) -> None:
    """A handler stands in one place, and it is the one that was meant."""
    with pytest.raises(ConfigError, match="one position"):
        chain("a", "b").add(passing, **places)


@pytest.mark.parametrize("thing", [None, 7, "retry", object(), Keeper, HTTPCacheHandler])
def test_what_is_no_handler_is_refused_at_once(thing: Any) -> None:
    """A class in place of its instance is found when the stack is built, not at the first call."""
    handlers = chain("a")

    with pytest.raises(ConfigError, match="not a handler"):
        handlers.add(thing)
    with pytest.raises(ConfigError, match="not a handler"):
        handlers.replace("a", thing)

    assert handlers.names == ("a",)


def test_a_chain_prints_the_way_down_and_up() -> None:
    """The order in which handlers see a call, and then its answer, can be read off."""
    handlers = chain("errors", "auth")

    assert str(handlers).splitlines() == [
        *("> 1) errors", "> 2) auth", "  session", "< 2) auth", "< 1) errors"),
    ]
    assert repr(handlers) == "<Handlers errors, auth>"
    assert repr(chain()) == "<Handlers none>"


def test_a_chain_knows_the_options_that_its_handlers_declare() -> None:
    """A misspelt option can be told from one that a handler reads."""

    class Declaring(Keeper):
        options = frozenset({"colour", "size"})

    assert Handlers([passing, Declaring()]).options == {"colour", "size"}


# -- Changes under way


def test_a_call_under_way_keeps_the_chain_that_it_began_with() -> None:
    """A change never leaves a call half in one order and half in another."""
    inside, changed = threading.Event(), threading.Event()
    passed: list[str] = []

    def waiting(exchange: Exchange, call_next: CallNext) -> requests.Response:
        inside.set()
        changed.wait(10)
        return call_next(exchange)

    def noting(exchange: Exchange, call_next: CallNext) -> requests.Response:
        passed.append(exchange.url.rpartition("/")[2])
        return call_next(exchange)

    with opened(handlers=[waiting, noting]) as (stack, _):
        thread = threading.Thread(target=partial(stack.get, "first"))
        thread.start()
        assert inside.wait(10)
        stack.handlers.remove("noting")
        changed.set()
        thread.join(10)
        stack.get("second")

        assert stack.handlers.names == ("waiting",)
    assert passed == ["first"]


def test_a_change_does_not_touch_what_was_read_before() -> None:
    """Whoever iterates over the handlers may change them on the way."""
    handlers = chain("a", "b")
    links, names = handlers._links, handlers.names

    for name in handlers.names:
        handlers.remove(name)

    assert [link.name for link in links] == ["a", "b"]
    assert names == ("a", "b")
    assert handlers.names == ()


def test_changes_from_many_threads_are_all_there() -> None:
    """No change is lost because another came at the same moment."""
    handlers = chain()
    ready = threading.Barrier(8)

    def add(number: int) -> None:
        ready.wait(10)
        for step in range(20):
            handlers.add(passing, name=f"{number}-{step}")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(set(handlers.names)) == 160


# -- A second forward


BODY = b"0123456789"


def bodies(sent: Any, again: Any, **options: Any) -> list[bytes]:
    """POST through a handler that forwards twice; return the bodies that arrived."""
    with opened(handlers=[again]) as (stack, server):
        stack.post("x", data=sent, **options)
        return [seen.body for seen in server.requests]


def test_bytes_arrive_whole_both_times() -> None:
    """A replay of an ordinary body is the same request."""
    assert bodies(BODY, Again()) == [BODY, BODY]


def test_a_file_is_sent_again_from_where_it_stood(tmp_path: Path) -> None:
    """Neither the part before the caller's offset nor nothing at all is uploaded."""
    path = tmp_path / "upload"
    path.write_bytes(BODY)
    with path.open("rb") as file:
        file.seek(4)

        assert bodies(file, Again(3)) == [BODY[4:]] * 3


def test_the_parts_of_a_form_arrive_whole_both_times(tmp_path: Path) -> None:
    """An upload with files, in every form that requests takes, is sent again complete."""
    path = tmp_path / "upload"
    path.write_bytes(BODY)
    with path.open("rb") as file:
        part = io.BytesIO(b"--" + BODY)
        part.seek(2)
        files = [("one", file), ("two", ("name.txt", part, "text/plain")), ("three", BODY)]

        first, second = bodies({"field": "value"}, Again(), files=files)

    for body in (first, second):
        assert body.count(BODY) == 3
        assert b"--" + BODY not in body
        assert b'name="field"' in body


def test_a_prepared_request_is_sent_again_whole() -> None:
    """What was prepared from a stream that had been read into starts where it stood."""
    stream = io.BytesIO(BODY)
    stream.seek(3)
    with opened(handlers=[Again()]) as (stack, server):
        stack.send(requests.Request("PUT", server.origin + "/x", data=stream).prepare())

        assert [seen.body for seen in server.requests] == [BODY[3:]] * 2


def test_parameters_from_a_generator_are_asked_both_times() -> None:
    """The second attempt asks the same question."""
    with opened(handlers=[Again()]) as (stack, server):
        stack.get("x", params=((name, "1") for name in "ab"))

        assert [seen.query for seen in server.requests] == [{"a": ["1"], "b": ["1"]}] * 2


class Careful:
    """Forwards twice, and keeps both what it got and what it was told."""

    def __init__(self) -> None:
        self.error: ReplayImpossible | None = None

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        first = call_next(exchange.streamed())
        try:
            return call_next(exchange.streamed())
        except ReplayImpossible as error:
            self.error = error
            return first


def pieces() -> Iterator[bytes]:
    """Yield a body that can be read once."""
    yield BODY


def test_a_generator_is_not_sent_again_and_the_earlier_answer_stays_whole() -> None:
    """Nothing is uploaded empty: the caller keeps the first answer, readable to its end."""
    careful = Careful()
    with opened(lambda _: ServerResponse(401, {"detail": "no"}), [careful]) as (stack, server):
        response = stack.post("x?key=s3cret", data=pieces())

        assert [seen.body for seen in server.requests] == [BODY]
        assert response.json() == {"detail": "no"}
    error = careful.error
    assert error is not None
    assert (error.method, error.hint != "") == ("POST", True)
    assert "s3cret" not in str(error)


def test_a_body_that_will_not_go_back_is_not_sent_from_its_end() -> None:
    """A stream whose position cannot be restored uploads nothing, and says so."""

    class Stubborn(io.BytesIO):
        spent = False

        def read(self, size: int | None = -1, /) -> bytes:
            piece = super().read(size)
            self.spent = self.spent or self.tell() == len(BODY)
            return piece

        def seek(self, offset: int, whence: int = 0, /) -> int:
            if self.spent:
                raise OSError("no way back")
            return super().seek(offset, whence)

    stream = Stubborn(BODY)
    stream.read(2)
    with (
        opened(handlers=[Again()]) as (stack, server),
        pytest.raises(ReplayImpossible, match="position"),
    ):
        stack.post("x", data=stream)

    assert [seen.body for seen in server.requests] == [BODY[2:]]


def test_a_call_makes_no_more_than_twenty_attempts() -> None:
    """A handler that never gives up ends, whatever the others around it do."""
    inner, outer = Again(15, unread=False), Again(15, unread=False)
    with opened(handlers={"outer": outer, "inner": inner}) as (stack, server):
        with pytest.raises(ReplayImpossible, match="20 attempts") as caught:
            stack.get("x")

        assert len(server.requests) == MAX_ATTEMPTS == 20
    assert "attempts of the error" in caught.value.hint


def test_a_dropped_answer_frees_the_only_connection() -> None:
    """A pool of one connection serves the replay of an answer that nobody read."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
    big = ServerResponse(200, b"x" * 20_000)
    with opened(lambda _: big, [Again(5)], session=session) as (stack, server):
        with stack.get("x", stream=True) as response:
            assert len(response.content) == 20_000

        assert server.connections == 1


def test_an_error_that_leaves_the_call_lets_go_of_the_answer_that_is_still_open() -> None:
    """A handler that raises over a refused answer costs no connection."""

    def refusing(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange.streamed())
        raise KeyError(response.status_code)

    with opened(handlers=[refusing]) as (stack, server):
        for _ in range(2):
            with pytest.raises(KeyError) as caught:
                stack.get("x")
            assert caught.value.args == (200,)

        assert server.connections == 1


def test_a_replay_is_never_taken_for_a_redirect() -> None:
    """``history`` holds redirects only: SDKs read it as such."""
    with opened(handlers=[Again()]) as (stack, _):
        response = stack.get("x")

    assert response.history == []
    assert len(response.record.attempts) == 2


def test_handlers_further_in_see_the_same_call_at_a_replay() -> None:
    """What a handler added to the first attempt does not pile up in the second."""
    keeper = Keeper()

    def adding(exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_headers({"X-Tag": exchange.header("X-Tag") or "" + "x"}))

    with opened(handlers={"again": Again(), "adding": adding, "keeper": keeper}) as (stack, server):
        stack.get("x")

        assert [exchange.header("X-Tag") for exchange in keeper.exchanges] == ["x", "x"]
        assert [seen.headers["x-tag"] for seen in server.requests] == ["x", "x"]


# -- Bodies on the way up


class Refusing:
    """Asks for the answer unread and looks at its status only."""

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.streamed())


class Reading:
    """Notes whether the answer that arrives has been read, and what reading it raised."""

    def __init__(self) -> None:
        self.read: bool | None = None
        self.error: Exception | None = None

    def handle(self, exchange: Exchange, call_next: CallNext) -> requests.Response:
        try:
            response = call_next(exchange)
        except Exception as error:
            self.error = error
            raise
        self.read = bool(vars(response)["_content_consumed"])
        return response


def test_a_body_is_read_on_the_way_up_for_a_caller_who_wanted_no_stream() -> None:
    """Handlers further out, and the caller, find the body there as with a plain session."""
    reading = Reading()
    with opened(handlers=[reading, Refusing()]) as (stack, _):
        response = stack.get("x")

        assert reading.read
        assert vars(response)["_content_consumed"]


def test_the_outermost_handler_may_ask_for_the_answer_unread_too() -> None:
    """The caller gets a whole answer whoever asked for what."""
    with opened(handlers=[Refusing()]) as (stack, _):
        assert vars(stack.get("x"))["_content_consumed"]


def test_a_streamed_answer_stays_unread() -> None:
    """A caller who wants to read piece by piece does."""
    reading = Reading()
    with (
        opened(handlers=[reading, Refusing()]) as (stack, _),
        stack.get("x", stream=True) as response,
    ):
        assert reading.read is False
        assert not vars(response)["_content_consumed"]
        assert response.json() == {}


def test_an_answer_that_is_cut_short_is_an_error_inside_the_handlers() -> None:
    """A handler that retries sees the failure, not a caller who reads later."""
    reading = Reading()
    cut = ServerResponse(200, iter([b"cut"]), {"Content-Length": "100"})
    with opened(lambda _: cut, [reading, Refusing()]) as (stack, _):
        with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
            stack.get("x")

        assert reading.error is caught.value


def test_a_session_that_streams_by_default_is_left_to_stream() -> None:
    """``session.stream = True`` holds through a stack as it does without."""
    session = requests.Session()
    session.stream = True
    with opened(handlers=[Refusing()], session=session) as (stack, _), stack.get("x") as response:
        assert not vars(response)["_content_consumed"]


def test_a_body_that_trickles_does_not_outlast_the_deadline() -> None:
    """A deadline bounds the body too, though each piece comes in time."""
    over = threading.Event()

    def trickle() -> Iterator[bytes]:
        for _ in range(1000):
            if over.wait(0.02):
                return
            yield b"."

    def answer(_: ServerRequest) -> ServerResponse:
        return ServerResponse(200, trickle(), {"Content-Length": "1000"})

    def hurried(exchange: Exchange, call_next: CallNext) -> requests.Response:
        return call_next(exchange.with_deadline(exchange.clock.monotonic() + 0.1))

    with opened(answer, {"hurried": hurried, "passing": passing}) as (stack, _):
        with pytest.raises((requests.Timeout, requests.ConnectionError)):
            stack.get("x")
        over.set()


def test_a_handler_may_bring_its_name() -> None:
    """Their order is checked by name, so a list names them as ``recommended()`` does."""
    assert Handlers([ErrorHandler(), TimingHandler()]).names == ("errors", "timing")


def test_a_handler_that_forgets_to_return_is_named() -> None:
    """Wherever it stands in the chain; an AttributeError elsewhere would name nobody."""

    def forgetful(exchange: Exchange, call_next: CallNext) -> Any:
        call_next(exchange)

    for handlers in ([forgetful], [passing, forgetful], [forgetful, passing]):
        with (
            opened(handlers=handlers) as (stack, _),
            pytest.raises(ConfigError, match=r"forgetful.* returned None"),
        ):
            stack.get("x")
