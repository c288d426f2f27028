"""Errors of a vendor's own: rules, and classes made from the tree."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests

from sessionkit import errors
from sessionkit.errors import (
    ApplicationError,
    ConfigError,
    Conflict,
    ConnectFailed,
    ConnectTimedOut,
    NotFound,
    RateLimited,
    RenewalFailed,
    Rule,
    SessionKitError,
    StatusError,
    vendor_error,
)
from sessionkit.errors._vendor import as_vendor_error, read_statuses


def answered(
    status: int = 409, body: bytes = b'{"code": "locked"}', method: str = "GET", **headers: str
) -> requests.Response:
    """Return a response whose body has been read."""
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response._content = body
    response._content_consumed = True
    response.request = requests.Request(method, "https://api.x/a").prepare()
    return response


def fits(rule: Rule, response: requests.Response) -> bool:
    """Ask as the handler does."""
    return rule.concerns(response) and rule.fits(response)


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        (Rule(Conflict, status=409), answered(), answered(404)),
        (Rule(Conflict, status=(404, 409)), answered(), answered(410)),
        (Rule(Conflict, status=range(400, 500)), answered(499), answered(500)),
        (Rule(Conflict), answered(400), answered(399)),
        (Rule(Conflict), answered(599), answered(200)),
        (Rule(Conflict, method="delete"), answered(method="DELETE"), answered(method="POST")),
        (Rule(Conflict, header="X-Locked"), answered(X_Locked=""), answered()),
        (
            Rule(RateLimited, status=403, header=("X-RateLimit-Remaining", "0")),
            answered(403, X_RateLimit_Remaining="0"),
            answered(403, X_RateLimit_Remaining="10"),
        ),
        (Rule(Conflict, code="locked"), answered(), answered(body=b'{"code": "busy"}')),
        (Rule(Conflict, code="locked"), answered(), answered(body=b"")),
        (
            Rule(ApplicationError, status=200, when=lambda a: a.json().get("ok") is False),
            answered(200, b'{"ok": false}'),
            answered(200, b'{"ok": true}'),
        ),
        (
            Rule(Conflict, status=409, method="PUT", code="locked", header="Via"),
            answered(method="PUT", Via="x"),
            answered(method="PUT"),
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, Rule) else None,
)
def test_a_rule_fits_where_all_that_it_names_does(
    rule: Rule, yes: requests.Response, no: requests.Response
) -> None:
    """A failure is told by as much of the answer as it takes."""
    assert fits(rule, yes)
    assert not fits(rule, no)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"null", b'{"ok": {}}', b"\xff"])
def test_a_body_of_another_shape_does_not_fit(body: bytes) -> None:
    """A page from a proxy does not turn into an error about an error."""
    looking = (
        lambda a: a.json()["ok"]["no"] is False,
        lambda a: a.json().get("ok").startswith("n"),
    )

    for when in looking:
        assert not fits(Rule(Conflict, when=when), answered(body=body))


def test_a_mistake_in_a_rule_is_shown() -> None:
    """What is no matter of shapes is a bug, and looks like one."""

    def mistaken(_: requests.Response) -> bool:
        raise NameError("no such name")

    with pytest.raises(NameError):
        fits(Rule(Conflict, when=mistaken), answered())


@pytest.mark.parametrize("raises", [NotFound("x"), ValueError, "NotFound", 404, object])
def test_what_is_no_error_of_ours_is_refused(raises: Any) -> None:
    """Whatever leaves a stack has one root; the hint says how a vendor's class gets it."""
    with pytest.raises(SessionKitError, match="no class of errors") as caught:
        Rule(raises)
    assert "vendor_error" in caught.value.hint


def test_an_error_that_requests_could_not_raise_is_refused() -> None:
    """Whoever catches RequestException catches the vendor's errors too."""

    class AcmeError(SessionKitError):
        """A root alone."""

    class AcmeLocked(AcmeError, StatusError):
        """Under the root, and what requests raises."""

    with pytest.raises(SessionKitError, match=r"AcmeError is no requests\.RequestException"):
        Rule(AcmeError)
    assert Rule(AcmeLocked).raises is AcmeLocked
    assert Rule(None).raises is None


@pytest.mark.parametrize("status", [0, 99, 600, "404", (404, "x"), (), True, 4.04])
def test_what_is_no_status_is_refused(status: Any) -> None:
    """A rule that could never fit is a mistake that shows at once."""
    with pytest.raises(SessionKitError, match=r"status=.* must name HTTP statuses"):
        Rule(NotFound, status=status)


def test_statuses_are_read_from_one_or_several() -> None:
    """The same forms serve a rule and the ``expect=`` of a call."""
    assert read_statuses("expect", 404) == frozenset({404})
    assert read_statuses("expect", [200, 404]) == frozenset({200, 404})
    assert read_statuses("expect", None) is None


def test_a_rule_shows_what_it_names() -> None:
    """``explain()`` prints the table."""
    rule = Rule(Conflict, status=409, method="put", header="Via", code="locked", when=fits)  # type: ignore[arg-type]  # only shown

    assert repr(rule) == (
        "Rule(Conflict, status=[409], method='PUT', header='Via', code='locked', when=fits)"
    )
    assert repr(Rule(None)) == "Rule(None)"


SECRET = "planted-secret"
EVERY_ERROR = [
    kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type)
    and issubclass(kind, SessionKitError)
    and kind is not ConfigError
]


class AcmeError(SessionKitError):
    """Root of all errors of a vendor who begins with sessionkit."""

    @property
    def order(self) -> str:
        """A word of the vendor's own."""
        return "order 7"


class BoltError(Exception):
    """Root of the errors of a vendor who had some before."""

    def __init__(self, number: int, cause: object, place: str) -> None:
        super().__init__(number, cause, place)


AcmeNotFound = vendor_error(AcmeError, NotFound)


class AcmeOrderGone(AcmeNotFound):  # type: ignore[misc, valid-type]  # a checker sees a variable
    """A class that the vendor derives by hand."""


def answered_with_secrets() -> requests.Response:
    """Return an answer that is full of secrets."""
    response = requests.Response()
    response.status_code = 404
    response.url = f"https://api.x/users?api_key={SECRET}"
    response.headers["Set-Cookie"] = f"sid={SECRET}"
    response._content = f'{{"access_token": "{SECRET}", "message": "{SECRET}"}}'.encode()
    response._content_consumed = True
    headers = {"Authorization": f"Bearer {SECRET}"}
    response.request = requests.Request("GET", response.url, headers=headers).prepare()
    return response


def failed(kind: type[SessionKitError]) -> SessionKitError:
    """Return an error of *kind*, raised from another one."""
    error = kind(f"Bearer {SECRET} was refused", attempts=2, response=answered_with_secrets())
    with pytest.raises(SessionKitError) as caught:
        raise error from KeyError(f"access_token={SECRET}")
    return caught.value


@pytest.mark.parametrize("root", [AcmeError, BoltError])
@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_a_minted_error_is_the_vendors_and_ours_and_requests(
    kind: type[SessionKitError], root: type[Exception]
) -> None:
    """Three ways to catch it, and each catches what it always did."""
    error = vendor_error(root, kind)("it broke")

    assert isinstance(error, root)
    assert isinstance(error, kind)
    assert all(isinstance(error, base) for base in kind.__mro__)
    assert isinstance(error, requests.RequestException) or kind is SessionKitError
    assert (error.hint, error.sent, error.retryable) == (kind.hint, kind.sent, kind.retryable)


@pytest.mark.parametrize("root", [AcmeError, BoltError])
@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_a_minted_error_travels(kind: type[SessionKitError], root: type[Exception]) -> None:
    """Worker processes hand the vendor's errors on, as they do with ours."""
    error = failed(vendor_error(root, kind))

    twins = (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error))
    for twin in (*twins, pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error))))):
        assert type(twin) is type(error)
        assert (str(twin), repr(twin), twin.attempts) == (str(error), repr(error), 2)
    assert twins[0].cause_text == "KeyError: 'access_token=***'"


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_no_secret_gets_into_a_minted_error(
    kind: type[SessionKitError], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither text, repr, attributes, log nor pickle show what was planted."""
    error = failed(vendor_error(BoltError, kind))

    # The cause is the raiser's own here; the handler scrubs it.
    error.__cause__ = None
    logging.getLogger("tests").error("it failed", exc_info=error)
    shown = f"{error} {error!r} {vars(error)} {vars(error.response)} {vars(error.request)}"
    shown += "".join(traceback.format_exception(error))
    assert SECRET not in shown
    assert SECRET not in caplog.text
    assert SECRET.encode() not in pickle.dumps(error)


def test_a_class_is_minted_once() -> None:
    """What a program imports by name is what the handler raises."""
    assert vendor_error(AcmeError, NotFound) is AcmeNotFound
    assert (AcmeNotFound.__name__, AcmeNotFound.__module__) == ("AcmeNotFound", __name__)
    assert pickle.loads(pickle.dumps(AcmeNotFound)) is AcmeNotFound
    assert vendor_error(AcmeError, AcmeNotFound) is AcmeNotFound


def test_a_class_that_is_derived_from_a_minted_one_stays_itself() -> None:
    """Vendors go on from what was minted for them."""
    error = failed(AcmeOrderGone)

    assert type(pickle.loads(pickle.dumps(error))) is AcmeOrderGone
    assert isinstance(error, NotFound)


def test_what_a_root_adds_is_there() -> None:
    """A property of the root reads whatever evidence there is."""
    error: Any = AcmeNotFound("gone")

    assert error.order == "order 7"


def test_a_minted_error_is_read_by_a_process_that_never_minted_it(tmp_path: Path) -> None:
    """Whoever unpickles needs the root only; the class is made there and then."""
    acme = "import sessionkit\n\n\nclass AcmeError(sessionkit.SessionKitError):\n    pass\n"
    (tmp_path / "acme.py").write_text(acme)
    program = """
        import pickle, sys
        sys.path.insert(0, sys.argv[1])
        if sys.argv[2:]:
            error = pickle.loads(bytes.fromhex(sys.argv[2]))
            print(type(error).__module__, type(error).__name__, error)
        else:
            import acme
            from sessionkit.errors import NotFound, vendor_error
            kind = vendor_error(acme.AcmeError, NotFound)
            print(pickle.dumps(kind("no order 7", status=404)).hex())
    """

    def run(*arguments: str) -> str:
        command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert run(run()) == "acme AcmeNotFound no order 7"


@pytest.mark.parametrize("root", [None, "AcmeError", object, KeyboardInterrupt, AcmeError("x")])
def test_a_root_that_is_no_exception_is_refused(root: Any) -> None:
    """The mistake shows where the stack is built."""
    with pytest.raises(ConfigError, match="no class of exceptions"):
        vendor_error(root, NotFound)


def test_a_root_that_cannot_be_combined_is_refused() -> None:
    """Python can give no order to these parents; the hint says what can be done."""

    class Odd(requests.RequestException, SessionKitError):
        """The wrong way round."""

    with pytest.raises(ConfigError, match="no class can be both Odd and NotFound") as caught:
        vendor_error(Odd, NotFound)
    assert "derive the base class from" in caught.value.hint


def test_a_config_error_stays_what_it_is() -> None:
    """It is about the stack that the vendor built, and not for the vendor's customers."""
    error = ConfigError("no such handler")

    assert vendor_error(AcmeError, ConfigError) is ConfigError
    assert as_vendor_error(AcmeError, error) is error


def test_an_error_from_elsewhere_is_told_as_the_vendors() -> None:
    """A renewal that failed is the vendor's failure too, with all that is known of it."""
    error = failed(RenewalFailed)

    twin = as_vendor_error(AcmeError, error)

    assert isinstance(twin, AcmeError)
    assert isinstance(twin, RenewalFailed)
    assert (str(twin), twin.hint, twin.__cause__) == (str(error), error.hint, error.__cause__)
    assert twin.__traceback__ is error.__traceback__
    assert as_vendor_error(AcmeError, twin) is twin


def test_several_branches_at_once_stay_caught() -> None:
    """A class with many parents keeps them all."""
    error = vendor_error(BoltError, ConnectTimedOut)("x")

    assert isinstance(error, (ConnectFailed, TimeoutError))
    assert not isinstance(error, StatusError)
