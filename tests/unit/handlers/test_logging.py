"""Each call is one line in the log: enough to find what went wrong, and no secret."""

from __future__ import annotations

import json
import logging
import socket
from contextlib import suppress
from typing import Any

import pytest
import requests
from hypothesis import given, strategies as st

from sessionkit import CallNext, Exchange, SessionStack, recommended
from sessionkit.auth import Bearer, ClientCredentials, Cookie, Header, Query, StaticToken
from sessionkit.errors import ConnectFailed, IncompleteBody, NotFound, RenewalFailed
from sessionkit.handlers import ErrorHandler, HeadersHandler, LoggingHandler, RetryHandler
from sessionkit.testing.server import (
    IdentityProvider,
    LoopbackServer,
    ServerRequest,
    ServerResponse,
)
from tests.support.stacks import opened, passing
from tests.unit.handlers.scripted import Reply as Scripted, Script, stack_over

SECRET = "planted-4711"


class Lines(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def only(self) -> Any:
        """The one record there is; its extra attributes are known to nobody's types."""
        (record,) = self.records
        return record

    @property
    def text(self) -> str:
        """Everything that any formatter could write."""
        return "\n".join(f"{record.getMessage()} {vars(record)}" for record in self.records)


def log_at(level: int = logging.DEBUG) -> tuple[logging.Logger, Lines]:
    """Return a logger of the test's own, and what it keeps."""
    lines = Lines()
    logger = logging.Logger("calls", level)  # noqa: LOG001  # no other test shall hear of it
    logger.addHandler(lines)
    return logger, lines


def closed_port() -> str:
    """Return an origin where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def chain(logger: logging.Logger, *handlers: Any, verbose: bool = False) -> list[Any]:
    """Return a chain that writes to *logger*."""
    return [LoggingHandler(logger, verbose=verbose), *handlers]


def test_a_call_is_one_line() -> None:
    """Method, address, status and seconds are read at one glance."""
    logger, lines = log_at()
    with opened(handlers=chain(logger, HeadersHandler())) as (stack, server):
        name = stack.get("a", params={"page": 2}).record.request_id

    assert lines.only.levelno == logging.INFO
    said = lines.only.getMessage()
    assert said.startswith(f"GET {server.origin}/a?page=2 200 in 0.")
    assert said.endswith(f"s (id {name})")


def test_the_facts_are_there_for_machines_too() -> None:
    """A formatter that writes JSON finds each fact under a name of its own."""
    logger, lines = log_at()
    headers = {"X-Request-Id": "srv-9", "Content-Length": "7"}
    with opened(
        lambda _: ServerResponse(201, b"1234567", headers), chain(logger, HeadersHandler())
    ) as (
        stack,
        server,
    ):
        stack.post("a", data=b"12345", operation="add", headers={"X-Request-Id": "cli-1"})

    facts = {k: v for k, v in vars(lines.only).items() if k.startswith("http_")}
    assert json.loads(json.dumps(facts)) == {
        "http_method": "POST",
        "http_url": f"{server.origin}/a",
        "http_status": 201,
        "http_duration": pytest.approx(facts["http_duration"]),
        "http_attempts": 1,
        "http_retries": 0,
        "http_renewals": 0,
        "http_renewal_duration": 0.0,
        "http_from_cache": False,
        "http_request_id": "cli-1",
        "http_server_request_id": "srv-9",
        "http_operation": "add",
        "http_sent_bytes": 5,
        "http_received_bytes": 7,
        "http_error": None,
        "http_error_text": None,
    }
    assert "(add, id cli-1, server's id srv-9)" in lines.only.getMessage()


@pytest.mark.parametrize(
    ("status", "options", "level"),
    [
        (200, {}, logging.INFO),
        (404, {}, logging.WARNING),
        (500, {}, logging.WARNING),
        (404, {"expect": 404}, logging.INFO),
        (404, {"raise_for_status": False}, logging.WARNING),
    ],
    ids=str,
)
def test_the_level_says_how_it_went(status: int, options: Any, level: int) -> None:
    """Whoever looks at warnings only sees what is worth a look."""
    logger, lines = log_at()
    handlers = chain(logger, ErrorHandler())
    with (
        opened(lambda _: ServerResponse(status), handlers) as (stack, _),
        suppress(requests.HTTPError),
    ):
        stack.get("a", **options)

    assert lines.only.levelno == level
    assert lines.only.http_status == status


def test_an_answer_is_a_warning_without_errors_too() -> None:
    """A stack that raises nothing still tells what was refused."""
    logger, lines = log_at()
    with opened(lambda _: ServerResponse(503), chain(logger)) as (stack, _):
        stack.get("a")

    assert (lines.only.levelno, lines.only.http_error) == (logging.WARNING, None)


def test_the_error_that_the_caller_gets_is_named() -> None:
    """The line and the traceback speak of the same thing."""
    logger, lines = log_at()
    response = ServerResponse(404, {"detail": "no order 7"}, {"X-Request-Id": "srv-9"})
    handlers = chain(logger, ErrorHandler())
    with opened(lambda _: response, handlers) as (stack, _), pytest.raises(NotFound):
        stack.get("a")

    assert lines.only.http_error == "NotFound"
    assert lines.only.http_server_request_id == "srv-9"
    assert "(server's id srv-9): NotFound: 404" in lines.only.getMessage()
    assert "no order 7" in lines.only.getMessage()


def test_a_call_that_was_tried_again_is_a_warning() -> None:
    """A server that recovers each time is in trouble all the same."""
    logger, lines = log_at()
    replies = iter([ServerResponse(503), ServerResponse()])
    with opened(lambda _: next(replies), chain(logger, RetryHandler())) as (stack, _):
        stack.get("a")

    assert (lines.only.levelno, lines.only.http_retries) == (logging.WARNING, 1)
    assert " 200 in " in lines.only.getMessage()
    assert "(2 attempts)" in lines.only.getMessage()


def test_a_call_without_an_answer_is_an_error() -> None:
    """Nobody answered: that is for those who are on duty."""
    logger, lines = log_at()
    with SessionStack(None, chain(logger, ErrorHandler())) as stack, pytest.raises(ConnectFailed):
        stack.get(f"{closed_port()}/a?page=2")

    assert (lines.only.levelno, lines.only.http_status) == (logging.ERROR, None)
    assert "/a?page=2 failed in " in lines.only.getMessage()
    assert lines.only.http_error == "ConnectFailed"


def test_an_answer_that_breaks_off_is_no_success() -> None:
    """A 200 whose body never came whole is a failure in the log as well."""
    logger, lines = log_at()
    cut = {"Content-Length": "10"}
    handlers = chain(logger, ErrorHandler())
    with (
        opened(lambda _: ServerResponse(200, iter([b"abc"]), cut), handlers) as (stack, _),
        pytest.raises(IncompleteBody),
    ):
        stack.get("a")

    assert (lines.only.levelno, lines.only.http_status) == (logging.ERROR, None)
    assert "/a failed in " in lines.only.getMessage()


def test_a_bug_in_a_handler_is_told_and_passes() -> None:
    """A line in the log changes nothing about the error itself."""

    def broken(_: Exchange, __: CallNext) -> requests.Response:
        raise TypeError("first\nsecond")

    logger, lines = log_at()
    match = "first\nsecond"
    with (
        opened(handlers=chain(logger, broken)) as (stack, _),
        pytest.raises(TypeError, match=match),
    ):
        stack.get("a")

    assert lines.only.levelno == logging.ERROR
    assert "(nothing was sent): TypeError: first second" in lines.only.getMessage()


def test_the_address_is_the_one_that_was_asked() -> None:
    """A redirect is the server's affair; the line tells what the program called."""
    logger, lines = log_at()
    ways = {"/old": "/newer", "/newer": "/new"}

    def moving(seen: ServerRequest) -> ServerResponse:
        way = ways.get(seen.path)
        return ServerResponse() if way is None else ServerResponse(302, headers={"Location": way})

    with opened(moving, chain(logger)) as (stack, server):
        stack.get("old", params={"page": 2})

    assert lines.only.http_url == f"{server.origin}/old?page=2"


def test_a_line_that_nobody_wants_is_not_made() -> None:
    """Where the level is not asked for, the call pays next to nothing."""

    read: list[int] = []

    class OddError(Exception):
        def __str__(self) -> str:
            read.append(1)
            return "told"

    logger, lines = log_at(logging.CRITICAL)
    stack, _ = stack_over(Script(OddError()), LoggingHandler(logger, verbose=True))
    with pytest.raises(OddError):
        stack.get("a")

    assert (read, lines.records) == ([], [])


def test_success_may_be_quiet() -> None:
    """In a busy service only what went wrong is written."""
    logger, lines = log_at(logging.INFO)
    handler = LoggingHandler(logger, level=logging.DEBUG, verbose=True)
    with opened(lambda seen: ServerResponse(200 if seen.path == "/a" else 404), [handler]) as (
        stack,
        _,
    ):
        stack.get("a")
        stack.get("b")

    assert "/b 404" in lines.only.getMessage()


def test_a_logger_can_be_named() -> None:
    """By default it is ``sessionkit.http``, which any configuration can set."""
    lines = Lines()
    logger = logging.getLogger("sessionkit.http")
    logger.addHandler(lines)
    try:
        with opened(lambda _: ServerResponse(404), [LoggingHandler()]) as (stack, _):
            stack.get("a")
    finally:
        logger.removeHandler(lines)

    assert lines.only.name == "sessionkit.http"
    assert repr(LoggingHandler("shop")) == "LoggingHandler('shop', level=INFO, verbose=False)"


def test_renewals_are_told() -> None:
    """A slow call that waited for a token looks different from a slow API."""
    logger, lines = log_at()
    identity = IdentityProvider(expires_in=3600)
    with LoopbackServer(identity.respond) as server, requests.Session() as session:
        login = ClientCredentials(f"{server.origin}/token", "app", client_secret=SECRET)
        handlers = {"logging": LoggingHandler(logger, verbose=True), **recommended(login)}
        stack = SessionStack(session, handlers, base_url=server.origin)
        stack.get("a")
        identity.is_down = True
        identity.expire()
        with pytest.raises(RenewalFailed):
            stack.get("b")

    first, last = [r for r in lines.records if r.levelno > logging.DEBUG]
    assert "(1 renewal in 0." in first.getMessage()
    assert (last.levelno, last.http_error) == (logging.ERROR, "RenewalFailed")  # type: ignore[attr-defined]  # set by the handler
    assert f"GET {server.origin}/b failed in" in last.getMessage()
    assert SECRET not in lines.text
    assert "access-1" not in lines.text


def test_details_show_what_went_over_the_wire() -> None:
    """Asked for, the log has the request as a line of curl, and the answer as curl shows it."""
    logger, lines = log_at()
    with opened(lambda _: ServerResponse(200, {"id": 7}), chain(logger, verbose=True)) as (
        stack,
        server,
    ):
        stack.post("a", json={"name": "x"})

    line, request, response = [record.getMessage() for record in lines.records]
    assert line.startswith("POST ")
    assert request.startswith(f"request: curl -X POST {server.origin}/a ")
    assert response.startswith("response: < 200 OK\n< ")
    assert response.endswith('\n<\n< {"id": 7}')
    assert [record.levelno for record in lines.records] == [logging.INFO] + [logging.DEBUG] * 2


def test_details_are_cut_and_never_fake_a_line() -> None:
    """A body can neither fill the disk nor pass for a line of the log."""
    logger, lines = log_at()
    body = b"first\nERROR sessionkit.http: faked\r\x1b[31m" + b"x" * 100_000
    with opened(lambda _: ServerResponse(200, body), chain(logger, verbose=True)) as (stack, _):
        stack.get("a")

    response = lines.records[-1].getMessage().removeprefix("response: ")
    assert all(line.startswith("<") and line.isprintable() for line in response.split("\n"))
    assert "< ERROR sessionkit.http: faked" in response
    assert len(response) < 6_000
    assert response.endswith("< (cut here, after 4096 characters)")


def test_a_body_that_is_no_text_is_told_by_its_size() -> None:
    """An image does not ring the bell of a terminal."""
    logger, lines = log_at()
    with opened(lambda _: ServerResponse(200, b"\xff\7\0"), chain(logger, verbose=True)) as (
        stack,
        _,
    ):
        stack.get("a")

    assert lines.records[-1].getMessage().endswith("< (3 bytes that are no text)")


def test_a_stream_is_left_to_the_caller() -> None:
    """The log does not wait for, or keep, what the caller wants to read piece by piece."""
    logger, lines = log_at()
    with opened(lambda _: ServerResponse(200, b"x" * 10), chain(logger, verbose=True)) as (
        stack,
        _,
    ):
        response = stack.get("a", stream=True)
        assert lines.records[0].http_received_bytes == 0  # type: ignore[attr-defined]  # set by the handler
        assert response.raw.tell() == 0
        assert b"".join(response.iter_content(3)) == b"x" * 10

    assert "xxx" not in lines.records[-1].getMessage()


def echo(seen: ServerRequest) -> ServerResponse:
    """Answer with all that arrived, in body and headers, as careless servers do."""
    said = {**seen.headers, **{k: v[0] for k, v in seen.query.items()}}
    cookies = seen.headers.get("cookie", "").partition("=")[2]
    facts = said.get("x-odd") or said.get("x-api-key") or said.get("odd") or cookies or seen.bearer
    facts = facts.rpartition(" ")[2]  # without the word before it
    body = {"detail": f"no {said} {facts}", "said": said, "form": seen.body.decode("latin-1")}
    headers = {"X-Request-Id": facts or "-", "X-Echo": facts, "Warning": f'299 - "{facts}"'}
    return ServerResponse(404 if seen.path == "/no" else 200, body, headers)


PLANTED: dict[str, dict[str, Any]] = {
    "bearer": {"scheme": Bearer()},
    "header": {"scheme": Header("X-Odd")},
    "word": {"scheme": Header("X-Odd", prefix="Odd")},
    "query": {"scheme": Query("odd")},
    "cookie": {"scheme": Cookie("odd")},
    "own": {"headers": {"Authorization": f"Bearer {SECRET}"}},
    "key": {"headers": {"X-Api-Key": SECRET}},
    "session": {"session": SECRET},
    "basic": {"auth": ("app", SECRET)},
    "params": {"params": {"access_token": SECRET}},
    "form": {"data": {"client_secret": SECRET}},
}


@pytest.mark.parametrize("errors", [True, False], ids=["errors", "plain"])
@pytest.mark.parametrize("path", ["yes", "no", "nobody", "bug"])
@pytest.mark.parametrize("kind", PLANTED)
def test_no_line_holds_a_secret(kind: str, path: str, errors: bool) -> None:
    """Whatever happens, and whatever a server echoes, the log can be shown to anybody."""
    options = dict(PLANTED[kind])
    scheme, of_session = options.pop("scheme", None), options.pop("session", None)
    logger, lines = log_at()

    def broken(exchange: Exchange, call_next: CallNext) -> requests.Response:
        response = call_next(exchange)
        if path == "bug":
            raise ValueError(f"{response.request.headers} {response.request.url} {response.text}")
        return response

    with LoopbackServer(echo) as server, requests.Session() as session:
        session.headers["X-Api-Key"] = of_session  # None: none
        home = closed_port() if path == "nobody" else server.origin
        grant = StaticToken(SECRET) if scheme else None
        usual = recommended(grant, errors=errors, **({"scheme": scheme} if scheme else {}))
        handlers = {"logging": LoggingHandler(logger, verbose=True), "broken": broken, **usual}
        stack = SessionStack(session, handlers, base_url=home)
        with suppress(requests.RequestException, ValueError):
            stack.request("POST" if "data" in options else "GET", path, retries=0, **options)

    assert path in lines.records[0].getMessage()
    assert SECRET not in lines.text
    assert len(lines.records) == (2 if path in {"nobody", "bug"} else 3)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (f"http://app:{SECRET}@127.0.0.1:1/a", {}),
        ("a", {"X-Api-Key": SECRET}),
    ],
    ids=["userinfo", "header"],
)
def test_what_was_asked_for_is_known_before_anything_is_sent(url: str, headers: Any) -> None:
    """A failure before the first byte may print a credential alone, where no name tells it."""

    def broken(_: Exchange, __: CallNext) -> requests.Response:
        raise ValueError(f"cannot use {SECRET} here")

    logger, lines = log_at()
    with (
        opened(handlers=chain(logger, broken)) as (stack, _),
        pytest.raises(ValueError, match="use"),
    ):
        stack.get(url, headers=headers)

    assert "cannot use *** here" in lines.only.getMessage()
    assert SECRET not in lines.text


@given(
    st.dictionaries(
        st.text(st.characters(codec="latin-1")), st.text(st.characters(codec="latin-1"))
    ),
    st.text(),
    st.binary(),
)
def test_nothing_that_arrives_makes_the_log_fail(
    headers: dict[str, str], text: str, body: bytes
) -> None:
    """A line in the log never costs a call its answer, and always is a line."""
    logger, lines = log_at()
    script = Script(Scripted(200, headers, body))
    stack, _ = stack_over(script, LoggingHandler(logger, verbose=True))
    with suppress(UnicodeError):  # of requests: what cannot be sent
        stack.get("a", params={"q": text, text: "x"}, operation=text)

    assert lines.records[0].getMessage().isprintable()
    messages = [record.getMessage() for record in lines.records]
    shown = [m.removeprefix("response: ") for m in messages if m.startswith("response: ")]
    assert all(line.startswith("<") for text in shown for line in text.split("\n"))


@given(st.text())
def test_no_text_of_an_error_makes_the_log_fail(text: str) -> None:
    """The error that the caller gets is the one that was raised."""
    logger, lines = log_at()
    stack, _ = stack_over(Script(requests.ConnectionError(text)), LoggingHandler(logger))
    with pytest.raises(requests.ConnectionError):
        stack.get("a")

    assert lines.only.getMessage().isprintable()
    assert len(lines.only.http_error_text) <= 503


@pytest.mark.parametrize(
    ("secret", "text"), [(SECRET, " " * 19_990 + SECRET), (f"planted-{'x' * 2_990}", "")]
)
def test_a_long_text_shows_no_half_of_a_secret(secret: str, text: str) -> None:
    """Wherever it is cut: blanks and masks make room for what stands behind them."""
    logger, lines = log_at()
    error = requests.ConnectionError(text or f"{secret} " * 7)
    stack, _ = stack_over(Script(error), LoggingHandler(logger))
    with pytest.raises(requests.ConnectionError):
        stack.get("a", headers={"X-Api-Key": secret})

    assert "planted" not in lines.text


def test_an_error_that_cannot_be_shown_is_named() -> None:
    """Even an exception whose text raises is told by its class."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    logger, lines = log_at()
    stack, _ = stack_over(Script(Odd()), LoggingHandler(logger))
    with pytest.raises(Odd):
        stack.get("a")

    assert lines.only.getMessage().endswith("Odd: <Odd>")


# -- SESSIONKIT_LOG


def test_a_variable_turns_the_log_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program is looked into without a change to its code."""
    monkeypatch.setenv("SESSIONKIT_LOG", "info")
    with opened(handlers=recommended(StaticToken(SECRET))) as (stack, server):
        stack.get("a")

    err = capsys.readouterr().err
    assert f" INFO    GET {server.origin}/a 200 in " in err
    assert err.count("\n") == 1


def test_debug_shows_what_was_sent_and_answered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One word more, and the whole exchange is there; the token is not."""
    monkeypatch.setenv("SESSIONKIT_LOG", "debug")
    with opened(echo, recommended(StaticToken(SECRET))) as (stack, server):
        stack.get("a")

    err = capsys.readouterr().err
    assert f"request: curl {server.origin}/a " in err
    assert "response: < 200 OK" in err
    assert SECRET not in err


@pytest.mark.parametrize(
    ("wanted", "names"),
    [(None, 0), ("", 0), ("off", 0), ("0", 0), ("warning", 1), ("WARNING", 1), ("1", 1)],
)
def test_the_variable_never_breaks_a_program(
    wanted: str | None, names: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unset nothing is added; a value that nobody knows is no error."""
    if wanted is None:
        monkeypatch.delenv("SESSIONKIT_LOG", raising=False)
    else:
        monkeypatch.setenv("SESSIONKIT_LOG", wanted)

    assert list(recommended())[:-4] == ["stderr_log"] * names
    assert list(recommended())[-4:] == ["errors", "timing", "timeout", "retry"]


def test_the_variable_stands_beside_a_log_of_the_programs_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has its lines once, and the program's own logging is as it was."""
    monkeypatch.setenv("SESSIONKIT_LOG", "warning")
    logger, lines = log_at()
    with opened(lambda _: ServerResponse(404), recommended(errors=False)) as (stack, _):
        stack.handlers.add(LoggingHandler(logger), outermost=True)
        stack.get("a")

    assert len(lines.records) == 1
    assert capsys.readouterr().err.count("/a 404") == 1
    assert logging.getLogger("sessionkit.http").handlers == []


def test_other_chains_stay_what_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who names each handler gets these, and no other."""
    monkeypatch.setenv("SESSIONKIT_LOG", "debug")
    with opened(handlers=[passing]) as (stack, _):
        stack.get("a")

    assert stack.handlers.names == ("passing",)
    assert capsys.readouterr().err == ""
