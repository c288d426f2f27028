"""The original exception behind an error, made fit to be shown."""

from __future__ import annotations

import socket
import ssl
import traceback
from typing import Any, Self

import pytest
import requests
from requests import exceptions as theirs
from urllib3 import exceptions as low

from sessionkit.errors import ConfigError
from sessionkit.errors.tools import scrub_exception

SECRET = "planted-secret"


def asked() -> requests.PreparedRequest:
    """Return a prepared request that carries a secret."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    return requests.Request("GET", f"https://x/?sig={SECRET}", headers=headers).prepare()


def shown(error: BaseException) -> str:
    """Return all that a traceback, a debugger and a curious program see of an exception."""
    seen: list[str] = ["".join(traceback.format_exception(error))]
    left: list[Any] = [error]
    for link in left:
        if isinstance(link, BaseException):
            seen.append(f"{link} {link!r} {vars(link)}")
            left += [link.__cause__, link.__context__, *link.args, *vars(link).values()]
        elif hasattr(link, "headers"):
            seen.append(str(vars(link)))
    return "\n".join(seen)


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Return *error* as it is after it was raised, with a traceback."""
    with pytest.raises(type(error)) as raised:
        raise error from cause
    return raised.value


def test_what_holds_no_secret_stays_the_same_object() -> None:
    """Nothing is copied without need."""
    cause = KeyError("a")
    error = caught(ValueError("plain"), cause)

    assert scrub_exception(error) is error
    assert error.__cause__ is cause


def test_the_chain_of_requests_is_copied_class_by_class() -> None:
    """Who looks at the causes finds what requests and urllib3 raised, without the secrets."""
    reason = low.NewConnectionError(None, f"refused {SECRET}")  # type: ignore[arg-type]  # a stand-in
    retried = low.MaxRetryError(None, f"/a?api_key={SECRET}", reason)  # type: ignore[arg-type]  # a stand-in
    error = caught(requests.ConnectionError(retried, request=asked()), retried)

    clean = scrub_exception(error)

    assert type(clean) is requests.ConnectionError
    assert clean is not error
    assert type(clean.__cause__) is low.MaxRetryError
    assert clean.args[0] is clean.__cause__
    assert type(clean.__cause__.reason) is low.NewConnectionError
    assert clean.request.headers["Authorization"] == "***"  # type: ignore[union-attr]  # it is there
    assert clean.__traceback__ is error.__traceback__
    assert SECRET not in shown(clean)
    assert SECRET in shown(error)


@pytest.mark.parametrize(
    "error",
    [
        theirs.InvalidHeader(f"bad value: 'Bearer {SECRET}'"),
        low.InvalidHeader(f"bad value: {SECRET}"),
        ValueError(f"Invalid header value b'{SECRET}\\n'"),
        UnicodeEncodeError("latin-1", f"{SECRET}\u20ac", 14, 15, "ordinal not in range(256)"),
        KeyError(f"https://u:{SECRET}@x/"),
        OSError(5, f"token={SECRET}"),
        ssl.SSLError(1, f"password={SECRET}"),
        requests.HTTPError("x", response=None, request=asked()),
        RuntimeError({"password": SECRET}, [f"token={SECRET}"], f"sig={SECRET}".encode(), 7, None),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_text_of_an_exception_keeps_a_secret(error: BaseException) -> None:
    """Whatever prints the cause of an error prints no credential."""
    clean = scrub_exception(caught(error))

    assert SECRET not in shown(clean)
    assert isinstance(clean, OSError if isinstance(error, OSError) else Exception)


@pytest.mark.parametrize(
    "error",
    [
        UnicodeEncodeError("latin-1", f"{SECRET}\u20acx", 14, 15, "ordinal not in range(256)"),
        UnicodeDecodeError("utf-8", f"{SECRET}\xffx".encode("latin-1"), 14, 15, "invalid start"),
    ],
)
def test_what_cannot_be_coded_is_still_told_by_its_class(error: UnicodeError) -> None:
    """And by the same text, which names the character and its place."""
    clean = scrub_exception(caught(error))

    assert type(clean) is type(error)
    assert str(clean) == str(error)
    assert SECRET[:4] not in shown(clean)


def test_numbers_and_kinds_of_an_os_error_stay() -> None:
    """Who asks for errno still gets it."""
    clean = scrub_exception(ConnectionRefusedError(111, f"token={SECRET}"))

    assert type(clean) is ConnectionRefusedError
    assert clean.errno == 111


def test_secrets_in_a_request_of_the_chain_are_known_everywhere() -> None:
    """A server's text that echoes the token is cleaned, though it does not look like one."""
    error = caught(requests.ConnectionError("x", request=asked()), KeyError(f"echo {SECRET} end"))

    assert SECRET not in shown(scrub_exception(error))


def test_exact_secrets_are_masked_as_well() -> None:
    """A credential under a name of no meaning is masked by its value."""
    assert "odd-one" not in shown(
        scrub_exception(caught(ValueError("it was odd-one")), ["odd-one"])
    )


def test_notes_are_cleaned_too() -> None:
    """A traceback prints them."""
    error = ValueError("x")
    error.add_note(f"sent password={SECRET}")

    assert "password=***" in shown(scrub_exception(error))


def test_context_and_suppression_are_kept() -> None:
    """A traceback shows the same links as before."""
    error = ValueError("second")
    error.__context__ = KeyError(f"token={SECRET}")
    error.__suppress_context__ = True

    clean = scrub_exception(error)

    assert clean.__suppress_context__
    assert isinstance(clean.__context__, KeyError)
    assert SECRET not in shown(clean)


def test_our_own_errors_are_kept_and_their_causes_cleaned() -> None:
    """They are clean already, but what they were raised from may not be."""
    error = caught(ConfigError("x"), ValueError(f"token={SECRET}"))

    assert scrub_exception(error) is error
    assert type(error.__cause__) is ValueError
    assert SECRET not in shown(error)


class Stubborn(Exception):
    """Shows its secret whatever its arguments are."""

    def __str__(self) -> str:
        return f"token={SECRET}"


class Unbuildable(Exception):
    """Cannot be made without its number."""

    def __new__(cls, number: int) -> Self:
        return super().__new__(cls, int(number))

    def __init__(self, number: int) -> None:
        self.args = (f"token={SECRET}",)


class Mute(Exception):
    """Cannot be shown at all."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("error", [Stubborn(), Unbuildable(7)])
def test_a_class_that_cannot_be_copied_is_replaced(error: Exception) -> None:
    """Its name and its cleaned text remain."""
    clean = scrub_exception(caught(error))

    assert str(clean) == f"{type(error).__name__}: token=***"
    assert clean.__traceback__ is error.__traceback__


def test_an_exception_that_cannot_be_shown_is_left_alone() -> None:
    """It tells nothing, so it tells no secret."""
    error = Mute()

    assert scrub_exception(error) is error


def test_a_chain_in_a_circle_ends() -> None:
    """Exceptions may point at each other."""
    one, two = ValueError(f"token={SECRET}"), KeyError(f"token={SECRET}")
    one.args = (f"token={SECRET}", two)
    two.args = (f"token={SECRET}", one)
    one.__cause__, two.__cause__ = two, one

    assert SECRET not in shown(scrub_exception(one))


def test_a_chain_too_long_to_follow_is_cut() -> None:
    """The error itself matters; nothing is raised in its place."""
    error: BaseException = ValueError("last")
    for _ in range(5_000):
        outer = ValueError("next")
        outer.__context__ = error
        error = outer

    assert scrub_exception(error) is error
    assert error.__context__ is None


def test_pools_and_connections_stay_behind() -> None:
    """A kept error keeps no connection alive."""
    sock = socket.socket()
    error = low.ReadTimeoutError(sock, "/a", "Read timed out.")  # type: ignore[arg-type]  # a stand-in
    sock.close()

    clean = scrub_exception(error)

    assert not hasattr(clean, "pool")
    assert isinstance(clean, low.ReadTimeoutError)
    assert clean.url == "/a"
