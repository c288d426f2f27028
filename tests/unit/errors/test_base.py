"""The root of all errors: evidence, one line, copies, pickles."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
import traceback
from typing import Any

import pytest
import requests

from sessionkit import errors
from sessionkit.errors import (
    ConfigError,
    ErrorDetail,
    MappingError,
    NotFound,
    Problem,
    SessionKitError,
    StoreUnreadable,
    TransportError,
)

EVERY_ERROR = [
    kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, SessionKitError)
]


def asked(url: str = "https://api.x/users?page=2") -> requests.PreparedRequest:
    """Return a prepared request that carries a secret."""
    headers = {"Authorization": "Bearer planted-secret"}
    return requests.Request("POST", url, headers=headers).prepare()


def answered(status: int = 404, request: requests.PreparedRequest | None = None) -> Any:
    """Return a response to a request that carries a secret."""
    response = requests.Response()
    response.status_code = status
    response.url = "https://api.x/users?page=2"
    response.headers["X-Request-Id"] = "7f3"
    response._content = b"gone"
    response._content_consumed = True
    response.request = request or asked()
    return response


def raised(kind: type[SessionKitError]) -> SessionKitError:
    """Return an error that was raised from another one."""
    error = kind("it broke", attempts=2, duration=0.5, response=answered())
    with pytest.raises(SessionKitError) as caught:
        raise error from KeyError("first")
    return caught.value


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_pickles_with_its_evidence(kind: type[SessionKitError]) -> None:
    """A worker process hands its failure to the one that started it."""
    error = raised(kind)

    back = pickle.loads(pickle.dumps(error))

    assert type(back) is kind
    assert str(back) == str(error)
    assert (back.attempts, back.duration, back.status) == (2, 0.5, 404)
    assert back.response is not None
    assert back.response.content == b"gone"
    assert back.cause_text == "KeyError: 'first'"
    assert back.__cause__ is None


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_copies_with_its_evidence(kind: type[SessionKitError]) -> None:
    """Whoever keeps failures for later may copy them."""
    error = raised(kind)

    for twin in (copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert twin is not error
        assert str(twin) == str(error)
        assert (twin.attempts, twin.hint, twin.sent) == (2, error.hint, error.sent)


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_is_raised_and_caught_by_the_root(kind: type[SessionKitError]) -> None:
    """``except SessionKitError`` is enough, and the public place is in the traceback."""
    with pytest.raises(SessionKitError) as caught:
        raise kind("it broke")

    assert kind.__module__ == "sessionkit.errors"
    assert kind.__doc__
    assert str(caught.value) == "it broke"


@pytest.mark.parametrize(
    "kind", [kind for kind in EVERY_ERROR if not any(k.__base__ is kind for k in EVERY_ERROR)]
)
def test_every_leaf_names_what_to_do_next(kind: type[SessionKitError]) -> None:
    """Nobody is left with a condition and no idea; a ConfigError's hint is that of its place."""
    assert kind.hint or kind is ConfigError


def test_the_text_is_one_line_with_the_place() -> None:
    """A log line says what, where, and under which name the operator finds it."""
    error = NotFound("404 NotFound:\n no such user", response=answered(), attempts=2)

    assert str(error) == (
        "404 NotFound: no such user [POST https://api.x/users?page=2, id 7f3, try 2]"
    )
    assert repr(error) == "NotFound('404 NotFound: no such user')"


def test_the_first_try_is_not_worth_a_word() -> None:
    """Only a repeated request says so; an error without a call is its message."""
    assert str(TransportError("lost", attempts=1, method="GET")) == "lost [GET]"
    assert str(TransportError()) == "TransportError"


def test_a_hint_stands_below_the_traceback_and_not_in_the_text() -> None:
    """The text stays one line; whoever reads the traceback is told what to do."""
    error = ConfigError("no such handler", hint="add\nit first")

    assert str(error) == "no such handler"
    assert error.hint == "add it first"
    assert traceback.format_exception(error)[-1] == "hint: add it first\n"


def test_evidence_is_read_from_the_answer() -> None:
    """Who raises an error gives the response; the rest follows."""
    error = SessionKitError("x", response=answered(418))

    assert (error.status, error.request_id) == (418, "7f3")
    assert (error.method, error.url) == ("POST", "https://api.x/users?page=2")
    assert error.request is error.response.request  # type: ignore[union-attr]  # it is there


def test_given_evidence_wins_over_what_the_answer_says() -> None:
    """A token request's failure may be told as the failure of the call that needed it."""
    error = SessionKitError("x", url="https://other.x/", status=500, response=answered(418))

    assert (error.status, error.url) == (500, "https://other.x/")


def test_evidence_is_completed_and_never_overwritten() -> None:
    """Those further out know more of the call, but not better."""
    error = SessionKitError("x", attempts=1, url="https://a.x/")

    assert error.complete(attempts=3, duration=1.5, url="https://b.x/", method=None) is error
    assert (error.attempts, error.duration) == (1, 1.5)
    assert (error.url, error.method) == ("https://a.x/", None)


def test_a_request_alone_is_evidence_too() -> None:
    """A call that got no answer still shows what was asked."""
    error = TransportError("x", request=asked("https://u:p@api.x/?sig=planted-secret"))

    assert error.url == "https://***@api.x/?sig=***"
    assert error.request is not None
    assert error.request.headers["Authorization"] == "***"


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_no_secret_gets_into_an_error(
    kind: type[SessionKitError], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither text, repr, attributes, traceback, log nor pickle show what was planted."""
    error = kind(
        "Bearer planted-secret was refused, access_token=planted-secret",
        hint="see http://u:planted-secret@x/",
        url="https://api.x/?api_key=planted-secret",
        response=answered(),
    )
    shown = f"{error} {error!r} {vars(error)} {vars(error.response)} {vars(error.request)}"
    try:
        raise error
    except SessionKitError:
        logging.getLogger("tests").exception("it failed")
        shown += traceback.format_exc()

    assert "planted-secret" not in shown
    assert "planted-secret" not in caplog.text
    assert "it failed" in caplog.text
    for twin in (error, copy.copy(error), copy.deepcopy(error)):
        assert b"planted-secret" not in pickle.dumps(twin)


def test_the_cause_is_told_without_its_secrets() -> None:
    """What a pickle keeps of the original is its class and its scrubbed text."""
    error = ConfigError("x")
    error.__cause__ = ValueError("password=planted-secret")

    assert error.cause_text == "ValueError: password=***"
    assert SessionKitError("x").cause_text is None


def test_the_same_failure_can_be_raised_in_many_threads() -> None:
    """Waiters share a failure, but not a traceback."""
    error = raised(TransportError)
    tracebacks: list[int] = []

    def wait() -> None:
        with pytest.raises(TransportError) as own:
            raise error.detached_copy()
        if own.value.__cause__ is error.__cause__ and own.value.__suppress_context__:
            tracebacks.append(len(traceback.extract_tb(own.value.__traceback__)))

    threads = [threading.Thread(target=wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert tracebacks == [1] * 8


class Vendor(NotFound):
    """An error of a vendor's own, with a signature of its own."""

    def __init__(self, number: int, *, lock: object) -> None:
        super().__init__(f"order {number}", status=404)
        self.number = number
        self.lock = lock


class Bare(SessionKitError):
    """An error that never calls its parent's ``__init__``."""

    def __init__(self, number: int) -> None:
        self.number = number


def test_a_subclass_with_any_signature_pickles_and_copies() -> None:
    """Vendors derive errors without knowing how ours are rebuilt."""
    error = Vendor(7, lock="plain")

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert (type(twin), str(twin), twin.number) == (Vendor, "order 7", 7)


def test_what_cannot_be_pickled_is_replaced_by_its_name() -> None:
    """One odd attribute does not turn an error into another error."""

    class Local:
        """Of no module, so no pickle finds it."""

    lock = threading.Lock()
    error = Vendor(7, lock=lock)
    mapping = MappingError("x", model=Local, problems=(Problem("/a", "b"),), index=3)

    back = pickle.loads(pickle.dumps(mapping))
    assert "lock" in pickle.loads(pickle.dumps(error)).lock
    assert back.model.endswith("Local")
    assert (back.problems, back.index) == (mapping.problems, 3)
    assert copy.copy(error).lock is lock
    assert mapping.model is Local


def test_a_subclass_that_skips_the_parent_still_speaks() -> None:
    """The defaults are on the class."""
    error = Bare(7)

    assert str(error) == "Bare"
    assert (error.sent, error.retryable, error.details) == ("no", False, None)
    assert pickle.loads(pickle.dumps(error)).number == 7


class Unshowable:
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_building_and_showing_an_error_never_raises() -> None:
    """The failure that is to be told is not hidden by a second one."""
    odd: Any = Unshowable()

    error = SessionKitError(odd, hint=odd, url=odd, response=odd, request=odd, details=odd)

    assert str(error) == "<Unshowable>"
    assert (error.url, error.response) == (None, None)
    vars(error)["method"] = odd
    assert str(error) == "SessionKitError"


def test_an_endless_message_is_cut() -> None:
    """An error stays of a size that can be logged."""
    assert len(str(SessionKitError("x" * 1_000_000))) == 2_000


def test_errors_carry_what_their_own_place_knows() -> None:
    """A store names itself, a details object stays the object it is."""
    details = ErrorDetail(code="c")
    error = StoreUnreadable("x", store="sqlite", key="app")

    assert (error.store, error.key) == ("sqlite", "app")
    assert SessionKitError("x", details=details).details is details


@pytest.mark.parametrize(
    ("own", "before", "sent", "retryable"),
    [
        ("no", "no", "no", True),
        ("no", "maybe", "maybe", False),
        ("no", "yes", "yes", False),
        ("maybe", "no", "maybe", True),
        ("maybe", "yes", "yes", True),
        ("yes", "maybe", "yes", True),
    ],
)
def test_what_was_sent_before_counts(own: Any, before: Any, sent: str, retryable: bool) -> None:
    """Once something may have been done, "nothing was sent" is no reason to repeat any more."""
    error = TransportError("it broke", sent=own, retryable=True)

    error.include_sent(before)

    assert (error.sent, error.retryable) == (sent, retryable)


def test_no_text_of_a_servers_steers_a_terminal() -> None:
    """Escape sequences and signs that turn a line around are shown as question marks."""
    odd = "a\x1b]0;b\x07\x00\u202ec"
    error = SessionKitError(odd, hint=odd, method="GET", url=f"https://a.example/{odd}")

    assert str(error) == "a?]0;b???c [GET https://a.example/a?]0;b???c]"
    assert error.hint == "a?]0;b???c"
