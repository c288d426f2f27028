"""Errors of a vendor's own, made from the tree."""

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
    ConfigError,
    ConnectFailed,
    ConnectTimedOut,
    NotFound,
    RenewalFailed,
    SessionKitError,
    StatusError,
    vendor_error,
)
from sessionkit.errors._minted import as_vendor_error

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


def answered() -> requests.Response:
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
    error = kind(f"Bearer {SECRET} was refused", attempts=2, response=answered())
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
